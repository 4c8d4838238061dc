"""Room for the disks that are copied along with their guests."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from balancer.planner.formulation import HARD, Formulation, Row
from balancer.planner.model.cluster import LocalDisk
from balancer.planner.model.copying import copied
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation

MIB_PER_GIB = 1024


@dataclass(frozen=True, kw_only=True)
class DiskRoom:
    """The storage pool that disks are copied into has room for their whole size.

    Always in force, for guests whose local disks the policy allows to be copied. A guest on its way
    needs its room on both hosts; once it has left, its old copy is removed.
    """

    hard: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "disk room"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests whose disks would be copied."""
        return tuple(self._along(problem))

    def _along(self, problem: Problem) -> Mapping[str, tuple[LocalDisk, ...]]:
        return problem.once((self, "along"), lambda: along(problem))

    def _limits(self, problem: Problem) -> Mapping[tuple[str, str], int]:
        """Return by host and place the MiB that such disks may take there: theirs now, and what is free."""
        return problem.once((self, "limits"), lambda: limits(problem, self._along(problem)))

    def post(self, formulation: Formulation) -> None:
        """Write one row for each place that disks are in."""
        problem = formulation.problem
        disks, most = self._along(problem), self._limits(problem)
        hosts = problem.cluster.hosts
        for place in sorted({disk.place for mine in disks.values() for disk in mine}):
            use = np.zeros(len(formulation.start), dtype=np.int64)
            for uuid, mine in disks.items():
                use[formulation.guest_number[uuid]] = _size(mine, place)
            limit = np.array([most[host.name, place] for host in hosts], dtype=np.int64)
            formulation.add(
                Row(label=f"{self.label}: {place}", use=use, limit=limit, penalty=HARD, hard=True)
            )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each place of each host that would be too full."""
        disks, most = self._along(problem), self._limits(problem)
        if not disks:
            return ()
        found: list[Violation] = []
        for host, uuids in sorted(problem.holders(occupancy, touched).items()):
            here = tuple(uuid for uuid in uuids if uuid in disks)
            taken = Counter[str]()
            for uuid in here:
                for disk in disks[uuid]:
                    taken[disk.place] += disk.size_mib
            for place, mib in sorted(taken.items()):
                over = mib - most[host, place]
                if over > 0:
                    sentence = f"{host}: {place} has {over / MIB_PER_GIB:.1f} GiB too little room for the disks copied to it"
                    found.append(
                        Violation(
                            rule=f"{self.label}: {place}",
                            subject=host,
                            amount=over,
                            sentence=sentence,
                            guests=here,
                        )
                    )
        return tuple(found)


def along(problem: Problem) -> Mapping[str, tuple[LocalDisk, ...]]:
    """Return the disks of each guest that are copied when it moves, by uuid."""
    guests = (guest.uuid for guest in problem.cluster.guests if guest.disks)
    found = {uuid: copied(problem, uuid) for uuid in guests}
    return {uuid: disks for uuid, disks in sorted(found.items()) if disks}


def limits(
    problem: Problem, disks: Mapping[str, tuple[LocalDisk, ...]]
) -> Mapping[tuple[str, str], int]:
    """Return the MiB of such disks that each place of each host can hold, by host and place."""
    places = {disk.place for mine in disks.values() for disk in mine}
    found = {
        (host.name, place): host.images.get(place, 0)
        for host in problem.cluster.hosts
        for place in places
    }
    for uuid, mine in disks.items():
        for disk in mine:
            found[problem.home(uuid), disk.place] += disk.size_mib
    return found


def _size(disks: Collection[LocalDisk], place: str) -> int:
    return sum(disk.size_mib for disk in disks if disk.place == place)
