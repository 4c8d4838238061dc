"""Any part of a plan, and the way back from it; what each step promises; less of a plan."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner import pipeline
from balancer.planner.assessment import assess
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.together import Together
from balancer.planner.model.placement import fingerprint
from balancer.planner.model.plan import Infeasible, Plan
from balancer.planner.model.policy import Hot, Limits
from balancer.planner.model.proof import mark
from balancer.planner.model.request import Request
from balancer.planner.model.resources import MEMORY
from balancer.planner.model.reverse import reverse
from balancer.planner.order.schedule import order
from balancer.planner.pipeline import back, towards
from balancer.planner.prove import dip, heats, prove
from balancer.planner.trim import opening
from balancer.planner.verify import judge
from tests.drawing import observation, placed, policy, problem, select, uuid_of
from tests.planner.puzzles import Naive, Puzzle, move, puzzles
from tests.planner.test_pipeline import standing

PLENTY = Limits(moves_per_hour=1000, data_per_hour=10**9, hotter_on_the_way=10.0)


def unbounded(puzzle: Puzzle) -> Puzzle:
    """The same without limits on how much is moved, and with no host down or to be emptied."""
    limits = puzzle.problem.policy.limits
    free = replace(
        PLENTY, at_once_per_host=limits.at_once_per_host, at_once_total=limits.at_once_total
    )
    return Puzzle(
        replace(puzzle.problem, policy=replace(puzzle.problem.policy, limits=free)), puzzle.target
    )


def way_back_is_safe(puzzle: Puzzle, chosen: int) -> None:
    """From each prefix, all at once and one at a time, home again."""
    here = unbounded(puzzle).problem
    actions = order(here, puzzle.target).actions
    done = actions[: chosen % (len(actions) + 1)]
    reached = {**here.cluster.placement, **{a.guest: a.target for a in done}}
    there = replace(
        here,
        cluster=replace(here.cluster, placement=reached),
        before=here.cluster.placement,
    )
    back = reverse(done)
    verdict = judge(there, back)
    up = {h.name for h in here.cluster.hosts if h.state.value == "up"}
    expected = [f for f in verdict.faults if " is down" not in f and " is draining" not in f]
    assert {a.target for a in back} <= up or len(expected) < len(verdict.faults)
    assert expected == []
    assert verdict.reached == here.cluster.placement


@settings(max_examples=60, deadline=None)
@given(puzzles(), st.integers(0, 50))
def test_every_prefix_has_a_safe_way_back(puzzle, chosen):
    """By the judge, under the rules as they were before the plan."""
    way_back_is_safe(puzzle, chosen)


@pytest.mark.soak
@settings(max_examples=5000, deadline=None)
@given(puzzles(max_hosts=6, max_guests=14), st.integers(0, 50))
def test_every_prefix_has_a_safe_way_back_in_depth(puzzle, chosen):
    """The same, often, and larger."""
    way_back_is_safe(puzzle, chosen)


def test_what_was_broken_before_may_be_broken_again_on_the_way_back():
    """x and z were apart, against the rule; undone, they may be again, which a plan may not."""
    rule = Together(guests=select("x", "z"))
    after = problem("a 9c/9g : x 1v/1g | z 1v/1g\nb 9c/9g :", rule)
    wanted = placed(after.cluster, x="b")
    assert order(after, wanted).actions == ()
    before = replace(after, before=wanted)
    made = order(before, wanted)
    assert [(a.name, a.target) for a in made.actions] == [("x", "b")]
    assert judge(before, made.actions).valid
    assert not judge(after, made.actions).valid


@given(puzzles())
def test_proofs_say_what_is_left_on_both_ends(puzzle):
    """Held against sums over all guests, at each start."""
    posed = puzzle.problem
    actions = order(posed, puzzle.target).actions
    naive = Naive(posed)
    needs = {g.uuid: g.allocation["memory"] for g in posed.cluster.guests}
    placement = dict(posed.cluster.placement)
    for i, (action, proof) in enumerate(zip(actions, prove(posed, actions), strict=True)):
        assert (proof.action, proof.fingerprint) == (action.id, mark(placement))
        placement[action.guest] = action.target
        now = action.start
        begun = {k for k, a in enumerate(actions) if a.start < now or (a.start == now and k <= i)}
        over = {k for k in begun if actions[k].start + actions[k].predicted.seconds <= now}
        held = naive.held(actions, begun, over)
        flying = [actions[k] for k in begun - over]
        for host, room, rate in (
            (
                action.source,
                proof.source,
                sum(a.rate_kib_s for a in flying if a.source == action.source),
            ),
            (
                action.target,
                proof.target,
                sum(a.rate_kib_s for a in flying if a.target == action.target),
            ),
        ):
            taken = sum(needs[g] for g, hosts in held.items() if host in hosts)
            assert room.memory_mib == posed.host(host).usable[MEMORY] - taken
            assert room.link_kib_s == int(100 * 1024 * 0.4) - rate


def test_proofs_say_which_rules_stay_broken_and_how_hot_it_is():
    """x mends its rule, y does not yet; the heat of both is carried from a to b."""
    rule = OnlyOn(guests=select("x", "y"), hosts=select("b"))
    posed = problem(
        "a 10c/9g : x 1v/1g cpu=6 | y 1v/1g cpu=6\nb 10c/9g :", rule, hot=Hot(cpu_used=0.8)
    )
    actions = order(posed, placed(posed.cluster, x="b", y="b")).actions
    first, second = prove(posed, actions)
    assert len(first.broken) == 1
    assert second.broken == ()
    assert heats(posed, actions) == (400, 0, 400)
    assert (first.heat, second.heat) == (0, 400)
    assert dip(heats(posed, actions)) == 0


WARM = """
a 10c/8g link=100 : x 8v/8g cpu=5
b 10c/8g link=100 : z 8v/8g cpu=5
c 10c/9g link=100 : y 8v/1g cpu=7
"""


def test_heat_on_the_way_is_bounded_by_policy():
    """x and z change places through c, which is busy: the judge says so, the plan leaves it."""
    seen, rules = observation(WARM), standing()
    limits = replace(rules.limits, hotter_on_the_way=0.2)
    wanted = {uuid_of("x"): "b", uuid_of("z"): "a"}
    hot = replace(rules, limits=replace(limits, hotter_on_the_way=1.0))
    made = towards(seen, hot, wanted, "because")
    assert isinstance(made, Plan)
    assert len(made.actions) == 3
    assert max(proof.heat for proof in made.proofs) == 550
    (fault,) = judge(
        assess(seen, replace(rules, limits=limits), Request(ordered=frozenset(wanted))),
        made.actions,
    ).faults
    assert "35 % of a host further beyond hot than before and after, at most 20 % allowed" in fault
    refused = towards(seen, replace(rules, limits=limits), wanted, "because")
    assert isinstance(refused, Infeasible)
    assert "limit hotter_on_the_way" in refused.reason


CROWD = """
a 16c/64g : cold 1v/2g cpu=0.5 | warm 8v/2g cpu=2 | hot1 8v/2g cpu=6 | hot2 8v/2g cpu=7
b 16c/64g :
c 16c/64g :
"""


def test_an_hours_budget_takes_what_gains_most():
    """Two moves are left of the hour: the two guests that make a hot are brought away."""
    rules = standing()
    limits = replace(rules.limits, moves_per_hour=2)
    wanted = {
        uuid_of("cold"): "b",
        uuid_of("warm"): "b",
        uuid_of("hot1"): "b",
        uuid_of("hot2"): "c",
    }
    made = towards(observation(CROWD), replace(rules, limits=limits), wanted, "because")
    assert isinstance(made, Plan)
    assert {a.name for a in made.actions} == {"hot1", "hot2"}
    assert len(made.actions) == 2
    left = {stay.subject: stay.reason for stay in made.left}
    assert len(left) == 2
    assert all("left for a later hour: limits allow 2 moves" in why for why in left.values())


def test_what_is_chosen_comes_with_what_makes_room_for_it():
    """z can only go where x has left: both or neither, and two moves pay for both."""
    text = "a 16c/4g : x 1v/4g\nb 16c/4g : z 16v/4g cpu=15\nc 16c/4g :"
    rules = standing(OnlyOn(guests=select("z"), hosts=select("a", "c")))
    wanted = {uuid_of("x"): "c", uuid_of("z"): "a"}
    for moves, names in ((2, ["x", "z"]), (1, ["x"])):
        limits = replace(rules.limits, moves_per_hour=moves)
        made = towards(observation(text), replace(rules, limits=limits), wanted, "because")
        assert isinstance(made, Plan)
        assert [a.name for a in made.actions] == names


@settings(max_examples=40, deadline=None)
@given(puzzles(), st.integers(1, 4))
def test_less_of_a_plan_is_safe(puzzle, moves):
    """Whatever an hour leaves of it, the judge accepts."""
    posed = puzzle.problem
    rules = replace(posed.policy, limits=replace(PLENTY, moves_per_hour=moves))
    seen = replace(observation("a 1c/1g :"), cluster=posed.cluster)
    made = towards(seen, rules, puzzle.target, "because")
    if isinstance(made, Plan):
        assert len(made.actions) <= moves


def test_undone_is_what_was_done_backwards_where_nothing_else_leads_home():
    """Afresh, z would not be let onto its host, which is being emptied now; backwards neither."""
    text = "a 16c/4g : \nb 16c/8g : x 1v/4g | z 1v/4g\nc 16c/4g :"
    homes = {uuid_of("x"): "a", uuid_of("z"): "c"}
    done = (move("x", "a", "b"), move("z", "c", "b"))
    made = back(observation(text), standing(), homes, done, "undoes P")
    assert isinstance(made, Plan)
    assert {a.name: a.target for a in made.actions} == {"x": "a", "z": "c"}
    assert made.undoes == homes
    closed = text.replace("c 16c/4g", "c 16c/4g state=draining")
    part = back(observation(closed), standing(), homes, done, "undoes P")
    assert isinstance(part, Plan)
    assert [a.name for a in part.actions] == ["x"]


def test_backwards_is_tried_where_afresh_fails(monkeypatch):
    """The way that was gone is known to be safe."""
    text = "a 16c/4g : \nb 16c/8g : x 1v/4g | z 1v/4g\nc 16c/4g :"
    homes = {uuid_of("x"): "a", uuid_of("z"): "c"}
    done = (move("x", "a", "b"), move("z", "c", "b", start=10.0))
    monkeypatch.setattr(pipeline, "towards", lambda *_: Infeasible(reason="nothing found"))
    made = back(observation(text), standing(), homes, done, "undoes P")
    assert isinstance(made, Plan)
    assert [a.id for a in made.actions] == ["z→b-back", "x→b-back"]
    assert isinstance(back(observation(text), standing(), homes, (), "undoes P"), Infeasible)


def test_placements_are_told_apart_by_their_mark():
    """Whatever order guests are named in."""
    assert mark({"x": "a", "y": "b"}) == mark({"y": "b", "x": "a"})
    assert mark({"x": "a", "y": "b"}) != mark({"x": "b", "y": "a"})
    assert mark({}) == "0" * 16
    assert fingerprint({}) != mark({})


def test_nothing_is_undone_by_nothing():
    """An empty plan has an empty way back."""
    assert reverse(()) == ()
    assert policy().limits.hotter_on_the_way == 0.25


MANY = "\n".join(
    [
        *(f"{h} 16c/128g : {' | '.join(f'{h}{n} 2v/8g cpu=2' for n in range(8))}" for h in "ab"),
        *(f"h{n} 16c/128g : z{n} 2v/8g cpu=1" for n in range(6)),
    ]
)


def test_the_first_moves_are_a_plan_of_their_own_that_says_what_gain_it_keeps() -> None:
    """For each length: as many actions, judged valid, the curve's own, the rest told of."""
    seen, wanted = observation(MANY), standing()
    whole = pipeline.plan(seen, wanted)
    assert isinstance(whole, Plan)
    assert len(whole.actions) > 1
    for first in range(1, len(whole.actions)):
        shorter = pipeline.cut(seen, wanted, whole, first)
        assert isinstance(shorter, Plan)
        assert len(shorter.actions) == first
        assert set(shorter.actions) <= set(whole.actions)
        assert judge(assess(seen, wanted), shorter.actions).valid
        assert len(shorter.proofs) == len(shorter.gained) == first
        told = f"which bring {whole.gained[first - 1] // 10} % of the whole gain"
        assert told in shorter.left[-1].reason
    assert pipeline.cut(seen, wanted, whole, len(whole.actions)) is whole


@given(puzzles(), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_opening_of_a_plan_is_judged_good_whatever_waits_for_what(
    puzzle: Puzzle, first: int
) -> None:
    """With steps aside and rings, too: nothing it keeps waits for what it leaves out."""
    here = unbounded(puzzle).problem
    actions = order(here, puzzle.target).actions
    kept = opening(actions, first)
    ids = {action.id for action in kept}
    assert len(kept) >= min(first, len(actions))
    assert all(set(action.waits_for) <= ids for action in kept)
    assert judge(here, kept).faults == judge(here, actions).faults == ()


def test_a_cut_that_the_judge_refuses_is_no_plan() -> None:
    """The cluster has changed: the first move has no room left."""
    wanted = standing()
    whole = pipeline.plan(observation(MANY), wanted)
    assert isinstance(whole, Plan)
    full = MANY.replace("cpu=1", "cpu=1 | full{n} 2v/118g")
    lines = [line.replace("{n}", str(n)) for n, line in enumerate(full.splitlines())]
    answer = pipeline.cut(observation("\n".join(lines)), wanted, whole, 1)
    assert isinstance(answer, Infeasible)
    assert "the judge refuses" in answer.reason
