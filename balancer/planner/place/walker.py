"""One walk over the arrays: the compiled loop with all it has to be told."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.formulation import Ints, Level
from balancer.planner.place.arrays import Arrays

Floats = NDArray[np.float64]

LOGS: Final = 1 << 14
NO_SAMPLE: Final[Floats] = np.zeros(0)


class Walker:
    """Walks over `arrays` and changes them. What a walk does follows from the seed alone."""

    def __init__(self, arrays: Arrays, seed: int) -> None:
        self.arrays = arrays
        self.seed = np.array([(seed * 0x9E3779B97F4A7C15 + 1) % 2**64], dtype=np.uint64)
        self.logs: Floats = -np.log((np.arange(LOGS) + 0.5) / LOGS)
        self.dear: Floats = np.zeros(len(arrays.budget))
        """[budgets]: what a unit of each is worth."""
        self.weights: Floats = np.ones(len(Level))

    def walk(self, proposals: int, heat: float, ceiling: Ints, sample: Floats = NO_SAMPLE) -> int:
        """Make so many proposals and return how many were accepted.

        With `sample` none is; the rises they would have brought are written there and counted.
        """
        from balancer.planner.place.kernels.walk import walk  # noqa: PLC0415 - loads the compiler

        a = self.arrays
        relief = float(self.weights @ a.given_back)
        return int(
            walk(
                self.seed, proposals, heat, self.weights, relief, self.dear, ceiling, a.spent,
                a.total, a.site, a.state.home, a.movers, a.allowed, a.fault, a.move_cost,
                a.pairs, a.terms.routes, a.use, a.load, a.limit, a.scale, a.cap, a.straight, a.kind, a.plain,
 a.level, a.prices, a.last, a.first, a.groups, a.map_of, a.maps,
                a.offset, a.count, a.used, a.most, a.group_level, a.slope, a.roof, a.least_used,
                a.most_used, a.used_slope, a.used_roof, a.needs_first, a.needs, a.by_first, a.by,
                a.weight, self.logs, sample,
            )
        )  # fmt: skip

    def force(self, tries: int, heat: float, ceiling: Ints) -> int:
        """Try so often to force a large guest in, small ones going back; return how many did.

        Not for arrays with terms that are no primitives.
        """
        from balancer.planner.place.kernels.giants import MOST_SENT, force  # noqa: PLC0415 - as above

        a = self.arrays
        relief = float(self.weights @ a.given_back) * (MOST_SENT + 1)
        return int(
            force(
                self.seed, tries, heat, self.weights, relief, self.dear, ceiling, a.spent, a.total, a.site,
                a.state.home, a.large, a.mobile, a.allowed, a.fault, a.move_cost, a.pairs,
                a.terms.routes, a.use, a.load, a.limit, a.scale, a.cap, a.kind, a.level, a.prices,
                a.last, a.first, a.groups, a.map_of, a.maps, a.offset, a.count, a.used, a.most,
                a.group_level, a.slope, a.roof, a.least_used, a.most_used, a.used_slope,
                a.used_roof, a.needs_first, a.needs, a.by_first, a.by, a.weight, self.logs,
            )
        )  # fmt: skip
