"""No host beyond what the policy calls hot."""

from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import Formulation, Level, Penalty, Row
from balancer.planner.model.resources import CPU, MEMORY

SLOPE = Penalty(Level.OVERLOAD, ((0, 2),))
"""Twice the slope of an order to relieve, so that obeying one never makes another host hot.

Linear, so that heat which has to be somewhere is not carried around."""


@dataclass(frozen=True, kw_only=True)
class Overload:
    """Demand's peak stays under `[hot]` cpu_used and memory_used on every host.

    A host that is hot is brought `margin` below the limit, and none is filled into that margin,
    so that the next cycle does not find it hot again.
    """

    margin: float = 0.05

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "overload"

    def post(self, formulation: Formulation) -> None:
        """Write one row for CPU and one for memory, in per mille of each host."""
        problem = formulation.problem
        if problem.policy.repairs_only:
            return
        hot = problem.policy.hot
        for name, share in ((CPU, hot.cpu_used), (MEMORY, hot.memory_used)):
            self._row(formulation, name, share)

    def _row(self, formulation: Formulation, name: str, share: float) -> None:
        use, usable = formulation.peak(name), formulation.usable(name)
        load = formulation.load(use)
        limit = (usable * share).astype(np.int64)
        safe = (usable * max(0.0, share - self.margin)).astype(np.int64)
        formulation.add(
            Row(
                label=f"{self.label}: {name}",
                use=use,
                limit=np.where(load > limit, safe, np.maximum(safe, load)),
                penalty=SLOPE,
                hard=False,
                transient=False,
                scale=np.maximum(1, usable),
            )
        )
