"""Memory that guests do not use, given to neighbours that need some, or to a host that is too full.

Taken only from guests that a `[[resize]]` with `memory = true` names, whose own statistics are fresh
and have shown it unused for as long as the table asks; never below the floor, nor below what they work
with and the margin. What is given waits for what is taken. Placement counts such memory as free, so
that nobody moves for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from balancer.planner.model.cluster import Guest
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import MEMORY
from balancer.planner.model.spare import target
from balancer.planner.model.weighed import Bound, Share

LEAST: Final = 16
"""MiB below which nothing is taken or given."""
BELOW: Final = 0.05
"""Share of a host by which one that is hot is brought below the limit."""


@dataclass(frozen=True, slots=True)
class _Held:
    """One guest's memory, MiB."""

    guest: Guest
    balloon: int
    """What it may fill."""
    table: Resizing | None
    """None: it is left as it is."""
    least: int
    """What it should have: what it works with, the margin, and no less than the floor."""
    rests: bool = False
    """True if it was changed so lately that nothing is taken."""

    @property
    def spare(self) -> int:
        """What may be taken of it."""
        return self.balloon - self.least if self.table and not self.rests else 0

    @property
    def wants(self) -> int:
        """What it lacks, as far as it may have more."""
        most = self.guest.allocation.get(MEMORY, 0)
        return min(most, self.least) - self.balloon if self.table else 0


def memory(
    problem: Problem,
    tables: Mapping[str, Resizing],
    host: str,
    guests: Sequence[Guest],
    most: int,
    arriving: Sequence[Guest] = (),
) -> tuple[Resize, ...]:
    """Return what to take and then to give on one host; at most so many MiB are taken.

    `arriving` are moved there by the same plan: what they use must be there when they come.

    Ids are `take N` and `give N`, for whoever numbers all of a plan's.
    """
    held = [_held(problem, tables, guest) for guest in guests]
    wanting = [one for one in held if one.wants >= LEAST]
    usable = problem.host(host).usable.get(MEMORY, 0)
    free = usable - sum(one.balloon for one in held) - sum(_balloon(guest) for guest in arriving)
    wanted = sum(one.wants for one in wanting)
    missing = max(wanted - free if wanted else 0, _too_full(problem, [*guests, *arriving], usable))
    takes = tuple(_for(arriving, one) for one in _takes(held, host, min(missing, most)))
    free += sum(resize.before - resize.after for resize in takes)
    return (*takes, *_gives(wanting, host, free, tuple(take.id for take in takes)))


def _held(problem: Problem, tables: Mapping[str, Resizing], guest: Guest) -> _Held:
    table, working = tables.get(guest.uuid), problem.demand.working.get(guest.uuid)
    balloon = _balloon(guest)
    if table is None or not table.memory or working is None:
        return _Held(guest, balloon, None, balloon)
    rests = problem.rests(guest.uuid, What.BALLOON)
    return _Held(guest, balloon, table, target(table, working), rests)


def _for(arriving: Sequence[Guest], take: Resize) -> Resize:
    """Return what is taken, with those for whom it is."""
    if not arriving:
        return take
    names = ", ".join(sorted(guest.name for guest in arriving))
    uuids = tuple(guest.uuid for guest in arriving)
    return replace(take, room_for=uuids, reason=f"{take.reason} for {names} to come")


def _balloon(guest: Guest) -> int:
    """Return what a guest may fill, MiB."""
    return (guest.knobs.balloon if guest.knobs else 0) or guest.allocation.get(MEMORY, 0)


def _too_full(problem: Problem, guests: Sequence[Guest], usable: int) -> int:
    """Return by how much a host that is too full is to come down."""
    used = sum(
        problem.demand.resident.get(g.uuid, problem.demand.mean.get(g.uuid, {}).get(MEMORY, 0))
        for g in guests
    )
    hot = problem.policy.hot.memory_used
    return used - int(usable * max(0.0, hot - BELOW)) if used > usable * hot else 0


def _takes(held: Sequence[_Held], host: str, missing: int) -> Iterator[Resize]:
    """Yield what is taken, from whoever has most to spare first."""
    for number, one in enumerate(sorted(held, key=lambda one: (-one.spare, one.guest.uuid)), 1):
        amount = min(one.spare, missing)
        if one.table is None or amount < LEAST:
            return
        missing -= amount
        why = f"it has left {one.spare} MiB unused that {host} is short of"
        yield _resize(f"take {number}", one, host, one.balloon - amount, (why, ()))


def _gives(
    wanting: Sequence[_Held], host: str, free: int, takes: tuple[str, ...]
) -> Iterator[Resize]:
    """Yield what is given, to whoever lacks most first, as far as there is any."""
    for number, one in enumerate(sorted(wanting, key=lambda one: (-one.wants, one.guest.uuid)), 1):
        amount = min(one.wants, free)
        if amount < LEAST:
            return
        free -= amount
        why = f"it works with nearly all of the {one.balloon} MiB that its balloon leaves it"
        yield _resize(f"give {number}", one, host, one.balloon + amount, (why, takes))


def _resize(
    id_: str, one: _Held, host: str, after: int, why: tuple[str, tuple[str, ...]]
) -> Resize:
    assert one.table is not None  # noqa: S101 - others are left as they are
    step, keep = one.table.step, ceil(max(0, one.least - one.least / (1 + one.table.margin)))
    return Resize(
        id=id_, guest=one.guest.uuid, name=one.guest.name, host=host, what=What.BALLOON,
        before=one.balloon, after=after, waits_for=why[1], reason=why[0], step=step, keep=keep,
    )  # fmt: skip


def held(
    problem: Problem,
    tables: Mapping[str, Resizing],
    host: str,
    guests: Sequence[Guest],
    guest: Guest,
) -> Share | None:
    """Return what a guest wants of memory and is left once all is taken and given there.

    None where its memory is not managed, or what it works with is not known.
    """
    one = _held(problem, tables, guest)
    if one.table is None:
        return None
    lately = (done.resize for done in problem.resized_lately if done.resize.what is What.BALLOON)
    most = problem.policy.limits.memory_taken_per_hour
    most -= sum(max(0, resize.before - resize.after) for resize in lately)
    changed = {r.guest: r.after for r in memory(problem, tables, host, guests, most)}
    got = changed.get(guest.uuid, one.balloon)
    bound = Bound.NONE
    if got < one.least - LEAST:
        full = got >= guest.allocation.get(MEMORY, 0)
        bound = Bound.LIMIT if full else Bound.SHARE
    return Share(what=MEMORY, wanted=one.least, got=min(got, one.least), bound=bound)
