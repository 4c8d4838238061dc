"""Another way for a guest or two: a step aside moved, dropped, handed over or added, by chance."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from balancer.planner.order.yard import LIVE, Floats, Trip, Yard

LATE: Final = 0.7
"""How often a guest that no longer steps aside leaves when it would have gone on."""

Keyed = tuple[Trip, float]
"""A trip and the instant by which its turn goes."""


def rerouted(
    rng: np.random.Generator, yard: Yard, trips: Sequence[Trip], start: Floats
) -> tuple[list[Trip], Floats] | None:
    """Return trips that take one or two movers another way, and turns for all; or None.

    None where what was drawn is not possible. Whether all can still be placed is not known.
    """
    ways: dict[int, list[int]] = defaultdict(list)
    for i, trip in enumerate(trips):
        ways[trip.mover].append(i)
    draft = _Draft(rng, yard, trips, start, ways)
    draw = (draft.elsewhere, draft.straight, draft.handed_over, draft.aside)[rng.integers(4)]
    new = draw()
    if not new:
        return None
    kept = [(trip, float(start[i])) for i, trip in enumerate(trips) if trip.mover not in new]
    told = [*kept, *(one for way in new.values() for one in way)]
    return [trip for trip, _ in told], np.array([key for _, key in told])


class _Draft:
    """The present ways, and new ones for some movers."""

    def __init__(
        self,
        rng: np.random.Generator,
        yard: Yard,
        trips: Sequence[Trip],
        start: Floats,
        ways: Mapping[int, Sequence[int]],
    ) -> None:
        self.rng, self.yard, self.trips, self.start, self.ways = rng, yard, trips, start, ways
        live = [m for m in sorted(ways) if all(trips[i].kind == LIVE for i in ways[m])]
        self.detours = [m for m in live if len(ways[m]) > 1]
        self.direct = [m for m in live if len(ways[m]) == 1]

    def elsewhere(self) -> dict[int, list[Keyed]]:
        """Let one of those who step aside do so on another host."""
        mover = self._one(self.detours)
        return self._by(mover, int(self.rng.integers(len(self.yard.zone)))) if mover >= 0 else {}

    def straight(self) -> dict[int, list[Keyed]]:
        """Let one of those who step aside go straight home."""
        mover = self._one(self.detours)
        return {mover: [self._home(mover)]} if mover >= 0 else {}

    def handed_over(self) -> dict[int, list[Keyed]]:
        """Let another guest of the same host step aside instead."""
        mover = self._one(self.detours)
        if mover < 0:
            return {}
        first = self.ways[mover][0]
        here, third = self.trips[first].source, self.trips[first].target
        other = self._one([m for m in self.direct if self.trips[self.ways[m][0]].source == here])
        way = self._by(other, third, float(self.start[first])) if other >= 0 else {}
        return {mover: [self._home(mover)], **way} if way else {}

    def aside(self) -> dict[int, list[Keyed]]:
        """Let one more guest step aside, some time before it would have left."""
        mover = self._one(self.direct)
        if mover < 0:
            return {}
        first = float(self.rng.random() * self.start[self.ways[mover][0]])
        return self._by(mover, int(self.rng.integers(len(self.yard.zone))), first)

    def _one(self, movers: Sequence[int]) -> int:
        return movers[int(self.rng.integers(len(movers)))] if movers else -1

    def _home(self, mover: int) -> Keyed:
        way = self.ways[mover]
        when = way[-1] if self.rng.random() < LATE else way[0]
        here, home = self.trips[way[0]].source, self.trips[way[-1]].target
        return Trip(mover, here, home), float(self.start[when])

    def _by(self, mover: int, third: int, first: float = -1.0) -> dict[int, list[Keyed]]:
        """Return the way of `mover` by `third`, if it may stop there."""
        way = self.ways[mover]
        here, home = self.trips[way[0]].source, self.trips[way[-1]].target
        allowed = self.yard.allowed
        if third in (here, home) or (allowed is not None and not allowed[mover, third]):
            return {}
        key = first if first >= 0 else float(self.start[way[0]])
        onwards = max(key, float(self.start[way[-1]]))
        return {mover: [(Trip(mover, here, third), key), (Trip(mover, third, home), onwards)]}
