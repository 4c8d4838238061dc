"""Guests that fit into one memory node of their host each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import HARD, SOFT, Formulation, Packing
from balancer.planner.model.allotment import paged_mib, takes
from balancer.planner.model.cluster import Host, NumaCell
from balancer.planner.model.packing import NOWHERE, Vector, holds, pack
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, HUGEPAGES, MEMORY, VCPUS
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation

THOUSAND = 1000


@dataclass(frozen=True, kw_only=True)
class Numa:
    """Each of `guests` fits whole into one NUMA cell of its host, beside the others of `guests` there.

    Counted are memory, huge pages, and vCPUs up to `vcpus_per_core` for each processor of the cell.
    A host that names no cells is one. Which cell a guest gets is its host's business: what is
    promised is that there is a way for all.
    """

    guests: Selector
    vcpus_per_core: float = 1.0
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"numa {self.guests.text}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that want a cell."""
        return problem.guests(self.guests)

    def _sizes(self, problem: Problem) -> tuple[str, ...]:
        """Return the dimensions that are counted."""
        members = self.concerns(problem)
        pages = {n for u in members for n in takes(problem)[u] if n.startswith(HUGEPAGES)}
        return (VCPUS, MEMORY, *sorted(pages))

    def _cells(self, problem: Problem, host: Host) -> tuple[Vector, ...]:
        cells = host.numa or (_whole(host),)
        return tuple(
            (
                int(cell.cpus * self.vcpus_per_core),
                max(0, cell.memory_mib - paged_mib(cell.hugepages)),
                *(cell.hugepages.get(size, 0) for size in self._sizes(problem)[2:]),
            )
            for cell in cells
        )

    def _wants(self, problem: Problem, uuids: Sequence[str]) -> list[Vector]:
        sizes = problem.once((self, "sizes"), lambda: self._sizes(problem))
        taken = takes(problem)
        return [tuple(taken[uuid].get(size, 0) for size in sizes) for uuid in uuids]

    def post(self, formulation: Formulation) -> None:
        """Write it as boxes on each site."""
        problem = formulation.problem
        members = self.concerns(problem)
        sizes = len(self._sizes(problem))
        use = np.array(self._wants(problem, members), dtype=np.int64)
        formulation.add(
            Packing(
                label=self.label,
                members=formulation.numbers(members),
                use=use.reshape(len(members), sizes),
                boxes=tuple(self._cells(problem, host) for host in problem.cluster.hosts),
                penalty=HARD if self.hard else SOFT,
                hard=self.hard,
            )
        )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each host on which some of them find no cell."""
        members = problem.once((self, "members"), lambda: frozenset(self.concerns(problem)))
        found: list[Violation] = []
        for host, everyone in problem.holders(occupancy, touched).items():
            uuids = [uuid for uuid in everyone if uuid in members]
            if uuids and (without := self._without(problem, host, uuids)):
                found.append(self._tight(problem, host, without, uuids))
        return tuple(found)

    def _without(self, problem: Problem, host: str, uuids: Sequence[str]) -> tuple[str, ...]:
        """Return those that find no cell; what is found is checked."""
        cells = problem.once((self, host), lambda: self._cells(problem, problem.host(host)))
        wants = self._wants(problem, uuids)
        key = (self, "packed", host, *uuids)
        packed = problem.once(key, lambda: pack(wants, cells))
        if not holds(packed, wants, cells):
            return tuple(uuids)
        return tuple(u for u, box in zip(uuids, packed.box, strict=True) if box == NOWHERE)

    def _tight(
        self, problem: Problem, host: str, without: Sequence[str], uuids: Sequence[str]
    ) -> Violation:
        names = ", ".join(sorted(map(problem.name, without)))
        return Violation(
            rule=self.label,
            subject=host,
            amount=len(without),
            sentence=f"{host}: no NUMA cell has room for {names} beside the others there",
            guests=tuple(uuids),
            hard=self.hard,
        )


def _whole(host: Host) -> NumaCell:
    """Return a host without cells as one."""
    usable = host.usable
    return NumaCell(
        id=0,
        cpus=usable.get(CPU, 0) // THOUSAND,
        memory_mib=usable.get(MEMORY, 0),
        hugepages={n: amount for n, amount in usable.items() if n.startswith(HUGEPAGES)},
    )
