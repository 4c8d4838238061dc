"""Guests that take turns: the timetable, the judge, the dispatcher and a run keep them."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.stand_in import MemoryJournal
from balancer.planner.assessment import assess
from balancer.planner.constraints.careful import Careful
from balancer.planner.dispatch import (
    begin,
    blocked,
    ended,
    raised,
    spare_kib_s,
    startable,
    started,
)
from balancer.planner.model.plan import Outcome, Result, Rung, RungKind
from balancer.planner.model.policy import Allow, Limits
from balancer.planner.model.turns import Turn
from balancer.planner.order.schedule import order
from balancer.planner.order.timetable import _Clockwork
from balancer.planner.verify import judge
from balancer.ports import Refused
from balancer.service import execute
from tests.drawing import NOON, observation, placed, problem, select, uuid_of
from tests.planner.puzzles import move
from tests.worlds import EAGER, plan_of, ports_of, world_of

WIDE = Limits(at_once_per_host=9, at_once_total=9, migration_link_share=1.0)
ROOMY = """
a 99c/99g link=1000 : zk-1 1v/1g | zk-2 1v/1g | zk-3 1v/1g | web-1 1v/1g
b 99c/99g link=1000 :
"""
TWO = "a 16c/64g : zk-1 1v/1g\nb 16c/64g :"
ZOO = Careful(guests=select("zk-*"), moving_at_once=1, wait_between=900.0)


def test_a_place_is_free_once_enough_moves_have_ended() -> None:
    """Two places, three moves: the second to end but one decides."""
    turn = Turn(label="", members=frozenset(), most=2, wait=10)
    assert turn.free_at([]) == turn.free_at([5.0]) == float("-inf")
    assert turn.free_at([5.0, 7.0]) == 15
    assert turn.free_at([9.0, 5.0, 7.0]) == 17


@pytest.mark.parametrize(
    ("share", "members", "most"),
    [(0.5, 3, 1), (0.34, 3, 1), (0.29, 100, 29), (0.1, 5, 1), (1.0, 4, 4)],
)
def test_a_share_of_a_group_is_rounded_down_but_never_to_nobody(
    share: float, members: int, most: int
) -> None:
    """A tenth of five is one: else nobody could ever be moved."""
    guests = " | ".join(f"k-{n} 1v/1g" for n in range(members))
    rule = Careful(guests=select("k-*"), share_at_once=share)
    (turn,) = rule.turns(problem(f"a 200c/200g : {guests}"))
    assert turn.most == most


def test_many_members_are_timed_without_waking_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waits for a turn is looked at once for each end, not for each time that another asked."""
    looks = []
    start_all = _Clockwork.start_all

    def counted(work: _Clockwork) -> None:
        looks.append(work.now)
        assert len(looks) <= 60
        start_all(work)

    monkeypatch.setattr(_Clockwork, "start_all", counted)
    guests = " | ".join(f"zk-{n} 1v/1g" for n in range(14))
    rule = Careful(guests=select("zk-*"), moving_at_once=1)
    posed = problem(f"a 99c/99g link=1000 : {guests}\nb 99c/99g link=1000 :", rule, limits=WIDE)
    ordered = order(posed, dict.fromkeys(posed.cluster.placement, "b"))
    assert len({action.start for action in ordered.actions}) == 14


def test_the_timetable_lets_them_take_turns_and_nobody_else_wait() -> None:
    """Quarter of an hour between members; a guest that is no member goes at once."""
    posed = problem(ROOMY, ZOO, limits=WIDE)
    target = placed(posed.cluster, zk_1="b", zk_2="b", zk_3="b", web_1="b")
    ordered = order(posed, target)
    assert judge(posed, ordered.actions).faults == ()
    members = [a for a in ordered.actions if a.name != "web-1"]
    assert len(members) == 3
    for before, after in pairwise(members):
        assert after.start >= before.start + before.predicted.seconds + 900 - 1e-6
    (web,) = (a for a in ordered.actions if a.name == "web-1")
    assert web.start == 0
    assert all(not a.waits_for for a in members), "a failure must not drop the others"


