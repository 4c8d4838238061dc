"""Annealing that finds its own heats: a race of short runs, longer ones, then the best reheated.

How hot to start differs between problems by orders of magnitude, and no formula tells: where
room is scarce only a hot start reaches far, where nearly nothing has to move it scatters what
stood well. So short runs from several heats race against each other. Longer runs follow as long
as longer is better; where it is not, others of that length, whose ways vary around the best one's.
What is best then is warmed up again and again: all of it a little, or a part of it as hot as at
first, everybody else where he is. What gains only in one place is kept so, whatever would go wrong
in others.

Heat drives guests from home for no gain, as there are many more places elsewhere; where whoever
left still counts at home, that leaves no way open. So while it is hot, being away has a price in
proportion to the heat, most of all for those who linger most (`Trader.pull`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from balancer.planner.formulation import Ints
from balancer.planner.place.sizes import Sizes
from balancer.planner.place.trader import STRICT, Trader
from balancer.planner.place.walker import Walker

HOTTEST: Final = 16.0
"""First heat of the hottest run, as a share of the median rise of cost by a random change."""
STEP: Final = 4.0
"""Each run of the race starts so many times cooler than the one before."""
SPAN: Final = 300.0
"""A run cools down by so much, then quickly on to the coldest."""
WIDEST: Final = 300_000.0
"""By up to so much half of the further runs do: where much is decided late, all heats count."""
COLDEST: Final = 0.3
"""Prices are integers: below this nothing that loses is accepted any more."""
TAIL: Final = 0.12
"""Share of a run for that quick end."""
LAST: Final = 0.98
"""Share of a run after which only what gains is accepted."""
PULL: Final = 2.0
"""Price of being away while the race of heats is on, in heats (`Trader.pull`)."""
RACE: Final = 0.012
"""Share of all work for each short run. They go from hot to cold until colder is worse twice."""
OTHERWISE: Final = 0.5
"""Chance that a further run is lenient where the best was not, or the other way round."""
STARTED: Final = 0.06
"""Share of all work for the first of the longer runs."""
LONGER: Final = 2.0
"""Each takes so many times what the one before took, as long as that is better by `WORTH`."""
WORTH: Final = 0.01
"""Share of the cost; by less, chance alone makes one run better than another."""
VARIED: Final = 1.0
"""By up to so many doublings or halvings a further run's way differs from the best one's."""
HOTTER: Final = 2.0**0.5
"""So many times, on average: the longer a run is, the hotter it may start."""
STARTS: Final = 0.4
"""Share of all work after which nobody starts from the beginning any more."""
WARMTH: Final = (0.002, 0.1)
"""The best is warmed up to a heat between these shares of the first, or from `ABOVE` its last on."""
ABOVE: Final = 3.0
WARMED: Final = 0.03
"""Share of all work for one such run; it cools down to where the way did, or by `LEAST`."""
LEAST: Final = 10.0
CHUNK: Final = 100_000
REHEATED: Final = (0.03, 1.0)
"""A part is warmed up to a heat between these shares of the first."""
EACH: Final = 30_000
"""Proposals for each guest of a part."""
CHUNKS: Final = 20
"""A part cools down in so many steps at least."""
TRIED: Final = 20
"""One is forced beside each so many proposals, where nothing may be exceeded."""
TWICE: Final = 2
HALF: Final = 0.5
SAMPLED: Final = 2_000
LENIENT: Final = 4
"""What a unit beyond a cap costs at first, in times what one beyond a limit does.

So large guests find a way through sites that are full (strategic oscillation, Glover 1989)."""
PRESSED: Final = ((0.0, 0.0), (0.3, 0.0), (0.6, 1.5), (0.9, 6.5), (1.0, 6.5))
"""(Share of a run, power of ten): how that price grows. Once nothing is beyond a cap after
`FIRM` of the run, nothing may be any more."""
FIRM: Final = 0.6
DEAREST: Final = 10**9

Spent = Callable[[int], float]
Rank = tuple[int, int, int, int]
"""What is beyond caps, then the three levels."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one run cools down."""

    hot: float
    cold: float
    """Heat reached before the quick end."""
    pull: float = 0.0
    """Price of being away, in heats."""
    lenient: bool = False
    """True if caps may be exceeded at a price; else what is large makes room by driving others out."""

    def heat(self, done: float) -> float:
        """Return the heat when so much of the time is over."""
        if done >= LAST:
            return 0.0
        coldest = min(COLDEST, self.cold)
        until, heats = (0.0, 1 - TAIL, LAST), np.log((self.hot, self.cold, coldest))
        return float(np.exp(np.interp(done, until, heats)))


