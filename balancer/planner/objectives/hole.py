"""Room in one piece, for something large that is to come."""

from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import Formulation, Ints, Level, Penalty, Row
from balancer.planner.model.allotment import takes
from balancer.planner.model.resources import MEMORY, VCPUS
from balancer.planner.model.rooming import rooms

MISSING = Penalty(Level.OVERLOAD)
"""Points per mille of the hole that are missing: as for an order to relieve."""


@dataclass(frozen=True, kw_only=True)
class Hole:
    """`on_hosts` hosts have room for one more guest of this size, as `[capacity]` gives it out.

    Made on those hosts that take the least memory to clear, and left where it is already.
    """

    vcpus_free: int = 0
    memory_free: int = 0
    """MiB; both 0, as long as the policy does not say, for no hole."""
    on_hosts: int = 1

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "hole"

    def post(self, formulation: Formulation) -> None:
        """Write a smaller limit for the hosts that are to have the hole."""
        if not self.vcpus_free and not self.memory_free:
            return
        problem = formulation.problem
        need = np.array([self.vcpus_free, self.memory_free], dtype=np.int64)
        taken = takes(problem)
        use = np.array(
            [[taken[g.uuid].get(n, 0) for n in (VCPUS, MEMORY)] for g in problem.cluster.guests],
            dtype=np.int64,
        ).reshape(-1, 2)
        full = use.sum(axis=0) + need
        known = rooms(problem)
        limit = np.zeros((len(problem.cluster.hosts), 2), dtype=np.int64)
        for site, host in enumerate(problem.cluster.hosts):
            room = known.get(host.name, {})
            limit[site] = [room.get(n, 0) for n in (VCPUS, MEMORY)]
        chosen = self._chosen(formulation, use, limit - need, formulation.sites(known))
        for number, name in enumerate(("vCPUs", "memory")):
            if need[number]:
                most = np.full(len(limit), int(full[number]), dtype=np.int64)
                most[chosen] = (limit - need)[chosen, number]
                formulation.add(
                    Row(
                        label=f"{self.label}: {name}",
                        use=use[:, number],
                        limit=most,
                        penalty=MISSING,
                        hard=False,
                        transient=False,
                        scale=np.full(len(limit), int(need[number]), dtype=np.int64),
                    )
                )

    def _chosen(self, formulation: Formulation, use: Ints, most: Ints, open_: Ints) -> list[int]:
        """Return the sites that are cheapest to clear: what has to leave, largest guests first."""
        price = {}
        for site in open_.tolist():
            here = np.flatnonzero(formulation.start == site)
            over = use[here].sum(axis=0) - most[site]
            free = here[~formulation.held[here]]
            order = free[np.lexsort((free, -use[free, 1]))]
            left = use[order].cumsum(axis=0)
            enough = (left >= over).all(axis=1)
            if (over <= 0).all():
                price[site] = 0
            elif enough.any() and (most[site] >= 0).all():
                price[site] = 1 + int(left[int(enough.argmax()), 1])
        return sorted(price, key=lambda site: (price[site], site))[: self.on_hosts]
