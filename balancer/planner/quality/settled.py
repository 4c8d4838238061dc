"""What is new must last: a reading far from a guest's habit counts once it has held for a while.

As heat must last before anybody is moved for it, so must what makes heat, or hides it. A meter
that goes wrong is known as such only after some readings; until then they sway nobody. What
lasts is believed no later than heat itself would be. Nor is a guest moved meanwhile whose own
reading that is.
"""

from dataclasses import replace

import numpy as np

from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.outlook import PER_HOUR
from balancer.planner.model.resources import CPU
from balancer.planner.model.rollups import STEP, Block, Cells
from balancer.planner.quality.swapped import FAR, LEAST, LEAST_SPREAD


def settled(observation: Observation, seconds: float) -> tuple[Observation, frozenset[str]]:
    """Return the observation with guests' CPU as they are wont, where it has changed just now.

    And who these guests are, by uuid.

    Where the newest sample is far from the habit of the hour before the latest `seconds`, and any
    of the steps since then was not, the mean of that hour stands in for what is far from it.
    """
    rollups = observation.rollups
    block = rollups.guests.get(CPU)
    steps = int(seconds) // STEP
    last = (int(observation.at) - rollups.start) // STEP
    if block is None or not steps or not steps < last <= rollups.columns:
        return observation, frozenset()
    cells = rollups.matrix(block)
    taken = observation.history.guests
    now = np.array([_newest(taken.get(uuid, ())) for uuid in block.names])
    habit, far = _habits(cells[:, max(0, last - steps - PER_HOUR) : last - steps])
    lately = cells[:, last - steps : last]
    strange = np.abs(lately - habit[:, None]) > far[:, None]
    passing = (np.abs(now - habit) > far) & ((lately >= 0) & ~strange).any(axis=1)
    if not passing.any():
        return observation, frozenset()
    usual = np.rint(np.nan_to_num(habit)).astype(np.int32)
    guests = {
        block.names[number]: _with_cpu(taken[block.names[number]], int(usual[number]))
        for number in np.flatnonzero(passing).tolist()
    }
    healed = cells.copy()
    doubted = strange & passing[:, None] & (lately >= 0)
    healed[:, last - steps : last] = np.where(doubted, usual[:, None], lately)
    wont = replace(
        observation,
        history=History({**taken, **guests}, observation.history.hosts),
        rollups=replace(rollups, guests={**rollups.guests, CPU: Block.of(block.names, healed)}),
    )
    return wont, frozenset(guests)


def _habits(cells: Cells) -> tuple["np.ndarray[tuple[int], np.dtype[np.float64]]", ...]:
    """Return [guests] twice: what each is wont to use, and how far from it is strange; millicores.

    NaN where too little is known to tell: nothing is strange then.
    """
    known = cells >= 0
    count = known.sum(axis=1)
    enough = np.where(count >= LEAST, count, np.nan)
    values = np.where(known, cells, 0)
    mean = values.sum(axis=1) / enough
    away = np.where(known, values - mean[:, None], 0.0)
    spread = np.sqrt((away * away).sum(axis=1) / enough)
    return mean, FAR * np.maximum(LEAST_SPREAD, spread)


def _newest(samples: tuple[Sample, ...]) -> float:
    """Return the CPU of the newest sample; NaN where there is none."""
    return float(samples[-1].values.get(CPU, np.nan)) if samples else np.nan


def _with_cpu(samples: tuple[Sample, ...], cpu: int) -> tuple[Sample, ...]:
    return (*samples[:-1], replace(samples[-1], values={**samples[-1].values, CPU: cpu}))
