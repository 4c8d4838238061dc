"""A share of each host stays free of demand, for what nobody foresaw."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import HARD, Formulation, Level, Penalty, Row
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, MEMORY, Resources, total
from balancer.planner.model.selector import EVERYTHING, Selector
from balancer.planner.model.violation import Violation

SOFT_ROW = Penalty(Level.COST, ((0, 20),))
"""Points per mille of the host that demand takes of what should stay free."""


@dataclass(frozen=True, kw_only=True)
class Headroom:
    """Demand leaves free a share of what `hosts` have: `cpu` and `memory`, 0 to 1, 0 for none."""

    cpu: float = 0.0
    memory: float = 0.0
    hosts: Selector = EVERYTHING
    hard: bool = False
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"headroom on {self.hosts.text}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return every guest."""
        return problem.everyone

    def limits(self, problem: Problem) -> Mapping[str, Resources]:
        """Return the demand that each of the hosts may bear, by name: millicores, MiB.

        A host whose load is not known may bear what it seems to bear, and no more.
        """
        return problem.once((self, "limits"), lambda: self._limits(problem))

    def _limits(self, problem: Problem) -> Mapping[str, Resources]:
        shares = {name: share for name, share in self._shares().items() if share > 0}
        return {
            host: {
                name: max(
                    round(problem.host(host).usable.get(name, 0) * (1 - share)),
                    _excused(problem, host, name),
                )
                for name, share in shares.items()
            }
            for host in problem.hosts(self.hosts)
        }

    def _shares(self) -> Mapping[str, float]:
        return {CPU: self.cpu, MEMORY: self.memory}

    def post(self, formulation: Formulation) -> None:
        """Write one row for each resource of which a share is to stay free."""
        problem = formulation.problem
        limits = self.limits(problem)
        for name in next(iter(limits.values()), {}):
            use = formulation.peak(name)
            full = int(use.sum())
            limit = [limits.get(h.name, {}).get(name, full) for h in problem.cluster.hosts]
            formulation.bear(
                name,
                Row(
                    label=f"{self.label}: {name}",
                    use=use,
                    limit=np.array(limit, dtype=np.int64),
                    penalty=HARD if self.hard else SOFT_ROW,
                    hard=self.hard,
                    scale=None if self.hard else np.maximum(1, formulation.usable(name)),
                ),
            )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each resource of each host of which too little is free."""
        limits = self.limits(problem)
        hosts = limits.keys() if touched is None else limits.keys() & set(touched)
        found: list[Violation] = []
        for host, uuids in sorted(problem.holders(occupancy, hosts).items()):
            borne = total(problem.all_on(host, uuids, problem.demand.peak))
            for name, limit in limits[host].items():
                if borne.get(name, 0) > limit:
                    found.append(self._tight(problem, host, name, borne[name], uuids))
        return tuple(found)

    def _tight(
        self, problem: Problem, host: str, name: str, borne: int, uuids: tuple[str, ...]
    ) -> Violation:
        usable = max(1, problem.host(host).usable.get(name, 0))
        return Violation(
            rule=f"{self.label}: {name}",
            subject=host,
            amount=borne - self.limits(problem)[host][name],
            sentence=(
                f"{host}: demand takes {100 * borne / usable:.0f} % of {name}, "
                f"but {100 * self._shares()[name]:.0f} % is to stay free"
            ),
            guests=uuids,
            hard=self.hard,
        )


def _excused(problem: Problem, host: str, name: str) -> int:
    if host not in problem.demand.blind:
        return 0
    return sum(
        problem.demand.peak.get(guest.uuid, {}).get(name, 0)
        for guest in problem.cluster.guests_on[host]
    )
