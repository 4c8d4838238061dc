"""A schedule as a picture: one band for each host, time to the right, a bar for each move.

A move stands on both its hosts: full where the guest leaves, in outline where it arrives. With
outcomes, what really happened stands right below what was predicted. Resizes take no time that could
be drawn: they are named below, those alike together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Final

from balancer.planner.model.plan import Action, Outcome, Plan, Result
from balancer.planner.model.resize import What
from balancer.render.words import clean, count, duration, listed, setting, shorten, size

LEFT: Final = 130
"""Pixels for the names of hosts."""
WIDTH: Final = 1180
"""Pixels for the time."""
LANE: Final = 17
GAP: Final = 7
HEAD: Final = 62
LETTER: Final = 6.9
"""Pixels of a letter, about; letters are 11 pixels high."""
INSIDE: Final = 8
"""Pixels of a bar beside the name in it."""
BESIDE: Final = 6
"""Pixels around a name beside its bar."""
SHORTEST: Final = 5
"""Letters of a name that say more than none."""
TICKS: Final = 10
NAMED: Final = 40
"""Lines of resizes that are written out."""
STYLE: Final = """\
text{font:11px system-ui,sans-serif;fill:#24292f}.t{font-size:14px;font-weight:600}
.h{font-weight:600}.g{stroke:#d8dee4}.b{fill:#f6f8fa}.o{fill:#2f81c7}.i{fill:#fff;stroke:#2f81c7}
.s{fill:#b58900}.d{fill:#2da44e}.f{fill:#cf222e}.w{fill:#fff}.m{fill:#57606a}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.g{stroke:#30363d}.b{fill:#161b22}.i{fill:#0d1117}
rect.w{fill:#0d1117}.m{fill:#9da7b1}}"""
"""Light, or dark where the reader's screen is."""
ROUND: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)
"""Seconds between lines."""
MARGIN: Final = 100
"""Pixels kept at the right, for names beside the last bars."""
READABLE: Final = 120
"""Moves up to which every bar is given room for its guest's name."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One move on one host."""

    action: Action
    leaves: bool
    start: float
    end: float
    """Seconds: predicted, or the span of predicted and real."""
    real: tuple[float, float] | None = None
    result: Result | None = None


def gantt(plan: Plan, outcomes: Sequence[Outcome] = ()) -> str:
    """Return the picture as SVG that needs nothing else."""
    bars = _bars(plan, outcomes)
    over = max((bar.end for mine in bars.values() for bar in mine), default=1.0)
    scale = (WIDTH - MARGIN) / max(1e-9, over)
    bands = _bands(bars, scale if len(plan.actions) <= READABLE else 0.0)
    tall = LANE * 2 if outcomes else LANE
    shades, parts, y = [], [], float(HEAD)
    for i, (host, lanes) in enumerate(bands.items()):
        height = len(lanes) * tall + GAP
        if i % 2 == 0:
            shades.append(f'<rect class="b" y="{y:.1f}" width="100%" height="{height:.1f}"/>')
        parts.append(_host(host, y + height / 2))
        for k, lane in enumerate(lanes):
            parts += _lane(lane, y + GAP / 2 + k * tall, scale)
        y += height
    grid = _grid(over, scale, y)
    title = _title(plan, outcomes)
    named, y = _resizes(plan, y)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{y + 12:.0f}"'
        f' viewBox="0 0 {LEFT + WIDTH + 20} {y + 12:.0f}"><style>{STYLE}</style>'
        f'<rect class="w" width="100%" height="100%"/>{title}'
        + "".join((*shades, grid, *parts, *named))
        + "</svg>\n"
    )


def _bars(plan: Plan, outcomes: Sequence[Outcome]) -> Mapping[str, list[Bar]]:
    """Return each host's bars; the first real start is laid on the first predicted one."""
    real = {o.action.id: o for o in outcomes if o.result is not Result.REFUSED}
    zero = min((o.started - o.action.start for o in real.values()), default=0.0)
    bars: dict[str, list[Bar]] = {}
    for action in plan.actions:
        start, end = action.start, action.start + action.predicted.seconds
        spans, took, result = [start, end], None, None
        if action.id in real:
            outcome = real[action.id]
            took, result = (outcome.started - zero, outcome.ended - zero), outcome.result
            spans += took
        for host, leaves in ((action.source, True), (action.target, False)):
            bar = Bar(action, leaves, min(spans), max(spans), took, result)
            bars.setdefault(host, []).append(bar)
    return dict(sorted(bars.items()))


def _bands(bars: Mapping[str, list[Bar]], scale: float) -> Mapping[str, list[list[Bar]]]:
    """Return each host's bars in lanes, none of which overlap; nor names, where a scale is given."""
    bands: dict[str, list[list[Bar]]] = {}
    for host, mine in bars.items():
        lanes: list[list[Bar]] = []
        for bar in sorted(mine, key=lambda bar: (bar.start, bar.end)):
            free = (lane for lane in lanes if _taken(lane[-1], scale) <= bar.start + 1e-6)
            lane = next(free, None)
            if lane is None:
                lanes.append([bar])
            else:
                lane.append(bar)
        bands[host] = lanes
    return bands


def _taken(bar: Bar, scale: float) -> float:
    """Return when what is drawn of `bar` ends, s: with its name, where that stands beside it."""
    predicted = bar.action.start + bar.action.predicted.seconds
    letters = len(clean(bar.action.name)) * LETTER
    if not scale or letters <= (predicted - bar.action.start) * scale - INSIDE:
        return bar.end
    return max(bar.end, predicted + (letters + BESIDE) / scale)


def _host(name: str, y: float) -> str:
    label = shorten(name, int((LEFT - 16) / LETTER))
    return f'<text class="h" x="8" y="{y + 4:.1f}">{_said(label)}</text>'


def _lane(bars: Sequence[Bar], y: float, scale: float) -> list[str]:
    parts = []
    for k, bar in enumerate(bars):
        until = bars[k + 1].start if k + 1 < len(bars) else WIDTH / scale
        parts.append(_bar(bar, y, scale, until))
    return parts


def _bar(bar: Bar, y: float, scale: float, until: float) -> str:
    action = bar.action
    start, end = action.start, action.start + action.predicted.seconds
    kind = "s" if action.temporary else "o"
    kind = kind if bar.leaves else "i"
    drawn = [_rect(kind, start, end, y, scale)]
    if bar.real:
        colour = "d" if bar.result is Result.DONE else "f"
        drawn.append(_rect(colour, *bar.real, y + LANE, scale, dim=not bar.leaves))
    drawn.append(_label(bar, start, end, y, scale, until))
    return f"<g><title>{_said(_told(bar))}</title>{''.join(drawn)}</g>"


def _rect(
    kind: str, start: float, end: float, y: float, scale: float, *, dim: bool = False
) -> str:
    x, width = LEFT + start * scale, max(1.5, (end - start) * scale - 1)
    faint = ' opacity="0.45"' if dim else ""
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y + 1.5:.1f}" width="{width:.1f}"'
        f' height="{LANE - 4}" rx="2"{faint}/>'
    )