def test_what_moved_before_counts() -> None:
    """A member that ended five minutes ago keeps the first waiting for ten."""
    posed = replace(problem(ROOMY, ZOO, limits=WIDE), ended_at={uuid_of("zk-3"): NOON - 300})
    posed = replace(posed, at=NOON)
    (action,) = order(posed, placed(posed.cluster, zk_1="b")).actions
    assert action.start == pytest.approx(600)


def test_the_judge_refuses_what_is_out_of_turn() -> None:
    """By number and by wait, each pattern alone where that is asked for."""
    both = (move("zk-1", "a", "b"), move("zk-2", "a", "b"))
    assert "starts out of its turn (careful zk-*)" in "".join(
        judge(problem(ROOMY, ZOO, limits=WIDE), both).faults
    )
    alone = replace(ZOO, guests=select("zk-1", "zk-2", "!web-*"), each_group_alone=True)
    assert judge(problem(ROOMY, alone, limits=WIDE), both).faults == ()


def test_the_dispatcher_waits_for_turns_and_never_drops_for_them() -> None:
    """Nothing else is held up; after the wait the next may start."""
    moves = (move("zk-1", "a", "b"), move("zk-2", "a", "b"), move("web-1", "a", "b"))
    state = begin(problem(ROOMY, ZOO, limits=WIDE), moves)
    ready = startable(state, 0.0)
    assert [a.id for a in ready] == ["zk-1→b", "web-1→b"]
    for action in ready:
        state = started(state, action.id)
    assert blocked(state, moves[1], 1.0) == "it is not its turn yet (careful zk-*)"
    state = ended(state, "zk-1→b", Result.FAILED, 100.0)
    assert startable(state, 999.0) == ()
    assert state.dropped == {}
    assert [a.id for a in startable(state, 1000.0)] == ["zk-2→b"]
    assert [a.id for a in startable(state)] == ["zk-2→b"]


def test_a_run_waits_for_turns_and_hears_a_stop_meanwhile() -> None:
    """The wait passes in full between two members, and can be ended."""
    text = "a 16c/64g : zk-1 1v/1g | zk-2 1v/1g\nb 16c/64g :"
    policy = replace(EAGER, constraints=(ZOO,))
    world, journal = world_of(text), MemoryJournal()
    plan = plan_of(world, "zk-1 a b", "zk-2 a b")
    with pytest.raises(Refused, match="out of its turn"):
        execute(ports_of(world), policy, plan)
    later = replace(plan, actions=(plan.actions[0], replace(plan.actions[1], start=2000.0)))
    first, second = execute(ports_of(world, journal=journal), policy, later)
    assert (first.result, second.result) == (Result.DONE, Result.DONE)
    assert second.started - first.ended >= 900
    world = world_of(text)
    begin_ = world.now
    ports = ports_of(world, stop_requested=lambda: world.now > begin_ + 100)
    first, second = execute(ports, policy, later)
    assert (first.result, second.result) == (Result.DONE, Result.REFUSED)
    assert second.reason == "a stop was requested"
    assert world.now - begin_ < 200


def test_pauses_are_the_guests_own() -> None:
    """The least of all that is said of a guest."""
    rule = replace(ZOO, pause_at_most=100)
    other = Careful(guests=select("zk-1"), pause_at_most=50, name="tight")
    posed = problem(ROOMY, rule, other)
    assert [posed.pause_at_most(uuid_of(n)) for n in ("zk-1", "zk-2", "web-1")] == [50, 100, 300]
    (action,) = order(posed, placed(posed.cluster, zk_1="b")).actions
    assert action.downtime_ms == 50


