"""Take load from the hosts the operator named."""

from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import Formulation, Ints, Level, Penalty, Row
from balancer.planner.model.resources import CPU, MEMORY

OBEY = Penalty(Level.OVERLOAD)
SPARE = Penalty(Level.OVERLOAD, ((0, 20),))
"""Far steeper, so that obeying never makes another host hot."""


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
        """Write, for CPU and for memory, what is asked of the hosts named and of all others."""
        hot = formulation.problem.policy.hot
        if formulation.problem.relieve:
            for name, share in ((CPU, hot.cpu_used), (MEMORY, hot.memory_used)):
                self._obey(formulation, name, share)
                self._spare(formulation, name, share)

    def _obey(self, formulation: Formulation, name: str, hot: float) -> None:
        """The hosts named come down, in per mille of each."""
        use, usable = formulation.mean(name), formulation.usable(name)
        even = int(use.sum()) / max(1, int(usable.sum()))
        share = min(even, hot - self.within) + self.within
        limit = np.full(len(usable), int(use.sum()), dtype=np.int64)
        named = formulation.sites(formulation.problem.relieve)
        limit[named] = np.rint(usable[named] * share).astype(np.int64)
        formulation.bear(name, _row(f"{self.label}: {name}", use, limit, usable, OBEY))

    def _spare(self, formulation: Formulation, name: str, hot: float) -> None:
        """The others are not made hot, nor hotter than they are."""
        use, usable = formulation.peak(name), formulation.usable(name)
        safe = np.rint(usable * max(0.0, hot - self.within)).astype(np.int64)
        limit = np.maximum(safe, formulation.load(use))
        limit[formulation.sites(formulation.problem.relieve)] = int(use.sum())
        formulation.bear(name, _row(f"spare others: {name}", use, limit, usable, SPARE))


def _row(label: str, use: Ints, limit: Ints, usable: Ints, penalty: Penalty) -> Row:
    return Row(
        label=label,
        use=use,
        limit=limit,
        penalty=penalty,
        hard=False,
        transient=False,
        scale=np.maximum(1, usable),
    )
