"""Which moves had better go slowly: a move holds its rate during set-up and while it sends again.

At half the rate it holds less of a link in all, as set-up takes as long as before. Where a link is
what a schedule waits for, moves whose hosts have time to spare should therefore share it.
"""

from typing import Final

import numpy as np

from balancer.planner.order.kernels.passes import duration
from balancer.planner.order.yard import UNLIMITED, Bools, Compiled, Floats, Ints

LEVELS: Final = (1.0, 0.5)
"""Shares of the top rate that are looked at: such as add up to whole ones."""
STEEP: Final = 24
"""How much more a busier channel counts: its load to this power."""
SWEEPS: Final = 6
LONGEST: Final = 0.25
"""No move is slowed down to take more than this share of the time of the busiest link."""
WORTH: Final = 0.995
"""A share of the load from which on less is worth going slowly."""


def gentle(c: Compiled) -> Bools:
    """Return [legs]: whether a leg at half its top rate holds less of its links in all."""
    top = c.legs.top
    found: Bools = (top > 0) & (0.5 * _lengths(c, 0.5 * top) < WORTH * _lengths(c, top))
    return found


def light_paces(c: Compiled) -> Floats | None:
    """Return [legs] rates by which the busiest channels carry least; None if top rates do that.

    Coordinate descent on the sum of all channels' loads, each to the power of `STEEP`.
    """
    able = np.flatnonzero(gentle(c))
    if not len(able):
        return None
    choices = [(level, _lengths(c, level * c.legs.top)) for level in LEVELS]
    share, times = np.ones(len(c.trips)), choices[0][1].copy()
    load = _load(c, times, c.legs.top)
    scale = float(load.max(initial=1e-12))
    load /= scale
    paths = [c.legs.channel[j][c.legs.channel[j] >= 0] for j in range(len(c.trips))]
    changed, sweeps = True, 0
    while changed and sweeps < SWEEPS:
        changed, sweeps = False, sweeps + 1
        for j in able.tolist():
            path, top = paths[j], float(c.legs.top[j])
            rest = load[:, path] - _held(c, path, times[j], share[j] * top) / scale
            options = []
            for level, length in choices:
                if level == 1 or length[j] < LONGEST * scale:
                    more = _held(c, path, float(length[j]), level * top) / scale
                    options.append(
                        (float(((rest + more) ** STEEP).sum()), -level, length[j], more)
                    )
            _, least, length_j, more = min(options, key=lambda option: option[:2])
            changed |= -least != share[j]
            share[j], times[j] = -least, length_j
            load[:, path] = rest + more
    found: Floats = share * c.legs.top
    return found if bool(np.any(share < 1)) else None


def _lengths(c: Compiled, rate: Floats) -> Floats:
    legs = c.legs
    return np.array([duration(legs, j, r, c.pause) for j, r in enumerate(rate.tolist())])


def _held(c: Compiled, path: Ints, seconds: float, rate: float) -> Floats:
    """Return [2, channels of a path]: how long each is busy with one move, by rate, by number."""
    flow = c.flow
    found: Floats = np.stack([seconds * rate / flow.rate[path], seconds / flow.number[path]])
    return found


def _load(c: Compiled, times: Floats, rate: Floats) -> Floats:
    """Return [2, channels]: how long each is busy, by rate and by number."""
    load = np.zeros((2, len(c.flow.rate)))
    for k in range(c.legs.channel.shape[1]):
        at = c.legs.channel[:, k]
        on = at >= 0
        held = np.minimum(times, UNLIMITED)[on]
        np.add.at(load[0], at[on], held * rate[on] / c.flow.rate[at[on]])
        np.add.at(load[1], at[on], held / c.flow.number[at[on]])
    return load
