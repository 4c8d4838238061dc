"""How the service is, and what it did."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balancer.ports import Event, Status
from balancer.render.moments import clock, moment
from balancer.render.words import clean, count, duration, percent, size

SHOWN = 5
"""Sentences on what stands in for something that are shown."""


def status(known: Status, now: float, *, alive: bool) -> RenderableType:
    """Return what the service does, how far it is, and why nothing happens."""
    lines = [Text.assemble((f"{known.mode}", "bold"), f", {known.state}", _age(known, now, alive))]
    if known.frozen:
        lines.append(Text(clean(known.frozen), "bold red"))
    lines += [Text(clean(trouble), "yellow") for trouble in known.troubles]
    lines.append(Text(clean(known.sentence)))
    if known.state == "awaiting approval":
        lines.append(Text(f"Let it be carried out: balancer approve {known.plan}", "dim"))
    for step in known.in_flight:
        name = clean(known.names.get(step.action, step.action))
        said = step.note or (step.steps[-1] if step.steps else "")
        note = f", {clean(said)}" if said else ""
        lines.append(
            Text(f"  {name}  {percent(step.fraction)}, {size(step.mib_left)} left, "
                 f"{duration(step.seconds)} so far{note}")
        )  # fmt: skip
    if known.in_flight:
        left = max(0.0, known.predicted_end - now)
        lines.append(Text(f"  predicted end {clock(known.predicted_end)}, in {duration(left)}"))
    lines += [Text(clean(sentence), "dim") for sentence in known.fallbacks[:SHOWN]]
    if len(known.fallbacks) > SHOWN:
        lines.append(Text(f"(and {len(known.fallbacks) - SHOWN} more doubts)", "dim"))
    lines.append(Text(_cycles(known, now), "dim"))
    return Group(*lines)


def _age(known: Status, now: float, alive: bool) -> str:  # noqa: FBT001 - a fact, not a switch
    if alive:
        return ""
    if known.state == "stopped":
        return f" {duration(max(0.0, now - known.at))} ago"
    return f" (no sign of life for {duration(now - known.at)}: is it running?)"


def _cycles(known: Status, now: float) -> str:
    last = f", the last {duration(now - known.last_cycle)} ago" if known.cycles else ""
    return (
        f"{count(known.cycles, 'cycle')} since {moment(known.began)}{last}, one every "
        f"{duration(known.interval)}; {known.observed_days:.1f} days of observation scored"
    )


def history(events: Sequence[Event]) -> RenderableType:
    """Return events, one to a line, oldest first; cycles that said the same are counted."""
    table = Table.grid(padding=(0, 2))
    for event, times in _folded(events):
        again = f"  (so {times} times)" if times > 1 else ""
        style = "bold red" if event.kind in {"halted", "refused", "foreign"} else ""
        table.add_row(
            Text(moment(event.at), "dim"), Text(event.kind, style or "cyan"),
            Text(clean(event.plan), "dim"), Text(clean(event.text) + again, style),
        )  # fmt: skip
    return table if events else Text("Nothing is in the journal for that time.")


def _folded(events: Iterable[Event]) -> list[tuple[Event, int]]:
    folded: list[tuple[Event, int]] = []
    for event in events:
        if folded and event.kind == "cycle" and folded[-1][0].text == event.text:
            folded[-1] = (folded[-1][0], folded[-1][1] + 1)
        else:
            folded.append((event, 1))
    return folded
