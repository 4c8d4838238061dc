"""Virtual processors: plugged where all are busy and the host has cores, taken back where unused."""

from dataclasses import replace

import numpy as np
import pytest

from balancer.planner.assessment import assess
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.model.busy import busiest
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Limits, Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, Resized, What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.result import Result
from balancer.planner.model.rollups import STEP, UNKNOWN, Block, Rollups
from balancer.planner.model.selector import Selector
from balancer.planner.model.weighed import Bound
from balancer.planner.pipeline import consider
from balancer.planner.resizable import faults
from balancer.planner.resize import resize
from tests.drawing import observation, problem, uuid_of
from tests.planner.test_resize import made, policy_of

FULL = """
    a 8c/64g : busy 2v/8g cpu=1.9 most-vcpus=8 | calm 2v/8g cpu=0.5 most-vcpus=8
    b 8c/64g : x 4v/8g cpu=1
"""
TABLE = Resizing(guests=Selector(("busy", "calm")), vcpus=True, idle=0)


def told(answer: Plan) -> list[tuple[str, str, int, int]]:
    """Return what of whom goes from where to where."""
    return [(r.name, r.what.value, r.before, r.after) for r in answer.resizes]


def plugged(text: str, table: Resizing = TABLE) -> list[tuple[str, str, int, int]]:
    """Return what is made of a drawn cluster."""
    return told(made(observation(text), policy_of(table)))


def lately(seen: Observation, policy: Policy, result: Result, ago: float) -> Problem:
    """Return the problem in which its vCPUs were changed so long ago."""
    one = plug(2, 3)
    ended = Resized(resize=one, result=result, started=seen.at - ago, ended=seen.at - ago)
    return assess(replace(seen, resized=(ended,)), policy)


def plug(before: int = 2, after: int = 3, **keys: object) -> Resize:
    """Return a change of the busy guest."""
    one = Resize(
        id="r1", guest=uuid_of("busy"), name="busy", host="a", what=What.VCPUS,
        before=before, after=after,
    )  # fmt: skip
    return replace(one, **keys)  # type: ignore[arg-type]


def test_who_uses_all_it_has_gets_half_as_many_again() -> None:
    """Only where the policy says so, within its ceiling and that of the XML; the others are left."""
    assert plugged(FULL) == [("busy", "vcpus", 2, 3)]
    assert plugged(FULL, replace(TABLE, vcpus=False)) == []
    assert plugged(FULL, replace(TABLE, most_vcpus=2)) == []
    assert plugged(FULL.replace("busy 2v/8g cpu=1.9", "busy 1v/8g cpu=1")) == [
        ("busy", "vcpus", 1, 2)
    ]
    assert plugged(
        FULL.replace("busy 2v/8g cpu=1.9 most-vcpus=8", "busy 5v/8g cpu=5 most-vcpus=6")
    )[0] == ("busy", "vcpus", 5, 6)
    assert plugged(FULL.replace("cpu=1.9 most-vcpus=8", "cpu=1.9 knobs")) == []
    assert plugged(FULL.replace("cpu=1.9 most-vcpus=8", "cpu=1.9")) == []
    assert plugged(FULL.replace("busy 2v/8g cpu=1.9", "busy 2v/8g cpu=1.9 unknown")) == []


def test_a_host_without_cores_to_spare_gives_none() -> None:
    """What counts there and what is plugged stays below where the host is hot; and no rule is broken."""
    full = FULL.replace("a 8c", "a 3c")
    assert plugged(full) == []
    two = FULL.replace("a 8c", "a 6c").replace("calm 2v/8g cpu=0.5", "calm 2v/8g cpu=1.8")
    assert plugged(two) == [("busy", "vcpus", 2, 3)]  # of the 1.1 cores that are left
    tight = replace(policy_of(TABLE), constraints=(Capacity(vcpus_per_core=0.5),))
    assert told(made(observation(FULL), tight)) == []
    broken = ("capacity: vcpus: a gives out 5 vCPUs, but has only 4 vCPUs to give",)
    assert faults(assess(observation(FULL), tight), (plug(),)) == broken
    roomy = replace(tight, constraints=(Capacity(vcpus_per_core=0.625),))
    assert told(made(observation(FULL), roomy)) == [("busy", "vcpus", 2, 3)]
    assert faults(assess(observation(FULL), roomy), (plug(),)) == ()


