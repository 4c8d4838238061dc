"""From a target placement to a plan: safe, complete where it can be, and frank where not."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings

from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.together import Together
from balancer.planner.model.calibration import Calibration, Learned
from balancer.planner.model.policy import Allow, Limits
from balancer.planner.model.problem import Problem
from balancer.planner.order.moves import Move
from balancer.planner.order.schedule import Ordered, _reason, order
from balancer.planner.verify import judge
from tests.drawing import parse, placed, policy, problem, select, uuid_of
from tests.planner.puzzles import Naive, puzzles

MIB = 1024


def go(text, *rules, reasons: Mapping[str, str] | None = None, **where) -> Ordered:
    """Return the order that leads the drawn guests to `where`; `limits` and `allow` are the policy's."""
    fields = {key: where.pop(key) for key in ("limits", "allow") if key in where}
    posed = problem(text, *rules, **fields)
    ordered = order(posed, placed(posed.cluster, **where), reasons or {})
    assert judge(posed, ordered.actions).faults == ()
    return ordered


def steps(ordered: Ordered) -> list[str]:
    """Return the actions as `guest source→target`, in order; temporary ones in brackets."""
    plain = [(f"{a.name} {a.source}→{a.target}", a.temporary) for a in ordered.actions]
    return [f"({step})" if temporary else step for step, temporary in plain]


def why(ordered: Ordered) -> dict[str, str]:
    """Return why guests were left, by name."""
    return {stay.subject: stay.reason for stay in ordered.left}


def test_nothing_to_do_makes_an_empty_plan():
    """A target that is the present needs no action."""
    ordered = go("a 9c/8g : x 1v/4g\nb 9c/8g :")
    assert ordered.actions == ()
    assert ordered.left == ()


def test_an_action_says_all_there_is_to_know():
    """Rate, pause, prediction, reason; here 1000 MiB at 40 % of 100 MiB/s, less 5 % for headers."""
    ordered = go(
        "a 9c/8g link=100 : x 1v/1000m\nb 9c/8g link=100 :",
        x="b",
        reasons={uuid_of("x"): "evens out a"},
    )
    (action,) = ordered.actions
    assert (action.id, action.name, action.source, action.target) == ("m1", "x", "a", "b")
    assert (action.rate_kib_s, action.downtime_ms) == (40 * MIB, 300)
    assert action.predicted.seconds == pytest.approx(1 + 1000 / 38, abs=1e-3)
    assert action.predicted.mib == 1000
    assert (action.start, action.waits_for, action.reason) == (0.0, (), "evens out a")
    assert ordered.reached == {uuid_of("x"): "b"}


def test_the_slower_link_and_what_was_learned_of_it_decide():
    """Half of 20 MiB/s is what a pair was seen to reach."""
    drawing = parse("a 9c/8g link=100 : x 1v/1000m used=0.5\nb 9c/8g link=50 :")
    learned = Calibration(by_pair={"a": {"b": Learned(value=0.5)}})
    posed = Problem(drawing.cluster, drawing.demand, policy(), calibration=learned)
    (action,) = order(posed, {uuid_of("x"): "b"}).actions
    assert action.rate_kib_s == 20 * MIB
    assert action.predicted.seconds == pytest.approx(1 + 512 / 10, abs=1e-3)


def test_guests_leave_before_others_arrive():
    """z needs the room that x leaves, and says so; y needs none."""
    ordered = go(
        "a 9c/4g : x 1v/4g\nb 9c/4g :\nc 9c/4g : z 1v/4g\nd 9c/4g : y 1v/1g\ne 9c/4g :",
        x="b", z="a", y="e",
    )  # fmt: skip
    assert sorted(steps(ordered)) == ["x a→b", "y d→e", "z c→a"]
    waits = {a.name: a.waits_for for a in ordered.actions}
    x = next(a.id for a in ordered.actions if a.name == "x")
    assert waits == {"x": (), "y": (), "z": (x,)}


