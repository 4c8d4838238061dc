"""Disk and network traffic, divided where a host has not enough of it for what its guests ask.

As CPU is: by shares, between what each is left at least and at most (`model.division`). Only guests
that a `[[resize]]` gives a `disk_least` or `network_least` give way, and none below it; all others
get what they ask. Hosts whose capacity for it is not declared divide nothing.

What a guest at its limit would ask without it is not known: it is taken for twice as much, so that a
limit is doubled while there is room, and lifted once it is not felt any more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.model.cluster import Guest
from balancer.planner.model.division import Claims, divide
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import TRAFFIC, Resize, What, in_vain
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import Resources
from balancer.planner.model.weighed import Bound, Share

FULL: Final = 0.9
"""Share of what a host's disks or network carry from which on guests wait for each other."""
FELT: Final = 0.9
"""Share of its limit from which on a guest is taken to want more."""
ALIKE: Final = 0.1
"""Share by which a limit may differ from what is wanted and is left as it is."""
LEAST: Final = 64
"""KiB/s below which no limit is set."""
PER_MILLE: Final = 1000
KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a table says of one kind of traffic, KiB/s."""

    least: int
    """What the guest keeps where it gives way to others; 0: it gives way to nobody."""
    most: int
    """What it never exceeds; 0 for no limit."""


def bounds(table: Resizing | None, what: What) -> Bounds:
    """Return what a guest's table says of this kind of traffic."""
    if table is None:
        return Bounds(0, 0)
    if what is What.BLOCK:
        return Bounds(table.disk_least, table.disk_limit)
    return Bounds(table.network_least, table.network_limit)


def manages(table: Resizing) -> bool:
    """True if a table lets any traffic be limited."""
    return any(bounds(table, what) != Bounds(0, 0) for what in TRAFFIC)


def limit_of(guest: Guest, what: What) -> int:
    """Return the limit that a guest has now, KiB/s; 0 for none."""
    knobs = guest.knobs or Knobs()
    return knobs.block if what is What.BLOCK else knobs.network


@dataclass(frozen=True, slots=True)
class _Asks:
    """One guest's part in one kind of traffic on its host, KiB/s."""

    guest: Guest
    bounds: Bounds
    shares: float
    """Weight against others."""
    limit: int
    """As it is; 0 for none."""
    used: int
    may: bool
    """Whether its limit may be changed now."""

    @property
    def felt(self) -> bool:
        """True if it would use more without its limit."""
        return 0 < FELT * self.limit <= self.used

    @property
    def wants(self) -> int:
        """What it would use if it were alone, as far as its policy goes."""
        wants = 2 * self.limit if self.felt else self.used
        return min(wants, self.bounds.most) if self.bounds.most else wants

    @property
    def gives_way(self) -> bool:
        """True if it may be held to less than it wants."""
        return self.may and self.bounds.least > 0

    def after(self, got: float, *, short: bool) -> int:
        """Return the limit it is to have that gets so much where all is divided; 0 for none.

        `short`: its host has not enough for all, so that nobody is let go.
        """
        least, most = self.bounds.least, self.bounds.most
        if self.gives_way and short and got < self.wants * (1 - ALIKE):
            return max(LEAST, least, round(got))
        if self.gives_way and self.limit and (self.felt or short):
            return max(least, self.wants if self.felt else min(self.limit, most or self.limit))
        return most


def throttled(
    problem: Problem, tables: Mapping[str, Resizing], host: str, guests: Sequence[Guest]
) -> Iterator[Resize]:
    """Yield the limits to change on one host, who gives way first; no id is given yet."""
    for what in TRAFFIC:
        asks = [_asks(problem, tables.get(guest.uuid), guest, what) for guest in guests]
        if any(one.may for one in asks):
            found = list(_changes(problem, host, what, asks))
            yield from sorted(found, key=lambda one: (not one.shrinks, one.name, one.guest))


def shares(
    problem: Problem,
    tables: Mapping[str, Resizing],
    host: str,
    guests: Sequence[Guest],
    guest: Guest,
) -> Iterator[Share]:
    """Yield what a guest wants of the traffic that its table lets be limited, and what it is to have."""
    for what, name in TRAFFIC.items():
        if bounds(tables.get(guest.uuid), what) == Bounds(0, 0):
            continue
        asks = [_asks(problem, tables.get(other.uuid), other, what) for other in guests]
        gets, short = _gets(problem, host, what, asks)
        one, got = next(p for p in zip(asks, gets, strict=True) if p[0].guest.uuid == guest.uuid)
        limit = one.after(got, short=short) if one.may else one.limit
        wanted = 2 * one.limit if one.felt else one.used
        has = min(wanted, limit) if limit else wanted
        bound = Bound.LIMIT if limit == one.bounds.most or not one.may else Bound.SHARE
        yield Share(what=name, wanted=wanted, got=has, bound=bound if has < wanted else Bound.NONE)


def crowded(problem: Problem, host: str) -> bool:
    """True if guests have more traffic than their host carries without making each other wait."""
    return problem.once(("crowded", host), lambda: _crowded(problem, host))


