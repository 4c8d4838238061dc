"""Annealing that finds its own heats: a race of short runs, then one long one spent where it pays.

How hot to start differs between problems by orders of magnitude, and no formula tells: where
room is scarce only a hot start reaches far, where nearly nothing has to move it scatters what
stood well. So short runs from several heats race against each other. The winner's heats are kept
for the long run, and its time is spent on those at which the winner's cost fell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from balancer.planner.formulation import Ints
from balancer.planner.place.trader import STRICT, Trader
from balancer.planner.place.walker import Floats, Walker

HOTTEST: Final = 16.0
"""First heat of the hottest run, as a share of the median rise of cost by a random change."""
STEP: Final = 4.0
"""Each run of the race starts so many times cooler than the one before."""
SPAN: Final = 300.0
"""A short run cools down by so much: the long one goes on to the coldest."""
COLDEST: Final = 0.3
"""Prices are integers: below this nothing that loses is accepted any more."""
RACE: Final = 0.02
"""Share of all work for each short run. They go from hot to cold until colder is worse twice."""
AGAIN: Final = 0.05
"""For each longer run: of the winner, and from hotter as long as hotter is better.

The longer a run is, the hotter it may start."""
HOTTER: Final = 2
LAST: Final = 0.98
"""Share of a run after which only what gains is accepted."""
EVENLY: Final = 0.8
"""Share of the time above the coldest heat that mattered that is spread evenly over heats; the
rest goes where the cost fell."""
MATTERED: Final = 0.99
"""Share of the fall of cost by which a short run shows where it matters no more to be colder."""
TAIL: Final = 0.15
"""Share of the long run for all heats below that."""
CHUNK: Final = 100_000
SAMPLED: Final = 2_000
BINS: Final = 60
LENIENT: Final = 4
"""What a unit beyond a cap costs at first, in times what one beyond a limit does.

