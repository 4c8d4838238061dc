"""Hosts as bars: one line each, one bar per resource, hot hosts marked."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from rich.text import Text

from balancer.planner.explain import MEMORY_USED, share
from balancer.planner.model.plan import HostLoad
from balancer.planner.model.resources import CPU, MEMORY
from balancer.planner.model.usage import memory_from as memory_from_
from balancer.render.words import count, pad

RESOURCES: Final = ((CPU, "CPU"), (MEMORY_USED, "memory"), (MEMORY, "allocated"))
"""Key of HostLoad amounts and heading of its column."""
SHOWN: Final = 24
"""Above so many hosts, those that are neither hot nor changed are only counted."""
MARK: Final = "hot"
FULL: Final = 0.85
"""From here on a bar is drawn as a warning."""
BAR_NOW: Final = 11
BAR_CHANGE: Final = 8
LONGEST_NAME: Final = 15


def hosts_now(loads: Sequence[HostLoad], hot: Collection[str]) -> Text:
    """Return each host as it is."""
    return _lines(loads, hot, change=False)


def hosts_change(loads: Sequence[HostLoad], hot: Collection[str]) -> Text:
    """Return each host as it is and as it will be."""
    text = _lines(loads, hot, change=True)
    return text.append("\n█ stays  ▒ leaves  ▓ arrives", "dim")


def meaning(memory_from: Mapping[str, int]) -> Text:
    """Return what `memory` is in these bars, and of how many guests."""
    told = (
        f"{memory_from_(word) or 'resident on the host'} ({number:,})"
        for word, number in sorted(memory_from.items(), key=lambda item: (-item[1], item[0]))
    )
    return Text(f"memory, by guests: {', '.join(told)}", "dim")


def bar(before: float, after: float, width: int) -> Text:
    """Return a bar of `width` cells: what stays, what leaves, what arrives, what is free."""
    was, will = _cells(before, width), _cells(after, width)
    style = "red" if max(before, after) >= FULL else "green"
    return Text.assemble(
        ("█" * min(was, will), style),
        ("▒" * (was - will), style),
        ("▓" * (will - was), "yellow"),
        ("░" * (width - max(was, will)), "dim"),
    )


def _cells(value: float, width: int) -> int:
    """Return the cells to fill; anything above nothing shows."""
    return min(width, max(round(value * width), int(value > 0)))


def _lines(loads: Sequence[HostLoad], hot: Collection[str], *, change: bool) -> Text:
    shown = _worth_showing(loads, hot)
    name_width = min(LONGEST_NAME, max((len(load.host) for load in shown), default=4))
    width = BAR_CHANGE + 12 if change else BAR_NOW + 9
    text = Text(pad("", name_width + len(MARK) + 2), no_wrap=True, overflow="ellipsis")
    text.append("".join(pad(title, width) for _, title in RESOURCES).rstrip() + "\n", "bold")
    for load in shown:
        marked = load.host in hot
        text.append(pad(load.host, name_width), "bold red" if marked else "")
        text.append(f" {MARK if marked else '   '} ", "bold red")
        cells = [_change(load, key) if change else _now(load, key) for key, _ in RESOURCES]
        for cell in cells:
            cell.pad_right(width - cell.cell_len)
            text.append_text(cell)
        text.rstrip()
        text.append("\n")
    if len(shown) < len(loads):
        text.append(f"and {count(len(loads) - len(shown), 'host')} more, not hot, unchanged")
    text.rstrip()
    return text


def _worth_showing(loads: Sequence[HostLoad], hot: Collection[str]) -> Sequence[HostLoad]:
    if len(loads) <= SHOWN:
        return loads
    return [load for load in loads if load.host in hot or load.before != load.after]


def _now(load: HostLoad, key: str) -> Text:
    level = share(load, key)
    return bar(level, level, BAR_NOW).append(f" {100 * level:3.0f} %")


def _change(load: HostLoad, key: str) -> Text:
    before, after = share(load, key), share(load, key, after=True)
    numbers = f" {100 * before:3.0f}"
    same = f"{100 * before:.0f}" == f"{100 * after:.0f}"
    return bar(before, after, BAR_CHANGE).append(
        f"{numbers} %" if same else f"{numbers}→{100 * after:.0f} %"
    )
