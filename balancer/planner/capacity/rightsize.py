"""Guests whose allocation is far from their demand: what to set, what that frees, and the risk.

A size is a percentile of what was wanted, with a margin. How often it would have been too small
is asked of times that it was not made from: sizes made from the first half, two thirds and five
sixths of what is known are each held against what came until the next of these moments, so that
no day is judged by itself (forecasting's rolling origin; Hyndman and Athanasopoulos, Forecasting:
Principles and Practice, section 5.10). All of it sees 5-minute means: peaks within them are not seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.model.cluster import Cluster, Guest
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.resources import HUGEPAGES, MEMORY, VCPUS
from balancer.planner.model.rollups import Floats, Rollups

PER_DAY: Final = 288
MILLICORES: Final = 1000
STEP_MIB: Final = 256
"""Memory is given in steps of so much."""
ORIGINS: Final = (1 / 2, 2 / 3, 5 / 6, 1.0)
"""Shares of what is known at which sizes are made, and up to the next of which they are tested."""
ALL_OF_IT: Final = 0.95
"""A guest that wants this share of what it has, without a margin, is to grow."""
ROUNDING: Final = 1e-6
"""Of binary fractions: what is less than this above a size is not above it."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How sizes are made."""

    percentile: float = 0.99
    """Share of the time that a size covers, without the margin."""
    margin: float = 0.20
    """Share that is added to it."""
    least_change: float = 0.25
    """Share of its allocation that a guest must have too much for it to be named."""
    least_days: float = 7.0
    """Days that must be known of a guest; more than none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One resource of one guest: vCPUs, or MiB."""

    now: int
    set: int
    """What to set; `now` where that is near enough."""
    wanted: float
    """The percentile of what was wanted: vCPUs, or MiB."""
    over: float
    """Share of the known time in which more than `set` was wanted."""
    tested: float
    """The same out of sample: of sizes made like it, in times they were not made from."""
    days: float
    """How much is known."""
    basis: str
    """What the demand was taken from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """One guest."""

    guest: str
    """Uuid."""
    name: str
    host: str
    vcpus: Side | None = None
    memory: Side | None = None
    unknown: tuple[str, ...] = ()
    """Why nothing is said of one or the other."""
    notes: tuple[str, ...] = ()
    """What to know before it is set."""

    @property
    def far(self) -> bool:
        """True if there is anything to set."""
        return any(side is not None and side.set != side.now for side in (self.vcpus, self.memory))


MEANINGS: Final[Mapping[str, str]] = {
    "guest": "what the guest itself counts as used, its page cache included",
    "rss": "memory resident on the host: all the guest ever touched, so that it may need less",
    "balloon": "what the balloon leaves it, which is not what it needs: nothing is proposed",
}
"""What memory was taken from, in words."""
TIGHT: Final = "what the guest itself counts as used without its page cache"
"""The only memory that can be too little: caches fill whatever there is, so that a guest that has
used all of it need not lack any."""


def rightsize(cluster: Cluster, rollups: Rollups, wish: Wish = Wish()) -> tuple[Sized, ...]:
    """Return how every guest stands, by name. `rollups` is believed as it is."""
    guests = sorted(cluster.guests, key=lambda g: (g.name, g.uuid))
    uuids = [guest.uuid for guest in guests]
    cpu = rollups.guest_rows("cpu", uuids)
    delay = rollups.guest_rows("cpu.delay", uuids)
    cpu += np.where(np.isnan(delay), np.float32(0), delay)
    memory = _memory(guests, rollups)
    return tuple(
        _sized(guest, cluster, cpu[number], memory[number], wish)
        for number, guest in enumerate(guests)
    )


def freed(found: tuple[Sized, ...]) -> tuple[int, int]:
    """Return the vCPUs and MiB that setting all of them frees; less than 0 where more is needed."""
    return (
        sum(one.vcpus.now - one.vcpus.set for one in found if one.vcpus),
        sum(one.memory.now - one.memory.set for one in found if one.memory),
    )


def _memory(guests: list[Guest], rollups: Rollups) -> list[tuple[str, Floats, Floats]]:
    """Return, of each guest, what its memory is taken from, [columns] of MiB, and those uncached.

    The best meaning that is known for most of the time that any is.
    """
    uuids = [guest.uuid for guest in guests]
    rows = {
        m: rollups.guest_rows(f"memory.{m}", uuids) for m in ("unused", "cache", "balloon", "rss")
    }
    size = np.array([[g.allocation.get(MEMORY, 0)] for g in guests], dtype=np.float32)
    left = np.where(np.isnan(rows["balloon"]), size, rows["balloon"])
    kinds = {"guest": left - rows["unused"], "rss": rows["rss"], "balloon": rows["balloon"]}
    known = {kind: (~np.isnan(row)).sum(axis=1) for kind, row in kinds.items()}
    found = []
    for number in range(len(guests)):
        most = max(int(count[number]) for count in known.values())
        kind = next(kind for kind in kinds if 2 * int(known[kind][number]) >= most)
        tight = kinds["guest"][number] - rows["cache"][number]
        found.append((kind, kinds[kind][number], tight))
    return found


def _sized(
    guest: Guest, cluster: Cluster, cpu: Floats, memory: tuple[str, Floats, Floats], wish: Wish
) -> Sized:
    kind, mib, tight = memory
    vcpus = _side(
        cpu, guest.allocation.get(VCPUS, 0), (MILLICORES, 1), "cpu used and delayed", wish
    )
    unknown = [_little(VCPUS, cpu, wish)] if vcpus is None else []
    size = None
    if kind == "balloon":
        unknown.append(f"memory: {MEANINGS[kind]}")
    else:
        size = _memory_side(guest, kind, mib, tight, wish)
        unknown += [_little(MEMORY, mib, wish)] if size is None else []
    return Sized(
        guest=guest.uuid,
        name=guest.name,
        host=cluster.placement[guest.uuid],
        vcpus=vcpus,
        memory=size,
        unknown=tuple(unknown),
        notes=tuple(_notes(guest, vcpus, size)),
    )


def _memory_side(guest: Guest, kind: str, mib: Floats, tight: Floats, wish: Wish) -> Side | None:
    """Return less where even what is cached leaves much; more only where what is not cached asks."""
    now = guest.allocation.get(MEMORY, 0)
    more = _side(tight, now, (1, STEP_MIB), TIGHT, wish)
    if more is not None and more.set > now:
        return more
    less = _side(mib, now, (1, STEP_MIB), MEANINGS[kind], wish)
    if less is not None and less.set > now:
        return replace(less, set=now, over=0.0, tested=0.0)
    return less


def _little(what: str, row: Floats, wish: Wish) -> str:
    days = np.count_nonzero(~np.isnan(row)) / PER_DAY
    return f"{what}: {days:.1f} days are known, {wish.least_days:g} are needed"


def _live(guest: Guest, vcpus: Side | None, memory: Side | None) -> Iterator[str]:
    """Yield how much more it can be given while it runs."""
    knobs = guest.knobs or Knobs()
    if vcpus is not None and vcpus.now < vcpus.set and knobs.most_vcpus > vcpus.now:
        yield f"up to {knobs.most_vcpus} vCPUs can be plugged while it runs"
    more = knobs.most_plugged - knobs.plugged
    if memory is not None and memory.now < memory.set and more > 0:
        yield f"{more} MiB more can be plugged while it runs"


def _notes(guest: Guest, vcpus: Side | None, memory: Side | None) -> Iterator[str]:
    yield from _live(guest, vcpus, memory)
    pages = [name for name in guest.allocation if name.startswith(HUGEPAGES)]
    if pages and memory is not None and memory.set != memory.now:
        yield "its memory is in huge pages: their number changes with it"
    if memory is not None and memory.set > memory.now:
        yield "a guest that swaps cannot show how much more memory it wants"


def _side(row: Floats, now: int, units: tuple[int, int], basis: str, wish: Wish) -> Side | None:
    """Return what to set of one resource; None where too little is known of it.

    `units`: how much of the row's unit one is, and in steps of how many it is given.
    """
    wanted = row[~np.isnan(row)].astype(np.float64) / units[0]
    if len(wanted) < wish.least_days * PER_DAY or now <= 0:
        return None
    quantile = _quantile(wanted, wish.percentile)
    size = _size(quantile, units[1], wish)
    enough = quantile < ALL_OF_IT * now
    near = now - size < wish.least_change * now if size <= now else enough
    size = now if near else size
    return Side(
        now=now,
        set=size,
        wanted=round(quantile, 2),
        over=_share(wanted > size + ROUNDING),
        tested=_tested(wanted, units[1], wish, now=now if near else None),
        days=round(len(wanted) / PER_DAY, 1),
        basis=basis,
    )


def _size(quantile: float, step: int, wish: Wish) -> int:
    """Return the percentile and the margin, rounded up to a whole step, and at least one."""
    return max(1, ceil(quantile * (1 + wish.margin) / step - ROUNDING)) * step


def _quantile(wanted: NDArray[np.float64], share: float) -> float:
    """Return the least amount that covers that share of the time: no interpolation."""
    number = max(0, ceil(share * len(wanted) - ROUNDING) - 1)
    return float(np.partition(wanted, number)[number])


def _tested(wanted: NDArray[np.float64], step: int, wish: Wish, *, now: int | None) -> float:
    """Return the share of later times in which sizes made from earlier ones were too small.

    With `now` the size is not made, but stays.
    """
    over: list[Bools] = []
    moments = [round(share * len(wanted)) for share in ORIGINS]
    for begin, end in pairwise(moments):
        size = now or _size(_quantile(wanted[:begin], wish.percentile), step, wish)
        over.append(wanted[begin:end] > size + ROUNDING)
    return _share(np.concatenate(over))


def _share(over: Bools) -> float:
    return round(float(over.mean()), 5)
