"""Few steps aside for hundreds of movers: some are forgotten, and what is stuck then freed anew.

A beam (aside.py) tries every mover at every depth, which for hundreds takes long and finds more than
are needed. Here a way is kept as who steps aside, where to and in which turn. Some of that is
forgotten; whoever is left steps aside as before, if he still has to; then whoever lets most others
home does, until nobody is stuck. What takes no more steps than the best is the best from then on.

Source: Schrimpf, Schneider, Stamm-Wilbrandt, Dueck, *Record breaking optimization results using the
ruin and recreate principle*, 2000.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.order.aside import Searching, State, settled, stepped
from balancer.planner.order.kernels.roaming import Ground, Movers, has_rows
from balancer.planner.order.yard import Ints, Trip

STARTS: Final = 16
"""Turns in which movers are tried at first."""
FORGOTTEN: Final = 7
"""Steps that are forgotten at once, at most."""
HALF: Final = 0.5
PATIENCE: Final = 2
"""Rounds for each mover, and `LEAST` at least, without one step less, after which it ends."""
LEAST: Final = 1000


@dataclass(frozen=True, slots=True)
class _Way:
    """How everybody gets home."""

    steps: tuple[tuple[int, int], ...]
    """(mover, host) of each step aside."""
    order: Ints
    """Turns in which movers go home."""
    trips: tuple[Trip, ...]


def few_steps_aside(
    movers: Movers, ground: Ground, search: Searching, rng: np.random.Generator, least: int
) -> tuple[Trip, ...]:
    """Return trips, safe one at a time, that get everybody home; empty if none were found.

    No fewer than `least` steps aside are sought.
    """
    return _Ruin(movers, ground, search, rng).run(least)


class _Ruin:
    """One search."""

    def __init__(
        self, movers: Movers, ground: Ground, search: Searching, rng: np.random.Generator
    ) -> None:
        self.movers, self.ground, self.search, self.rng = movers, ground, search, rng
        self.n = len(movers.source)
        nobody = np.zeros(self.n, dtype=np.bool_)
        self.start = State(ground.free.copy(), movers.source.copy(), nobody, (), self.n)
        self.looks = 0
        """At movers, so far."""

    def run(self, least: int) -> tuple[Trip, ...]:
        best = self._first()
        if best is None:
            return ()
        since, patience = 0, max(LEAST, PATIENCE * self.n)
        while len(best.steps) > least and since < patience and self.looks < self.search.visits:
            way = self._way(self._ruined(best.steps), self._turned(best.order), len(best.steps))
            since += 1
            if way is not None:
                since = 0 if len(way.steps) < len(best.steps) else since
                best = way
        return best.trips

    def _first(self) -> _Way | None:
        """Return the best of ways that begin with nothing."""
        orders = [self.rng.permutation(self.n) for _ in range(STARTS)]
        ways = [self._way((), order, self.n) for order in orders]
        found = [way for way in ways if way is not None]
        return min(found, key=lambda way: len(way.steps), default=None)

    def _ruined(self, steps: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return `steps` without some: that follow each other, or anywhere."""
        count = int(self.rng.integers(1, FORGOTTEN + 1))
        if self.rng.random() < HALF:
            first = int(self.rng.integers(len(steps)))
            return [*steps[:first], *steps[first + count :]]
        gone = set(self.rng.integers(len(steps), size=count).tolist())
        return [step for number, step in enumerate(steps) if number not in gone]

    def _turned(self, order: Ints) -> Ints:
        """Return `order`, or with two changed places, or quite another."""
        lot = self.rng.random()
        if lot < HALF:
            return order
        if lot < 1 - HALF / 4:
            other = order.copy()
            both = self.rng.integers(self.n, size=2)
            other[both] = other[both[::-1]]
            return other
        return self.rng.permutation(self.n)

    def _way(self, steps: Sequence[tuple[int, int]], order: Ints, most: int) -> _Way | None:
        """Return the way that begins with `steps` and takes at most so many; None if there is none."""
        state, made = self._home(self.start, order), list[tuple[int, int]]()
        for m, host in steps:
            here = state.at[m]
            if here == self.movers.target[m]:
                continue
            if has_rows(self.movers, self.ground, state.rows, m, here, host):
                state = self._aside(state, m, host, order)
                made.append((m, host))
        third, gain = np.zeros(self.n, dtype=np.int64), np.zeros(self.n, dtype=np.int64)
        while state.left:
            stuck = self._stuck(state, order)
            self.looks += len(stuck) ** 2
            self.search.outlook(
                self.movers, self.ground, state.rows, state.at, state.aside, stuck, third, gain
            )
            able = np.flatnonzero(third >= 0)
            if len(made) >= most or not len(able):
                return None
            m = int(able[np.argmax(gain[able] + self.rng.random(len(able)))])
            made.append((m, int(third[m])))
            state = self._aside(state, m, int(third[m]), order)
        return _Way(tuple(made), order, state.trips)

    def _aside(self, state: State, m: int, host: int, order: Ints) -> State:
        """Return the state once `m` has stepped aside and whoever can has gone home."""
        return self._home(stepped(self.movers, self.ground, state, m, host), order)

    def _home(self, state: State, order: Ints) -> State:
        stuck = self._stuck(state, order)
        self.looks += len(stuck)
        return settled(self.movers, self.ground, state, stuck, self.search)

    def _stuck(self, state: State, order: Ints) -> Ints:
        """Return who is not home, in their turns."""
        stuck: Ints = order[state.at[order] != self.movers.target[order]]
        return stuck