def test_a_rule_that_speaks_of_no_host_in_question_is_not_broken_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nobody knows whose growth is to blame, nobody grows."""
    tight = replace(policy_of(TABLE), constraints=(Capacity(vcpus_per_core=0.5),))
    over = Capacity._over

    def elsewhere(*known: object) -> object:
        return replace(over(*known), subject="the cluster")  # type: ignore[arg-type]

    monkeypatch.setattr(Capacity, "_over", elsewhere)
    assert told(made(observation(FULL), tight)) == []


def test_one_that_is_held_down_needs_no_vcpu() -> None:
    """A quota or a limit of what its vCPUs could use binds it: more of them would not help."""
    assert plugged(FULL, replace(TABLE, limit=2000)) == []
    assert plugged(FULL.replace("most-vcpus=8 |", "most-vcpus=8 quota=2 |")) == []
    within = replace(TABLE, limit=2500)
    assert plugged(FULL, within) == [("busy", "quota", 0, 2500), ("busy", "vcpus", 2, 3)]


def test_it_must_have_lasted() -> None:
    """A peak is no reason: all of the latest steps were so, as far as heat must last."""
    seen, policy = observation(FULL), policy_of(TABLE)
    start = int(seen.at // STEP - 12) * STEP
    names = tuple(uuid_of(name) for name in ("busy", "calm", "x"))
    cells = np.array([[1900], [500], [1000]], dtype=np.int32) + np.arange(12, dtype=np.int32)
    past = replace(seen, rollups=Rollups(start, 12, {"cpu": Block.of(names, cells)}))
    assert told(made(past, policy)) == [("busy", "vcpus", 2, 3)]
    cells[0, -1] = 900
    brief = replace(seen, rollups=Rollups(start, 12, {"cpu": Block.of(names, cells)}))
    assert told(made(brief, policy)) == []


def test_one_that_may_wait_is_known_by_what_it_uses() -> None:
    """Though nothing of it counts, it gets what its host has to spare."""
    patient = replace(TABLE, shares=0.05, priority=0.0)
    assert ("busy", "vcpus", 2, 3) in plugged(FULL, patient)


def test_what_was_tried_or_done_rests() -> None:
    """Five minutes after it was done, a day after it failed; its shares are changed all the same."""
    seen, policy = observation(FULL), policy_of(TABLE)

    def changes(result: Result, ago: float) -> int:
        told_ = lately(seen, policy, result, ago)
        return len(resize(told_, told_.cluster.placement).resizes)

    assert changes(Result.DONE, 60) == 0
    assert changes(Result.DONE, 600) == 1
    assert changes(Result.FAILED, 600) == 0
    failed = lately(seen, policy_of(replace(TABLE, limit=1000)), Result.FAILED, 600)
    limits = resize(failed, failed.cluster.placement).resizes
    assert {one.what for one in limits} == {What.QUOTA}


def test_nobody_grows_where_guests_come_or_go() -> None:
    """The next look sees what moves leave, and what others are moving; the judge holds plans to it."""
    seen = assess(observation(FULL), policy_of(TABLE))
    here = seen.cluster.placement
    assert resize(seen, here).resizes
    assert resize(seen, here, (), ("a",)).resizes == ()
    flying = problem(FULL.replace("x 4v/8g cpu=1", "x 4v/8g cpu=1 moving=a"), rules=seen.policy)
    assert resize(flying, here).resizes == ()
    moving = made(
        observation(FULL.replace("a 8c/64g :", "a 8c/64g state=draining :")), seen.policy
    )
    move = replace(moving.actions[0], guest=uuid_of("x"), source="b", target="a")
    assert "the same plan moves guests" in faults(seen, (plug(),), moves=(move,))[0]
    of_it = replace(move, guest=uuid_of("busy"), source="a", target="b")
    assert "the same plan moves it" in faults(seen, (plug(),), moves=(of_it,))[0]


def test_an_hour_has_an_end_for_them_too() -> None:
    """Beyond what resizes_per_hour leaves none is plugged."""
    both = FULL.replace("calm 2v/8g cpu=0.5", "calm 2v/8g cpu=2")
    one = policy_of(TABLE, limits=Limits(resizes_per_hour=1))
    assert told(made(observation(both), one)) == [("calm", "vcpus", 2, 3)]


def unused(text: str, *steps: int, table: Resizing) -> list[tuple[str, str, int, int]]:
    """Return what is made where the busy guest used so much in its latest steps."""
    seen = observation(text)
    start = int(seen.at // STEP - len(steps)) * STEP
    cells = np.array([steps], dtype=np.int32)
    rollups = Rollups(start, len(steps), {"cpu": Block.of((uuid_of("busy"),), cells)})
    return told(made(replace(seen, rollups=rollups), policy_of(table)))


def test_what_was_plugged_and_lies_idle_is_taken_back() -> None:
    """No more than was plugged, never below the floor, and only after all of the time it asks for."""
    text = FULL.replace(
        "busy 2v/8g cpu=1.9 most-vcpus=8", "busy 6v/8g cpu=1 most-vcpus=8 plugged-vcpus=3"
    )
    asked = replace(TABLE, idle=900)
    assert unused(text, 1000, 1000, 1000, table=asked) == [("busy", "vcpus", 6, 3)]
    assert unused(text, 1000, 2000, 1000, table=asked) == [("busy", "vcpus", 6, 4)]
    assert unused(text, 2000, 1000, 1000, 1000, table=asked) == [("busy", "vcpus", 6, 3)]
    assert unused(text, 1000, 5900, 1000, table=asked) == []
    assert unused(text, 1000, UNKNOWN, UNKNOWN, table=asked) == []
    assert unused(text, 1000, 1000, 1000, table=replace(asked, least_vcpus=5)) == [
        ("busy", "vcpus", 6, 5)
    ]
    assert unused(text, 1000, 1000, 1000, table=replace(asked, dedicated=True)) == []
    seen = observation(text)
    stale = replace(seen, at=seen.at + 120)
    tables = {uuid_of("busy"): TABLE}
    assert busiest(seen, tables) == {uuid_of("busy"): 1000}
    assert busiest(stale, tables) == {}
    mute = {
        uuid: (*known[:-1], replace(known[-1], values={"memory.used": 1}))
        for uuid, known in seen.history.guests.items()
    }
    assert busiest(replace(seen, history=replace(seen.history, guests=mute)), tables) == {}


def test_room_is_not_made_of_what_a_guest_may_keep() -> None:
    """vCPUs that are to be taken count in full: its kernel need not let them go."""
    text = """
        a 8c/64g : busy 4v/8g cpu=4 most-vcpus=8 | calm 4v/8g cpu=0.5 plugged-vcpus=2
    """
    tight = replace(policy_of(TABLE), constraints=(Capacity(vcpus_per_core=1.0),))
    assert told(made(observation(text), tight)) == [("calm", "vcpus", 4, 2)]


@pytest.mark.parametrize(
    ("one", "table", "fault"),
    [
        (plug(2, 9), TABLE, "9 vCPUs where its XML allows 8"),
        (plug(2, 0), TABLE, "0 vCPUs where"),
        (plug(2, 1), TABLE, "only 0 of its vCPUs were plugged"),
        (plug(2, 1), replace(TABLE, dedicated=True), "it is dedicated"),
        (plug(2, 1), replace(TABLE, least_vcpus=2), "less than least_vcpus = 2"),
        (plug(2, 4), replace(TABLE, most_vcpus=3), "more than most_vcpus = 3"),
        (plug(2, 3), replace(TABLE, vcpus=False), "does not let its vCPUs be changed"),
        (plug(3, 4), TABLE, "it stands at 2, not at 3"),
    ],
)
def test_the_judge_names_what_is_wrong(one: Resize, table: Resizing, fault: str) -> None:
    """By what the hypervisor can, and by what the policy allows."""
    found = faults(assess(observation(FULL), policy_of(table)), (one,))
    assert any(fault in line for line in found), found
    taken = FULL.replace("most-vcpus=8 |", "most-vcpus=8 plugged-vcpus=1 |")
    assert faults(assess(observation(taken), policy_of(TABLE)), (plug(2, 1),)) == ()


def test_what_is_missing_for_another_vcpu_is_told() -> None:
    """By the plan and by `why`: the XML change, the policy's key, or by what the guest is bound."""
    seen = observation(FULL)

    def lacks(policy: Policy, knobs: Knobs | None) -> tuple[str, ...]:
        guests = tuple(
            replace(g, knobs=knobs) if g.name == "busy" else g for g in seen.cluster.guests
        )
        told_ = replace(seen, cluster=replace(seen.cluster, guests=guests))
        found = consider(told_, policy, uuid_of("busy")).resized
        assert found is not None
        assert (found.bound, found.wanted) == (Bound.VCPUS, found.got)
        answer = made(told_, policy)
        return (*found.missing, *(f"{s.subject}: {s.reason}" for s in answer.left))

    change = Knobs(missing={What.VCPUS: "write <vcpu current='2'>4</vcpu>"})
    policy = policy_of(TABLE)
    assert lacks(policy, change) == (
        "another vCPU: write <vcpu current='2'>4</vcpu> (from its next start on)",
        "busy: no vCPU can be plugged into it: write <vcpu current='2'>4</vcpu> (from its next start on)",
    )
    other = policy_of(replace(TABLE, guests=Selector(("calm",))))
    assert "vcpus = true in a [[resize]]" in lacks(other, Knobs(most_vcpus=8))[0]
    assert "by" not in lacks(policy, None)[0].split()
    assert "its XML allows 2" in lacks(policy, Knobs(most_vcpus=2))[0]
    short = policy_of(replace(TABLE, most_vcpus=2))
    assert "most_vcpus allows 2" in lacks(short, Knobs(most_vcpus=8))[0]
    assert "the plan plugs it" in lacks(policy, Knobs(most_vcpus=8))[0]
    ended = Resized(resize=plug(), result=Result.FAILED, started=seen.at, ended=seen.at)
    seen = replace(seen, resized=(ended,))
    assert "of late, and rests" in lacks(policy, Knobs(most_vcpus=8))[0]


def test_bounds_of_a_table_that_contradict_each_other_are_refused() -> None:
    """No more than fewer than the least."""
    with pytest.raises(ValueError, match="most_vcpus must not be less"):
        Resizing(guests=Selector(("*",)), vcpus=True, most_vcpus=2, least_vcpus=3)
