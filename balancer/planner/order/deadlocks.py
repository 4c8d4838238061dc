"""Movers that wait for each other's room: how many steps aside there must be at least.

A *deadlock* is a set of movers none of whom would fit where it wants to be although everybody else
had left and nobody had arrived: whoever of them leaves first has to step aside. Sets that share
nobody need one step aside each, so that their number is a bound that can be checked by hand.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from balancer.planner.order.yard import Yard, rows_of


class Deadlocks:
    """Who takes and gives what, and which sets of movers block each other."""

    def __init__(self, yard: Yard) -> None:
        movers = range(len(yard.source))
        here = [rows_of(yard, m, int(yard.source[m])) for m in movers]
        there = [rows_of(yard, m, int(yard.target[m])) for m in movers]
        self.gives = here
        self.takes = [
            {r: a for r, a in taken.items() if r not in here[m]} for m, taken in enumerate(there)
        ]
        self.free: list[int] = np.maximum(yard.free, 0).tolist()
        """[rows]: what is overfull now may stay so, whoever comes for those who leave."""
        self.takers: dict[int, list[int]] = defaultdict(list)
        for m, taken in enumerate(self.takes):
            for r in taken:
                self.takers[r].append(m)

    def apart(self) -> tuple[frozenset[int], ...]:
        """Return sets of movers, no two sharing one, each of which needs a step aside.

        None can do without one of its movers. Not always as many as there could be.
        """
        found: list[frozenset[int]] = []
        rest = self.stuck(set(range(len(self.takes))))
        while rest:
            found.append(frozenset(self._least(rest)))
            rest = self.stuck(rest - found[-1])
        return tuple(found)

    def stuck(self, some: set[int]) -> set[int]:
        """Return those of `some` who can never go straight home unless others of them step aside."""
        free = list(self.free)
        stuck = set(some)
        for m in range(len(self.takes)):
            if m not in stuck:
                self._leave(free, m)
        doubtful = sorted(stuck)
        while doubtful:
            m = doubtful.pop()
            if m in stuck and all(free[r] >= a for r, a in self.takes[m].items()):
                stuck.remove(m)
                self._leave(free, m)
                doubtful += [k for r in self.gives[m] for k in self.takers[r] if k in stuck]
        return stuck

    def _leave(self, free: list[int], m: int) -> None:
        for r, amount in self.gives[m].items():
            free[r] += amount

    def _least(self, some: set[int]) -> set[int]:
        """Return a part of `some`, stuck all the same, of whom nobody can be spared."""
        stuck = set(some)
        size = max(1, len(stuck) // 2)
        while True:
            stuck = self._spared(stuck, size)
            if size == 1:
                return stuck
            size = (size + 1) // 2

    def _spared(self, stuck: set[int], size: int) -> set[int]:
        """Return what is left of `stuck` once it has been tried to spare so many at a time."""
        for some in _cut(sorted(stuck), size):
            stuck = self.stuck(stuck - some) or stuck
        return stuck


def _cut(movers: Sequence[int], size: int) -> list[set[int]]:
    return [set(movers[at : at + size]) for at in range(0, len(movers), size)]
