"""Take load from the hosts the operator named."""

from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import Formulation, Level, Penalty, Row
from balancer.planner.model.resources import CPU, MEMORY

SLOPE = Penalty(Level.OVERLOAD)


@dataclass(frozen=True, kw_only=True)
class Relieve:
    """Hosts of an order to relieve come down to the cluster's mean use, and out of being hot.

    Always in force, does nothing without an order. It comes before cost, so it pays any number of
    moves within the limits, but it drops no rule.
    """

    within: float = 0.05
    """Share of a host by which it may stay above the mean."""

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "relieve"

    def post(self, formulation: Formulation) -> None:
        """Write one row for CPU and one for memory, in per mille of each host named."""
        hot = formulation.problem.policy.hot
        if formulation.problem.relieve:
            self._row(formulation, CPU, hot.cpu_used)
            self._row(formulation, MEMORY, hot.memory_used)

    def _row(self, formulation: Formulation, name: str, hot: float) -> None:
        problem = formulation.problem
        use, usable = formulation.mean(name), formulation.usable(name)
        even = int(use.sum()) / max(1, int(usable.sum()))
        share = min(even, hot - self.within) + self.within
        limit = np.full(len(usable), int(use.sum()), dtype=np.int64)
        sites = formulation.sites(problem.relieve)
        limit[sites] = (usable[sites] * share).astype(np.int64)
        formulation.add(
            Row(
                label=f"{self.label}: {name}",
                use=use,
                limit=limit,
                penalty=SLOPE,
                hard=False,
                transient=False,
                scale=np.maximum(1, usable),
            )
        )
