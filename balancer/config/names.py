"""Host names by range: `kvm[001-040]`, `r[1-3]-kvm[01,05-08]`."""

import re
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Final

BRACKETS: Final = re.compile(r"\[([^\[\]]*)\]")
PART: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")
MOST: Final = 10_000
"""Names that one pattern may stand for; more is a slip of the finger."""


def expand(pattern: str) -> tuple[str, ...]:
    """Return the names that `pattern` stands for, in order.

    Leading zeros are kept: `[08-11]` is 08, 09, 10, 11. Raises ValueError saying what is wrong.
    """
    pieces = BRACKETS.split(pattern)
    choices = [[piece] if i % 2 == 0 else list(_numbers(piece)) for i, piece in enumerate(pieces)]
    if prod(map(len, choices)) > MOST:
        raise ValueError(f"stands for more than {MOST} names")
    names = tuple("".join(choice) for choice in product(*choices))
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(
                f'"{name}" is no host name: letters, digits, dots, dashes and underscores only, '
                f'and ranges like "kvm[001-040]"'
            )
    return names


def _numbers(inside: str) -> Iterator[str]:
    for part in inside.split(","):
        match = PART.fullmatch(part.strip())
        if match is None:
            raise ValueError(f'"[{inside}]" is no range: write "[001-040]" or "[1,3,5-7]"')
        first, last = match[1], match[2] or match[1]
        yield from _run(first, last)


def _run(first: str, last: str) -> Iterator[str]:
    width = len(first) if first.startswith("0") else 0
    if width and len(last) != width:
        raise ValueError(f'"[{first}-{last}]": give both ends as many digits')
    if int(last) < int(first):
        raise ValueError(f'"[{first}-{last}]" runs backwards')
    if int(last) - int(first) >= MOST:
        raise ValueError(f"stands for more than {MOST} names")
    for number in range(int(first), int(last) + 1):
        yield str(number).zfill(width)
