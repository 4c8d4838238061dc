"""One guest's history, forecast and band: as characters, and as a picture that fetches nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balancer.render.words import clean, duration, percent

ROWS: Final = 12
AHEAD: Final = 0.3
"""Share of the width that is kept for what is to come."""
LABEL: Final = 9
"""Cells before the axis."""
DAY: Final = 86_400
WIDTH: Final = 960
HEIGHT: Final = 300
MARGIN: Final = 56
GAP: Final = 14
"""Pixels between text and edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is to be drawn; None is what is not known."""

    guest: str
    metric: str
    unit: str
    method: str
    quantile: float
    since: float
    """Seconds since the epoch at which the past begins."""
    step: int
    """Seconds from one value to the next."""
    past: Sequence[float | None]
    mean: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]
    errors: Mapping[str, float | None]
    """Back-test error by method, in the metric's unit."""

    @property
    def known(self) -> str:
        """How much of the past is known, gaps left out."""
        seconds = self.step * sum(value is not None for value in self.past)
        whole = self.step * len(self.past)
        return duration(whole) if seconds == whole else f"{duration(seconds)} of {duration(whole)}"

    @property
    def now(self) -> float:
        """Seconds since the epoch at which the past ends."""
        return self.since + self.step * len(self.past)

    @property
    def until(self) -> float:
        """Seconds since the epoch at which the forecast ends."""
        return self.now + self.step * len(self.mean)

    @property
    def top(self) -> float:
        """The largest value to be drawn, at least one."""
        values = (*self.past, *self.mean, *self.high)
        return max([1.0, *(value for value in values if value is not None)])


