"""The product's own consolidation in the published model, seeing nothing that is to come."""

from collections.abc import Callable

import numpy as np

from balancer.planner.forecast.ewma import ewma
from balancer.planner.place.consolidate import Crowd, Fleet, consolidate
from benchmarks.planetlab.day import Day
from benchmarks.planetlab.machines import WATTS, Machines

CERTAINTY = 0.975
STRANGE = 3
"""Samples that the spread over all guests weighs beside a guest's own: it is all that is known
of a guest at first."""
MOVES_PER_GUEST_AND_DAY = 1.0
"""What the bucket gains; at first it holds a move for every guest."""
BAND = 0.841344746
"""The quantile that is one standard deviation above the mean."""


def decider(machines: Machines) -> Callable[[Day], np.ndarray]:
    """Return what our planner moves at a tick."""
    m = machines
    guests = len(m.mips)
    hosts = len(m.total)
    fleet = Fleet(
        cpu=m.total,
        widest=m.core,
        idle=WATTS[m.kind, 0],
        busy=WATTS[m.kind, -1],
        room=np.zeros((hosts, 0)),
    )
    everywhere = np.ones((guests, hosts), dtype=np.bool_)
    past: list[np.ndarray] = []
    bucket = float(guests)

    def decide(day: Day) -> np.ndarray:
        nonlocal bucket
        past.append((day.seen / m.mips).astype(np.float32))
        expected, deviation = demand(np.stack(past, axis=1))
        bucket = min(guests, bucket + guests * MOVES_PER_GUEST_AND_DAY / 288)
        crowd = Crowd(
            where=day.where,
            expected=expected * m.mips,
            deviation=deviation * m.mips,
            now=day.seen,
            weight=m.memory,
            price=np.ones(guests),
            held=np.zeros((guests, 0)),
            may=everywhere,
        )
        moves = consolidate(fleet, crowd, CERTAINTY, int(bucket))
        bucket -= len(moves)
        return moves

    return decide


def demand(past: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the next sample, from samples [guests, so far].

    Of a guest seen only now and then the spread over all guests tells what it may do.
    """
    path = ewma(past, 0, 1, BAND)
    mean = path.mean[:, 0].astype(np.float64)
    own = (path.high[:, 0] - mean) ** 2
    seen = past.shape[1]
    strange = float(past[:, -1].var())
    return mean, np.sqrt((seen * own + STRANGE * strange) / (seen + STRANGE))
