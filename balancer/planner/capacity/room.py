"""Places for guests that wait: while nobody else moves, and once those that run have made room.

Room is made before the first one arrives, so that what is free serves as the space to move in.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.capacity.waiting import NOWHERE, STAYS_PUT
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Plan
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.pipeline import sought, towards_for

WARY: Final = 2
"""Aggressiveness from which load counts when a host is chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where those that wait find a place."""

    now: Placement
    """Host by uuid, while nobody else moves."""
    later: Placement
    """The same once others have made room; equal to `now` where that helps nobody."""
    moves: Plan | None
    """What makes room; None where that helps nobody."""
    settled: Placement
    """Of everybody, those that wait and find no place included, with `later` carried out."""


def places(asked: Problem, request: Request, keep_going: Callable[[], bool]) -> Places:
    """Return where the guests of `asked` that wait find a place.

    Every placement has passed the judge. Whom `asked` holds stays also where that costs places.
    """
    home = asked.cluster.placement
    mine = frozenset(uuid for uuid, host in home.items() if host == NOWHERE)
    now = arrivals(asked, mine, request, keep_going)
    found = Places(now=now, later=now, moves=None, settled={**home, **now})
    made = _room(asked, mine, request, keep_going) if len(now) < len(mine) else None
    if not made or not made.actions:
        return found
    reached = {**home, **{a.guest: a.target for a in made.actions}}
    cleared = replace(asked, cluster=replace(asked.cluster, placement=reached))
    later = arrivals(cleared, mine, request, keep_going)
    roomy = Places(now=now, later=later, moves=made, settled={**reached, **later})
    return max(found, roomy, key=lambda places: len(places.later))


def arrivals(
    asked: Problem, mine: frozenset[str], request: Request, keep_going: Callable[[], bool]
) -> Placement:
    """Return the host of each that finds one while nobody else moves: cool ones before hot ones.

    The first answer is taken where it leaves nobody over.
    """
    wary = replace(asked.policy, aggressiveness=max(WARY, asked.policy.aggressiveness))
    others = {g.uuid: STAYS_PUT for g in asked.cluster.guests if g.uuid not in mine}
    alone = replace(asked, held={**others, **asked.held}, policy=wary)
    found: dict[str, str] = {}
    for effort in dict.fromkeys((Effort.INSTANT, request.effort)):
        best = sought(alone, replace(request, effort=effort), keep_going)
        target = {uuid: best[uuid] for uuid in mine if best[uuid] != NOWHERE}
        made = towards_for(alone, target, "finds a place") if target else None
        actions = made.actions if isinstance(made, Plan) else ()
        there = {a.guest: a.target for a in actions if a.guest in mine}
        found = max(found, there, key=len)
        if len(found) == len(mine):
            break
    return found


def _room(
    asked: Problem, mine: frozenset[str], request: Request, keep_going: Callable[[], bool]
) -> Plan | None:
    """Return what those that run do so that more find a place: places first, then the way."""
    best, home = sought(asked, request, keep_going), asked.cluster.placement
    target = {u: to for u, to in best.items() if u not in mine and to != home[u]}
    alone = replace(asked, cluster=_without(asked, mine), ordered=frozenset(target))
    made = towards_for(alone, target, "makes room")
    return made if isinstance(made, Plan) else None


def _without(asked: Problem, mine: frozenset[str]) -> Cluster:
    """Return the cluster as if nobody waited."""
    cluster = asked.cluster
    return replace(
        cluster,
        hosts=tuple(h for h in cluster.hosts if h.name != NOWHERE),
        guests=tuple(g for g in cluster.guests if g.uuid not in mine),
        placement={u: h for u, h in cluster.placement.items() if u not in mine},
    )
