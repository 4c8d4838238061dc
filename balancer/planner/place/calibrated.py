"""Annealing that finds its own heats: a race of short runs, then one long one spent where it pays.

How hot to start differs between problems by orders of magnitude, and no formula tells: where
room is scarce only a hot start reaches far, where nearly nothing has to move it scatters what
stood well. So short runs from several heats race against each other. The winner's heats are kept
for the long run, and its time is spent on those at which the winner's cost fell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from balancer.planner.formulation import Ints
from balancer.planner.place.walker import Floats, Walker

HOTTEST: Final = 64.0
"""First heat of the hottest run, as a share of the median rise of cost by a random change."""
STEP: Final = 12.0
"""Each run of the race starts so many times cooler than the one before."""
COLDEST: Final = 0.3
"""Prices are integers: below this nothing that loses is accepted any more."""
RACE: Final = 0.2
"""Share of all work that the race takes."""
LAST: Final = 0.98
"""Share of a run after which only what gains is accepted."""
EVENLY: Final = 0.3
"""Share of the long run that is spread evenly over its heats."""
CHUNK: Final = 100_000
SAMPLED: Final = 2_000
BINS: Final = 60


@dataclass(slots=True, eq=False)
class Course:
    """Heats to go through, and how much of the time each takes."""

    heats: Floats
    share: Floats = field(default_factory=lambda: np.linspace(0.0, 1.0, BINS))
    """[heats]: of the time, by when each is reached; ascending from 0 to 1."""

    def heat(self, done: float) -> float:
        """Return the heat when so much of the time is over."""
        if done >= LAST:
            return 0.0
        return float(np.exp(np.interp(done / LAST, self.share, np.log(self.heats))))


class Calibrated:
    """One search over the arrays of `walker`; `best` may be read at any moment."""

    def __init__(self, walker: Walker) -> None:
        self.walker, self.arrays = walker, walker.arrays
        self.steps = 0
        self.best = self.arrays.site.copy()
        self.reached = self._rank()

    def run(self, spent: Callable[[int], float]) -> None:
        """Search until `spent`, told the steps so far, says that 1 of the budget is used."""
        if not len(self.arrays.movers):
            return
        typical = self._typical()
        lowest = min(typical, COLDEST)
        hottest = HOTTEST * typical
        runners = max(1, int(np.log(hottest / lowest) / np.log(STEP)))
        starts = [hottest / STEP**number for number in range(runners)]
        begin = self.arrays.saved()
        ended: list[tuple[tuple[int, int, int], Course, tuple[Ints, ...]]] = []
        for number, hot in enumerate(starts):
            self.arrays.restore(begin)
            course = Course(np.geomspace(hot, lowest, BINS))
            share = RACE / runners
            falls = self._follow(course, spent, number * share, (number + 1) * share)
            ended.append((self._rank(), _where_it_fell(course, falls), self.arrays.saved()))
        _, course, end = min(ended, key=lambda one: one[0])
        self.arrays.restore(end)
        self._follow(course, spent, RACE, 1.0)

    def _follow(
        self, course: Course, spent: Callable[[int], float], start: float, end: float
    ) -> Floats:
        """Walk along `course` while between `start` and `end` of the budget.

        Return [heats]: by how much the cost fell at each.
        """
        falls = np.zeros(BINS)
        while (used := spent(self.steps)) < end:
            done = max(0.0, (used - start) / (end - start))
            before = self.arrays.total[-1]
            self.walker.walk(CHUNK, course.heat(done), self.arrays.budget)
            self.steps += CHUNK
            falls[min(BINS - 1, int(done / LAST * BINS))] += before - self.arrays.total[-1]
            self._keep()
        return falls

    def _keep(self) -> None:
        rank = self._rank()
        if rank < self.reached:
            self.reached, self.best = rank, self.arrays.site.copy()

    def _rank(self) -> tuple[int, int, int]:
        repair, overload, cost = map(int, self.arrays.total)
        return repair, overload, cost

    def _typical(self) -> float:
        """Return the median rise of energy by a random lawful change."""
        sample = np.zeros(SAMPLED)
        count = self.walker.walk(10 * SAMPLED, 0.0, self.arrays.budget, sample)
        return max(1.0, float(np.median(sample[:count]))) if count else 1.0


def _where_it_fell(course: Course, falls: Floats) -> Course:
    """Return the same heats, with time by the root of how far the cost fell at each."""
    weight = np.sqrt(np.maximum(0.0, falls))
    if not weight.any():
        return course
    share = EVENLY / BINS + (1 - EVENLY) * weight / weight.sum()
    until = np.cumsum(share)
    return Course(course.heats, np.concatenate([[0.0], until[:-1] / until[-2]]))
