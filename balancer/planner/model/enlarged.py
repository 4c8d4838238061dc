"""What guests are allocated once some resizes are made: what rules on allocations are held to."""

from collections.abc import Iterable
from dataclasses import replace

from balancer.planner.model.cluster import Guest
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, What
from balancer.planner.model.resources import VCPUS, Resources

ALLOCATED = {What.VCPUS: VCPUS}
"""The resizes that change what a guest is allocated of its host, and of what."""


def enlarged(problem: Problem, resizes: Iterable[Resize]) -> Problem:
    """Return `problem` with all the guests' allocations that `resizes` let grow.

    What they let shrink counts in full: a guest need not give back what it has.
    """
    more: dict[str, dict[str, int]] = {}
    for one in resizes:
        if one.what in ALLOCATED and not one.shrinks:
            grown = more.setdefault(one.guest, {})
            name = ALLOCATED[one.what]
            grown[name] = grown.get(name, 0) + one.after - one.before
    if not more:
        return problem
    guests = tuple(_with(guest, more.get(guest.uuid, {})) for guest in problem.cluster.guests)
    return replace(problem, cluster=replace(problem.cluster, guests=guests))


def _with(guest: Guest, more: Resources) -> Guest:
    grown = {name: guest.allocation.get(name, 0) + amount for name, amount in more.items()}
    return replace(guest, allocation={**guest.allocation, **grown}) if more else guest
