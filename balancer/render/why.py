"""Why something was moved, or was not: promised against measured, chosen against rejected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balancer.planner.model.plan import Outcome, Plan, Result
from balancer.planner.model.resize import What
from balancer.planner.model.resources import MEMORY
from balancer.planner.model.usage import memory_from
from balancer.planner.model.weighed import Bound, Granted, Share, Weighed
from balancer.ports import GONE, Event, GuestStood, HostStood
from balancer.render.moments import moment
from balancer.render.outcomes import WORD
from balancer.render.words import clean, count, duration, listed, setting, size, waiting

PER_CORE: Final = 1000
"""Millicores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One move of one guest, from its reason to what became of its promise."""

    outcome: Outcome
    plan: Plan | None = None
    """None where the journal has lost it."""
    by: str = ""
    weighed: Weighed | None = None
    measured: str = ""
    """What became of what the plan expected of its hosts."""
    realised: str = ""
    """What became of the waiting that the plan promised to save."""


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
        rows += _granted(told.weighed.resized)
    promise = action.predicted
    span = f"{duration(promise.seconds)} ({duration(promise.seconds_p90)} at worst)"
    rows.append(("Promised", f"{span}, pause {promise.downtime_ms} ms, {size(promise.mib)}"))
    if action.worth:
        within = f" within {duration(told.plan.horizon)}" if told.plan else ""
        rows.append(("Worth", f"{waiting(action.worth.saved, action.worth.spent)}{within}"))
    if outcome.steps:
        rows.append(("Tried", "it did not converge: " + listed(outcome.steps)))
    rows.append(("Measured", _measured(outcome)))
    if told.measured:
        rows.append(("Afterwards", told.measured))
    if told.realised:
        rows.append(("Realised", f"by the whole plan: {told.realised}"))
    if told.weighed and told.weighed.otherwise:
        rows.append(("Otherwise", told.weighed.otherwise))
    return Group(Text(head, "bold"), _table(rows))


def stood(told: GuestStood, looked: float) -> RenderableType:
    """Return why a guest was where it was; `looked`: when a cycle looked last, 0 if that is lost."""
    where = "was gone from" if told.state == GONE else "stays on"
    head = f"{clean(told.name)} {where} {clean(told.host)}, so since {moment(told.at)}"
    rows = [("Trigger", told.sentence + (f" ({told.policy})" if told.policy else ""))]
    if told.target:
        rows.append(("Proposed", f"to {told.target} by {told.plan}: {told.reason}"))
    elif told.reason:
        rows.append(("This guest", told.reason))
    if told.state and told.state != GONE:
        rows.append(("Its host", f"{told.host} is {told.state}"))
    if told.weighed:
        rows += _weighed(told.weighed)
    if told.unknown:
        rows.append(("Data", "none to be trusted: it weighs as its allocation, and stays"))
    elif told.memory_from:
        said = memory_from(told.memory_from) or "what is resident on the host"
        rows.append(("Data", f"memory in use is {said}"))
    if looked:
        rows.append(("As of", f"the cycle of {moment(looked)}"))
    return Group(Text(head, "bold"), _table(rows))


def course(name: str, told: Sequence[GuestStood]) -> RenderableType:
    """Return how the decisions on a guest went, one change to a line, oldest first."""
    rows = [(moment(line.at), f"{line.host}: {_in_short(line)}") for line in told]
    return Group(Text(f"{clean(name)}, what was decided and why", "bold"), _table(rows))


def _in_short(told: GuestStood) -> str:
    if told.state == GONE:
        return "gone"
    if told.target:
        return f"to {told.target} by {told.plan}: {told.reason}"
    weighed = told.weighed
    if weighed and weighed.stays:
        return f"stays: {weighed.stays}"
    state = told.reason or f"its host is {told.state}"
    return f"stays, {state}; {hosts(weighed)}" if weighed else f"stays, {state}"


def hosts_course(told: Sequence[HostStood]) -> list[tuple[str, str]]:
    """Return how a host stood, one change to a line, oldest first."""
    return [(moment(line.at), _host_in_short(line)) for line in told]


def _host_in_short(told: HostStood) -> str:
    left = f"; {told.left}" if told.left else ""
    if told.state == "unseen":
        return f"unseen{left}"
    guests = count(told.guests, "guest")
    used = f"CPU {told.cpu} %, memory {told.memory} % (resident, else balloon or allocated)"
    return f"{told.state}: {used}, {guests} ({told.hot_above}){left}"


def stays(name: str, host: str, weighed: Weighed, notes: Sequence[str]) -> RenderableType:
    """Return why a guest is where it is now."""
    rows = [("Held", note) for note in notes]
    rows += _weighed(weighed)
    return Group(Text(f"{clean(name)} stays on {clean(host)} now", "bold"), _table(rows))


def _weighed(weighed: Weighed) -> list[tuple[str, str]]:
    given = _granted(weighed.resized)
    if weighed.stays:
        return [("Stays", weighed.stays), *given]
    return [("Other hosts", hosts(weighed)), *given, ("Otherwise", weighed.otherwise)]


def _granted(given: Granted | None) -> list[tuple[str, str]]:
    """Return what fair division gives a guest, by what, and what is missing for more."""
    if given is None:
        return []
    wanted, got = (f"{amount / PER_CORE:.1f}" for amount in (given.wanted, given.got))
    told = f"fair division on {given.host} gives it all of the {wanted} cores it wants"
    if given.bound is Bound.VCPUS:
        told += ": all that its vCPUs can use, and it keeps them busy"
    elif given.bound is not Bound.NONE:
        told = f"fair division on {given.host} gives it {got} of the {wanted} cores it wants, by its {given.bound}"
    rows = [("CPU", told), *((one.what.capitalize(), _share(one)) for one in given.beside)]
    if given.missing:
        rows.append(("For more", "; ".join(given.missing)))
    return rows


def _share(one: Share) -> str:
    """Return what a guest has of memory or traffic."""
    what = What.BALLOON if one.what == MEMORY else What.BLOCK
    wanted, got = (
        setting(what, amount) if amount else "nothing" for amount in (one.wanted, one.got)
    )
    if one.bound is Bound.NONE:
        return f"it has all of the {wanted} it wants" if one.wanted else "it wants none now"
    return f"it has {got} of the {wanted} it wants, by its {one.bound}"


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