def test_a_rule_on_groups_is_waited_for_like_room():
    """The second of a group may come only once the first has gone."""
    ordered = go(
        "a 9c/9g : x 1v/1g\nb 9c/9g :\nc 9c/9g : z 1v/1g",
        Spread(guests=select("x", "z")),
        x="b", z="a",
    )  # fmt: skip
    assert steps(ordered) == ["x a→b", "z c→a"]
    assert ordered.actions[1].waits_for == ("m1",)


def test_no_more_is_waited_for_than_needed():
    """z must not meet y; that x leaves the same host before is nothing to it."""
    ordered = go(
        "a 9c/9g : x 1v/4g | y 1v/1g\nb 9c/9g :\nc 9c/9g : z 1v/2g",
        Spread(guests=select("y", "z")),
        x="b", y="b", z="a",
    )  # fmt: skip
    names = {a.id: a.name for a in ordered.actions}
    waits = {a.name: [names[id_] for id_ in a.waits_for] for a in ordered.actions}
    assert waits == {"x": [], "y": [], "z": ["y"]}


def test_a_circle_is_served_before_what_enters_it():
    """The big guest of c would take the room on a that lets x and z change places."""
    ordered = go(
        "a 9c/6g : x 1v/2g\nb 9c/2g : z 1v/2g\nc 9c/4g : w 1v/4g",
        x="b", z="a", w="a", allow=Allow(temporary_moves=False),
    )  # fmt: skip
    assert steps(ordered) == ["z b→a", "x a→b", "w c→a"]


def test_a_swap_between_two_full_hosts_goes_through_a_third():
    """One steps aside, and is said to."""
    ordered = go("a 9c/4g : x 1v/4g\nb 9c/4g : z 1v/3g\nc 9c/4g :", x="b", z="a")
    assert steps(ordered) == ["(z b→c)", "x a→b", "z c→a"]
    assert ordered.least_aside == 1
    assert ordered.actions[0].reason == (
        "steps aside to c and moves on later: x needs its room on b"
    )
    assert [a.waits_for for a in ordered.actions] == [(), ("m1",), ("m1", "m2")]
    assert ordered.left == ()


def test_a_big_guest_steps_aside_rather_than_two_small_ones():
    """One step aside is better than two, though it is as much to send."""
    ordered = go("a 9c/4g : x 1v/4g\nb 9c/4g : y 1v/2g | z 1v/2g\nc 9c/4g :", x="b", y="a", z="a")
    assert steps(ordered)[0] == "(x a→c)"
    assert sorted(steps(ordered)[1:]) == ["x c→b", "y b→a", "z b→a"]


def test_a_long_circle_needs_one_step_aside():
    """Once opened it unwinds as a chain."""
    ordered = go(
        "a 9c/4g : w 1v/4g\nb 9c/4g : x 1v/4g\nc 9c/4g : y 1v/4g\nd 9c/4g : z 1v/4g\ne 9c/4g :",
        w="b", x="c", y="d", z="a",
    )  # fmt: skip
    assert len(ordered.actions) == 5
    assert [a.temporary for a in ordered.actions] == [True, False, False, False, False]
    assert ordered.left == ()


def test_a_swap_without_a_third_host_is_reported_not_planned():
    """The sentence names the guests, the hosts, and what would open the way."""
    ordered = go("a 9c/4g : x 1v/4g\nb 9c/4g : z 1v/3g", x="b", z="a")
    assert ordered.actions == ()
    assert why(ordered)["x"] == (
        "cannot move to b: b gives out 7.0 GiB of memory, but has only 4.0 GiB of memory to give; "
        "x, z on a, b wait for each other's room in a circle; "
        "3 GiB more free on a or b would open it"
    )


def test_a_third_host_without_room_is_named():
    """The least that would do is what is asked for, there where least is missing."""
    ordered = go("a 9c/4g : x 1v/4g\nb 9c/4g : z 1v/3g\nc 9c/4g : y 1v/2g", x="b", z="a")
    assert ordered.actions == ()
    assert why(ordered)["z"].endswith("1 GiB more free on c would open it")


def test_many_in_a_circle_are_counted():
    """A sentence stays a sentence."""
    hosts = "\n".join(f"h{i} 9c/4g : g{i} 1v/4g" for i in range(9))
    ordered = go(hosts, **{f"g{i}": f"h{(i + 1) % 9}" for i in range(9)})
    assert "g0, g1, g2, g3, g4 and 4 more on h0, h1, h2, h3, h4 and 4 more" in why(ordered)["g0"]