So large guests find a way through sites that are full (strategic oscillation, Glover 1989)."""
PRESSED: Final = ((0.0, 0.0), (0.3, 0.0), (0.6, 1.5), (0.9, 6.5), (1.0, 6.5))
"""(Share of a run, power of ten): how that price grows. Once nothing is beyond a cap after
`FIRM` of the run, nothing may be any more."""
FIRM: Final = 0.6
DEAREST: Final = 10**9


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
    """One search over the arrays of `walker`; `best` may be read at any moment.

    A `Trader` is let go beyond caps while it is hot: what is kept never is. The long run starts
    so many times `bolder` than the best of the short ones, as longer runs may.
    """

    def __init__(self, walker: Walker | Trader, bolder: float = 1.0) -> None:
        self.bolder = bolder
        self.walker, self.arrays = walker, walker.arrays
        self.steps = 0
        self.best = self.arrays.site.copy()
        self.reached = self._rank()

    def run(self, spent: Callable[[int], float]) -> None:
        """Search until `spent`, told the steps so far, says that 1 of the budget is used."""
        if not len(self.arrays.movers):
            return
        hottest = HOTTEST * self._typical()
        number = 1 + max(0, int(np.log(hottest / COLDEST / STEP) / np.log(STEP)))
        heats = [hottest / STEP**n for n in range(number)]
        begin = self.arrays.saved()
        best, done = self._race(heats, begin, spent)
        winner = self._short(heats[best], begin, spent, done, done + AGAIN)
        done += AGAIN
        for hot in reversed(heats[max(0, best - HOTTER) : best]):
            other = self._short(hot, begin, spent, done, done + AGAIN)
            done += AGAIN
            if other.rank > winner.rank:
                break
            winner = other
        self.arrays.restore(winner.end)
        self._follow(_where_it_fell(winner, self.bolder), spent, done, 1.0)

    def _race(
        self, heats: Sequence[float], begin: tuple[Ints, ...], spent: Callable[[int], float]
    ) -> tuple[int, float]:
        """Return (the number of the best heat to start from, the share of the budget used)."""
        ranks: list[tuple[int, int, int, int]] = []
        best = 0
        for number, hot in enumerate(heats):
            ranks.append(self._short(hot, begin, spent, number * RACE, (number + 1) * RACE).rank)
            best = min(range(len(ranks)), key=lambda n: ranks[n])
            if number >= best + 2:
                break
        return best, len(ranks) * RACE

    def _short(
        self,
        hot: float,
        begin: tuple[Ints, ...],
        spent: Callable[[int], float],
        start: float,
        end: float,
    ) -> "_Runner":
        """Return what a short run from `begin` comes to between these shares of the budget."""
        self.arrays.restore(begin)
        course = Course(np.geomspace(hot, hot / SPAN, BINS))
        falls = self._follow(course, spent, start, end)
        return _Runner(hot, falls, (self._exceeded(), *self._rank()), self.arrays.saved())

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
            self._press(self._price(done))
            self.walker.walk(CHUNK, course.heat(done), self.arrays.budget)
            self.steps += CHUNK
            falls[min(BINS - 1, int(done / LAST * BINS))] += before - self.arrays.total[-1]
            self._keep()
        return falls

    def _price(self, done: float) -> int:
        """Return what a unit beyond a cap costs at this share of a run."""
        walker = self.walker
        if not isinstance(walker, Trader) or (done > FIRM and not walker.exceeded()):
            return STRICT
        power = np.interp(done, [at for at, _ in PRESSED], [power for _, power in PRESSED])
        return min(DEAREST, int(LENIENT * walker.slope * 10**power))

    def _press(self, price: int) -> None:
        if isinstance(self.walker, Trader):
            self.walker.press(price)

    def _keep(self) -> None:
        rank = self._rank()
        if rank < self.reached and not self._exceeded():
            self.reached, self.best = rank, self.arrays.site.copy()

    def _exceeded(self) -> int:
        return self.walker.exceeded() if isinstance(self.walker, Trader) else 0

    def _rank(self) -> tuple[int, int, int]:
        repair, overload, cost = map(int, self.arrays.total)
        return repair, overload, cost

    def _typical(self) -> float:
        """Return the median rise of energy by a random lawful change."""
        sample = np.zeros(SAMPLED)
        count = self.walker.walk(10 * SAMPLED, 0.0, self.arrays.budget, sample)
        return max(1.0, float(np.median(sample[:count]))) if count else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Runner:
    """What one short run came to."""

    hot: float
    falls: Floats
    rank: tuple[int, int, int, int]
    """What is beyond caps, then the three levels."""
    end: tuple[Ints, ...]


def _where_it_fell(runner: _Runner, bolder: float) -> Course:
    """Return heats down to the coldest, with time by the root of how far the cost fell at each.

    Below the heat at which nearly all of the fall is over, little time is spent.
    """
    known = np.geomspace(runner.hot, runner.hot / SPAN, BINS)
    falls = np.maximum(0.0, runner.falls)
    falls[-1] = 0.0  # there nothing that loses was accepted: that fall tells of no heat
    total = falls.sum()
    if not total:
        return Course(np.geomspace(runner.hot, min(COLDEST, known[-1]), BINS))
    last = max(1, int(np.searchsorted(np.cumsum(falls), MATTERED * total)))
    warm = np.geomspace(bolder * known[0], known[last], BINS)
    weight = np.sqrt(np.interp(-np.log(warm), -np.log(known), falls))[1:]
    share = EVENLY / len(weight) + (1 - EVENLY) * weight / weight.sum()
    cold = np.geomspace(known[last], min(COLDEST, known[last]), BINS)
    until = np.cumsum(share) * (1 - TAIL)
    tail = np.linspace(1 - TAIL, 1.0, BINS)[1:]
    return Course(
        np.concatenate([warm, cold[1:]]),
        np.concatenate([[0.0], until / until[-1] * (1 - TAIL), tail]),
    )