class Calibrated:
    """One search over the arrays of `walker`; `best` may be read at any moment.

    A `Trader` is let go beyond caps while it is hot: what is kept never is.
    """

    def __init__(self, walker: Walker | Trader) -> None:
        self.walker, self.arrays = walker, walker.arrays
        self.chance = np.random.default_rng(int(walker.seed[0]))
        self.lingers = isinstance(walker, Trader) and self.arrays.plain < self.arrays.load.shape[1]
        self.steps = 0
        self.best = self.arrays.site.copy()
        self.reached = self._rank()
        self.stand = self.arrays.saved()
        self.everywhere: Ints = np.arange(len(self.arrays.load))

    def run(self, spent: Spent) -> None:
        """Search until `spent`, told the steps so far, says that 1 of the budget is used."""
        if len(self.arrays.movers) and spent(self.steps) < 1:
            self.warm(self.start(spent), spent)

    def start(self, spent: Spent) -> Course:
        """Search from where everybody is for `STARTS` of the budget; return the best way to.

        Somebody must be able to move.
        """
        begin = self.stand
        return self._starts(self._race(begin, spent), begin, spent)

    def warm(self, way: Course, spent: Spent, end: float = 1.0) -> None:
        """Warm the best up, or parts of it, until `spent` says `end`; `way` led to it."""
        warmth = self._drawn(way)
        sizes = Sizes(len(self.arrays.load) if isinstance(self.walker, Trader) else 1)
        while (now := spent(self.steps)) < end:
            before, steps = self.reached, self.steps
            size = sizes.next()
            if isinstance(self.walker, Trader) and size < sizes.sites:
                self._part(self.walker, way, size, lambda: spent(self.steps) >= end)
            else:
                course = self._lukewarm(way, warmth)
                self._follow(course, self.stand, spent, min(end, now + WARMED))
                warmth = warmth * self._about() if self.reached < before else self._drawn(way)
            sizes.learn(size, before[-1] - self.reached[-1], self.steps - steps)

    def _lukewarm(self, way: Course, warmth: float) -> Course:
        """Return how everybody is warmed up at once."""
        hot = warmth * way.hot
        lenient = bool(self.chance.random() < HALF)
        return Course(hot, min(hot / LEAST, way.cold), way.pull, lenient)

    def _part(self, trader: Trader, way: Course, size: int, over: Callable[[], bool]) -> None:
        """Anneal the best anew at so many sites, all others as they are; keep what is no worse."""
        self.arrays.restore(self.stand)
        trader.press(STRICT)
        trader.confine(trader.drawn(self.chance, size))
        hot = way.hot * float(np.exp(self.chance.uniform(*np.log(REHEATED))))
        course = Course(hot, hot / SPAN, way.pull, bool(self.chance.random() < HALF))
        begun, steps = self.steps, EACH * len(trader.movers)
        if steps:
            chunk = min(CHUNK, steps // CHUNKS)
            self._cool(course, chunk, lambda: 1.0 if over() else (self.steps - begun) / steps)
        if (self._exceeded(), *self._rank()) <= (0, *self.reached):
            self.stand = self.arrays.saved()
        trader.confine(self.everywhere)

    def _race(self, begin: tuple[Ints, ...], spent: Spent) -> "_Runner":
        """Return the best of short runs from several heats, lenient and not."""
        hot, pull = HOTTEST * self._typical(), PULL if self.lingers else 0.0
        ways = [Course(hot, hot / SPAN, pull, lenient) for lenient in (True, False)]
        return min((self._coldwards(way, begin, spent) for way in ways), key=_by_rank)

    def _coldwards(self, course: Course, begin: tuple[Ints, ...], spent: Spent) -> "_Runner":
        """Return the best of short runs from ever colder heats."""
        best = self._short(course, begin, spent)
        colder = 0
        while colder < TWICE and course.hot > COLDEST * STEP:
            course = replace(course, hot=course.hot / STEP, cold=course.cold / STEP)
            one = self._short(course, begin, spent)
            colder = 0 if one.rank < best.rank else colder + 1
            best = min(best, one, key=_by_rank)
        return best

    def _starts(self, best: "_Runner", begin: tuple[Ints, ...], spent: Spent) -> Course:
        """Return the best way, found by longer runs and, where longer does not help, others."""
        length, longer = STARTED, True
        while (now := spent(self.steps)) < STARTS:
            course = best.course if longer else self._varied(best.course)
            rank = self._follow(course, begin, spent, min(STARTS, now + length))
            if longer:
                longer = _clearly(rank, best.rank) and now + length < STARTS
                length *= LONGER if longer else 1 / LONGER
            if rank < best.rank:
                best = _Runner(course, rank)
        return best.course

    def _short(self, course: Course, begin: tuple[Ints, ...], spent: Spent) -> "_Runner":
        """Return what a short run from `begin` comes to."""
        return _Runner(course, self._follow(course, begin, spent, spent(self.steps) + RACE))

    def _varied(self, course: Course) -> Course:
        hot = course.hot * self._about() * HOTTER
        lenient = course.lenient ^ bool(self.chance.random() < OTHERWISE)
        span = course.hot / course.cold
        if self.chance.random() < HALF:
            span = float(np.exp(self.chance.uniform(*np.log((SPAN, WIDEST)))))
        return Course(hot, hot / span, course.pull * self._about(), lenient)

    def _about(self) -> float:
        return float(2.0 ** self.chance.uniform(-VARIED, VARIED))

    def _drawn(self, way: Course) -> float:
        least, most = WARMTH
        least = min(least, ABOVE * way.cold / way.hot)
        return float(np.exp(self.chance.uniform(*np.log((least, most)))))

    def _follow(self, course: Course, origin: tuple[Ints, ...], spent: Spent, end: float) -> Rank:
        """Walk along `course` from `origin` until `end` of the budget; return what that comes to."""
        self.arrays.restore(origin)
        start = spent(self.steps)
        self._cool(course, CHUNK, lambda: (spent(self.steps) - start) / (end - start))
        rank = (self._exceeded(), *self._rank())
        if rank == (0, *self.reached):
            self.stand = self.arrays.saved()
        return rank

    def _cool(self, course: Course, chunk: int, done: Callable[[], float]) -> None:
        """Walk along `course`, so many proposals at a heat, until `done` says 1."""
        while (now := done()) < 1:
            heat = course.heat(now)
            if isinstance(self.walker, Trader):
                self.walker.press(self._price(self.walker, now) if course.lenient else STRICT)
                self.walker.pull(course.pull * heat)
            self.walker.walk(chunk, heat, self.arrays.budget)
            if isinstance(self.walker, Trader) and self.walker.strict == STRICT:
                self.walker.evict(chunk // TRIED, heat)
            self.steps += chunk
            self._keep()

    def _price(self, trader: Trader, done: float) -> int:
        """Return what a unit beyond a cap costs at this share of a run."""
        if done > FIRM and not trader.exceeded():
            return STRICT
        power = np.interp(done, [at for at, _ in PRESSED], [power for _, power in PRESSED])
        return min(DEAREST, int(LENIENT * trader.slope * 10**power))

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


@dataclass(frozen=True, slots=True)
class _Runner:
    """What one run came to."""

    course: Course
    rank: Rank


def _by_rank(one: _Runner) -> Rank:
    return one.rank


def _clearly(one: Rank, other: Rank) -> bool:
    """True if the cost is lower by more than chance makes it, or something above cost is."""
    if one[:-1] != other[:-1]:
        return one < other
    return one[-1] < (1 - WORTH) * other[-1]