def _label(bar: Bar, start: float, end: float, y: float, scale: float, until: float) -> str:
    """Return the guest's name inside its bar, or beside it, or nothing where there is no room."""
    other = bar.action.target if bar.leaves else bar.action.source
    full = f"{clean(bar.action.name)} {'→' if bar.leaves else '←'} {clean(other)}"
    inside, beside = (end - start) * scale - INSIDE, (until - end) * scale - BESIDE + 1e-6
    for text in (full, clean(bar.action.name)):
        if len(text) * LETTER <= inside:
            colour = "w" if bar.leaves else "m"
            return _text(LEFT + start * scale + 4, y, text, f' class="{colour}"')
        if len(text) * LETTER <= beside:
            return _text(LEFT + end * scale + 3, y, text, ' class="m"')
    if inside >= SHORTEST * LETTER:
        text = shorten(bar.action.name, int(inside / LETTER))
        colour = "w" if bar.leaves else "m"
        return _text(LEFT + start * scale + 4, y, text, f' class="{colour}"')
    return ""


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y + LANE - 5:.1f}"{style}>{_said(text)}</text>'


def _told(bar: Bar) -> str:
    action, expected = bar.action, bar.action.predicted
    told = (
        f"{action.id} {action.name}: {action.source} → {action.target}, {size(expected.mib)}, "
        f"at {duration(action.start)}, {duration(expected.seconds)} (p90 {duration(expected.seconds_p90)})"
    )
    if bar.real and bar.result:
        told += f"; really {duration(bar.real[1] - bar.real[0])}, {bar.result.value}"
    return told


