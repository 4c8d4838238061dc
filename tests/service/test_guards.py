"""Guards are plain functions of what was seen."""

from dataclasses import replace

from balancer.planner.model.observation import Unseen
from balancer.planner.model.plan import Infeasible, Outcome, Plan, Result
from balancer.service.guards import at_fault, failures, moved_by_others, too_few_seen
from tests.drawing import NOON, observation, uuid_of
from tests.worlds import plan_of, world_of

TWO = "a 16c/64g : web-1 2v/4g\nb 16c/64g : web-2 2v/4g"


def outcome(result: Result, ended: float = NOON, reason: str = "") -> Outcome:
    """Return how moving web-1 from a to b ended."""
    action = plan_of(world_of(TWO), "web-1 a b").actions[0]
    return Outcome(action=action, result=result, started=ended - 10, ended=ended, reason=reason)


def test_our_own_moves_are_known_by_their_outcome() -> None:
    """Done, to where the guest is now, since the last look; anything else was somebody else."""
    before = {uuid_of("web-1"): "a", uuid_of("web-2"): "b"}
    seen = observation("a 16c/64g :\nb 16c/64g : web-1 2v/4g | web-2 2v/4g")
    ours = replace(seen, outcomes=(outcome(Result.DONE),))
    assert moved_by_others(before, NOON - 60, ours, ours.outcomes) == ()
    for unexplained in (outcome(Result.FAILED), outcome(Result.DONE, NOON - 300)):
        (found,) = moved_by_others(before, NOON - 60, seen, (unexplained,))
        assert found.sentence == "web-1 was moved from a to b by somebody else"


def test_guests_that_come_and_go_were_not_moved() -> None:
    """Only who was there and is elsewhere."""
    assert moved_by_others({}, 0.0, observation(TWO), ()) == ()


def test_what_was_stopped_on_purpose_did_not_fail() -> None:
    """Nor did what was done, never begun, or long ago."""
    told = [
        outcome(Result.DONE),
        outcome(Result.REFUSED),
        outcome(Result.ABORTED, reason="the operator stopped it"),
        outcome(Result.FAILED, NOON - 4000),
        outcome(Result.STALLED),
        outcome(Result.ABORTED, reason="not done in 60 s"),
    ]
    assert failures(told, NOON - 3600) == tuple(told[-2:])


def test_one_host_may_always_be_missing() -> None:
    """Beyond that the share counts."""
    seen = observation(TWO)
    gone = tuple(Unseen(f"x{n}", "no answer") for n in range(3))
    assert not too_few_seen(replace(seen, unseen=gone[:1]), 0.0)
    assert "2 of 4 hosts" in too_few_seen(replace(seen, unseen=gone[:2]), 0.05)
    assert not too_few_seen(replace(seen, unseen=gone[:2]), 0.5)


def test_nobody_is_at_fault_where_nothing_can_be_done() -> None:
    """Or where no rule is broken."""
    plan: Plan = plan_of(world_of(TWO), "web-1 a b")
    assert at_fault(plan) == at_fault(Infeasible(reason="x")) == frozenset()
