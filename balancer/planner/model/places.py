"""How many places a group of guests uses: the judge's reading of rules that count them."""

from collections.abc import Collection

from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem


def places_used(
    problem: Problem, occupancy: Occupancy, members: Collection[str], across: str
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the hosts on which `members` hold resources, and the domains of these, sorted."""
    hosts = frozenset(host for uuid in members for host in occupancy[uuid])
    return hosts, tuple(sorted({problem.domain(host, across) for host in hosts}))
