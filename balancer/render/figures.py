"""Figures as SVG text, drawn by hand so that a page needs nothing from elsewhere.

Colours are classes and CSS variables of the page; everything shown is escaped.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, isnan, log10
from typing import Final

LEFT: Final = 92
"""Room for labels."""
WIDTH: Final = 720
ROW: Final = 30
CELL_HEIGHT: Final = 14
AXIS: Final = 26
LEAST_RADIUS: Final = 3
TICKS: Final = 5
LONGEST: Final = 14
"""Characters of a label that fit."""
STOPS: Final = ((0.0, (240, 244, 249)), (0.5, (140, 190, 224)), (0.75, (255, 207, 92)), (0.9, (238, 122, 48)), (1.0, (189, 22, 40)))  # fmt: skip
"""Load to colour: pale idle, blue half used, yellow well used, red full."""


def ticks(most: float, *, whole: bool = False) -> tuple[float, ...]:
    """Return round numbers from 0 up to at least `most`; whole ones where things are counted."""
    if most <= 0:
        return (0.0, 1.0)
    rough = most / TICKS
    unit = 10.0 ** floor(log10(rough))
    step = next(f * unit for f in (1, 2, 5, 10) if f * unit >= rough)
    step = max(1.0, step) if whole else step
    return tuple(round(i * step, 9) for i in range(ceil(most / step) + 1))


def number(amount: float) -> str:
    """Return an amount short enough for an axis."""
    return f"{amount:,.10g}"


def spreads(
    rows: Mapping[str, tuple[float, float, float, float, float]],
    points: Mapping[str, Sequence[float]],
    unit: str,
    *,
    whole: bool = False,
) -> str:
    """Return one box a row: least, quarter, median, three quarters, most; each point above it."""
    scale = ticks(max((row[4] for row in rows.values()), default=1.0), whole=whole)
    top = scale[-1]

    def x(amount: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 26) * amount / top, 1)

    height = ROW * len(rows) + AXIS + 6
    parts = [_grid(scale, x, height - AXIS)]
    for i, (name, (least, quarter, median, three, most)) in enumerate(rows.items()):
        y = i * ROW + 6
        middle = y + ROW / 2 - 3
        parts.append(
            f'<g class="s{i % 6}">{_label(name, middle)}'
            f'<line class="whisker" x1="{x(least)}" x2="{x(most)}" y1="{middle}" y2="{middle}"/>'
            f'<rect class="box" x="{x(quarter)}" y="{y + 3}" '
            f'width="{max(2.0, round(x(three) - x(quarter), 1))}" height="{ROW - 12}" rx="2"/>'
            f'<line class="median" x1="{x(median)}" x2="{x(median)}" y1="{y + 1}" y2="{y + ROW - 7}"/>'
            + "".join(
                f'<circle cx="{x(p)}" cy="{middle}" r="{LEAST_RADIUS}"><title>{number(round(p, 3))} '
                f"{escape(unit)}</title></circle>"
                for p in points[name]
            )
            + "</g>"
        )
    return _svg("spreads", height, parts)


def heat(rows: Mapping[str, Sequence[float]], hours: float) -> str:
    """Return a row for each host, coloured by load (0 to 1 and beyond); NaN is left blank."""
    columns = max((len(row) for row in rows.values()), default=1)
    wide = (WIDTH - LEFT - 26) / max(1, columns)
    height = CELL_HEIGHT * len(rows) + AXIS + 4
    parts = []
    for i, (name, loads) in enumerate(rows.items()):
        y = i * CELL_HEIGHT + 2
        parts.append(_label(name, y + CELL_HEIGHT / 2))
        parts.extend(_cells(name, loads, wide, y, hours))
    scale = [t for t in ticks(hours) if t <= hours] or [0.0]
    parts.extend(
        f'<text class="tick" x="{LEFT + (WIDTH - LEFT - 26) * t / hours:.1f}" '
        f'y="{height - 8}">{number(t)} h</text>'
        for t in scale
    )
    return _svg("heat", height, parts)


def _cells(name: str, loads: Sequence[float], wide: float, y: int, hours: float) -> list[str]:
    """Return the rectangles of one row; neighbours of one colour are one."""
    parts, begin = [], 0
    for i in range(1, len(loads) + 1):
        if i < len(loads) and _colour(loads[i]) == _colour(loads[begin]):
            continue
        colour = _colour(loads[begin])
        if colour:
            at = hours * begin / len(loads)
            parts.append(
                f'<rect x="{LEFT + wide * begin:.1f}" y="{y}" width="{wide * (i - begin) + 0.3:.1f}" '
                f'height="{CELL_HEIGHT - 1}" fill="{colour}"><title>{escape(name)}, from '
                f"{at:.1f} h: {100 * loads[begin]:.0f} %</title></rect>"
            )
        begin = i
    return parts


def lines(
    rows: Mapping[str, Sequence[float]], hours: float, unit: str, *, whole: bool = False
) -> str:
    """Return one line for each row over the same hours.

    Each is thinner than the one below it, and dashed in its own way: of lines that run together all
    are seen.
    """
    most = max((max(row, default=0.0) for row in rows.values()), default=1.0)
    scale = ticks(most, whole=whole)
    top, height = scale[-1], 190
    base = height - AXIS

    def y(amount: float) -> float:
        return round(base - (base - 12) * amount / top, 1)

    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 26}" y1="{y(t)}" y2="{y(t)}"/>'
        f'<text class="label" x="{LEFT - 8}" y="{y(t) + 4}">{number(t)}</text>'
        for t in scale
    ]
    parts.append(f'<text class="unit" x="{LEFT + 4}" y="10">{escape(unit)}</text>')
    parts.extend(
        f'<text class="tick" x="{LEFT + (WIDTH - LEFT - 26) * t / hours:.1f}" y="{height - 8}">'
        f"{number(t)} h</text>"
        for t in ticks(hours)
        if t <= hours
    )
    for i, (name, row) in enumerate(rows.items()):
        wide = (WIDTH - LEFT - 26) / max(1, len(row) - 1)
        path = " ".join(f"{LEFT + wide * k:.1f},{y(v)}" for k, v in enumerate(row))
        parts.append(
            f'<polyline class="line s{i % 6} d{i % 4}" points="{path}"><title>{escape(name)}</title></polyline>'
        )
    return _svg("lines", height, parts)


def legend(names: Sequence[str]) -> str:
    """Return which colour and which kind of line stands for whom."""
    items = (
        f'<span class="s{i % 6}"><svg class="stroke" viewBox="0 0 34 10" aria-hidden="true">'
        f'<line class="line d{i % 4}" x1="1" x2="33" y1="5" y2="5"/></svg>{escape(name)}</span>'
        for i, name in enumerate(names)
    )
    return f'<p class="legend">{"".join(items)}</p>'


def _svg(kind: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{kind}">{"".join(parts)}</svg>'
    )


def _grid(scale: Sequence[float], x: Callable[[float], float], bottom: float) -> str:
    return "".join(
        f'<line class="grid" x1="{x(t)}" x2="{x(t)}" y1="0" y2="{bottom}"/>'
        f'<text class="tick" x="{x(t)}" y="{bottom + 16}">{number(t)}</text>'
        for t in scale
    )


def _label(name: str, middle: float) -> str:
    short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    return f'<text class="label" x="{LEFT - 8}" y="{middle + 4:g}">{escape(short)}<title>{escape(name)}</title></text>'


def _colour(load: float) -> str:
    """Return the colour of a load, in steps of two percent; empty for none."""
    if isnan(load):
        return ""
    load = min(1.0, round(load * 50) / 50)
    for (low, dark), (high, light) in pairwise(STOPS):
        if load <= high:
            part = (load - low) / (high - low)
            mixed = (round(a + (b - a) * part) for a, b in zip(dark, light, strict=True))
            return "#" + "".join(f"{c:02x}" for c in mixed)
    return ""
