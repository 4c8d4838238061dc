"""When no schedule exists, whatever is tried: proof of it, or the schedule that was overlooked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from balancer.planner.model.certificate import MOST_SEARCHED, Argument, Certificate
from balancer.planner.model.cluster import HostState
from balancer.planner.model.ledger import Ledger
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move, Travel
from balancer.planner.order.search import Searched, search

MOST_PAIRS: Final = 40_000
"""Guests times hosts up to which it is counted who can move at all; about a second."""
SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Settled:
    """Either of the two, or neither."""

    certificate: Certificate | None = None
    moves: tuple[Move, ...] | None = None


def settle(guard: Guard, travel: Travel, able: Sequence[Move]) -> Settled:
    """Return whether `able` can all be made: how, or why not; nothing where that is not known.

    With temporary moves allowed every guest counts that some rule lets move, wanted elsewhere or
    not: any of them might step aside.
    """
    target = {move.guest: move.target for move in able}
    moving = _moving(guard, target)
    stuck = _stuck(guard, target, moving)
    if stuck & target.keys():
        return Settled(_counted(guard, target, stuck))
    if len(target) > MOST_SEARCHED:
        return Settled()
    free = tuple(guest for guest in moving if guest not in stuck)
    every = bool(moving) and len(free) <= MOST_SEARCHED and not guard.problem.cluster.in_flight
    found = search(guard, target, sorted(target))
    if found.moves is None and every and len(free) > len(target):
        found = search(guard, target, free)
    if found.moves is not None:
        there = all(isfinite(travel.seconds(m.guest, m.source, m.target)) for m in found.moves)
        return Settled(moves=found.moves) if there else Settled()
    return Settled(_searched(target, free, stuck, found)) if found.whole and every else Settled()


def _moving(guard: Guard, target: Mapping[str, str]) -> tuple[str, ...]:
    """Return the guests that may take part; none if they are too many to look at."""
    problem = guard.problem
    if not problem.policy.allow.temporary_moves:
        return tuple(sorted(target))
    if len(problem.cluster.guests) * len(problem.cluster.hosts) > MOST_PAIRS:
        return ()
    return tuple(guest for guest in problem.everyone if guest not in problem.cluster.in_flight)


def _stuck(guard: Guard, target: Mapping[str, str], moving: Sequence[str]) -> frozenset[str]:
    """Return the guests none of which can move first, even if all others held nothing."""
    stuck = set(moving)
    ledger = guard.ledger()
    for guest in guard.problem.cluster.in_flight:
        ledger.put(guest)
    while freed := [guest for guest in sorted(stuck) if _may_go(guard, ledger, target, guest)]:
        for guest in freed:
            ledger.put(guest)
        stuck.difference_update(freed)
    return frozenset(stuck)


def _may_go(guard: Guard, ledger: Ledger, target: Mapping[str, str], guest: str) -> bool:
    problem = guard.problem
    hosts = [h.name for h in problem.cluster.hosts if h.state is HostState.UP]
    if not problem.policy.allow.temporary_moves:
        hosts = [target[guest]]
    home = problem.home(guest)
    return any(h != home and not guard.blocks(ledger, guest, h) for h in hosts)


def _counted(guard: Guard, target: Mapping[str, str], stuck: frozenset[str]) -> Certificate:
    names = sorted(guard.problem.name(guest) for guest in stuck)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return Certificate(
        argument=Argument.COUNT,
        target=target,
        stuck=tuple(sorted(stuck)),
        sentence=(
            f"impossible: none of {', '.join(names[:SHOWN])}{more} has room elsewhere before "
            "another of them has left"
        ),
    )


def _searched(
    target: Mapping[str, str], free: Sequence[str], stuck: frozenset[str], found: Searched
) -> Certificate:
    return Certificate(
        argument=Argument.SEARCH,
        target=target,
        moving=tuple(free),
        stuck=tuple(sorted(stuck)),
        placements=found.placements,
        sentence=(
            f"impossible: {len(free)} guests can reach {found.placements} placements one move "
            "after the other, and none of them is the one wanted"
        ),
    )
