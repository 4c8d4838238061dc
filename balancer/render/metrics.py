"""What is measured: a table for each source, and under it what is missing and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balancer.planner.model.rollups import STEP
from balancer.render.words import clean, count, duration, listed

SHOWN: Final = 8
"""How many unmatched series are spelt out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """One metric of one source."""

    kind: str
    """guests or hosts."""
    metric: str
    unit: str
    known: int
    of: int
    least: int
    middle: int
    most: int
    silent: tuple[str, ...]
    """Names of those it does not know."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source of metrics."""

    name: str
    coverage: tuple[Coverage, ...]
    fault: str = ""
    """Why it gave no answer."""
    oldest_seconds: float = 0.0
    """Age of the oldest sample of a guest."""
    unmatched: Mapping[str, str] = field(default_factory=dict)
    """Why a series belongs to no guest or host."""
    warnings: tuple[str, ...] = ()
    queries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsReport:
    """Everything that is measured, and what of it is not believed."""

    sources: tuple[SourceReport, ...]
    not_believed: Mapping[str, str]
    """Why a guest's newest sample is not believed, by name."""
    memory_meant: Mapping[str, int]
    """What memory in use is taken from, and of how many guests."""
    hours_known: float
    """Of the past, in the middle of all guests."""
    gaps: Mapping[str, int] = field(default_factory=dict)
    """5-minute steps of the latest day of which nothing is known, by guest."""


def metrics(report: MetricsReport) -> RenderableType:
    """Return the report as people read it."""
    parts: list[RenderableType] = []
    for source in report.sources:
        parts += [*_source(source), Text()]
    meant = ", ".join(f"{word} ({number:,})" for word, number in report.memory_meant.items())
    parts.append(Text(f"Memory in use is taken from: {meant or 'nothing'}."))
    parts.append(Text(f"Known of the past: {duration(3600 * report.hours_known)}."))
    if report.gaps:
        worst = sorted(report.gaps.items(), key=lambda item: (-item[1], item[0]))
        told = listed((f"{name} ({duration(STEP * steps)})" for name, steps in worst), 3)
        parts.append(Text(f"Gaps in the latest day: {count(len(worst), 'guest')}: {told}."))
    for name, why in sorted(report.not_believed.items())[:SHOWN]:
        parts.append(Text.assemble(("✗ ", "bold red"), (clean(name), "bold"), f": {clean(why)}"))
    silent = len(report.not_believed)
    closing = f"{count(silent, 'guest')} not believed: not moved for load." if silent else ""
    parts.append(Text(closing or "All that was measured is believed.", "bold"))
    return Group(*parts)


def _source(source: SourceReport) -> list[RenderableType]:
    title = Text(clean(source.name), "bold")
    if source.fault:
        return [title, Text(f"  ✗ {clean(source.fault)}", "red")]
    if source.queries:
        age = duration(source.oldest_seconds)
        title = Text.assemble(
            (clean(source.name), "bold"),
            (f"  queries: {source.queries}; oldest sample: {age}", "dim"),
        )
    parts: list[RenderableType] = [title, _table(source.coverage)]
    parts += [Text(f"  ! {clean(text)}", "yellow") for text in source.warnings]
    for series, why in list(source.unmatched.items())[:SHOWN]:
        parts.append(Text(f"  ? {clean(series)}: {clean(why)}", "yellow"))
    if len(source.unmatched) > SHOWN:
        parts.append(
            Text(f"  and {len(source.unmatched) - SHOWN:,} more without a match", "yellow")
        )
    return parts


def _table(coverage: tuple[Coverage, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("of", "metric"):
        table.add_column(name)
    for name in ("known", "least", "middle", "most"):
        table.add_column(name, justify="right")
    for name in ("unit", "silent"):
        table.add_column(name)
    for line in coverage:
        style = "" if line.known == line.of else "yellow"
        table.add_row(
            line.kind,
            line.metric,
            Text(f"{line.known:,}/{line.of:,}", style),
            *(f"{value:,}" for value in (line.least, line.middle, line.most)),
            line.unit,
            listed(line.silent, 3),
        )
    return table
