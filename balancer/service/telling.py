"""The lines that a plan leaves in the journal while it is carried out."""

from collections.abc import Mapping

from balancer.codec import as_data
from balancer.planner.model.cluster import Guest
from balancer.planner.model.plan import Action, Outcome, Plan, Result
from balancer.ports import Event


def decided(plan: Plan, at: float, about: Mapping[str, object]) -> Event:
    """Return the line before anything starts, with all that is known of why."""
    data: Mapping[str, object] = {"plan": as_data(plan), **about}
    return Event(at=at, kind="decided", plan=plan.id, text=plan.summary, data=data)


def started(plan: str, action: Action, at: float, guest: Guest) -> Event:
    """Return the line before `action` starts; what `guest` was helps whoever has to finish it."""
    was = {"persistent": guest.persistent, "autostart": guest.autostart}
    return Event(
        at=at,
        kind="started",
        plan=plan,
        action=action.id,
        guest=action.guest,
        host=action.target,
        text=f"{action.name} from {action.source} to {action.target}: {action.reason}",
        data={"action": as_data(action), "was": was},
    )


def ended(plan: str, outcome: Outcome, kind: str = "ended", *, barred: bool = False) -> Event:
    """Return the line for how it ended, or (`refused`) that it never started.

    `barred`: the look just before said no to this guest on this host.
    """
    action = outcome.action
    arrived = outcome.result is Result.DONE
    where = f"to {action.target}" if arrived else f"from {action.source} to {action.target}"
    said = (
        f"{action.name} {where}: {outcome.result}{_took(outcome)}"
        f"{outcome.reason and f', {outcome.reason}'}"
    )
    return Event(
        at=outcome.ended,
        kind=kind,
        plan=plan,
        action=action.id,
        guest=action.guest,
        host=action.target if arrived else action.source,
        text="; ".join((said, *outcome.left_behind)),
        data={"outcome": as_data(outcome), **({"barred": True} if barred else {})},
    )


def _took(outcome: Outcome) -> str:
    """Return how long it took, beside what was predicted; nothing for what did not arrive."""
    if outcome.result is not Result.DONE:
        return ""
    took, expected = outcome.ended - outcome.started, outcome.action.predicted
    return (
        f" in {took:.0f} s (predicted {expected.seconds:.0f} s, p90 {expected.seconds_p90:.0f} s)"
    )
