"""New guests counted by host, exactly or in parts."""

import pytest

from balancer.planner.capacity import counting
from balancer.planner.capacity import fit as fitting
from balancer.planner.capacity.asking import Wanted, uuid_of
from balancer.planner.capacity.counting import count_all
from balancer.planner.capacity.fit import fit, ways
from balancer.planner.capacity.waiting import calm
from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.survive import Survive
from balancer.planner.model.cluster import Guest
from balancer.planner.model.problem import Problem
from balancer.planner.place import copies
from tests.drawing import problem, select

NEW = "label:balancer-capacity=new"


def of(gib: int, spread: str = "", hosts_lost: int = 0, **needs: tuple[str, ...]) -> Wanted:
    allocation = {"vcpus": 2, "memory": gib * 1024}
    guest = Guest(uuid="", name="", allocation=allocation, **needs)
    use = {"cpu": 100, "memory": gib * 1024}
    return Wanted(guest=guest, use=use, spread=spread, hosts_lost=hosts_lost)


def racks() -> Problem:
    """Six hosts in three racks, two guests on each, one of them on its way to another host."""
    lines = []
    for n in range(6):
        way = " moving=h5" if n == 4 else ""
        lines.append(
            f"h{n} 16c/64g rack=r{n % 3} networks=lan : a{n} 2v/{20 + n}g | b{n} 2v/8g{way}"
        )
    return problem("\n".join(lines))


@pytest.fixture
def vast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every cluster count as too large for one model."""
    monkeypatch.setattr(counting, "SMALL", 0)
    monkeypatch.setattr(counting, "HOSTS_OF_A_PART", 2)


@pytest.mark.parametrize(
    "wanted", [of(30), of(24, spread="rack", networks=("lan",))], ids=["plain", "spread"]
)
def test_parts_count_what_the_whole_does(wanted: Wanted, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody moves the same number; after moves never more than can be."""
    whole = fit(racks(), wanted)
    monkeypatch.setattr(counting, "SMALL", 0)
    monkeypatch.setattr(counting, "HOSTS_OF_A_PART", 2)
    parts = fit(racks(), wanted)
    assert parts.now == whole.now
    assert parts.now <= parts.after <= whole.at_most
    assert sum(parts.hosts.values()) == parts.now
    assert parts.binding


@pytest.mark.usefixtures("vast")
def test_parts_make_room_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two halves in one part become one hole; a way that cannot be gone promises nothing."""
    lines = "\n".join(f"h{n} 16c/64g : a{n} 2v/30g" for n in range(4))
    found = fit(problem(lines), of(60))
    assert (found.now, found.after) == (0, 2)
    assert found.moves is not None
    monkeypatch.setattr(counting, "_arrived", lambda *_: False)
    assert fit(problem(lines), of(60)).now == 0


@pytest.mark.usefixtures("vast")
def test_parts_make_room_while_there_is_time_and_need() -> None:
    """Halves in two parts become a hole each: both, one where one is asked for, none without time."""
    drawn = problem("\n".join(f"h{n} 16c/64g : a{n} 2v/30g" for n in range(4)))
    assert fit(drawn, of(60), 1).after == 1
    assert fit(drawn, of(60), keep_going=lambda: False).after == 0


@pytest.mark.parametrize("hosts_lost", [0, 1])
def test_more_decisions_than_one_model_holds_are_left_to_parts(
    hosts_lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody moves parts find the same; the losses' decisions count as the moves' do."""
    drawn = problem("\n".join(f"h{n} 16c/64g : a{n} 2v/30g" for n in range(4)))
    wanted = of(16, hosts_lost=hosts_lost)
    whole = fit(drawn, wanted)
    monkeypatch.setattr(copies, "MOST", 0)
    parts = fit(drawn, wanted)
    assert 0 < parts.now == parts.after <= whole.after
    assert count_all(calm(drawn), wanted, 0, 9) is None


def test_losses_in_parts_promise_less_than_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer than fit, never more than the exact answer, and the loss is what binds."""
    wanted = of(16, hosts_lost=1)
    lines = "\n".join(f"h{n} 16c/64g : a{n} 2v/30g" for n in range(4))
    whole = fit(problem(lines), wanted)
    monkeypatch.setattr(counting, "SMALL", 0)
    parts = fit(problem(lines), wanted)
    assert 0 < parts.after <= whole.after < fit(problem(lines), of(16)).after
    assert Survive().label in parts.binding
    assert whole.proven


@pytest.mark.parametrize("small", [0, 10**6])
def test_a_rule_that_cannot_count_is_asked_guest_by_guest(
    small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the whole and in parts: a rule on two sides speaks of guests by name."""
    monkeypatch.setattr(counting, "SMALL", small)
    rule = Apart(guests=select(NEW), others=select("y"))
    assert fit(problem("a 16c/64g :\nb 16c/64g : y 1v/4g", rule), of(30)).after == 2


