"""Words and quantities as people read them.

Names of guests and hosts come from others and may hold anything: escape sequences, line breaks,
marks that turn text around. Everything shown passes through `clean`, and nothing is ever read as
markup, because renderables are built from `Text`.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len, set_cell_size

from balancer.planner.model.resize import What

HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal obeys, hides or cannot show."""
MINUTE: Final = 60
HOUR: Final = 3600
GIB: Final = 1024
PER_MILLE: Final = 1000
LISTED: Final = 6
"""How many names of a set are spelt out."""


def clean(text: str) -> str:
    """Return `text` on one line, each character that is not plain to see replaced by `�`."""
    return "".join("�" if unicodedata.category(char) in HIDDEN else char for char in text)


def shorten(text: str, width: int) -> str:
    """Return `text`, cleaned, in at most `width` cells; the middle goes, for names differ at the ends."""
    text = clean(text)
    if cell_len(text) <= width:
        return text
    head = set_cell_size(text, (width - 1) // 2).rstrip()
    tail = width - 1 - cell_len(head)
    end = len(text)
    while end and cell_len(text[end - 1 :]) <= tail:
        end -= 1
    return f"{head}…{text[end:]}"


def pad(text: str, width: int) -> str:
    """Return `text`, cleaned, in exactly `width` cells."""
    return set_cell_size(shorten(text, width), width)


def duration(seconds: float) -> str:
    """Return a length of time: `0 s`, `0.8 s`, `12 s`, `4 min`, `2 h 5 min`."""
    if 0 < seconds < 1:
        return f"{seconds:.1f} s"
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    hours, minutes = divmod(round(seconds / MINUTE), MINUTE)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(mib: float) -> str:
    """Return an amount of data given in MiB: `256 MiB`, `1.5 GiB`, `24 GiB`."""
    if mib < GIB:
        return f"{mib:.0f} MiB"
    gib = mib / GIB
    return f"{gib:.1f} GiB" if gib < 10 else f"{gib:.0f} GiB"  # noqa: PLR2004 - three digits


def waiting(saved: float, spent: float) -> str:
    """Return what a move is worth in seconds that guests wait: `saves 1,324 s of waiting, costs 3 s`."""
    verb = "saves" if saved >= 0 else "adds"
    return f"{verb} {abs(saved):,.0f} s of waiting, costs {spent:,.0f} s"


def percent(share: float) -> str:
    """Return a share as a percentage: `96 %`."""
    return f"{100 * share:.0f} %"


def count(number: int, noun: str) -> str:
    """Return `1 move`, `2 moves`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Iterable[str], most: int = LISTED) -> str:
    """Return the names on one line, cleaned; those past `most` only counted."""
    known = [clean(name) for name in names]
    more = f" and {len(known) - most:,} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def setting(what: What, amount: int) -> str:
    """Return a setting as people read it."""
    match what:
        case What.SHARES:
            return f"{amount / PER_MILLE:g}"
        case What.QUOTA:
            return f"{amount / PER_MILLE:g} cores" if amount else "no limit"
        case What.BALLOON | What.PLUGGED:
            return size(amount)
        case What.BLOCK | What.NETWORK:
            return f"{round(amount / GIB, 1):,g} MiB/s" if amount else "no limit"
        case What.VCPUS:
            return count(amount, "vCPU")
