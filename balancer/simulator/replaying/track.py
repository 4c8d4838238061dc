"""What is replayed: usage in five-minute columns, who there was, and what was done about it.

Nothing here lets anybody look ahead: `before` gives the past of a moment, `newest` the column
that was complete by then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from balancer.planner.model.cluster import Cluster
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Outcome
from balancer.planner.model.rollups import CELL, STEP, UNKNOWN, Block, Cells, Rollups
from balancer.ports import Event


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One metric of all guests or hosts."""

    names: tuple[str, ...]
    cells: Cells
    """[steps, names]: a moment is one row."""
    by_name: Cells = field(init=False)
    """[names, steps], the same again: the past of one name is one row."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", np.ascontiguousarray(self.cells.T))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Record:
    """What the service did about it when it happened."""

    placements: tuple[Placement, ...]
    """Where guests were at each look."""
    plans: tuple[str, ...]
    """Ids of the plans decided at each look; empty for none."""
    outcomes: Mapping[tuple[str, str, str], tuple[Outcome, ...]] = field(default_factory=dict)
    """How moves ended, by guest, source and target."""
    barred: Mapping[tuple[str, str, str], tuple[Outcome, ...]] = field(default_factory=dict)
    """Moves that the look before the start forbade, likewise."""
    events: tuple[Event, ...] = ()
    """The journal before the first look."""
    restarts: frozenset[int] = frozenset()
    """Numbers of the looks before which the service had been started anew."""


@dataclass(frozen=True, slots=True)
class Change:
    """A guest that comes or goes."""

    at: float
    guest: str
    """Uuid."""
    comes: bool
    host: str = ""
    """Where it was started then; empty where nobody knows."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Track:
    """Everything that is replayed."""

    cluster: Cluster
    """Everybody who is ever there; its placement is that of the first look."""
    start: int
    """Seconds since the epoch at which the first column begins."""
    guests: Mapping[str, Columns]
    hosts: Mapping[str, Columns]
    """By metric."""
    looks: tuple[float, ...]
    """When is planned."""
    at_looks: bool = False
    """True if the column of a look holds what was measured at it and nothing later."""
    window: float = 60.0
    """Seconds that a sample averages over."""
    changes: tuple[Change, ...] = ()
    """Guests that come and go after the first look, in order of time."""
    record: Record | None = None
    """None for a trace, of which nobody decided anything."""

    def column(self, at: float) -> int:
        """Return the column of `at`."""
        return int(at - self.start) // STEP

    def newest(self, at: float) -> int:
        """Return the newest column that may be seen at `at`; below 0 if there is none."""
        return self.column(at) - (not self.at_looks)

    def before(self, at: float, lookback: float) -> Rollups:
        """Return the means of `lookback` seconds up to `at`, its own five minutes unknown."""
        last = self.column(at)
        columns = max(1, int(lookback) // STEP)
        begin = last - columns + 1
        return Rollups(
            self.start + begin * STEP,
            columns,
            _Past(self.guests, begin, last, columns),
            _Past(self.hosts, begin, last, columns),
        )


def columns_of(rollups: Rollups, kind: Mapping[str, Block]) -> dict[str, Columns]:
    """Return one table of roll-ups, by time."""
    return {
        metric: Columns(block.names, np.ascontiguousarray(rollups.matrix(block).T))
        for metric, block in kind.items()
    }


class _Past(Mapping[str, Block]):
    """Blocks that are cut out when they are asked for: few are."""

    def __init__(self, tables: Mapping[str, Columns], begin: int, end: int, columns: int) -> None:
        """Columns from `begin` to before `end` are known, the rest of `columns` is not."""
        self._tables = tables
        self._begin = begin
        self._end = end
        self._columns = columns
        self._cut: dict[str, Block | None] = {}

    @override
    def __getitem__(self, metric: str) -> Block:
        if metric not in self._cut:
            self._cut[metric] = self._made(self._tables[metric])
        found = self._cut[metric]
        if found is None:
            raise KeyError(metric)
        return found

    def _made(self, table: Columns) -> Block | None:
        first, end = max(0, self._begin), min(self._end, len(table.cells))
        known = table.by_name[:, first:end]
        if end <= first or int(known.max(initial=UNKNOWN)) == UNKNOWN:
            return None
        cells: NDArray[np.int32] = np.full((len(table.names), self._columns), UNKNOWN, dtype=CELL)
        cells[:, first - self._begin : end - self._begin] = known
        return Block(table.names, cells.tobytes())

    @override
    def __iter__(self) -> Iterator[str]:
        for metric in self._tables:
            try:
                self[metric]
            except KeyError:
                continue
            yield metric

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)
