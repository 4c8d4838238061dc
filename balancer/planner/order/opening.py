"""What would open the way for moves that block each other: tried, not guessed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.model.ledger import Ledger
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import MEMORY
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move, Travel
from balancer.planner.order.sequence import sequence

HOSTS: Final = 6
"""Hosts that are tried."""
MANY: Final = 2000
"""Guests from which on fewer are, as each trial looks at all of them."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The least change found that lets certain moves be made; each was tried."""

    mib: int = 0
    """More memory on any one of `hosts`."""
    hosts: tuple[str, ...] = ()
    steps: bool = False
    """True if allowing temporary moves is enough."""


def opening(guard: Guard, rest: Ledger, moves: Sequence[Move]) -> Opening | None:
    """Return what lets all of `moves` be made once all else is as in `rest`; None if unknown."""
    there = _resting(guard.problem, rest)
    if not there.policy.allow.temporary_moves:
        allowed = replace(there.policy, allow=replace(there.policy.allow, temporary_moves=True))
        if _opens(replace(there, policy=allowed), moves):
            return Opening(steps=True)
    found: dict[str, int] = {}
    for host in _candidates(there, rest, moves):
        most = min(found.values(), default=None)
        for mib in _amounts(there, rest, moves, host):
            if most is not None and mib > most:
                break
            if _opens(_roomier(there, host, mib), moves):
                found[host] = mib
                break
    if not found:
        return None
    least = min(found.values())
    return Opening(mib=least, hosts=tuple(sorted(h for h, mib in found.items() if mib == least)))


def _resting(problem: Problem, rest: Ledger) -> Problem:
    """Return the problem as it is once the moves before have been made."""
    placement = {guest: rest[guest][0] for guest in problem.cluster.placement}
    return replace(problem, cluster=replace(problem.cluster, placement=placement))


def _opens(problem: Problem, moves: Sequence[Move]) -> bool:
    return not sequence(Guard(problem), Travel(problem), moves).left


def _roomier(problem: Problem, name: str, mib: int) -> Problem:
    """Return the problem with so much more memory on a host."""
    hosts = tuple(
        replace(h, capacity={**h.capacity, MEMORY: h.capacity.get(MEMORY, 0) + mib})
        if h.name == name
        else h
        for h in problem.cluster.hosts
    )
    return replace(problem, cluster=replace(problem.cluster, hosts=hosts))


def _candidates(problem: Problem, rest: Ledger, moves: Sequence[Move]) -> Sequence[str]:
    """Return the hosts worth trying: those concerned, and the roomiest of the others."""
    concerned = {host for move in moves for host in (move.source, move.target)}
    free = {host: free_mib(problem, rest, host) for host in problem.receiving}
    order = sorted(free, key=lambda h: (h in concerned, -free[h], h))
    most = HOSTS if len(problem.cluster.guests) < MANY else 2
    return order[:most] + [h for h in order[most:] if h in concerned][:most]


def _amounts(problem: Problem, rest: Ledger, moves: Sequence[Move], host: str) -> Iterator[int]:
    """Yield, least first, what one of the guests lacks on `host`, then several together."""
    needs: Mapping[str, int] = {m.guest: problem.needs[m.guest].get(MEMORY, 0) for m in moves}
    free = max(0, free_mib(problem, rest, host))
    sizes = sorted(needs.values())
    sums = [sum(sizes[: i + 1]) for i in range(1, len(sizes))]
    lacking = {need - free for need in (*sizes, *sums) if need > free}
    yield from sorted(lacking)[: 2 * HOSTS]


def free_mib(problem: Problem, rest: Ledger, host: str) -> int:
    """Return the memory not allocated on `host`, MiB."""
    used = sum(problem.needs[guest].get(MEMORY, 0) for guest in rest.on(host))
    return problem.host(host).usable.get(MEMORY, 0) - used