@given(
    ends=st.lists(st.floats(0, 1e6), max_size=8),
    most=st.integers(1, 4),
    wait=st.floats(0, 1e4),
)
def test_at_that_instant_a_place_is_free_and_not_before(ends, most, wait) -> None:
    """Counted in plain terms."""
    turn = Turn(label="", members=frozenset(), most=most, wait=wait)
    at = turn.free_at(ends)
    assert sum(end + wait > at for end in ends) < most
    if len(ends) >= most:
        before = at - 1e-3 * max(1.0, abs(at))
        assert sum(end + wait > before for end in ends) >= most


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"auto_converge": True}, "auto-converge is not allowed for this guest"),
        ({"rungs": (Rung(kind=RungKind.AUTO_CONVERGE),)}, "auto-converge is not allowed"),
        ({"unsafe_storage": True}, "storage that libvirt calls unsafe is not allowed for this"),
        ({"rungs": (Rung(kind=RungKind.POST_COPY),)}, "post-copy is not allowed for this guest"),
        (
            {"rungs": (Rung(kind=RungKind.DOWNTIME, downtime_ms=900),)},
            "a step up to a pause of 900",
        ),
        ({"rungs": (Rung(kind=RungKind.BANDWIDTH, rate_kib_s=1 << 30),)}, "where its links allow"),
        ({"rungs": (Rung(kind=RungKind.BANDWIDTH, rate_kib_s=2048),)}, ""),
    ],
)
def test_the_judge_reads_the_rungs(changed: dict[str, object], fault: str) -> None:
    """What the policy does not allow that guest is a fault, whoever wrote the plan."""
    faults = "".join(
        judge(problem(ROOMY, limits=WIDE), (move("web-1", "a", "b", **changed),)).faults
    )
    assert fault in faults
    assert bool(faults) is bool(fault)


def test_a_plan_asks_for_unsafe_storage_where_it_is_consented_to() -> None:
    """For the guests named, and the judge agrees; for nobody else."""
    posed = problem(ROOMY, limits=WIDE, allow=Allow(unsafe_storage=select("web-*")))
    made = order(posed, placed(posed.cluster, web_1="b", zk_1="b"))
    told = {action.name: action.unsafe_storage for action in made.actions}
    assert told == {"web-1": True, "zk-1": False}
    assert judge(posed, made.actions).faults == ()


def test_consents_are_for_those_they_name() -> None:
    """The same rung is allowed one guest and refused another."""
    allow = Allow(post_copy=select("web-*"), auto_converge=select("web-*"))
    posed = problem(ROOMY, limits=WIDE, allow=allow)
    rungs = (Rung(kind=RungKind.AUTO_CONVERGE), Rung(kind=RungKind.POST_COPY))
    assert judge(posed, (move("web-1", "a", "b", rungs=rungs),)).faults == ()
    assert len(judge(posed, (move("zk-1", "a", "b", rungs=rungs),)).faults) == 2


def test_the_planners_own_guest_moves_by_itself() -> None:
    """Beside others it is a fault, alone it is none."""
    posed = replace(problem(ROOMY, limits=WIDE), planner=uuid_of("web-1"))
    both = (move("web-1", "a", "b"), move("zk-1", "a", "b"))
    assert "the planner runs in this guest" in "".join(judge(posed, both).faults)
    assert judge(posed, both[:1]).faults == ()


def test_spare_bandwidth_is_what_both_links_have_left() -> None:
    """What one was given is not there for another; what has ended is there again."""
    posed = problem(ROOMY.replace("link=1000", "link=10"), limits=WIDE)
    first, second = move("zk-1", "a", "b"), move("zk-2", "a", "b")
    state = started(started(begin(posed, (first, second)), first.id), second.id)
    assert spare_kib_s(state, first.id) == 8 * 1024
    state = raised(state, first.id, 9 * 1024)
    assert spare_kib_s(state, second.id) == 0
    assert spare_kib_s(ended(state, first.id, Result.DONE), second.id) == 9 * 1024


def test_when_guests_last_moved_is_known_from_what_was_observed() -> None:
    """The latest end counts, whatever came of it; what was refused never began."""
    (action,) = plan_of(world_of(TWO), "zk-1 a b").actions
    ends = [
        (10.0, Result.FAILED),
        (30.0, Result.DONE),
        (20.0, Result.DONE),
        (90.0, Result.REFUSED),
    ]
    outcomes = tuple(Outcome(action=action, result=r, started=at, ended=at) for at, r in ends)
    posed = assess(replace(observation(TWO), outcomes=outcomes), EAGER)
    assert posed.ended_at == {uuid_of("zk-1"): 30.0}
