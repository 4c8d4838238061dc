"""What guests are allocated once some resizes are made: what rules on allocations are held to."""

from collections.abc import Iterable
from dataclasses import replace

from balancer.planner.model.cluster import Guest
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, What
from balancer.planner.model.resources import MEMORY, VCPUS, Resources

ALLOCATED = {What.VCPUS: VCPUS, What.PLUGGED: MEMORY}
"""The resizes that change what a guest is allocated of its host, and of what."""


def enlarged(problem: Problem, resizes: Iterable[Resize]) -> Problem:
    """Return `problem` with all the guests' allocations that `resizes` let grow.

    What they let shrink counts in full, since a guest need not give back what it has: but where all
    that grow on its host by the same resource wait for it, it was given back before they do.
    """
    concerned = [one for one in resizes if one.what in ALLOCATED]
    grows = [one for one in concerned if not one.shrinks]
    if not grows:
        return problem
    more: dict[str, dict[str, int]] = {}
    for one in concerned:
        alike = [g for g in grows if (g.host, g.what) == (one.host, one.what)]
        if one in grows or (alike and all(one.id in g.waits_for for g in alike)):
            changed = more.setdefault(one.guest, {})
            name = ALLOCATED[one.what]
            changed[name] = changed.get(name, 0) + one.after - one.before
    guests = tuple(_with(guest, more.get(guest.uuid, {})) for guest in problem.cluster.guests)
    return replace(problem, cluster=replace(problem.cluster, guests=guests))


def _with(guest: Guest, more: Resources) -> Guest:
    grown = {name: guest.allocation.get(name, 0) + amount for name, amount in more.items()}
    return replace(guest, allocation={**guest.allocation, **grown}) if more else guest
