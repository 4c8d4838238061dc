"""No host beyond what the policy calls hot."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import Formulation, Level, Penalty, Row
from balancer.planner.model.resources import CPU, MEMORY, Resources

SLOPE = Penalty(Level.OVERLOAD, ((0, 20),))
"""Far steeper than an order to relieve, so that heat counts for more than obeying one.

Linear, so that heat which has to be somewhere is not carried around."""

LEAST = 0.5
"""Share of its limit that a host under pressure must use, for its guests to be the cause."""


@dataclass(frozen=True, kw_only=True)
class Overload:
    """Demand's peak stays under `[hot]` cpu_used and memory_used on every host.

    A host on which tasks wait longer than cpu_pressure or memory_pressure allow is relieved by
    `margin` at a time, if its guests use at least half of what those limits allow.

    A host that is hot is brought `margin` below the limit, and none is filled into that margin,
    so that the next cycle does not find it hot again. Heat counts once it has lasted; just after
    moves, until it can be seen, it is no reason to move, but nobody adds to it. Of hosts that are relieved by order the
    order speaks: else their heat would weigh twice, and be carried to another host.
    """

    margin: float = 0.05

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "overload"

    def post(self, formulation: Formulation) -> None:
        """Write one row for CPU, or for each of its futures, and one for memory: in per mille."""
        problem = formulation.problem
        if problem.policy.repairs_only:
            return
        hot = problem.policy.hot
        futures = problem.demand.scenarios
        for future in futures or (problem.demand.peak,):
            self._row(formulation, CPU, hot.cpu_used, future, max(1, len(futures)))
        self._row(formulation, MEMORY, hot.memory_used, problem.demand.peak)

    def _row(
        self,
        formulation: Formulation,
        name: str,
        share: float,
        demand: Mapping[str, Resources],
        futures: int = 1,
    ) -> None:
        problem = formulation.problem
        use, usable = formulation.demand(demand, name), formulation.usable(name)
        load = formulation.load(use)
        hot = np.rint(usable * share).astype(np.int64)
        safe = np.rint(usable * max(0.0, share - self.margin)).astype(np.int64)
        limit = np.where(load > hot, safe, np.maximum(safe, load))
        limit = np.where(formulation.spared(name, lambda _: hot), np.maximum(limit, load), limit)
        pressed = formulation.sites(set(problem.demand.pressed.get(name, ())) - problem.passing)
        lower = load - np.rint(usable * self.margin).astype(np.int64)
        pressed = pressed[load[pressed] > hot[pressed] * LEAST]  # else it is not guests that press
        limit[pressed] = np.minimum(limit[pressed], lower[pressed])
        if problem.settling:
            limit = np.maximum(limit, load)
        limit[formulation.sites(problem.relieve)] = int(use.sum())
        formulation.bear(
            name,
            Row(
                label=f"{self.label}: {name}",
                use=use,
                limit=limit,
                penalty=SLOPE,
                hard=False,
                transient=False,
                scale=np.maximum(1, usable * futures),
            ),
        )
