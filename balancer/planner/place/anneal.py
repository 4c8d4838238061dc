"""Annealing over shifts, swaps and large guests forced in: heat from what the problem itself shows, nothing set by hand.

Heat starts at a share of what a random change costs here and falls by the same factor in every
round. A budget is held by a multiplier, raised while more than the budget is spent and lowered
while less is, and by a cap in the last rounds. Repair and relief weigh so much that no saving of
cost buys a breach.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from balancer.planner.formulation import Bools
from balancer.planner.model.request import Effort
from balancer.planner.place.arrays import Arrays
from balancer.planner.place.state import State
from balancer.planner.place.walker import Walker

PROPOSALS: Final = {
    Effort.INSTANT: 1_000_000,
    Effort.QUICK: 4_000_000,
    Effort.NORMAL: 40_000_000,
    Effort.THOROUGH: 500_000_000,
}
ROUNDS: Final = 200
HOT: Final = 0.5
COLD: Final = 1e-3
"""Heat of the first and last round, as shares of the median rise of cost by a random change."""
FROZEN: Final = 0.97
"""Share of the rounds after which only what gains is accepted."""
CAPPED: Final = 0.85
"""Share of the rounds after which a budget is a cap."""
SLACK: Final = 1.2
"""Times the budget that may be spent before that."""
GRASP: Final = 1.1
"""How the multiplier follows what is spent."""
FORCED: Final = 64
"""Shifts and swaps proposed for each large guest that is tried to force in."""
HEAVY: Final = 20.0
LIGHT: Final = 1.0
PRESS: Final = 1.15
"""Weight of relief at first and at least, against cost, and the factor it follows breaches by."""


def anneal(
    state: State, effort: Effort, seed: int, keep_going: Callable[[], bool], proposals: int = 0
) -> int:
    """Improve `state` in place, never for the worse; return the steps taken."""
    walk = _Walk(state, seed)
    if not len(walk.arrays.movers):
        return 0
    return walk.run(proposals or PROPOSALS[effort], keep_going)


def taking_part(state: State) -> Bools:
    """Return [guests]: those that annealing moves, by themselves or with those they belong to."""
    arrays = Arrays(state)
    part = arrays.mobile.copy()
    for members in arrays.blocks:
        part[members] = True
    return part


class _Walk:
    def __init__(self, state: State, seed: int) -> None:
        self.arrays = Arrays(state)
        self.walker = Walker(self.arrays, seed)
        self.dear, self.weights = self.walker.dear, self.walker.weights
        self.weights[:] = HEAVY * HEAVY, HEAVY, 1.0
        self.best = state.site.copy()
        self.reached = self._rank()

    def _rank(self) -> tuple[int, int, int]:
        repair, overload, cost = map(int, self.arrays.total)
        return repair, overload, cost

    def run(self, proposals: int, keep_going: Callable[[], bool]) -> int:
        typical = self._typical()
        self._first_prices()
        each, taken = max(1, proposals // ROUNDS), 0
        for number in range(ROUNDS):
            if not keep_going():
                break
            share = number / (ROUNDS - 1)
            scarce = share >= CAPPED
            heat = typical * HOT * (COLD / HOT) ** share
            self._walk(each, heat if share < FROZEN else 0.0, scarce=scarce)
            taken += each
            self._follow(scarce=scarce)
            self._press(scarce=scarce)
            self._keep()
        self.arrays.back(self.best)
        return taken

    def _first_prices(self) -> None:
        a = self.arrays
        real = a.budget < a.weight[:, a.movers].sum(axis=1)
        self.real = real
        self.dear[real] = 0.5 * float(a.total[2]) / np.maximum(1, a.budget[real])

    def _follow(self, *, scarce: bool) -> None:
        if scarce:
            return
        over = self.arrays.spent > self.arrays.budget
        self.dear[self.real & over] *= GRASP
        self.dear[self.real & ~over] /= GRASP

    def _press(self, *, scarce: bool) -> None:
        """Weigh repair and relief more while they are breached, less while they are not."""
        for level in (0, 1):
            breached = bool(self.arrays.total[level])
            up, down = (PRESS * PRESS, 1.0) if scarce else (PRESS, 1 / PRESS)
            self.weights[level] = max(LIGHT, self.weights[level] * (up if breached else down))

    def _keep(self) -> None:
        rank = self._rank()
        if rank < self.reached and (self.arrays.spent <= self.arrays.budget).all():
            self.reached, self.best = rank, self.arrays.site.copy()

    def _typical(self) -> float:
        """Return the median rise of energy by a random lawful change."""
        sample = np.zeros(2000)
        count = self.walker.walk(20_000, 0.0, self.arrays.budget, sample)
        return float(np.median(sample[:count])) if count else 1.0

    def _walk(self, proposals: int, heat: float, *, scarce: bool) -> int:
        a = self.arrays
        ceiling = a.budget if scarce else (a.budget * SLACK).astype(np.int64)
        forced = self.walker.force(max(1, proposals // FORCED), heat, ceiling)
        return forced + self.walker.walk(proposals, heat, ceiling)
