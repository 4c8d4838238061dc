"""What doctor found: troubles first, alike ones folded into one line with all their hosts."""

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from balancer.ports import Finding, Grade
from balancer.render.words import clean, count, listed

MARK: Final = {
    Grade.FAULT: ("✗ ", "bold red"),
    Grade.NOTE: ("· ", "yellow"),
    Grade.OK: ("✓ ", "green"),
}


def findings(found: Sequence[Finding]) -> RenderableType:
    """Return faults, then notes, then what is in order, and how many there are of each."""
    parts: list[RenderableType] = []
    for grade in MARK:
        for alike in _alike([finding for finding in found if finding.grade is grade]):
            parts += _lines(alike)
    return Group(*parts, Text(_closing(found), "bold"))


def _alike(found: Sequence[Finding]) -> list[list[Finding]]:
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in found:
        key = (finding.check, finding.sentence, finding.remedy)
        groups.setdefault(key, []).append(finding)
    return list(groups.values())


def _lines(alike: Sequence[Finding]) -> list[RenderableType]:
    first = alike[0]
    mark, style = MARK[first.grade]
    subjects = listed(finding.subject for finding in alike if finding.subject)
    line = Text.assemble((mark, style), (subjects, "bold"), ": " if subjects else "")
    line.append(clean(first.sentence))
    label = "" if first.grade is Grade.OK else "remedy: "
    remedy = [Text(f"  {label}{clean(first.remedy)}")] if first.remedy else []
    return [line, *remedy]


def _closing(found: Sequence[Finding]) -> str:
    faults = sum(finding.grade is Grade.FAULT for finding in found)
    notes = sum(finding.grade is Grade.NOTE for finding in found)
    in_order = count(len(found) - faults - notes, "check")
    trouble = f"{count(faults, 'fault')}, {count(notes, 'note')}"
    return f"{trouble}; {in_order} in order." if faults or notes else f"{in_order} in order."
