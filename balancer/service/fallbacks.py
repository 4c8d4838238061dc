"""What is not known, and what stands in for it: said, so that nobody takes it for measured."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from balancer.planner.model.observation import Observation
from balancer.planner.model.problem import Problem
from balancer.planner.model.usage import memory_from

NAMED: Final = 3


def fallbacks(seen: Observation, problem: Problem) -> tuple[str, ...]:
    """Return one sentence for each thing that something else stands in for."""
    return tuple(dict.fromkeys((*_memory(problem), *_traffic(problem), *seen.doubts)))


def _memory(problem: Problem) -> Iterator[str]:
    demand = problem.demand
    if demand.unknown:
        who = _named(sorted(map(problem.name, demand.unknown)))
        yield f"no data to be trusted on {who}: weighs as its allocation, and stays"
    by_basis: defaultdict[str, list[str]] = defaultdict(list)
    for uuid, word in demand.basis.items():
        if uuid not in demand.unknown and memory_from(word):
            by_basis[word].append(problem.name(uuid))
    for word, names in sorted(by_basis.items()):
        yield f"memory in use of {_named(sorted(names))}: {memory_from(word)}"


def _traffic(problem: Problem) -> Iterator[str]:
    silent = [host.name for host in problem.cluster.hosts if not host.link_kib_s]
    if silent:
        rate = problem.policy.limits.default_link_kib_s * 8 * 1024 / 1e9
        yield f"migration link of {_named(silent)}: taken as {rate:.3g} Gbit/s (default_link)"
    guests = problem.cluster.guests
    if guests and not problem.demand.dirty_mib_s:
        yield "how fast guests change their memory: not measured, migrations are predicted without"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
