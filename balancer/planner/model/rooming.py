"""What hosts may give out, as the rules on capacity say."""

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

from balancer.planner.model.allotment import paged_mib
from balancer.planner.model.cluster import Host
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, HUGEPAGES, MEMORY, VCPUS, Resources

VCPUS_PER_CORE: Final = 4
THOUSAND: Final = 1000


@runtime_checkable
class Rooming(Protocol):
    """A rule that says what hosts may give out."""

    @property
    def hard(self) -> bool:
        """False if it is no more than a wish."""
        ...

    def rooms(self, problem: Problem) -> Mapping[str, Resources]:
        """Return it by name of the hosts it speaks of."""
        ...


def rooms(problem: Problem) -> Mapping[str, Resources]:
    """Return what each host that may be given guests may give out, by the tightest hard rule."""
    found: dict[str, Resources] = {}
    rules = [r for r in problem.policy.constraints if isinstance(r, Rooming) and r.hard]
    for name in problem.receiving:
        said = [room for rule in rules if (room := rule.rooms(problem).get(name)) is not None]
        tightest = {n: min(room.get(n, 0) for room in said) for n in (said[0] if said else ())}
        found[name] = tightest or _plain(problem.host(name))
    return found


def _plain(host: Host) -> Resources:
    usable = host.usable
    pages = {n: amount for n, amount in usable.items() if n.startswith(HUGEPAGES)}
    return {
        VCPUS: VCPUS_PER_CORE * usable.get(CPU, 0) // THOUSAND,
        MEMORY: max(0, usable.get(MEMORY, 0) - paged_mib(pages)),
        **pages,
    }
