"""Memory that guests do not use, given to neighbours that need some, or to a host that is too full.

By balloon, within what a guest is allocated; or by virtio-mem, within what can be plugged into it, which changes
what it is allocated. Taken only from guests that a `[[resize]]` with `memory = true` names, whose own statistics are
fresh and have shown it unused for as long as the table asks; never below the floor, nor below what they work
with and the margin. What is given waits for what is taken. Placement counts such memory as free, so
that nobody moves for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from balancer.planner.model.cluster import Guest
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, What, memory_taken
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import MEMORY
from balancer.planner.model.spare import fills, memory_by, target
from balancer.planner.model.weighed import Bound, Share

LEAST: Final = 16
"""MiB below which nothing is taken or given."""
BELOW: Final = 0.05
"""Share of a host by which one that is hot is brought below the limit."""


@dataclass(frozen=True, slots=True)
class Within:
    """What bounds one host's memory beside its guests."""

    most: int
    """MiB that may be taken."""
    arriving: Sequence[Guest] = ()
    """Guests that the same plan moves there: what they use must be there when they come."""
    closed: bool = False
    """True: nobody is allocated more."""


@dataclass(frozen=True, slots=True)
class _Held:
    """One guest's memory, MiB."""

    guest: Guest
    has: int
    """What it may fill."""
    most: int
    """To what it can be brought."""
    least: int
    """What it should have: what it works with, the margin, and no less than the floor."""
    table: Resizing | None = None
    """None: it is left as it is."""
    what: What = What.BALLOON
    """How it is changed."""
    rests: bool = False
    """True if it was changed so lately that nothing is taken."""

    @property
    def block(self) -> int:
        """In multiples of what it is changed."""
        return max(1, (self.guest.knobs or Knobs()).plug_block) if self.what is What.PLUGGED else 1

    @property
    def spare(self) -> int:
        """What may be taken of it."""
        left = self.has - self.least if self.table and not self.rests else 0
        return left // self.block * self.block

    @property
    def wants(self) -> int:
        """What it lacks, as far as it may have more."""
        lacks = min(self.most, self.least) - self.has if self.table else 0
        return min(self.most - self.has, -(-lacks // self.block) * self.block)


def memory(
    problem: Problem,
    tables: Mapping[str, Resizing],
    host: str,
    guests: Sequence[Guest],
    within: Within,
) -> tuple[Resize, ...]:
    """Return what to take and then to give on one host.

    Ids are `take N` and `give N`, for whoever numbers all of a plan's.
    """
    held = [_held(problem, tables, guest, closed=within.closed) for guest in guests]
    arriving = within.arriving
    wanting = [one for one in held if one.wants >= LEAST]
    usable = problem.host(host).usable.get(MEMORY, 0)
    free = usable - sum(one.has for one in held) - sum(fills(guest) for guest in arriving)
    wanted = sum(one.wants for one in wanting)
    missing = max(wanted - free if wanted else 0, _too_full(problem, [*guests, *arriving], usable))
    takes = tuple(_for(arriving, one) for one in _takes(held, host, missing, within.most))
    free += sum(resize.before - resize.after for resize in takes)
    return (*takes, *_gives(wanting, host, free, tuple(take.id for take in takes)))


def takeable(problem: Problem) -> int:
    """Return the MiB that may still be taken within this hour."""
    lately = memory_taken(one.resize for one in problem.resized_lately)
    return problem.policy.limits.memory_taken_per_hour - lately


def short(problem: Problem, guest: Guest, table: Resizing) -> bool:
    """True if a guest works with nearly all that it is allocated: a balloon has no more to give."""
    working = problem.demand.working.get(guest.uuid)
    has = guest.allocation.get(MEMORY, 0)
    return working is not None and target(table, guest, working) >= has + LEAST


def _held(
    problem: Problem, tables: Mapping[str, Resizing], guest: Guest, *, closed: bool = False
) -> _Held:
    table, working = tables.get(guest.uuid), problem.demand.working.get(guest.uuid)
    has, what = fills(guest), memory_by(guest)
    if table is None or not table.memory or working is None or what is None:
        return _Held(guest, has, has, has)
    most = guest.allocation.get(MEMORY, 0)
    if what is What.PLUGGED and guest.knobs is not None and not closed:
        most += guest.knobs.most_plugged - guest.knobs.plugged
    rests = problem.rests(guest.uuid, what)
    return _Held(guest, has, most, target(table, guest, working), table, what, rests)


def _for(arriving: Sequence[Guest], take: Resize) -> Resize:
    """Return what is taken, with those for whom it is."""
    if not arriving:
        return take
    names = ", ".join(sorted(guest.name for guest in arriving))
    uuids = tuple(guest.uuid for guest in arriving)
    return replace(take, room_for=uuids, reason=f"{take.reason} for {names} to come")


def _too_full(problem: Problem, guests: Sequence[Guest], usable: int) -> int:
    """Return by how much a host that is too full is to come down."""
    used = sum(
        problem.demand.resident.get(g.uuid, problem.demand.mean.get(g.uuid, {}).get(MEMORY, 0))
        for g in guests
    )
    hot = problem.policy.hot.memory_used
    return used - int(usable * max(0.0, hot - BELOW)) if used > usable * hot else 0


def _takes(held: Sequence[_Held], host: str, missing: int, most: int) -> Iterator[Resize]:
    """Yield what is taken, from whoever has most to spare first."""
    for number, one in enumerate(sorted(held, key=lambda one: (-one.spare, one.guest.uuid)), 1):
        needed, allowed = -(-missing // one.block), most // one.block
        amount = min(one.spare, min(needed, allowed) * one.block)
        if one.table is None or amount < LEAST:
            return
        missing, most = missing - amount, most - amount
        why = f"it has left {one.spare} MiB unused that {host} is short of"
        yield _resize(f"take {number}", one, host, -amount, (why, ()))


def _gives(
    wanting: Sequence[_Held], host: str, free: int, takes: tuple[str, ...]
) -> Iterator[Resize]:
    """Yield what is given, to whoever lacks most first, as far as there is any."""
    for number, one in enumerate(sorted(wanting, key=lambda one: (-one.wants, one.guest.uuid)), 1):
        amount = min(one.wants, free // one.block * one.block)
        if amount < LEAST:
            return
        free -= amount
        where = "that its balloon leaves it" if one.what is What.BALLOON else "that it has"
        why = f"it works with nearly all of the {one.has} MiB {where}"
        yield _resize(f"give {number}", one, host, amount, (why, takes))


def _resize(
    id_: str, one: _Held, host: str, more: int, why: tuple[str, tuple[str, ...]]
) -> Resize:
    assert one.table is not None  # noqa: S101 - others are left as they are
    knobs = one.guest.knobs or Knobs()
    before = knobs.plugged if one.what is What.PLUGGED else one.has
    step = max(1, one.table.step // one.block) * one.block
    keep = ceil(max(0, one.least - one.least / (1 + one.table.margin)))
    return Resize(
        id=id_, guest=one.guest.uuid, name=one.guest.name, host=host, what=one.what,
        before=before, after=before + more, waits_for=why[1], reason=why[0], step=step, keep=keep,
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
    made = memory(problem, tables, host, guests, Within(takeable(problem)))
    changed = {r.guest: r.after - r.before for r in made}
    got = one.has + changed.get(guest.uuid, 0)
    bound = Bound.NONE
    if got < one.least - LEAST:
        full = got >= one.most
        bound = Bound.LIMIT if full else Bound.SHARE
    return Share(what=MEMORY, wanted=one.least, got=min(got, one.least), bound=bound)
