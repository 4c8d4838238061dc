"""Virtual processors for guests that use all they have, and back from those that need them no more.

A guest that keeps nearly all of its vCPUs busy, as long as heat must last, is short of them and not of its host's
CPU: no shares help it, and no move. It is given half as many again where its host has the cores to run
them. What was plugged while it runs is taken back once the guest did without it for the table's `idle`;
a guest whose kernel does not let go keeps it until its next boot, so nothing is built on that.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Final

from balancer.planner.model.cluster import Guest
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, What, in_vain
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import CPU, VCPUS

CORE: Final = 1000
"""Millicores that a vCPU can use."""
FULL: Final = 0.9
"""Share of its vCPUs in use from which on a guest has too few."""
EASY: Final = 0.6
"""Share of those it keeps that a guest may have used at most where some are taken: far enough from
FULL that none is plugged again soon."""


def plugged(
    problem: Problem, tables: Mapping[str, Resizing], host: str, guests: Sequence[Guest]
) -> Iterator[Resize]:
    """Yield which of a host's guests get vCPUs, and which give some back; no id is given yet."""
    named = [guest for guest in guests if may(problem, tables, guest)]
    yield from (one for guest in named for one in _taken(problem, tables[guest.uuid], host, guest))
    left = _left(problem, host, guests)
    for guest in sorted(named, key=lambda g: (-used(problem, g.uuid), g.uuid)):
        after = min(_wanted(problem, tables[guest.uuid], guest), _has(guest) + left // CORE)
        if after > _has(guest):
            left -= (after - _has(guest)) * CORE
            why = f"all of its {_has(guest)} vCPUs are busy and {host} has cores to spare"
            yield _resize(guest, host, after, why)


def may(problem: Problem, tables: Mapping[str, Resizing], guest: Guest) -> bool:
    """True if the policy lets its vCPUs be changed, it can be done, and it is time for it."""
    table, doubtful = tables.get(guest.uuid), problem.demand.unknown | problem.demand.changing
    return (
        table is not None
        and table.vcpus
        and guest.knobs is not None
        and What.VCPUS not in guest.knobs.missing
        and guest.uuid not in doubtful
        and not problem.rests(guest.uuid, What.VCPUS)
        and (guest.uuid, What.VCPUS) not in in_vain(problem.resized)
    )


def full(problem: Problem, guest: Guest) -> bool:
    """True if a guest keeps all its vCPUs busy, and did as long as heat must last."""
    return used(problem, guest.uuid) >= FULL * CORE * _has(guest) > 0


def used(problem: Problem, uuid: str) -> int:
    """Return what a guest uses of CPU at least, now and in the latest steps, millicores."""
    demand = problem.demand
    if uuid in demand.used:  # of the latest steps only that is known which counts
        return demand.used[uuid]
    moments = (demand.mean, *demand.recent)
    return min(moment.get(uuid, {}).get(CPU, 0) for moment in moments)


def most(table: Resizing, guest: Guest) -> int:
    """Return to how many vCPUs a guest may be brought at all, by its policy and its XML."""
    allowed = guest.knobs.most_vcpus if guest.knobs else 0
    return min(allowed, table.most_vcpus) if table.most_vcpus else allowed


def _has(guest: Guest) -> int:
    return guest.allocation.get(VCPUS, 0)


def _wanted(problem: Problem, table: Resizing, guest: Guest) -> int:
    """Return how many vCPUs a guest should have that has too few; as many as it has where it has not."""
    now = _has(guest)
    held_down = 0 < (table.limit or (guest.knobs.quota if guest.knobs else 0)) <= now * CORE
    if held_down or not full(problem, guest):
        return now
    return min(now + ceil(now / 2), most(table, guest))


def _left(problem: Problem, host: str, guests: Sequence[Guest]) -> int:
    """Return the millicores that a host could still run and not be hot, of what counts there."""
    demand = problem.demand
    runs = sum(demand.mean.get(g.uuid, {}).get(CPU, 0) for g in guests)
    waits = sum(demand.delay.get(g.uuid, 0) for g in guests)
    usable = problem.host(host).usable.get(CPU, 0)
    return max(0, int(problem.policy.hot.cpu_used * usable) - runs - waits)


def _taken(problem: Problem, table: Resizing, host: str, guest: Guest) -> Iterator[Resize]:
    """Yield what is taken of what was plugged, where a guest did without it all along."""
    busiest = problem.demand.busiest.get(guest.uuid)
    if busiest is None or guest.knobs is None:
        return
    least = max(1, table.least_vcpus, _has(guest) - guest.knobs.plugged_vcpus)
    after = max(least, ceil(busiest / (EASY * CORE)))
    if after < _has(guest):
        why = f"it used {busiest / CORE:.1f} cores at most of late: the others were plugged while it ran"
        yield _resize(guest, host, after, why)


def _resize(guest: Guest, host: str, after: int, why: str) -> Resize:
    return Resize(
        id="", guest=guest.uuid, name=guest.name, host=host, what=What.VCPUS,
        before=_has(guest), after=after, reason=why,
    )  # fmt: skip
