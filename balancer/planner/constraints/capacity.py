"""What hosts have is not given out twice: memory, vCPUs and huge pages, as allocated."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import HARD, Formulation, Level, Penalty, Row
from balancer.planner.model.allotment import paged_mib, taken_of, takes
from balancer.planner.model.cluster import Host
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import (
    CPU,
    EMULATED,
    HUGEPAGES,
    MEMORY,
    VCPUS,
    Resources,
    total,
)
from balancer.planner.model.selector import EVERYTHING, Selector
from balancer.planner.model.violation import Violation

SOFT_ROW = Penalty(Level.COST, ((0, 20),))
"""Points per mille of what the host may give out."""
MIB_PER_GIB = 1024


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Guests' allocations on a host stay within what it may give out.

    Memory is what the host has, less its reserve, less `keep_for_hypervisor` (MiB), less what is
    set apart as huge pages, times `memory_overcommit`. A guest backed by huge pages takes those
    pages and only the rest of its memory from there, so nothing is counted twice.

    With `hosts` it speaks of these alone, and a rule for all hosts no longer speaks of them: a
    class of hosts has its own overcommit.
    """

    vcpus_per_core: float = 4.0
    emulated_per_core: float = 1.0
    memory_overcommit: float = 1.0
    keep_for_hypervisor: int = 0
    """MiB."""
    hosts: Selector = EVERYTHING
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        where = "" if self.hosts == EVERYTHING else f" on {self.hosts.text}"
        return self.name or f"capacity{where}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return every guest."""
        return problem.everyone

    def rooms(self, problem: Problem) -> Mapping[str, Resources]:
        """Return what each of its hosts may give out, by name: vCPUs, MiB, pages of sizes in use."""
        return problem.once((self, "rooms"), lambda: self._rooms(problem))

    def _rooms(self, problem: Problem) -> Mapping[str, Resources]:
        taken = total(takes(problem).values())
        sizes = sorted(name for name in taken if name.startswith(HUGEPAGES))
        emulated = [EMULATED] * (EMULATED in taken)
        return {
            name: self._room(problem.host(name), [*emulated, *sizes])
            for name in self._hosts(problem)
        }

    def _hosts(self, problem: Problem) -> Collection[str]:
        """Return the hosts it speaks of: those named, or those that no such rule names."""
        if self.hosts != EVERYTHING:
            return problem.hosts(self.hosts)
        special = {
            name
            for rule in problem.policy.constraints
            if isinstance(rule, Capacity) and rule.hosts != EVERYTHING
            for name in problem.hosts(rule.hosts)
        }
        return [h.name for h in problem.cluster.hosts if h.name not in special]

    def _room(self, host: Host, sizes: Collection[str]) -> Resources:
        memory = host.usable.get(MEMORY, 0) - self.keep_for_hypervisor - paged_mib(pages(host))

        def cores(ratio: float) -> int:
            return round(host.usable.get(CPU, 0) * ratio) // 1000

        return {
            MEMORY: round(max(0, memory) * self.memory_overcommit),
            VCPUS: cores(self.vcpus_per_core),
            **{size: pages(host).get(size, 0) for size in sizes if size != EMULATED},
            **({EMULATED: cores(self.emulated_per_core)} if EMULATED in sizes else {}),
        }

    def post(self, formulation: Formulation) -> None:
        """Write one row for each dimension."""
        problem = formulation.problem
        rooms, taken, landing = self.rooms(problem), takes(problem), _landing(problem)
        for dimension in next(iter(rooms.values()), {}):
            use = [taken[g.uuid].get(dimension, 0) for g in problem.cluster.guests]
            full = sum(use)
            limit = [
                rooms[h.name][dimension] - landing[h.name].get(dimension, 0)
                if h.name in rooms
                else full
                for h in problem.cluster.hosts
            ]
            formulation.add(
                Row(
                    label=f"{self.label}: {dimension}",
                    use=np.array(use, dtype=np.int64),
                    limit=np.array(limit, dtype=np.int64),
                    penalty=HARD if self.hard else SOFT_ROW,
                    hard=self.hard,
                    scale=None if self.hard else np.maximum(1, np.array(limit, dtype=np.int64)),
                )
            )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each dimension of each host of which more is given out than there is."""
        rooms, taken = self.rooms(problem), taken_of(problem)
        found: list[Violation] = []
        hosts = rooms.keys() if touched is None else rooms.keys() & set(touched)
        for host, dimension, held in _held(problem, occupancy, sorted(hosts), taken):
            room = rooms[host].get(dimension, held)
            if held > room:
                uuids = problem.holders(occupancy, (host,))[host]
                found.append(self._over(host, dimension, held, room, uuids))
        return tuple(found)

    def _over(
        self, host: str, dimension: str, held: int, room: int, uuids: tuple[str, ...]
    ) -> Violation:
        return Violation(
            rule=f"{self.label}: {dimension}",
            subject=host,
            amount=held - room,
            sentence=(
                f"{host} gives out {said(dimension, held)}, but has only {said(dimension, room)} to give"
            ),
            guests=uuids,
            hard=self.hard,
        )


def _held(
    problem: Problem,
    occupancy: Occupancy,
    hosts: Sequence[str],
    taken: Mapping[str, Mapping[str, int]],
) -> Iterator[tuple[str, str, int]]:
    """Yield what guests hold of each dimension on each of `hosts`."""
    if isinstance(occupancy, Ledger):
        for host in hosts:
            for dimension, amounts in taken.items():
                yield host, dimension, occupancy.sum_on(host, amounts)
    else:
        for host, uuids in problem.holders(occupancy, hosts).items():
            for dimension, amounts in taken.items():
                yield host, dimension, sum(map(amounts.__getitem__, uuids))


def _landing(problem: Problem) -> Mapping[str, Resources]:
    """Return what guests in flight already hold on their targets, by host."""
    held: dict[str, list[Resources]] = defaultdict(list)
    for uuid, target in problem.cluster.in_flight.items():
        held[target].append(takes(problem)[uuid])
    return {h.name: total(held[h.name]) for h in problem.cluster.hosts}


def pages(host: Host) -> Resources:
    """Return the huge pages of `host`, by dimension: as declared, else the sum of its cells."""
    declared = {n: amount for n, amount in host.capacity.items() if n.startswith(HUGEPAGES)}
    return declared or total(cell.hugepages for cell in host.numa)


def said(dimension: str, amount: int) -> str:
    """Return an amount as an operator reads it: `96 vCPUs`, `130.5 GiB of memory`."""
    if dimension == MEMORY and amount < MIB_PER_GIB:
        return f"{amount} MiB of memory"
    if dimension == MEMORY:
        return f"{amount / MIB_PER_GIB:.1f} GiB of memory"
    if dimension in (VCPUS, EMULATED):
        return f"{amount} {'emulated ' * (dimension == EMULATED)}vCPUs"
    return f"{amount} huge pages of {dimension.removeprefix(HUGEPAGES)} KiB"
