"""Hosts are used as evenly as a budget of moves allows, whatever a single move costs."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from balancer.planner.formulation import Formulation, Ints, Level, Penalty, Row
from balancer.planner.model.resources import CPU, MEMORY

POINTS: Final = (*range(0, 100, 5), *range(100, 200, 20), *range(200, 1001, 50))
"""Per mille at which the price is exact; straight lines between, so that it stays convex."""
HUNDRED: Final = 100
"""Guests that a host is taken to have room for: one more than the mean is 10 per mille."""


def square(weight: int) -> Penalty:
    """Return `weight` times an excess in per mille squared, exact at POINTS."""
    slopes = [weight * (here + there) for here, there in pairwise(POINTS)]
    added = (there - here for here, there in pairwise((0, *slopes)))
    return Penalty(Level.COST, tuple(zip(POINTS, added, strict=False)))


@dataclass(frozen=True, kw_only=True)
class Even:
    """The squares of what hosts' mean use is off the cluster's, above and below, are least.

    For mode balance, where a budget bounds what moves; `balance` asks whether a move pays.
    """

    cpu: int = 0
    memory: int = 0
    guests: int = 0
    """Weights against each other; 0, as long as the policy does not say, for not at all. Of guests
    it is the number on each host that is even."""

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "even"

    def post(self, formulation: Formulation) -> None:
        """Write two rows for each resource: what is too much, and what is too little."""
        if formulation.problem.policy.repairs_only:
            return
        for name, wanted in ((CPU, self.cpu), (MEMORY, self.memory)):
            if wanted:
                use, usable = formulation.mean(name), formulation.usable(name)
                self._rows(formulation, name, (use, usable), square(wanted))
        if self.guests:
            ones = np.ones_like(formulation.start)
            hundreds = np.full_like(formulation.site_cost, HUNDRED)
            self._rows(formulation, "guests", (ones, hundreds), square(self.guests))

    def _rows(
        self, formulation: Formulation, name: str, amounts: tuple[Ints, Ints], penalty: Penalty
    ) -> None:
        use, usable = amounts
        alike = formulation.sites(formulation.problem.receiving)
        here = np.isin(formulation.start, alike)
        even = int(use[here].sum()) / max(1, int(usable[alike].sum()))
        target = np.rint(usable * even).astype(np.int64)
        full = int(use.sum())
        too_much, too_little = np.full(len(usable), full), np.zeros(len(usable), dtype=np.int64)
        too_much[alike], too_little[alike] = target[alike], -target[alike]
        for way, limit in ((1, too_much), (-1, too_little)):
            formulation.bear(
                name,
                Row(
                    label=f"{self.label}: {name}",
                    use=way * use,
                    limit=limit,
                    penalty=penalty,
                    hard=False,
                    transient=False,
                    scale=np.maximum(1, usable),
                ),
            )
