"""Large problems, part by part: neighbourhoods that grow while they are solved easily.

A part is a few sites that cost something, with all guests that are there or were, and the sites
these guests went to or might go to. Sizes follow success: a part that is closed quickly makes the
next one larger, one that runs out of work makes it smaller.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from balancer.planner.formulation import Ints
from balancer.planner.model.request import Effort
from balancer.planner.place.exchange import attempt
from balancer.planner.place.groups import Streams
from balancer.planner.place.state import State

WORK: Final = {Effort.QUICK: 0.008, Effort.NORMAL: 0.08, Effort.THOROUGH: 1.0}
"""Deterministic time per site that costs something: a unit is about a second of one core."""
LEAST_WORK: Final = {Effort.QUICK: 1.0, Effort.NORMAL: 10.0, Effort.THOROUGH: 120.0}
WHOLE_WORK: Final = {Effort.QUICK: 5.0, Effort.NORMAL: 20.0, Effort.THOROUGH: 200.0}
FIRST_SIZE: Final = 2_500
SIZES: Final = (800, 14_000)
"""Decisions in one part: the first tried, the least, the most."""
PART_WORK: Final = 0.4
"""Units of work one part may take."""
PART_GAP: Final = 0.001
"""What a part may leave on the table: closing the last thousandth takes most of the work."""
IDLE_ROUNDS: Final = 2
"""Rounds over all sites without gain after which to stop."""


class Parts:
    """One improvement by parts, of one state."""

    def __init__(
        self, state: State, effort: Effort, seed: int, *, floor: int = 0, heat: int = 0
    ) -> None:
        self.state = state
        self.floor, self.heat = floor, heat
        """Bounds of the cost once all is repaired and relieved, and of the heat that must stay."""
        self.chance = np.random.Generator(np.random.PCG64(seed))
        self.size = FIRST_SIZE
        self.work = 0.0
        self.seed = seed
        count = len(costly(state))
        self.most = max(LEAST_WORK[effort], WORK[effort] * count)

    def run(self, keep_going: Callable[[], bool]) -> int:
        """Improve until the work is spent, or rounds over all sites gain nothing; return steps."""
        idle = 0
        while idle < IDLE_ROUNDS:
            before = self.state.total.copy()
            left = costly(self.state)
            if not len(left):
                break
            self.chance.shuffle(left)
            whole = False
            while len(left):
                if self.work >= self.most or self._perfect() or not keep_going():
                    return self.steps
                left, whole = self._one(left, keep_going)
            gained = bool((self.state.total != before).any())
            if whole and not gained:
                break
            idle = 0 if gained else idle + 1
        return self.steps

    def _perfect(self) -> bool:
        return bool((self.state.total == (0, self.heat, self.floor)).all())

    @property
    def steps(self) -> int:
        """Work done, in thousandths of a unit."""
        return round(self.work * 1000)

    def _one(self, left: Ints, keep_going: Callable[[], bool]) -> tuple[Ints, bool]:
        """Solve a part that holds the first of `left`; return those left, and was it everything."""
        from balancer.planner.place.neighbourhood import (  # noqa: PLC0415 - OR-Tools takes a second
            Neighbourhood,
        )

        sources, guests, sites = self._choose(left)
        part = Neighbourhood(self.state, guests, sites)
        change, work, closed = part.solve(
            min(PART_WORK, self.most - self.work), self.seed, keep_going, PART_GAP
        )
        self.work += max(work, 0.002)
        if change:
            attempt(self.state, change)
        grown = self.size * 1.5 if closed and work < PART_WORK / 3 else self.size
        self.size = int(min(SIZES[1], grown if closed else max(SIZES[0], self.size * 0.7)))
        whole = closed and len(sources) == len(left) and len(sites) == self.state.sites
        return left[len(sources) :], whole

    def whole(self, effort: Effort, keep_going: Callable[[], bool]) -> bool:
        """Solve all as one part, for what no part shows; True if nothing better exists."""
        from balancer.planner.place.neighbourhood import Neighbourhood  # noqa: PLC0415 - as above

        state = self.state
        everyone = np.arange(len(state.site))
        part = Neighbourhood(state, everyone, np.arange(state.sites))
        change, work, closed = part.solve(WHOLE_WORK[effort], self.seed, keep_going)
        self.work += work
        if change:
            attempt(state, change)
        return closed and len(part.guests) == len(everyone) - int(state.formulation.held.sum())

    def _choose(self, left: Ints) -> tuple[Ints, Ints, Ints]:
        """Return (costly sites, guests, sites) of the next part."""
        state = self.state
        everyone = np.bincount(state.home, minlength=state.sites) + state.guests_at
        sources: list[int] = []
        total = 0
        reach = min(state.sites, max(12, int((self.size / 6) ** 0.5)))
        for site in left.tolist():
            more = int(everyone[site])
            if sources and (total + more) * max(reach, 3 * len(sources)) > self.size:
                break
            sources.append(site)
            total += more
        chosen = np.array(sources)
        guests = np.flatnonzero(np.isin(state.home, chosen) | np.isin(state.site, chosen))
        wide = max(reach, self.size // max(1, len(guests)))
        must = np.unique(np.concatenate([chosen, state.site[guests], state.home[guests]]))
        others = np.setdiff1d(np.arange(state.sites), must)
        extra = max(0, wide - len(must))
        if extra < len(others):
            others = self.chance.choice(others, size=extra, replace=False)
        return chosen, guests, np.sort(np.concatenate([must, others]))


def costly(state: State) -> Ints:
    """Return the sites that cost something: by rows, by guests that moved or talk from afar."""
    score = np.zeros(state.sites, dtype=np.int64)
    away = state.site != state.home
    np.add.at(score, state.home[away], state.formulation.move_cost[away])
    for number in range(len(state.rows)):
        score += state.priced[number]
    for group in state.groups:
        if isinstance(group, Streams) and group.cost():
            score[np.unique(state.site[group.members])] += group.cost()
    return np.flatnonzero(score > 0)
