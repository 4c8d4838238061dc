"""Sizes of guests, for people: what to set, what it frees, what it risks, and what is not known."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balancer.planner.capacity.rightsize import Side, Sized, Wish, freed
from balancer.render.words import clean, count, listed, size

NARROW: Final = 90
"""Columns below which hosts are left out."""


def sizes(found: Sequence[Sized], wish: Wish, days: int, width: int) -> RenderableType:
    """Return a table of the guests to change, and a closing line for all others."""
    far = [one for one in found if one.far]
    parts: list[RenderableType] = [_headline(far, found), _method(wish, days)]
    if far:
        parts += [Text(), _table(far, width)]
        parts += [Text(f"{clean(one.name)}: {note}.", "dim") for one in far for note in one.notes]
        parts += [Text(f"Memory: {text}.", "dim") for text in _meanings(far)]
    silent = [one for one in found if one.unknown]
    if silent:
        names = listed([one.name for one in silent], 6)
        why = f" ({silent[0].name}: {silent[0].unknown[0]})"
        parts.append(Text(f"Too little is known of {names}{clean(why)}.", "yellow"))
    return Group(*parts)


def _headline(far: Sequence[Sized], found: Sequence[Sized]) -> Text:
    if not far:
        return Text("No guest is allocated far from what it wants.", "bold")
    vcpus, mib = freed(tuple(found))
    much = [count(abs(vcpus), "vCPU"), size(abs(mib))]
    said = [
        f"{'frees' if n >= 0 else 'takes'} {text}"
        for n, text in zip((vcpus, mib), much, strict=True)
    ]
    if (vcpus >= 0) == (mib >= 0):
        said[1] = much[1]
    number = f"{len(far)} of {count(len(found), 'guest')}"
    return Text(f"{number} far from what they want; setting them {' and '.join(said)}.", "bold")


def _method(wish: Wish, days: int) -> Text:
    return Text(
        f"Sizes: {100 * wish.percentile:g} % of the time in {days} days of 5-minute means, and {100 * wish.margin:g} % more. "
        "Risk: share of the time that more was wanted, in days the size was not made from.",
        "dim",
    )


def _table(far: Iterable[Sized], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("guest", overflow="ellipsis", no_wrap=True)
    if width >= NARROW:
        table.add_column("host", overflow="ellipsis", no_wrap=True)
    for title in ("vCPUs", "risk", "memory", "risk", "days"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in far:
        known = [side.days for side in (one.vcpus, one.memory) if side]
        cells = [
            *(_change(one.vcpus, str), _risk(one.vcpus)),
            *(_change(one.memory, size), _risk(one.memory)),
            f"{min(known):g}",
        ]
        host = [clean(one.host)] if width >= NARROW else []
        table.add_row(clean(one.name), *host, *cells)
    return table


def _change(side: Side | None, word: Callable[[int], str]) -> str:
    if side is None:
        return "?"
    return word(side.now) if side.set == side.now else f"{word(side.now)} → {word(side.set)}"


def _risk(side: Side | None) -> str:
    if side is None or side.set == side.now:
        return ""
    return f"{100 * side.tested:.2g} %"


def _meanings(far: Iterable[Sized]) -> list[str]:
    return sorted({one.memory.basis for one in far if one.memory})
