"""How much memory guests work with, as they say themselves: the least that may be left to them."""

from collections.abc import Mapping
from math import ceil
from typing import Final

import numpy as np

from balancer.planner.model.cluster import Cluster, Guest
from balancer.planner.model.demand import Demand
from balancer.planner.model.observation import Observation
from balancer.planner.model.resize import What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import MEMORY, Resources
from balancer.planner.model.rollups import STEP, Floats

FRESH: Final = 60.0
"""Seconds after which a guest's statistics say nothing about now."""
DAY: Final = 86_400
ALMOST_ALL: Final = 0.8
"""Share of the steps that must be known for something to have been unused all along."""
PERCENTILE: Final = 99
USED: Final = "memory.used"


def target(table: Resizing, guest: Guest, working: int) -> int:
    """Return the memory a guest should have that works with so much, MiB.

    Where memory is plugged, never less than the guest booted with: only the rest can be taken.
    """
    booted = 0
    if memory_by(guest) is What.PLUGGED and guest.knobs is not None:
        booted = guest.allocation.get(MEMORY, 0) - guest.knobs.plugged
    return max(table.floor, booted, ceil(working * (1 + table.margin)))


def memory_by(guest: Guest) -> What | None:
    """Return by what memory is taken from a guest and given to it; None for nothing."""
    knobs = guest.knobs
    if knobs is None:
        return None
    if knobs.most_plugged and What.PLUGGED not in knobs.missing:
        return What.PLUGGED
    return What.BALLOON if knobs.balloon and What.BALLOON not in knobs.missing else None


def fills(guest: Guest) -> int:
    """Return the memory that a guest may fill, MiB."""
    return (guest.knobs.balloon if guest.knobs else 0) or guest.allocation.get(MEMORY, 0)


def working(observation: Observation, tables: Mapping[str, Resizing]) -> Mapping[str, int]:
    """Return what guests work with, MiB, by uuid: of those of which it is known for long enough.

    The most of the present and of the table's `idle`, and no less than the 99th percentile of a day.
    """
    asked = [guest for guest in observation.cluster.guests if _may(guest, tables)]
    if not asked:
        return {}
    rollups = observation.rollups
    last = max(0, (int(observation.at) - rollups.start) // STEP)
    rows = rollups.guest_rows(USED, [guest.uuid for guest in asked])[:, :last]
    found = {}
    for guest, row in zip(asked, rows, strict=True):
        now = _now(observation, guest)
        idle = tables[guest.uuid].idle
        known, day = all_along(row, idle), row[-DAY // STEP :]
        if now is None or known is None:
            continue
        seen = day[~np.isnan(day)]
        usual = float(np.percentile(seen, PERCENTILE)) if len(seen) and idle >= STEP else 0.0
        found[guest.uuid] = ceil(max(float(now), *known, usual))
    return found


def all_along(row: Floats, idle: float) -> list[float] | None:
    """Return what is known of the last `idle` seconds of a row that ends now.

    None where that is too little to say that something was unused all along.
    """
    steps = int(idle // STEP)
    lately = row[len(row) - min(steps, len(row)) :]
    known: list[float] = lately[~np.isnan(lately)].tolist()
    return known if len(known) >= ALMOST_ALL * steps else None


def _may(guest: Guest, tables: Mapping[str, Resizing]) -> bool:
    """True if the policy lets its memory be taken, and the guest has what that needs."""
    table = tables.get(guest.uuid)
    return table is not None and table.memory and memory_by(guest) is not None


def _now(observation: Observation, guest: Guest) -> int | None:
    """Return what it works with now; None where nothing fresh is known."""
    samples = observation.history.guests.get(guest.uuid, ())
    if not samples or observation.at - samples[-1].at > FRESH:
        return None
    values = samples[-1].values
    if USED in values:
        return values[USED]
    if {"memory.balloon", "memory.unused"} <= values.keys():
        return max(0, values["memory.balloon"] - values["memory.unused"])
    return None


def as_needed(
    demand: Demand, cluster: Cluster, tables: Mapping[str, Resizing], works: Mapping[str, int]
) -> tuple[Mapping[str, Resources], Mapping[str, Resources], Mapping[str, int]]:
    """Return mean and peak in which memory that may be taken is not used, and what is resident."""
    found = {u: target(tables[u], cluster.guest[u], amount) for u, amount in works.items()}

    def part(amounts: Mapping[str, Resources]) -> Mapping[str, Resources]:
        cut = {
            u: {**amounts[u], MEMORY: min(most, amounts[u][MEMORY])} for u, most in found.items()
        }
        return {**amounts, **cut}

    resident = {uuid: demand.mean[uuid][MEMORY] for uuid in found}
    return part(demand.mean), part(demand.peak), resident
