"""Two guests whose metrics change places at once have been mistaken for each other.

So does a pair that fails over; it is held still for as long as that looks the same: one hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from balancer.planner.model.observation import Observation
from balancer.planner.model.outlook import PER_HOUR
from balancer.planner.model.resources import CPU
from balancer.planner.model.rollups import STEP, Floats

LEAST: Final = 4
"""Known steps of the latest hour that tell what a guest is wont to use."""
FAR: Final = 6.0
NEAR: Final = 4.0
"""Standard deviations: further than FAR from one's own habit, within NEAR of another's."""
MOST: Final = 200
"""If more guests than that change at once, the cause is another: a night's jobs begin."""
LEAST_SPREAD: Final = 50.0
"""Millicores by which the steadiest guest varies."""


@dataclass(frozen=True, slots=True)
class _Habit:
    """What a guest used in the latest hour, and what it is said to use now: millicores."""

    uuid: str
    name: str
    mean: float
    spread: float
    now: int

    def fits(self, amount: float, within: float) -> bool:
        """True if `amount` is usual for this guest."""
        return abs(amount - self.mean) <= within * self.spread


def mistaken(observation: Observation) -> Mapping[str, str]:
    """Return whose metrics a guest's newest ones seem to be, by uuid."""
    strange = [habit for habit in _habits(observation) if not habit.fits(habit.now, FAR)]
    found: dict[str, str] = {}
    if len(strange) > MOST:
        return found
    for one, other in combinations(strange, 2):
        if one.fits(other.now, NEAR) and other.fits(one.now, NEAR):
            found[one.uuid] = f"its CPU looks like that of {other.name}, and the other way round"
            found[other.uuid] = f"its CPU looks like that of {one.name}, and the other way round"
    return found


def _habits(observation: Observation) -> list[_Habit]:
    rollups = observation.rollups
    taken = observation.history.guests
    guests = [g for g in observation.cluster.guests if taken.get(g.uuid)]
    present = rollups.start + rollups.columns * STEP > observation.at
    rows = rollups.guest_rows(CPU, [g.uuid for g in guests], PER_HOUR + 1)
    rows = rows[:, :-1] if present else rows
    habits = []
    for guest, row in zip(guests, rows, strict=True):
        known: Floats = row[~np.isnan(row)]
        now = taken[guest.uuid][-1].values.get(CPU)
        if now is not None and len(known) >= LEAST:
            spread = max(LEAST_SPREAD, float(known.std()))
            habits.append(_Habit(guest.uuid, guest.name, float(known.mean()), spread, now))
    return habits
