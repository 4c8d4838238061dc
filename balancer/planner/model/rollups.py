"""The past in 5-minute means, one matrix for each metric: what forecasters and replays read.

A thousand guests over two weeks are four million means; kept as bytes they cost four bytes
each, are compared and hashed like any value, and become an array without a copy. What is not
known is `UNKNOWN`, which is never the same as zero.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

STEP: Final = 300
"""Seconds that one mean covers. Means start at multiples of it."""
UNKNOWN: Final = -1
LARGEST: Final = 2**31 - 1
CELL: Final = np.dtype("<i4")
LEVEL: Final = 1
"""Of deflating: fast; higher ones gain little on measured data."""

Cells = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """One metric: a row for each of `names`, a column for each step."""

    names: tuple[str, ...]
    """Uuids of guests, or names of hosts."""
    cells: bytes
    """Rows of little-endian 32-bit integers in the metric's unit, UNKNOWN where nothing is
    known; deflated where the roll-ups say `packed`."""

    @staticmethod
    def of(names: Iterable[str], cells: Cells) -> "Block":
        """Return the block of `cells` [names, steps]."""
        return Block(tuple(names), np.ascontiguousarray(cells, dtype=CELL).tobytes())


@dataclass(frozen=True, slots=True)
class Rollups:
    """What was measured from `start` on, by metric, in columns of STEP seconds each."""

    start: int = 0
    """Seconds since the epoch at which the first column begins."""
    columns: int = 0
    guests: Mapping[str, Block] = field(default_factory=dict)
    """By a name of METRICS."""
    hosts: Mapping[str, Block] = field(default_factory=dict)
    packed: bool = False
    """True if the cells are deflated, as they are in documents."""

    def guest_rows(self, metric: str, uuids: Iterable[str], newest: int | None = None) -> Floats:
        """Return [uuids, columns] of that metric, NaN where nothing is known.

        With `newest`, only so many columns, the newest ones: far less to read where the past is long.
        Raises ValueError if the cells are not what `columns` says.
        """
        return self._rows(self.guests.get(metric), list(uuids), newest)

    def host_rows(self, metric: str, names: Iterable[str]) -> Floats:
        """Return [names, columns], as `guest_rows` does for guests."""
        return self._rows(self.hosts.get(metric), list(names), None)

    def _rows(self, block: Block | None, names: list[str], newest: int | None) -> Floats:
        wide = self.columns if newest is None else min(newest, self.columns)
        rows = np.full((len(names), wide), np.nan, dtype=np.float32)
        if block is None or not block.names:
            return rows
        cells = self.matrix(block)[:, self.columns - wide :]
        number = {name: i for i, name in enumerate(block.names)}
        here = [i for i, name in enumerate(names) if name in number]
        taken = cells[[number[names[i]] for i in here]]
        rows[here] = np.where(taken < 0, np.float32(np.nan), taken)
        return rows

    def matrix(self, block: Block) -> Cells:
        """Return the block as an array. Raises ValueError if it has not the size it should have."""
        size = len(block.names) * self.columns * CELL.itemsize
        data = _inflated(block.cells, size) if self.packed else block.cells
        if len(data) != size:
            raise ValueError(f"{len(data)} bytes where {size} belong")
        return np.frombuffer(data, dtype=CELL).reshape(len(block.names), self.columns)

    def deflated(self) -> "Rollups":
        """Return the same, small enough for a document."""
        if self.packed:
            return self
        return replace(self, **self._each(lambda b: zlib.compress(b.cells, LEVEL)), packed=True)

    def inflated(self) -> "Rollups":
        """Return the same, ready to be read. Raises ValueError if a block is damaged."""
        if not self.packed:
            return self
        return replace(self, **self._each(lambda b: self.matrix(b).tobytes()), packed=False)

    def _each(self, cells: Callable[[Block], bytes]) -> dict[str, Any]:
        """Return both tables with other cells, as keywords for `replace`."""
        return {
            "guests": {m: Block(b.names, cells(b)) for m, b in self.guests.items()},
            "hosts": {m: Block(b.names, cells(b)) for m, b in self.hosts.items()},
        }


def _inflated(data: bytes, size: int) -> bytes:
    """Return at most `size` + 1 bytes, whatever the data claims to hold."""
    try:
        return zlib.decompressobj().decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"cannot be inflated: {error}") from None