def _crowded(problem: Problem, host: str) -> bool:
    carries, guests = problem.host(host).usable, problem.cluster.guests_on[host]
    return any(
        sum(_used(problem.demand.mean, guest, what) for guest in guests) > carries[name] * FULL
        for what, name in TRAFFIC.items()
        if carries.get(name, 0)
    )


def unlimited(problem: Problem, table: Resizing, guest: Guest, host: str) -> Iterator[str]:
    """Yield what keeps a guest's traffic on a host from being limited as its table wants it."""
    lacks = guest.knobs.missing if guest.knobs else {}
    for what, name in TRAFFIC.items():
        if bounds(table, what) != Bounds(0, 0) and what in lacks:
            yield f"its {name} traffic cannot be limited: {lacks[what]}"
        if bounds(table, what).least and not problem.host(host).usable.get(name, 0):
            yield (
                f"its {name} traffic is not divided: how much {host} carries is not declared "
                f'(hosts file: capacity = {{ {name} = "500MiB/s" }})'
            )


def _asks(problem: Problem, table: Resizing | None, guest: Guest, what: What) -> _Asks:
    said = bounds(table, what)
    may = (
        said != Bounds(0, 0)
        and guest.knobs is not None
        and what not in guest.knobs.missing
        and guest.uuid not in problem.demand.unknown
        and not problem.rests(guest.uuid, what)
        and (guest.uuid, what) not in in_vain(problem.resized)
    )
    return _Asks(
        guest=guest,
        bounds=said,
        shares=table.shares if table else 1.0,
        limit=limit_of(guest, what),
        used=_used(problem.demand.mean, guest, what),
        may=may,
    )


def _used(moment: Mapping[str, Resources], guest: Guest, what: What) -> int:
    return moment.get(guest.uuid, {}).get(TRAFFIC[what], 0)


def _gets(
    problem: Problem, host: str, what: What, asks: Sequence[_Asks]
) -> tuple[Sequence[float], bool]:
    """Return what each gets, and whether there is too little for all."""
    room = problem.host(host).usable.get(TRAFFIC[what], 0) * FULL
    short = bool(room) and sum(one.wants for one in asks) > room and _lasts(problem, asks, what)
    return (_divided(asks, room), True) if short else ([float(one.wants) for one in asks], False)


def _changes(problem: Problem, host: str, what: What, asks: Sequence[_Asks]) -> Iterator[Resize]:
    name = TRAFFIC[what]
    carries = problem.host(host).usable.get(name, 0)
    gets, short = _gets(problem, host, what, asks)
    total = sum(one.used for one in asks)
    for one, got in zip(asks, gets, strict=True):
        after = one.after(got, short=short)
        if not one.may or _alike(one.limit, after):
            continue
        reason = f"{host} has room for its {name} traffic"
        if one.bounds.most == after and (not one.limit or after < one.limit):
            reason = (
                f"the policy gives it at most {round(after / KIB, 1):,g} MiB/s of {name} traffic"
            )
        elif after and (not one.limit or after < one.limit):
            reason = f"{name} traffic on {host} is {total / KIB:,.0f} of {carries / KIB:,.0f} MiB/s: it leaves its neighbours room"
        yield Resize(
            id="", guest=one.guest.uuid, name=one.guest.name, host=host, what=what,
            before=one.limit, after=after, reason=reason, devices=_devices(one.guest, what),
        )  # fmt: skip


def _devices(guest: Guest, what: What) -> tuple[str, ...]:
    """Return what shares the limit."""
    knobs = guest.knobs or Knobs()
    return knobs.disks if what is What.BLOCK else knobs.nics


def _lasts(problem: Problem, asks: Sequence[_Asks], what: What) -> bool:
    """True if guests are held to less already, or asked for too much as long as heat must last."""
    if any(one.limit and one.felt for one in asks):
        return True
    host = problem.home(asks[0].guest.uuid)
    room = problem.host(host).usable.get(TRAFFIC[what], 0) * FULL
    moments = (problem.demand.mean, *problem.demand.recent)
    return all(sum(_used(m, one.guest, what) for one in asks) > room for m in moments)


def _divided(asks: Sequence[_Asks], room: float) -> list[float]:
    """Return what each gets of the room; who gives way to nobody gets what it wants first."""
    wanted = np.array([float(one.wants) for one in asks])
    reserved = np.array([float(o.bounds.least if o.gives_way else o.wants) for o in asks])
    shares = np.array([one.shares * PER_MILLE for one in asks])
    claims = Claims(wanted, shares, np.minimum(reserved, wanted), np.full(len(asks), np.inf))
    site = np.zeros(len(asks), dtype=np.int64)
    return [float(got) for got in divide(claims, site, np.array([room])).got]


def _alike(now: int, wanted: int) -> bool:
    """True if a limit is so near to what is wanted that it is left."""
    if not now or not wanted:
        return now == wanted
    return abs(now - wanted) <= ALIKE * max(now, wanted)
