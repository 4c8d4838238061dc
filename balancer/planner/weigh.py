"""Why this host and no other: every host a guest could have gone to, and what spoke against it."""

from collections import Counter

import numpy as np

from balancer.planner.explain import MEMORY_USED, WORDS, loads, share
from balancer.planner.formulation import Budget, Formulation, Ints, Level
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import HostLoad
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU
from balancer.planner.model.weighed import Weighed
from balancer.planner.place.conflict import why_stays
from balancer.planner.place.evaluate import excesses

SHOWN = 3
"""Hosts left over that are named."""


def weigh(problem: Problem, formulation: Formulation, reached: Placement, uuid: str) -> Weighed:
    """Return what spoke for and against each host for a guest, all others being where `reached`.

    Where the guest cannot be moved, that is why, and no host is looked at.
    """
    guest = formulation.guest_number[uuid]
    moved = reached[uuid] != problem.cluster.placement[uuid]
    if not moved and (formulation.held[guest] or not _elsewhere(formulation, guest)):
        return Weighed(guest=uuid, stays=why_stays(formulation, guest))
    placed = formulation.start.copy()
    for other, host in reached.items():
        placed[formulation.guest_number[other]] = formulation.site_number[host]
    names = [host.name for host in problem.cluster.hosts]
    home = int(formulation.start[guest])
    against = {
        names[site]: _against(formulation, placed, guest, site)
        for site in range(len(names))
        if site != home
    }
    busy = {line.host: _busiest(line) for line in loads(problem, reached)}
    free = sorted((h for h, why in against.items() if not why), key=lambda h: (busy[h], h))
    return Weighed(
        guest=uuid,
        rejected=dict(Counter(filter(None, against.values())).most_common()),
        left=tuple(free[:SHOWN]),
        more=max(0, len(free) - SHOWN),
        otherwise=_otherwise(problem, uuid, moved=moved),
    )


def _elsewhere(formulation: Formulation, guest: int) -> bool:
    """True if some host but its own is open to the guest."""
    others = formulation.allowed[guest].copy()
    others[formulation.start[guest]] = False
    return bool(others.any())


def _against(formulation: Formulation, placed: Ints, guest: int, site: int) -> str:
    """Return the first thing that speaks against putting the guest on the site, or nothing."""
    for label, guests, sites in formulation.bans:
        if guest in guests and site in sites:
            return label
    without, there = placed.copy(), placed.copy()
    without[guest], there[guest] = formulation.start[guest], site
    for level, words in ((Level.REPAIR, ""), (Level.OVERLOAD, "would be hot")):
        for primitive in formulation.primitives:
            if isinstance(primitive, Budget) or primitive.penalty.level is not level:
                continue
            before = excesses(formulation, primitive, without)
            if np.any(excesses(formulation, primitive, there) > before):
                return words or primitive.label
    return ""


def _busiest(line: HostLoad) -> float:
    return max(share(line, CPU, after=True), share(line, MEMORY_USED, after=True))


def _otherwise(problem: Problem, uuid: str, *, moved: bool) -> str:
    """Return what would have decided otherwise about the guest, in one phrase."""
    home = problem.cluster.placement[uuid]
    line = next(x for x in loads(problem, problem.cluster.placement) if x.host == home)
    limits = problem.policy.hot
    used = ((CPU, "cpu_used", limits.cpu_used), (MEMORY_USED, "memory_used", limits.memory_used))
    over = [(key, share(line, name)) for name, key, limit in used if share(line, name) > limit]
    if moved and over:
        key, level = over[0]
        return f"it would stay if hot.{key} were above {level:.0%}, or under [[stay]]"
    if moved:
        return "it would stay under [[stay]] or in a [[blackout]]"
    name, key, limit = max(used, key=lambda item: share(line, item[0]) - item[2])
    return (
        f"it would be considered if {home} used more than {limit:.0%} of its {WORDS[name]} "
        f"(hot.{key}; now {share(line, name):.0%}), or broke a rule where it is"
    )
