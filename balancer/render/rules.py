"""The rules of a policy: whom each concerns and where it is broken now."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from balancer.planner.model.violation import Violation
from balancer.render.plan import violations
from balancer.render.words import clean, count, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """One rule as it stands."""

    label: str
    hard: bool
    guests: tuple[str, ...]
    """Names of the guests it speaks of, sorted."""
    everyone: bool
    """True if that is every guest there is."""
    broken: tuple[Violation, ...]
    doubt: str = ""
    """What has not been looked at, in one phrase."""


def rules(policy: str, reports: Sequence[RuleReport]) -> RenderableType:
    """Return one line a rule, what it finds broken under it, and a closing sentence."""
    parts: list[RenderableType] = [Text(f"Policy {clean(policy)}", "bold")]
    for report in reports:
        parts.append(_rule(report))
        parts += [violations(report.broken)] if report.broken else []
    broken = sum(bool(report.broken) for report in reports)
    closing = f"{broken} broken now." if broken else "none broken now."
    parts.append(Text(f"{count(len(reports), 'rule')}, {closing}", "bold"))
    return Group(*parts)


def _rule(report: RuleReport) -> Text:
    style, mark = ("bold red", "✗ ") if report.broken else ("green", "✓ ")
    line = Text.assemble((mark, style), (clean(report.label), "bold"))
    line.append("" if report.hard else " (soft)", "dim")
    line.append(f": {_concerned(report)}")
    return line.append(f"; {report.doubt}" if report.doubt else "", "yellow")


def _concerned(report: RuleReport) -> str:
    if not report.guests:
        return "no guest"
    if report.everyone:
        return "every guest"
    return f"{count(len(report.guests), 'guest')}: {listed(report.guests)}"