def test_a_spread_of_the_policy_is_counted() -> None:
    """At most so many of the new ones, and of some that run, on each host."""
    both = Spread(guests=select(NEW, "y"), at_most=1)
    assert fit(problem("a 16c/64g :\nb 16c/64g : y 1v/4g\nc 16c/64g :", both), of(8)).after == 2


def test_with_a_count_no_place_takes_more_than_its_share() -> None:
    """Four over two racks are two each, though one rack has room for three."""
    drawn = problem("a 16c/64g rack=r1 :\nb 16c/64g rack=r2 : y 1v/40g")
    assert fit(drawn, of(20, spread="rack"), 4).after == 3
    assert fit(drawn, of(20, spread="rack")).after == 3


def test_what_losses_and_spreading_cost_is_told() -> None:
    """Ways without either, tried."""
    drawn = problem("a 16c/64g rack=r1 :\nb 16c/64g rack=r2 : y 1v/40g", Survive())
    wanted = of(20, spread="rack", hosts_lost=1)
    found = fit(drawn, wanted, 6)
    words = {way.words: way.fit for way in ways(drawn, wanted, 6, found, lambda: True)}
    assert words["with no loss to be survived"] > found.after


@pytest.mark.parametrize("targets", [1, 16])
def test_where_no_live_move_leads_less_is_promised(
    targets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A placement without a way is told apart from one that does not exist, however many are tried."""
    monkeypatch.setattr(counting, "TARGETS", targets)
    drawn = problem("a 16c/64g : x 4v/20g\nb 16c/64g : y 4v/20g")
    monkeypatch.setattr(counting, "_arrived", lambda *_: False)
    found = fit(drawn, of(60))
    assert (found.now, found.unreached, found.at_most) == (0, True, 1)


def test_a_swap_that_cannot_be_gone_promises_nothing() -> None:
    """There is a placement with room for one, and no live move towards it."""
    drawn = problem("a 16c/64g networks=lan : x 1v/40g\nb 16c/72g : y 1v/30g | z 1v/30g")
    found = fit(drawn, of(34, networks=("lan",)))
    assert (found.after, found.at_most, found.unreached) == (0, 1, True)


def test_a_count_that_the_judge_refuses_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where counting were wrong, guest by guest has the last word."""
    drawn = problem("a 16c/64g :\nb 16c/64g :")
    there = {uuid_of(number): "a" for number in (1, 2, 3, 4, 5)}
    wrong = counting.Counted(now=there, settled=there, moves=None, bound=5)
    monkeypatch.setattr(fitting, "count_all", lambda *_: wrong)
    found = fit(drawn, of(30), 5)
    assert (found.after, found.hosts) == (4, {"a": 2, "b": 2})


def test_counted_guests_keep_their_places_where_no_nicer_ones_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A search for cool hosts that leaves somebody over changes nothing."""
    monkeypatch.setattr(fitting, "arrivals", lambda *_: {})
    found = fit(problem("a 16c/64g :\nb 16c/64g :"), of(30), 4)
    assert (found.after, found.hosts) == (4, {"a": 2, "b": 2})


def test_losses_are_survived_guest_by_guest_too() -> None:
    """A rule that cannot count: as many as still leave every loss a place, on the host it leaves."""
    rule = Apart(guests=select(NEW), others=select("y"))
    drawn = problem("a 16c/64g :\nb 16c/64g :\nc 16c/32g : y 1v/4g", rule)
    assert fit(drawn, of(30)).after == 4
    assert fit(drawn, of(30, hosts_lost=1)).after == 2


def test_hosts_without_the_label_are_one_place_of_a_spread() -> None:
    """They take no more than a rack does, and the spread is named where it binds."""
    found = fit(problem("a 16c/32g :\nb 16c/32g rack=r1 : x 1v/30g"), of(8, spread="rack"))
    assert found.after == 1
    assert found.binding["--spread rack"] == 1


def test_a_loss_that_is_not_survived_today_is_said() -> None:
    """How many have no place already; the new ones make it no more."""
    drawn = problem("a 16c/64g : x 4v/60g\nb 16c/64g :")
    assert fit(drawn, of(8, hosts_lost=1)).stranded == 0
    full = problem("a 16c/64g : x 4v/60g\nb 16c/32g :")
    assert fit(full, of(8, hosts_lost=1)).stranded == 1
