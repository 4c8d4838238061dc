"""Guests that wait: what holds of a lost host's guests, and what is of today alone."""

from dataclasses import replace

from balancer.planner.capacity.asking import Wanted
from balancer.planner.capacity.failures import domains, failure
from balancer.planner.capacity.fit import expected_use, fit, ways
from balancer.planner.capacity.volume import room_for
from balancer.planner.capacity.waiting import PLENTY, calm
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.stay import Stay
from balancer.planner.model.cluster import Guest
from balancer.planner.model.problem import Problem
from balancer.planner.objectives import OBJECTIVES
from tests.drawing import problem, select


def of(vcpus: int, gib: int, cpu: int = 0, spread: str = "", pages: int = 0) -> Wanted:
    allocation = {"vcpus": vcpus, "memory": gib * 1024}
    if pages:
        allocation["hugepages-2048"] = pages
    guest = Guest(uuid="", name="", allocation=allocation)
    return Wanted(guest=guest, use={"cpu": cpu, "memory": gib * 1024}, spread=spread)


def lose(drawn: Problem, host: str) -> tuple[int, int, dict[str, str]]:
    found = failure(drawn, host, (host,))
    return found.restarted, found.after_moves, dict(found.homeless)


def test_what_is_of_today_alone_does_not_count() -> None:
    """An hour's limits that are spent, and guests that rest, hide no room."""
    drawn = replace(problem("a 16c/64g : x 4v/40g\nb 16c/64g :", cooling=["x"]), spent_moves=99)
    assert calm(drawn).cooling == frozenset()
    assert calm(drawn).policy.limits.moves_per_hour == PLENTY
    assert fit(drawn, of(1, 24)).after == 3


def test_one_more_than_fits_is_tried_and_says_why() -> None:
    """Where nobody says how many, what binds is told."""
    found = fit(problem("a 16c/64g :\nb 16c/64g :"), of(4, 30))
    assert (found.now, found.after, found.moves) == (4, 4, None)
    assert found.hosts == {"a": 2, "b": 2}
    assert any("memory" in reason for reason in found.binding)


def test_all_of_a_count_fit_and_nothing_binds() -> None:
    """A count that fits needs no reason, and nobody moves."""
    found = fit(problem("a 16c/64g :\nb 16c/64g :"), of(4, 30), 3)
    assert (found.asked, found.after, found.binding) == (3, 3, {})


def test_guests_without_memory_are_bounded_by_cores() -> None:
    """Even a guest of no memory, or of nothing at all, is not tried without end."""
    assert room_for(problem("a 16c/64g :"), of(1, 0)) == 64
    assert room_for(problem("a 16c/64g :"), of(0, 0)) == 16


def test_a_host_over_its_limit_takes_no_room_from_others() -> None:
    """It may stay as it is: what it holds too much is not owed by the rest."""
    drawn = problem("a 16c/32g : w 1v/11g\nb 16c/32g : x 1v/10g\nc 16c/32g : y 1v/28g | z 1v/16g")
    found = fit(drawn, of(2, 20))
    assert (found.now, found.after, found.hosts) == (2, 2, {"a": 1, "b": 1})


def test_the_cool_host_takes_one_guest() -> None:
    """One new guest goes where it makes nobody hot, though the other has room, too."""
    text = "a 16c/64g : x 16v/8g cpu=13 peak=13\nb 16c/64g : y 16v/8g cpu=2"
    drawn = problem(text, objectives=[goal() for goal in OBJECTIVES.values()])
    found = fit(drawn, of(4, 8, cpu=3000), 1)
    assert (found.hosts, found.hot) == ({"b": 1}, ())


def test_hosts_that_would_be_hot_are_named() -> None:
    """Fitting is not the same as being well served."""
    found = fit(problem("a 16c/64g : x 16v/8g cpu=13"), of(4, 8, cpu=3000), 1)
    assert (found.after, found.hot) == (1, ("a",))


def test_spread_binds() -> None:
    """Evenly over racks, the small rack bounds what the large one takes."""
    drawn = problem("a 16c/64g rack=r1 :\nb 16c/64g rack=r2 : x 4v/60g")
    assert fit(drawn, of(4, 30), 2).after == 2
    assert fit(drawn, of(4, 30, spread="rack"), 2).after == 1


def test_huge_pages_bind() -> None:
    """A guest backed by huge pages fits where these are free."""
    drawn = problem("a 16c/64g pages=1024 :\nb 16c/64g :")
    found = fit(drawn, of(1, 2, pages=1024), 2)
    assert (found.now, found.hosts) == (1, {"a": 1})


