"""The comparison as one page that needs nothing but itself: no script, no font, no network."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.render.figures import heat, legend, lines, spreads
from balancer.simulator.comparing.spread import Spread
from balancer.simulator.comparing.style import STYLE
from balancer.simulator.comparing.sweep import Comparison, Run
from balancer.simulator.counting.telling import LINES, Line, figure

COLUMNS: Final = 120
"""Of a heat map or a line: as many as can be told apart."""
PLOTTED: Final = ("contention", "overload", "migrations", "energy")
HOUR: Final = 3600.0
KILO: Final = 1000.0
HOSTS_SHOWN: Final = 60
NONE: Final = "<p class='nothing'>None at all, under any policy.</p>"


def page(comparison: Comparison) -> str:
    """Return the comparison as HTML."""
    names = list(comparison.runs)
    seeds = ", ".join(map(str, comparison.seeds))
    words = f"{len(names)} {'policy' if len(names) == 1 else 'policies'}"
    parts = [
        f"<h1>{escape(comparison.scenario)}</h1>",
        f"<p class='about'>{escape(comparison.about)}.</p>" if comparison.about else "",
        f"<p>{words} over seeds {seeds}: the same cluster and load under each, run by run; simulated.</p>",
        _head(comparison),
        "<h2>What it cost</h2>",
        _table(comparison),
        "<p class='small'>Median over seeds, and least to most. The best median is bold.</p>",
        "<h2>Spread over seeds</h2>",
        "<p class='small'>A dot is a run; the box holds the middle half of them, the stroke the median.</p>",
        *(_spread(comparison, line) for line in LINES if line.key in PLOTTED),
        "<h2>Over time</h2>",
        legend(names),
        f"<p class='small'>Of the first seed, {comparison.seeds[0]}.</p>",
        *_courses({name: runs[0] for name, runs in comparison.runs.items()}),
        _promises(comparison),
        _meanings(),
    ]
    title = escape(f"{comparison.scenario}: policies compared")
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main>"
        + "\n".join(filter(None, parts))
        + "</main></body></html>\n"
    )


def spread_of(runs: Sequence[Run], line: Line) -> Spread:
    """Return how one figure spreads over the runs."""
    return Spread.of([line.amount(run.counted) for run in runs])


def _table(comparison: Comparison) -> str:
    head = "".join(
        f"<th class='s{i % 6}'><i></i>{escape(name)}</th>"
        for i, name in enumerate(comparison.runs)
    )
    rows = "".join(_row(comparison, line) for line in LINES)
    return (
        f"<div class='wide'><table><thead><tr><th></th><th>unit</th>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _head(comparison: Comparison) -> str:
    """Return a box for each policy: what it came to, and against the first one."""
    first = next(iter(comparison.runs.values()))
    boxes = []
    for i, (name, runs) in enumerate(comparison.runs.items()):
        told = []
        for line in (line for line in LINES if line.key in PLOTTED):
            mine, base = spread_of(runs, line).median, spread_of(first, line).median
            change = (
                f" ({(mine - base) / base:+.0%})".replace("-", "&minus;")
                if i and base and mine != base
                else ""
            )
            told.append(f"<span>{line.label} {figure(mine)} {line.unit}{change}</span>")
        boxes.append(f"<div class='s{i % 6}'><b>{escape(name)}</b>{''.join(told)}</div>")
    against = f"<p class='small'>Medians; in brackets, against {escape(next(iter(comparison.runs)))}.</p>"
    return f"<div class='head'>{''.join(boxes)}</div>{against if len(boxes) > 1 else ''}"


def _row(comparison: Comparison, line: Line) -> str:
    found = [spread_of(runs, line) for runs in comparison.runs.values()]
    dim = "" if any(s.most for s in found) else " class='nothing'"
    best = min(s.median for s in found)
    differ = len({s.median for s in found}) > 1
    cells = "".join(
        f"<td{' class=best' if differ and s.median == best else ''}>{figure(s.median)}{_range(s)}</td>"
        for s in found
    )
    return f"<tr{dim}><th title='{escape(line.meaning)}'>{line.label}</th><td>{line.unit}</td>{cells}</tr>"


def _range(spread: Spread) -> str:
    if figure(spread.least) == figure(spread.most):
        return ""
    return f"<small>{figure(spread.least)} to {figure(spread.most)}</small>"


def _spread(comparison: Comparison, line: Line) -> str:
    points = {
        name: [line.amount(run.counted) for run in runs] for name, runs in comparison.runs.items()
    }
    boxes = {}
    for name, amounts in points.items():
        s = Spread.of(amounts)
        boxes[name] = (s.least, s.quarter, s.median, s.three_quarters, s.most)
    title = f"{line.label}, {line.unit}" if line.unit else line.label
    if not any(most for *_, most in boxes.values()):
        return f"<h3>{title}</h3>{NONE}"
    return f"<h3>{title}</h3>{spreads(boxes, points, line.unit, whole=not line.unit)}"


def _courses(runs: Mapping[str, Run]) -> list[str]:
    parts = []
    hours = max(_hours(run) for run in runs.values())
    parts.append("<h3>Migrations that arrived so far</h3>")
    parts.append(_drawn({n: _arrived(r) for n, r in runs.items()}, hours, "migrations"))
    parts.append("<h3>vCPUs that wait</h3>")
    parts.append(_drawn({n: _thinned(r.course.waiting) for n, r in runs.items()}, hours, "vCPUs"))
    parts.append("<h3>Power of all hosts</h3>")
    watts = {n: [w / KILO for w in _thinned(r.course.watts)] for n, r in runs.items()}
    parts.append(_drawn(watts, hours, "kW"))
    for name, run in runs.items():
        parts.append(f"<h3>Load by host: {escape(name)}</h3>")
        parts.append(heat(_loads(run), _hours(run)))
        if len(run.course.hosts) > HOSTS_SHOWN:
            more = len(run.course.hosts) - HOSTS_SHOWN
            parts.append(f"<p class='small'>The busiest; {more} more hosts are not drawn.</p>")
    parts.append(_key())
    return parts


def _drawn(rows: Mapping[str, Sequence[float]], hours: float, unit: str) -> str:
    """Return the lines, or a word where there is nothing to draw."""
    if not any(any(row) for row in rows.values()):
        return NONE
    return lines(rows, hours, unit, whole=unit == "migrations")


def _key() -> str:
    loads = " ".join(
        f"<span style='--c:{colour}'><i></i>{text}</span>"
        for colour, text in (("#f0f4f9", "idle"), ("#8cbee0", "50 %"), ("#ffcf5c", "75 %"),
                             ("#ee7a30", "90 %"), ("#bd1628", "100 % of its CPU and more"))
    )  # fmt: skip
    return f"<p class='legend key'>{loads} <span class='none'><i></i>dead or not there</span></p>"


def _hours(run: Run) -> float:
    return max(run.course.step, len(run.course.waiting) * run.course.step) / HOUR


def _loads(run: Run) -> dict[str, list[float]]:
    """Return the largest load in each column, by host; the busiest hosts where there are many."""
    course = run.course
    chosen = list(range(len(course.hosts)))
    if len(course.hosts) > HOSTS_SHOWN:
        means = np.nan_to_num(course.load).mean(axis=1)
        chosen = sorted(int(i) for i in np.argsort(-means, kind="stable")[:HOSTS_SHOWN])
    return {course.hosts[i]: _peaks(course.load[i]) for i in chosen}


def _chunks(row: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return np.array_split(row, min(COLUMNS, max(1, len(row))))


def _peaks(row: NDArray[np.float32]) -> list[float]:
    return [float("nan") if np.isnan(c).all() else float(np.nanmax(c)) for c in _chunks(row)]


def _thinned(row: NDArray[np.float32]) -> list[float]:
    return [float(c.mean()) if len(c) else 0.0 for c in _chunks(row)]


def _arrived(run: Run) -> list[float]:
    course = run.course
    ends = np.linspace(course.start, course.start + _hours(run) * HOUR, COLUMNS)
    return [float(n) for n in np.searchsorted(np.array(course.arrivals), ends, side="right")]


def _promises(comparison: Comparison) -> str:
    """Return which runs did not keep what the scenario expects, or lost guests."""
    told = [
        f"<li><b>{escape(name)}</b>, seed {run.task.seed}: {escape(what)}</li>"
        for name, runs in comparison.runs.items()
        for run in runs
        for what in (*run.unmet, *((run.stopped,) if run.stopped else ()))
    ]
    if not told:
        return "<h2>Promises</h2><p>Every run kept what the scenario expects.</p>"
    return f"<h2>Promises not kept</h2><ul>{''.join(told)}</ul>"


def _meanings() -> str:
    items = "".join(
        f"<dt>{line.label}{f' ({line.unit})' if line.unit else ''}</dt><dd>{line.meaning}</dd>"
        for line in LINES
    )
    return f"<h2>What the words mean</h2><dl>{items}</dl>"
