"""python -m benchmarks.roadef MODEL INITIAL OUT --seconds 300 --seed N."""

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

import numpy as np

from balancer.planner.place.arrays import Arrays
from balancer.planner.place.calibrated import STARTS, Calibrated, Course
from balancer.planner.place.polish import polish
from balancer.planner.place.state import State
from balancer.planner.place.trader import Trader
from benchmarks.roadef.judging import cost
from benchmarks.roadef.reading import Instance, Ints, read
from benchmarks.roadef.stating import state

Found = tuple[int, Ints, int, Course]
"""(cost, assignment, steps, the way that led there)"""
BEGAN = time.monotonic()
POLISH = 0.1
"""Share of the time for solving regions anew."""
ROUNDS = 4
"""The best that any core has found is warmed up and solved anew in so many rounds."""
AFRESH = 1_000_000
"""Between the seeds of one round and the next."""
GUARD = 1.5
"""Seconds for one region at most."""
AT_THE_END = 3.0
"""Seconds kept for counting and writing, and as many for each million of machines times processes
times a hundred."""


def main() -> None:
    """Search with as many seeds as cores asked for, and write the best assignment found."""
    asked = _arguments()
    Searching.shared = Searching(asked, read(asked.model, asked.initial))
    seeds = [asked.seed * 1000 + number for number in range(asked.cores)]
    if asked.cores == 1:
        found = _rounds(seeds, map)
    else:
        with ProcessPoolExecutor(asked.cores, mp_context=get_context("fork")) as pool:
            found = _rounds(seeds, pool.map)
    best = min(found, key=lambda one: one[0])
    asked.out.write_text(" ".join(map(str, best[1].tolist())) + "\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(
        json.dumps(
            {
                "cost": best[0],
                "others": sorted(one[0] for one in found)[1:],
                "million_steps": [round(one[2] / 1e6) for one in found],
                "cpu_s": round(_cpu(resource.RUSAGE_SELF) + _cpu(resource.RUSAGE_CHILDREN), 1),
                "wall_s": round(time.monotonic() - BEGAN, 1),
                "max_rss_mib": [peak, children],
            }
        )
    )


def _cpu(whose: int) -> float:
    """Return the CPU seconds used so far."""
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


class Searching:
    """What all seeds start from, read once: processes that are forked off share its memory."""

    shared: ClassVar["Searching"]

    def __init__(self, asked: argparse.Namespace, instance: Instance) -> None:
        self.asked, self.instance = asked, instance
        formulation, terms = state(instance)
        self.arrays = Arrays(State(formulation), terms)
        self.clock, until = time.monotonic, BEGAN + asked.seconds
        if asked.clock == "cpu":
            self.clock, until = time.process_time, asked.seconds
        at_the_end = AT_THE_END + self.arrays.use.size * 2e-6
        self.seconds = max(1.0, until - self.clock() - at_the_end)

    def anneal(self, seed: int) -> Found:
        """Return what one seed comes to from the start."""
        search = Calibrated(Trader(self.arrays, seed))
        way = search.start(self._spent(0.0))
        return self._found(search.best, search.steps, way)

    def mend(self, seed: int, best: Found) -> Found:
        """Return what warming a placement up, and then solving regions anew, makes of it."""
        trader = Trader(self.arrays, seed)
        trader.settle(best[1])
        search, length = Calibrated(trader), (1 - STARTS) / ROUNDS
        spent = self._spent(STARTS)
        search.warm(best[3], spent, STARTS + length - POLISH / ROUNDS)
        trader.settle(search.best)
        polish(trader, seed, lambda _: (spent(0) - STARTS) / length, GUARD)
        return self._found(self.arrays.site, search.steps, best[3])

    def _spent(self, before: float) -> Callable[[int], float]:
        """Return what tells the share of all time used, if so much was when this was asked."""
        begun = self.clock()
        return lambda _: before + (self.clock() - begun) / self.seconds

    def _found(self, placed: Ints, steps: int, way: Course) -> Found:
        """Return it with its cost; the start, should nothing be better."""
        start: Ints = np.asarray(self.instance.start)
        known = [(cost(self.instance, one), one.copy()) for one in (placed, start)]
        paid, best = min(known, key=lambda one: one[0])
        return paid, best, steps, way


def _rounds(seeds: Sequence[int], spread: Callable[..., Iterable[Found]]) -> list[Found]:
    """Anneal with every seed; then each mends what is best of all, and so on."""
    found = list(spread(_annealed, seeds))
    steps = [one[2] for one in found]
    for number in range(ROUNDS):
        best = min(found, key=_cost)
        others = [seed + (number + 1) * AFRESH for seed in seeds]
        mended = list(spread(_mended, others, [best] * len(others)))
        steps = [n + one[2] for n, one in zip(steps, mended, strict=True)]
        found = [min(pair, key=_cost) for pair in zip(found, mended, strict=True)]
    return [(paid, placed, n, way) for (paid, placed, _, way), n in zip(found, steps, strict=True)]


def _cost(found: Found) -> int:
    return found[0]


def _annealed(seed: int) -> Found:
    return Searching.shared.anneal(seed)


def _mended(seed: int, best: Found) -> Found:
    return Searching.shared.mend(seed, best)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("initial", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=300.0, help="all included, see --clock")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2, help="one seed each")
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="count seconds that pass, or those of CPU that each core uses: on a machine with "
        "other work, the latter tells what a free one reaches",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
