"""python -m benchmarks.roadef MODEL INITIAL OUT --seconds 300 --seed N."""

import argparse
import json
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

import numpy as np

from balancer.planner.place.arrays import Arrays
from balancer.planner.place.calibrated import Calibrated
from balancer.planner.place.polish import polish
from balancer.planner.place.state import State
from balancer.planner.place.trader import Trader
from benchmarks.roadef.judging import cost
from benchmarks.roadef.reading import Instance, Ints, read
from benchmarks.roadef.stating import state

BEGAN = time.monotonic()
POLISH = 0.1
"""Share of the time for solving regions anew."""
GUARD = 1.5
"""Seconds for one region at most."""
AT_THE_END = 3.0
"""Seconds kept for counting and writing, and as many for each million of machines times processes
times a hundred."""


def main() -> None:
    """Search with as many seeds as cores asked for, and write the best assignment found."""
    asked = _arguments()
    instance = read(asked.model, asked.initial)
    search = Searching(asked, instance)
    seeds = [asked.seed * 1000 + number for number in range(asked.cores)]
    if asked.cores == 1:
        found = [search(seeds[0])]
    else:
        Searching.shared = search
        with ProcessPoolExecutor(asked.cores, mp_context=get_context("fork")) as pool:
            found = list(pool.map(_searched, seeds))
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

    def __call__(self, seed: int) -> tuple[int, Ints, int]:
        """Return (cost, assignment, steps) of one seed."""
        trader = Trader(self.arrays, seed)
        search = Calibrated(trader)
        clock, until = time.monotonic, BEGAN + self.asked.seconds
        if self.asked.clock == "cpu":
            clock, until = time.process_time, self.asked.seconds
        begun = clock()
        seconds = max(1.0, until - begun - AT_THE_END - self.arrays.use.size * 2e-6)
        search.run(lambda _: (clock() - begun) / seconds / (1 - POLISH))
        trader.settle(search.best)
        polish(trader, seed, lambda _: (clock() - begun) / seconds, GUARD)
        start: Ints = np.asarray(self.instance.start)
        known = [
            (cost(self.instance, placed), placed)
            for placed in (self.arrays.site, search.best, start)
        ]
        paid, placed = min(known, key=lambda one: one[0])
        return paid, placed, search.steps


def _searched(seed: int) -> tuple[int, Ints, int]:
    return Searching.shared(seed)


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
