"""Why something was moved, or was not: promised against measured, chosen against rejected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balancer.planner.model.plan import Outcome, Plan, Result
from balancer.planner.model.weighed import Weighed
from balancer.ports import Event
from balancer.render.moments import moment
from balancer.render.outcomes import WORD
from balancer.render.words import clean, count, duration, listed, size


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One move of one guest, from its reason to what became of its promise."""

    outcome: Outcome
    plan: Plan | None = None
    """None where the journal has lost it."""
    by: str = ""
    weighed: Weighed | None = None
    measured: str = ""
    """What became of the plan's promise."""


def story(told: Story) -> RenderableType:
    """Return one move in full."""
    outcome, action = told.outcome, told.outcome.action
    by = f", by {told.by}" if told.by else ""
    head = (
        f"{moment(outcome.started)}  {clean(action.name)}  {clean(action.source)} → "
        f"{clean(action.target)}  {WORD[outcome.result]}{by}"
    )
    rows = [("This guest", action.reason)]
    if told.plan:
        rows.insert(0, ("Trigger", f"{told.plan.summary} ({told.plan.id}, {told.plan.policy})"))
    if told.weighed:
        rows.append(("This host", hosts(told.weighed)))
    promise = action.predicted
    span = f"{duration(promise.seconds)} ({duration(promise.seconds_p90)} at worst)"
    rows.append(("Promised", f"{span}, pause {promise.downtime_ms} ms, {size(promise.mib)}"))
    if outcome.steps:
        rows.append(("Tried", "it did not converge: " + listed(outcome.steps)))
    rows.append(("Measured", _measured(outcome)))
    if told.measured:
        rows.append(("Afterwards", told.measured))
    if told.weighed and told.weighed.otherwise:
        rows.append(("Otherwise", told.weighed.otherwise))
    return Group(Text(head, "bold"), _table(rows))


def stays(name: str, host: str, weighed: Weighed, notes: Sequence[str]) -> RenderableType:
    """Return why a guest is where it is now."""
    rows = [("Held", note) for note in notes]
    if weighed.stays:
        rows.append(("Stays", weighed.stays))
    else:
        rows.append(("Other hosts", hosts(weighed)))
        rows.append(("Otherwise", weighed.otherwise))
    return Group(Text(f"{clean(name)} stays on {clean(host)}", "bold"), _table(rows))


def host(name: str, facts: Sequence[tuple[str, str]]) -> RenderableType:
    """Return what is known of a host."""
    return Group(Text(clean(name), "bold"), _table(facts))


def hosts(weighed: Weighed) -> str:
    """Return who was rejected and by what, and who was left."""
    rejected: Mapping[str, int] = weighed.rejected
    left = len(weighed.left) + weighed.more
    others = sum(rejected.values()) + left
    why = ", ".join(f"{label} {number}" for label, number in rejected.items())
    best = f"; {left} left: {listed(weighed.left)}" if left else "; none left"
    return f"{count(others, 'other')}{': ' + why if why else ''}{best}"


def lines(events: Sequence[Event]) -> RenderableType:
    """Return what else the journal has on somebody."""
    return Group(*(Text(f"{moment(e.at)}  {e.kind}: {clean(e.text)}") for e in events))


def _measured(outcome: Outcome) -> str:
    if outcome.result is not Result.DONE:
        return f"{WORD[outcome.result]}: {outcome.reason}"
    pause = "unknown" if outcome.downtime_ms is None else f"{outcome.downtime_ms} ms"
    return f"{duration(outcome.ended - outcome.started)}, pause {pause}, {size(outcome.mib)}"


def _table(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for key, value in rows:
        table.add_row(Text(f"  {key}", "dim"), Text(clean(value)))
    return table
