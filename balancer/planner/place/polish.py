"""Region after region of a placement solved anew by CP-SAT, as large as can be proven in the time.

Two sites an annealed placement rarely leaves to gain at; what is proven at once and gains nothing
makes the next region larger, what cannot be proven makes it smaller.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from balancer.planner.formulation import Ints
from balancer.planner.place.region import GUARD_SECONDS, Region
from balancer.planner.place.trader import Trader

SMALLEST: Final = 2
WORK: Final = 0.5
"""Deterministic time for one region; a unit is about a second of one core."""
EASY: Final = 0.1
"""Share of that work below which a proof is quick."""
MOST_GUESTS: Final = 150
"""A region takes no further site that would bring it beyond so many, once it has two."""
PATIENCE: Final = 20
"""Regions in a row, quickly proven and for nothing, before they get larger."""


def polish(
    trader: Trader, seed: int, spent: Callable[[float], float], guard: float = GUARD_SECONDS
) -> float:
    """Improve the placement until `spent`, told the work done, says 1; return that work.

    No cap is exceeded before nor after. Sites that pay much are drawn more often.
    """
    chance = np.random.default_rng(seed)
    done, size, fruitless = 0.0, SMALLEST, 0
    if len(trader.arrays.load) < SMALLEST or not len(trader.arrays.movers):
        return done
    while spent(done) < 1:
        region = Region(trader, _drawn(trader, chance, size).tolist())
        changes, work, proven = region.solve(WORK, seed, guard)
        done += work
        gained = trader.bring(changes) if changes else 0
        if not proven:
            size, fruitless = max(SMALLEST, size - 1), 0
        elif gained or work > EASY * WORK:
            fruitless = 0
        else:
            fruitless += 1
        if fruitless == PATIENCE:
            size, fruitless = min(size + 1, len(trader.arrays.load)), 0
    return done


def _drawn(trader: Trader, chance: np.random.Generator, size: int) -> Ints:
    """Return sites, no more than CP-SAT can hold at once."""
    sites = trader.drawn(chance, size)
    crowd = np.cumsum(trader.inside[sites])
    return sites[: max(SMALLEST, int(np.searchsorted(crowd, MOST_GUESTS)))]