def test_temporary_moves_need_consent():
    """The key that would allow them is named."""
    ordered = go(
        "a 9c/4g : x 1v/4g\nb 9c/4g : z 1v/4g\nc 9c/4g :",
        x="b", z="a", allow=Allow(temporary_moves=False),
    )  # fmt: skip
    assert ordered.actions == ()
    assert "temporary moves are not allowed ([allow] temporary_moves)" in why(ordered)["x"]


def test_a_step_that_leads_nowhere_is_undone():
    """z could step aside to d for x, but its way on to a stays barred by y: nobody moves.

    What has nothing to do with it moves all the same.
    """
    ordered = go(
        """
        a 9c/6g : x 1v/4g | y 1v/2g
        b 9c/5g : z 1v/5g
        d 9c/5g :
        e 9c/4g : w 1v/1g
        f 9c/4g :
        """,
        NeverMove(guests=select("y")),
        x="b", z="a", y="d", w="f",
    )  # fmt: skip
    assert steps(ordered) == ["w e→f"]
    assert {"x", "z", "y"} == set(why(ordered))


def test_a_guest_that_dirties_too_fast_stays_and_the_rest_moves():
    """No rate that the link's share allows catches up with it."""
    ordered = go("a 9c/9g link=100 : x 1v/4g dirty=30 | y 1v/1g\nb 9c/9g link=100 :", x="b", y="b")
    assert steps(ordered) == ["y a→b"]
    assert why(ordered) == {
        "x": "cannot move to b: it dirties 30 MiB/s of 4096 MiB, too fast to be sent at 38 MiB/s; "
        "allow it auto_converge or post_copy ([allow]), or a longer pause_at_most, or move it at a "
        "quieter hour"
    }


def test_a_third_host_must_be_reached_at_a_rate_that_converges():
    """c has room but a slow link: nobody steps aside there."""
    ordered = go(
        "a 9c/4g link=100 : x 1v/4g dirty=20\nb 9c/4g link=100 : z 1v/4g dirty=20\nc 9c/4g link=30 :",
        x="b", z="a",
    )  # fmt: skip
    assert ordered.actions == ()


def test_what_cannot_move_at_all_is_told_why():
    """A guest in flight, a host that receives none, limits that allow none."""
    ordered = go(
        "a 9c/9g : x 1v/1g moving=b | y 1v/1g\nb 9c/9g :\nc 9c/9g state=draining :", x="c", y="c"
    )
    assert why(ordered) == {
        "x": "cannot move to c: it is being migrated to b by somebody else",
        "y": "cannot move to c: c receives no guests",
    }
    ordered = go("a 9c/9g : x 1v/1g\nb 9c/9g :", x="b", limits=Limits(at_once_total=0))
    assert "at_once_total allows no migration" in why(ordered)["x"]


def test_guests_that_belong_together_go_together_or_not_at_all():
    """When one of them cannot move, the other does not either."""
    pair = Together(guests=select("x", "y"))
    apart = go(
        "a 9c/9g : x 1v/4g | y 1v/4g\nb 9c/6g : z 1v/1g\nc 9c/2g :", pair, x="b", y="b", z="c"
    )
    assert steps(apart) == ["z b→c"]
    assert "x, y should share one host" in why(apart)["x"] + why(apart)["y"]
    both = go("a 9c/9g : x 1v/4g | y 1v/4g\nb 9c/8g :", pair, x="b", y="b")
    assert len(both.actions) == 2


def test_two_at_once_share_a_link():
    """Two get half each; the one that goes alone has all of it."""
    text = "a 9c/9g link=100 : x 1v/1g | y 1v/1g | z 1v/1g\nb 9c/9g link=100 :\nc 9c/9g link=100 :"
    ordered = go(text, x="b", y="c", z="b", limits=Limits(at_once_per_host=2))
    assert sorted(a.rate_kib_s for a in ordered.actions) == [20 * MIB, 20 * MIB, 40 * MIB]
    assert len({a.start for a in ordered.actions}) == 2
    assert all(a.waits_for == () for a in ordered.actions)


