"""Hosts are used alike, each in proportion to what it has."""

from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import Bools, Formulation, Ints, Level, Penalty, Row
from balancer.planner.model.resources import CPU, MEMORY

STEPS = ((0, 2), (50, 2), (150, 4), (250, 4))
"""(per mille beyond the band, slope added): convex, so the fullest host is helped first.

Price in points at 50, 100, 150, 250, 350, 450 per mille: 100, 300, 500, 1300, 2500, 3700."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """No host's mean use of CPU or memory is more than `within` above the cluster's.

    What a host uses within that band costs nothing, so a cluster that is fine is left alone; and
    a move for balance must save more waiting than it costs.
    Nothing is balanced while too little is known to tell the mean, and nothing that passes.
    """

    within: float = 0.05
    cpu: bool = True
    memory: bool = True

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "balance"

    def post(self, formulation: Formulation) -> None:
        """Write one row for each resource, in per mille of each host."""
        problem = formulation.problem
        if problem.policy.repairs_only or problem.settling or problem.demand.partial:
            return
        for name, wanted in ((CPU, self.cpu), (MEMORY, self.memory)):
            if wanted:
                self._row(formulation, name)

    def _row(self, formulation: Formulation, name: str) -> None:
        problem = formulation.problem
        use, usable = formulation.mean(name), formulation.usable(name)
        alike = formulation.sites(problem.receiving)
        here = np.isin(formulation.start, alike) | _leaving(formulation)
        full = int(usable[alike].sum())

        def band(use: Ints) -> Ints:
            even = int(use[here].sum()) / full if full else 0.0
            limit = np.full(len(usable), int(use.sum()), dtype=np.int64)
            limit[alike] = np.ceil(usable[alike] * (even + self.within)).astype(np.int64)
            return limit

        limit, load = band(use), formulation.load(use)
        limit = np.where(formulation.spared(name, band), np.maximum(limit, load), limit)
        formulation.bear(
            name,
            Row(
                label=f"{self.label}: {name}",
                use=use,
                limit=limit,
                penalty=Penalty(Level.COST, STEPS),
                hard=False,
                transient=False,
                scale=np.maximum(1, usable),
                for_evenness=True,
            ),
        )


def _leaving(formulation: Formulation) -> Bools:
    """Return [guests]: those whose host has to be emptied, so that they come to the others."""
    emptied = formulation.sites(formulation.problem.emptied)
    return np.isin(formulation.start, emptied) & ~formulation.held
