"""What guests are allocated of a host, and huge pages counted once."""

from collections.abc import Mapping

from balancer.planner.model.cluster import NATIVE, TRANSLATED, Guest
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import EMULATED, HUGEPAGES, MEMORY, VCPUS, Resources


def takes(problem: Problem) -> Mapping[str, Resources]:
    """Return what each guest is allocated of a host, by uuid: vCPUs, MiB, pages of each size.

    vCPUs that are emulated beside others that are not are counted for themselves.

    A guest backed by huge pages takes those, and only the rest of its memory from ordinary ones.
    """
    return problem.once(
        "takes", lambda: {g.uuid: _take(g, vcpus_of(problem, g)) for g in problem.cluster.guests}
    )


def taken_of(problem: Problem) -> Mapping[str, Mapping[str, int]]:
    """Return the same by dimension, then by uuid, of every guest: those who add up often ask this."""
    return problem.once("taken of", lambda: _taken_of(takes(problem)))


def _taken_of(taken: Mapping[str, Resources]) -> Mapping[str, Mapping[str, int]]:
    names = sorted({name for one in taken.values() for name in one})
    return {name: {uuid: one.get(name, 0) for uuid, one in taken.items()} for name in names}


def vcpus_of(problem: Problem, guest: Guest) -> str:
    """Return among which vCPUs those of `guest` are counted."""
    host = problem.host(problem.home(guest.uuid))
    translated = guest.accelerator == TRANSLATED and NATIVE in host.accelerators
    return EMULATED if translated else VCPUS


def _take(guest: Guest, vcpus: str) -> Resources:
    backed = {n: amount for n, amount in guest.allocation.items() if n.startswith(HUGEPAGES)}
    return {
        MEMORY: max(0, guest.allocation.get(MEMORY, 0) - paged_mib(backed)),
        vcpus: guest.allocation.get(VCPUS, 0),
        **backed,
    }


def paged_mib(counts: Resources) -> int:
    """Return the memory that these huge pages are, MiB."""
    return (
        sum(
            int(name.removeprefix(HUGEPAGES)) * n
            for name, n in counts.items()
            if name.startswith(HUGEPAGES)
        )
        // 1024
    )