def test_a_step_aside_without_anybody_to_name_is_still_explained():
    """Who steps aside moves on later, whoever comes."""
    posed = problem("a 9c/4g : x 1v/4g\nb 9c/4g :\nc 9c/4g :")
    step = Move(uuid_of("x"), "a", "c", temporary=True)
    assert _reason(posed, step, {}) == "steps aside to c and moves on later"


@pytest.mark.parametrize("other", ["2g", "4g"])
def test_a_guest_that_needs_the_whole_link_gets_it(other):
    """At half the rate it would not converge, so it goes alone: first or last."""
    text = f"a 9c/9g link=100 : x 1v/1g dirty=20 | y 1v/{other}\nb 9c/9g link=100 :\nc 9c/9g link=100 :"
    ordered = go(text, x="b", y="c", limits=Limits(at_once_per_host=2))
    rates = {a.name: a.rate_kib_s // MIB for a in ordered.actions}
    assert rates["x"] == 40
    assert len({a.start for a in ordered.actions}) == 2


def test_what_is_taken_of_a_link_is_not_given_out_again():
    """x needs all of what may enter c, and waits until y has ended."""
    text = "a 9c/9g link=100 : x 1v/1g dirty=20\nb 9c/9g link=100 : y 1v/4g\nc 9c/9g link=100 :"
    ordered = go(text, x="c", y="c", limits=Limits(at_once_per_host=2))
    assert [a.name for a in ordered.actions] == ["y", "x"]
    assert ordered.actions[1].start == ordered.actions[0].predicted.seconds


def test_few_at_once_in_all():
    """at_once_total holds over hosts that have nothing to do with each other."""
    text = "a 9c/9g : x 1v/1g\nb 9c/9g : y 1v/1g\nc 9c/9g :\nd 9c/9g :"
    ordered = go(text, x="c", y="d", limits=Limits(at_once_total=1))
    assert ordered.actions[1].start == ordered.actions[0].predicted.seconds


def test_a_link_slower_than_one_mib_still_moves_guests():
    """Rates below what hypervisors count in are passed on as they are."""
    ordered = go("a 9c/9g : x 1v/1m\nb 9c/9g :", x="b", limits=Limits(default_link_kib_s=1000))
    assert ordered.actions[0].rate_kib_s == 400


@settings(max_examples=40)
@given(puzzles(tidy=True))
def test_the_same_question_has_the_same_answer(puzzle):
    """Order depends on nothing but its arguments, and leaves only what it explains."""
    ordered = order(puzzle.problem, puzzle.target)
    assert order(puzzle.problem, dict(reversed(puzzle.target.items()))) == ordered
    astray = {u for u, host in ordered.reached.items() if host != puzzle.target[u]}
    assert {puzzle.problem.name(u) for u in astray} == {stay.subject for stay in ordered.left}
    home = puzzle.problem.cluster.placement
    assert all(ordered.reached[u] == home[u] for u in astray)


@given(puzzles(max_hosts=3, max_guests=5, tidy=True))
def test_what_one_move_at_a_time_can_reach_is_reached(puzzle):
    """A target that any sequence of direct moves reaches is reached without a step aside."""
    direct = _reachable(puzzle)
    ordered = order(puzzle.problem, puzzle.target)
    if direct:
        assert ordered.left == ()


def _reachable(puzzle) -> bool:
    """True if trying every sequence of direct moves finds one."""
    naive = Naive(puzzle.problem)
    start = puzzle.problem.cluster.placement
    moves = frozenset(u for u in start if puzzle.target[u] != start[u])
    seen, todo = {frozenset[str]()}, [frozenset[str]()]
    while todo:
        done = todo.pop()
        if done == moves:
            held = {u: {puzzle.target[u]} for u in start}
            return naive.worse(held, always=False) == []
        for guest in moves - done:
            held = {u: {puzzle.target[u] if u in done else h} for u, h in start.items()}
            held[guest] = {start[guest], puzzle.target[guest]}
            if done | {guest} not in seen and not naive.worse(held):
                seen.add(done | {guest})
                todo.append(done | {guest})
    return False