def _grid(over: float, scale: float, bottom: float) -> str:
    """Return lines at round times, and what they are."""
    rough = over / TICKS
    power = 10 ** floor(log10(max(1e-6, rough)))
    decimal = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    step = next((s for s in ROUND if s >= rough), decimal) if rough > 1 else decimal
    lines = []
    for i in range(ceil(over / step) + 1):
        x = LEFT + i * step * scale
        if x <= LEFT + WIDTH - 3 * LETTER:
            lines.append(
                f'<line class="g" x1="{x:.1f}" y1="{HEAD - 8}" x2="{x:.1f}" y2="{bottom:.1f}"/>'
                f'<text class="m" x="{x + 2:.1f}" y="{HEAD - 12}">{_said(_clock(i * step))}</text>'
            )
    return "".join(lines)


def _clock(seconds: float) -> str:
    if seconds < 1 and seconds:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _resizes(plan: Plan, y: float) -> tuple[list[str], float]:
    """Return what is changed before anything moves, a line for guests alike, and where that ends."""
    together: dict[tuple[str, What, int, int], list[str]] = {}
    for one in plan.resizes:
        together.setdefault((one.host, one.what, one.before, one.after), []).append(one.name)
    lines = [
        f"{clean(host)}: {what} {setting(what, before)} → {setting(what, after)}: {listed(names)}"
        for (host, what, before, after), names in together.items()
    ]
    if len(lines) > NAMED:
        lines = [*lines[:NAMED], f"and {len(lines) - NAMED} more"]
    if lines:
        lines = ["Changed where they are, before anything moves:", *lines]
    drawn = [_text(8, y + GAP + i * LANE, line, ' class="m"') for i, line in enumerate(lines)]
    return drawn, y + (GAP + len(lines) * LANE if lines else 0)


def _title(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    number = len(plan.actions)
    told = f"Plan {plan.id}: {number} moves, {size(plan.mib)}, {duration(plan.seconds)} predicted"
    if plan.resizes:
        told += f"; {count(len(plan.resizes), 'resize')} before"
    if outcomes:
        ran = [o for o in outcomes if o.result is not Result.REFUSED]
        done = sum(o.result is Result.DONE for o in ran)
        span = max((o.ended for o in ran), default=0) - min((o.started for o in ran), default=0)
        told += f"; {done} done, {duration(span)} really"
    legend = [("o", "leaves"), ("i", "arrives"), ("s", "steps aside")]
    legend += [("d", "really, done"), ("f", "really, not done")] if outcomes else []
    marks, x = "", 8.0
    for kind, text in legend:
        marks += f'<rect class="{kind}" x="{x}" y="28" width="12" height="10" rx="2"/>'
        marks += f'<text class="m" x="{x + 16}" y="37">{text}</text>'
        x += 30 + len(text) * LETTER
    return f'<text class="t" x="8" y="18">{_said(told)}</text>{marks}'


def _said(text: str) -> str:
    return escape(clean(text))