def drawn(shown: Drawn, width: int) -> RenderableType:
    """Return the chart, and below it how far each method was off."""
    cells = max(20, width - LABEL - 2)
    ahead = max(4, int(cells * AHEAD))
    past = _squeezed(shown.past, cells - ahead)
    coming = [_squeezed(line, ahead) for line in (shown.low, shown.mean, shown.high)]
    parts: list[RenderableType] = [_title(shown)]
    for row in range(ROWS, 0, -1):
        label = f"{shown.top * row / ROWS:,.0f}" if row in (ROWS, ROWS // 2) else ""
        line = Text(f"{label:>{LABEL}} ", "dim")
        line.append("".join(_bar(value, row, shown.top) for value in past), "cyan")
        line.append("│", "dim")
        for low, mean, high in zip(*coming, strict=True):
            line.append(_band(low, mean, high, row, shown.top), "magenta")
        parts.append(line)
    parts += [_axis(shown, cells - ahead), Text(), _errors(shown)]
    return Group(*parts)


def picture(shown: Drawn) -> str:
    """Return the same as a self-contained SVG; whoever cannot see it reads its title."""
    past = _points(shown, shown.past, shown.since)
    mean = _points(shown, shown.mean, shown.now)
    low = _points(shown, shown.low, shown.now)
    high = _points(shown, shown.high, shown.now)
    band = " ".join((*high, *reversed(low)))
    x = _x(shown, shown.now)
    lines = "".join(
        f'<polyline class="past" points="{" ".join(part)}"/>' for part in _unbroken(shown, past)
    )
    title = escape(_sentence(shown))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t">
<title id="t">{title}</title>
<style>
 text {{ font: 12px sans-serif; fill: #444 }}
 .past {{ fill: none; stroke: #0b6e99; stroke-width: 1 }}
 .mean {{ fill: none; stroke: #b5179e; stroke-width: 2 }}
 .band {{ fill: #b5179e; opacity: .2 }}
 .axis {{ stroke: #999; stroke-width: 1 }}
 @media (prefers-color-scheme: dark) {{ svg {{ background: #111 }} text {{ fill: #ccc }} }}
</style>
<text x="{MARGIN}" y="{GAP}">{title}</text>
<line class="axis" x1="{MARGIN}" y1="{HEIGHT - MARGIN}" x2="{WIDTH - GAP}" y2="{HEIGHT - MARGIN}"/>
<line class="axis" x1="{x}" y1="{2 * GAP}" x2="{x}" y2="{HEIGHT - MARGIN}" stroke-dasharray="4"/>
<text x="{MARGIN - 6}" y="{2 * GAP + 4}" text-anchor="end">{shown.top:,.0f}</text>
<text x="{MARGIN - 6}" y="{HEIGHT - MARGIN}" text-anchor="end">0</text>
<text x="{MARGIN}" y="{HEIGHT - MARGIN + 18}">{_moment(shown.since)}</text>
<text x="{x}" y="{2 * GAP - 4}" text-anchor="end">{_moment(shown.now)}</text>
<text x="{WIDTH - GAP}" y="{HEIGHT - MARGIN + 18}" text-anchor="end">{_moment(shown.until)} UTC</text>
<text x="{MARGIN}" y="{HEIGHT - GAP}">{escape(_said_errors(shown))}</text>
<polygon class="band" points="{band}"/>
{lines}
<polyline class="mean" points="{" ".join(mean)}"/>
</svg>
"""


def _title(shown: Drawn) -> Text:
    return Text(clean(_sentence(shown)), "bold")


def _sentence(shown: Drawn) -> str:
    return (
        f"{clean(shown.guest)}: {shown.metric} in {shown.unit}, {shown.known} known, "
        f"{duration(shown.until - shown.now)} ahead by {shown.method}, "
        f"band {percent(1 - shown.quantile)} to {percent(shown.quantile)}"
    )


def _said_errors(shown: Drawn) -> str:
    said = (f"{m} {'unknown' if e is None else f'{e:,.1f}'}" for m, e in shown.errors.items())
    return f"back-test error, {shown.unit}: {', '.join(said)}"


def _errors(shown: Drawn) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("method")
    table.add_column(f"back-test error, {shown.unit}", justify="right")
    for name, error in shown.errors.items():
        chosen = name == shown.method
        table.add_row(
            Text(f"{'→' if chosen else ' '} {name}", "bold" if chosen else ""),
            "unknown" if error is None else f"{error:,.1f}",
        )
    return table


def _axis(shown: Drawn, at: int) -> Text:
    begin, now, end = map(_moment, (shown.since, shown.now, shown.until))
    end = end.split()[-1] if shown.until - shown.now <= DAY else end
    line = f"{'':{LABEL + 1}}{begin}"
    middle = LABEL + 1 + at - len(now) // 2
    line = f"{line:<{max(len(line) + 1, middle)}}{now}"
    return Text(f"{line}  {end} UTC", "dim")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%m-%d %H:%M")


def _squeezed(values: Sequence[float | None], cells: int) -> list[float | None]:
    """Return as many values as there are cells: means of those that fall together."""
    count = len(values)
    found: list[float | None] = []
    for cell in range(cells):
        begin = cell * count // cells
        part = values[begin : max(begin + 1, (cell + 1) * count // cells)]
        known = [value for value in part if value is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def _reaches(value: float | None, row: int, top: float) -> bool:
    return value is not None and value * ROWS > top * (row - 1) and value > 0


def _bar(value: float | None, row: int, top: float) -> str:
    if value is None:
        return "·" if row == 1 else " "
    return "█" if _reaches(value, row, top) else " "


def _band(low: float | None, mean: float | None, high: float | None, row: int, top: float) -> str:
    marks = ((low, "▓"), (mean, "▒"), (high, "░"))
    return next((mark for value, mark in marks if _reaches(value, row, top)), " ")


def _x(shown: Drawn, at: float) -> float:
    share = (at - shown.since) / max(1.0, shown.until - shown.since)
    return round(MARGIN + share * (WIDTH - MARGIN - GAP), 1)


def _points(shown: Drawn, values: Sequence[float | None], since: float) -> list[str]:
    """Return `x,y` for each value; an empty word where nothing is known."""
    room = HEIGHT - MARGIN - 2 * GAP
    return [
        ""
        if value is None
        else f"{_x(shown, since + i * shown.step)},{round(HEIGHT - MARGIN - room * value / shown.top, 1)}"
        for i, value in enumerate(values)
    ]


def _unbroken(shown: Drawn, points: Sequence[str]) -> list[list[str]]:
    """Return the parts of a line between gaps, thinned to what a picture can show."""
    parts: list[list[str]] = [[]]
    every = max(1, len(shown.past) // (2 * WIDTH))
    for point in points[::every]:
        if point:
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]