def test_ways_are_tried_before_they_are_told() -> None:
    """One more host, or one rule less, with how many fit then; what does not help is not told."""
    apart = Spread(guests=select("label:balancer-capacity=new"), at_most=1)
    drawn = problem("a 16c/64g :\nb 16c/64g :", apart)
    found = fit(drawn, of(1, 8), 4)
    assert found.after == 2
    told = ways(drawn, of(1, 8), 4, found, lambda: True)
    assert [(w.words, w.fit) for w in told] == [
        (f"without the rule {apart.label}", 4),
        ("2 more hosts like b", 4),
        ("one more host like b", 3),
    ]
    assert ways(drawn, of(1, 8), 4, found, lambda: False) == ()
    tight = problem("a 16c/64g : x 4v/8g", Stay(guests=select("x")))
    assert ways(tight, of(4, 99), 1, fit(tight, of(4, 99), 1), lambda: True) == ()
    closed = problem("a 16c/64g state=draining :")
    assert ways(closed, of(1, 8), 1, fit(closed, of(1, 8), 1), lambda: True) == ()


def test_new_guests_are_as_busy_as_those_that_run() -> None:
    """Per vCPU, rounded up; where nothing is known, fully."""
    drawn = problem("a 16c/64g : x 4v/8g cpu=1 peak=2 | y 4v/8g unknown")
    assert expected_use(drawn, {"vcpus": 2, "memory": 10}) == {"cpu": 1000, "memory": 10}
    assert expected_use(problem("a 16c/64g :"), {"vcpus": 2, "memory": 10})["cpu"] == 2000


def test_a_lost_host_leaves_its_guests_a_place_or_not() -> None:
    """At once, after others made room, or not at all, and then with the reason."""
    drawn = problem(
        "a 16c/64g : big 4v/50g cpu=1 | small 1v/4g\nb 16c/64g : x 4v/20g cpu=1\nc 16c/64g : y 4v/20g"
    )
    restarted, later, homeless = lose(drawn, "a")
    assert (restarted, later, homeless) == (1, 2, {})
    restarted, later, homeless = lose(problem("a 16c/64g : big 4v/50g\nb 8c/32g :"), "a")
    assert (restarted, later) == (0, 0)
    assert "memory" in homeless["big"]


def test_what_holds_a_guest_to_hardware_holds_it_when_that_is_lost() -> None:
    """A device of the lost host is gone with it; a job there is not in the way any more."""
    drawn = problem("a 16c/64g : gpu 1v/4g tie=passthrough | saved 1v/4g tie=job\nb 16c/64g :")
    restarted, _, homeless = lose(drawn, "a")
    assert restarted == 1
    assert "passthrough" in homeless["gpu"]


def test_a_rule_that_keeps_guests_where_they_are_keeps_none_down() -> None:
    """Guests of the lost host are started elsewhere; survivors under the rule make no room."""
    text = "a 16c/64g : big 4v/50g\nb 16c/64g : x 4v/20g\nc 16c/64g : y 4v/20g"
    for rule in (Stay, NeverMove):
        assert lose(problem(text, rule(guests=select("*"))), "a")[:2] == (0, 0)
        assert lose(problem(text, rule(guests=select("big"))), "a")[:2] == (0, 1)


def test_a_guest_is_started_anew_on_another_processor() -> None:
    """What it saw of its host's own processor does not bind it once it is down."""
    text = (
        "a 16c/64g cpu-model=Skylake : x 1v/4g mode=host-passthrough\nb 16c/64g cpu-model=EPYC :"
    )
    assert lose(problem(text), "a")[0] == 1
    text = "a 16c/64g models=Skylake : x 1v/4g model=Skylake\nb 16c/64g models=EPYC :"
    assert lose(problem(text), "a")[0] == 0


def test_nobody_is_lost_with_an_empty_host() -> None:
    """A host without guests is lost without loss."""
    found = failure(problem("a 16c/64g :\nb 16c/64g : x 1v/4g"), "a", ("a",))
    assert (found.guests, found.survived) == (0, True)


def test_hosts_fail_together_by_label() -> None:
    """Racks are lost whole; hosts without the label belong to none."""
    drawn = problem("a 16c/64g rack=r1 :\nb 16c/64g rack=r1 :\nc 16c/64g :")
    assert domains(drawn, "rack") == {"r1": ("a", "b")}
    assert list(domains(drawn, "host")) == ["a", "b", "c"]


def test_a_flight_from_or_to_the_lost_host_is_over() -> None:
    """A guest that was on its way there is where it came from."""
    drawn = problem("a 16c/64g :\nb 16c/64g : x 1v/4g moving=a | y 1v/4g")
    assert failure(drawn, "a", ("a",)).guests == 0
    assert failure(drawn, "b", ("b",)).restarted == 2
