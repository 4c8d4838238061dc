"""A sample must fit the guest's own past: meters get stuck, and exporters say nought for nothing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.model.observation import Observation
from balancer.planner.model.outlook import PER_DAY, PER_HOUR
from balancer.planner.model.resources import CPU
from balancer.planner.model.rollups import STEP, UNKNOWN, Block, Cells, Floats, Rollups
from balancer.planner.model.usage import MILLICORES

STUCK: Final = 4
"""Known steps in a row that the very same amount is chance no more."""
SURE: Final = 200
"""Millicores from which on half as many are enough: what is busy is never quite as busy again,
nor does what was busy within the hour before rest at exactly as little again."""
BUSY: Final = 20
"""Millicores from which on a meter never reads the same twice, nor falls to nought at once."""
FULL: Final = 30
"""Millicores: that close to so many whole processors, some vCPUs run all the time and others rest,
and such a guest may well read the same again and again."""


def implausible(observation: Observation) -> Mapping[str, str]:
    """Return why a newest CPU value does not fit what was measured before, by uuid."""
    rollups = observation.rollups
    if rollups.columns < STUCK:
        return {}
    taken = observation.history.guests
    guests = [g for g in observation.cluster.guests if taken.get(g.uuid)]
    past = rollups.guest_rows(CPU, [g.uuid for g in guests], PER_DAY + 1)
    past = past[:, : _present(observation)]
    found = {}
    for guest, row in zip(guests, past, strict=True):
        before = row[~np.isnan(row)]
        now = taken[guest.uuid][-1].values.get(CPU, -1)
        if why := _why(before, now):
            found[guest.uuid] = why
    return found


def _why(before: Floats, now: int) -> str:
    """Return what is odd about `now` after these known amounts, all in millicores."""
    if len(before) < STUCK:
        return ""
    alike = _enough(before, now) if before[-1] == before[-STUCK // 2] == now else 0
    if alike and not _whole(np.array(now)) and bool((before[-alike:] == now).all()):
        return f"its CPU has read exactly {now} millicores {alike + 1} times in a row"
    if now == 0 and (wont := float(before.mean())) >= BUSY:
        return f"its CPU fell from {wont:.0f} millicores to nothing at all"
    return ""


def unstuck(observation: Observation, faults: Mapping[str, str]) -> Rollups:
    """Return the past without what a meter that stood still has put there.

    While one does not seem to, its readings were believed; once it does they are not, neither now
    nor later. Of `faults` the newest sample is not believed: what repeats it is left out, too.
    """
    rollups = observation.rollups
    block = rollups.guests.get(CPU)
    if block is None or rollups.columns < STUCK:
        return rollups
    cells = rollups.matrix(block)
    standing = _standing(cells)
    for number, uuid in enumerate(block.names):
        taken = observation.history.guests.get(uuid)
        if uuid in faults and taken:
            standing[number] |= _repeating(cells[number], taken[-1].values.get(CPU, UNKNOWN))
    if not standing.any():
        return rollups
    cleaned = Block.of(block.names, np.where(standing, np.int32(UNKNOWN), cells))
    return replace(rollups, guests={**rollups.guests, CPU: cleaned})


def _standing(cells: Cells) -> NDArray[np.bool_]:
    """Return [guests, steps]: where a busy meter reads the same as in the steps around."""
    run = STUCK // 2 + 1
    standing = np.zeros(cells.shape, dtype=np.bool_)
    span = cells.shape[1] - run + 1
    first = cells[:, :span]
    same = first >= SURE
    for step in range(1, run):
        same &= cells[:, step : step + span] == first
    same[same] = ~_whole(first[same])
    for step in range(run):
        standing[:, step : step + span] |= same
    return standing


def _repeating(row: Cells, now: int) -> NDArray[np.bool_]:
    """Return [steps]: the latest known ones, as long as they read `now`, if they are several."""
    marked = np.zeros(row.shape, dtype=np.bool_)
    known = np.flatnonzero(row != UNKNOWN)
    latest = known[_begun(row[known], now) :]
    enough = _enough(row[known].astype(np.float32), now)
    if enough and len(latest) >= enough:
        marked[latest] = True
    return marked


def _begun(before: Floats | Cells, now: int) -> int:
    """Return the place from which on these known amounts all are `now`."""
    others = np.flatnonzero(before != now)
    return int(others[-1]) + 1 if len(others) else 0


def _enough(before: Floats, now: int) -> int:
    """Return how many known steps in a row of that amount, before now, are chance no more.

    0 where any number may be. What repeats itself where just now a guest was at work is a meter
    that stopped, however little it reads: work that ends leaves readings that differ a little.
    """
    begun = _begun(before, now)
    wont = before[max(0, begun - PER_HOUR) : begun]
    if now >= SURE or (len(wont) and float(wont.mean()) >= SURE):
        return STUCK // 2
    return STUCK if now >= BUSY else 0


def _whole(amounts: Cells) -> NDArray[np.bool_]:
    """Return where an amount is that of one or more processors that never rest."""
    cores = (amounts + MILLICORES // 2) // MILLICORES
    whole: NDArray[np.bool_] = (cores > 0) & (np.abs(amounts - MILLICORES * cores) <= FULL)
    return whole


def _present(observation: Observation) -> int | None:
    """Return where the past ends: the last column may hold the newest sample itself."""
    rollups = observation.rollups
    return -1 if rollups.start + rollups.columns * STEP > observation.at else None
