"""A sample must fit the guest's own past: meters get stuck, and exporters say nought for nothing."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from balancer.planner.model.observation import Observation
from balancer.planner.model.outlook import PER_DAY
from balancer.planner.model.resources import CPU, VCPUS
from balancer.planner.model.rollups import STEP, Floats
from balancer.planner.model.usage import MILLICORES

STUCK: Final = 4
"""Known steps in a row that the very same amount is chance no more."""
BUSY: Final = 20
"""Millicores from which on a meter never reads the same twice, nor falls to nought at once."""
FULL: Final = 0.97
"""A guest that uses that share of its processors may well read the same again and again."""


def implausible(observation: Observation) -> Mapping[str, str]:
    """Return why a newest CPU value does not fit what was measured before, by uuid."""
    rollups = observation.rollups
    if rollups.columns < STUCK:
        return {}
    taken = observation.history.guests
    guests = [g for g in observation.cluster.guests if taken.get(g.uuid)]
    past = rollups.guest_rows(CPU, [g.uuid for g in guests])[
        :, -PER_DAY - 1 : _present(observation)
    ]
    found = {}
    for guest, row in zip(guests, past, strict=True):
        before = row[~np.isnan(row)]
        most = MILLICORES * guest.allocation.get(VCPUS, 0)
        now = taken[guest.uuid][-1].values.get(CPU, -1)
        if why := _why(before, now, most):
            found[guest.uuid] = why
    return found


def _why(before: Floats, now: int, most: int) -> str:
    """Return what is odd about `now` after these known amounts, all in millicores."""
    if len(before) < STUCK:
        return ""
    if BUSY <= now < FULL * most and bool((before[-STUCK:] == now).all()):
        return f"its CPU has read exactly {now} millicores {STUCK + 1} times in a row"
    if now == 0 and (wont := float(before.mean())) >= BUSY:
        return f"its CPU fell from {wont:.0f} millicores to nothing at all"
    return ""


def _present(observation: Observation) -> int | None:
    """Return where the past ends: the last column may hold the newest sample itself."""
    rollups = observation.rollups
    return -1 if rollups.start + rollups.columns * STEP > observation.at else None
