"""What no schedule can undercut: each bound is a sum that any plan has to carry.

Longest move at its top rate; work of each channel; numbers at once; and the double occupancy that
all moves together need, which lives in the free room of the whole cluster.
"""

from dataclasses import dataclass

import numpy as np

from balancer.planner.order.kernels.passes import NEVER, duration
from balancer.planner.order.yard import Compiled, Floats, Yard

MANY = 1 << 30


@dataclass(frozen=True, slots=True)
class Bound:
    """Seconds, and what must take so long."""

    seconds: float
    why: str


def lengths(direct: Compiled) -> Floats:
    """Return [legs]: the seconds each takes at its top rate."""
    legs = direct.legs
    return np.array(
        [duration(legs, j, float(legs.top[j]), direct.pause) for j in range(len(legs.top))]
    )


def channel_work(direct: Compiled, length: Floats) -> Floats:
    """Return [channels]: the seconds that each is busy at least, whatever goes beside what."""
    legs, flow = direct.legs, direct.flow
    sending = np.minimum(length, NEVER) - legs.setup
    by_rate, by_number = np.zeros(len(flow.rate)), np.zeros(len(flow.rate))
    for k in range(legs.channel.shape[1]):
        c = legs.channel[:, k]
        on = c >= 0
        np.add.at(by_rate, c[on], (sending * legs.top)[on])
        np.add.at(by_number, c[on], length[on])
    found: Floats = np.maximum(by_rate / flow.rate, by_number / flow.number)
    return found


def bound(yard: Yard, direct: Compiled) -> Bound:
    """Return the best of the bounds for the direct moves of `yard`; holds with detours, too."""
    length = lengths(direct)
    if not len(length):
        return Bound(0.0, "nothing moves")
    if yard.cold is not None and yard.cold.any():
        return Bound(0.0, "guests may be stored, for which no bound is known")
    best = Bound(float(length.max()), "the longest move")
    work = channel_work(direct, length)
    if work.max() > best.seconds:
        best = Bound(float(work.max()), "one link or limit is busy all the time")
    free = yard.room.sum(axis=0)
    movers = np.array([t.mover for t in direct.trips], dtype=np.int64)
    area = (yard.need[movers] * length[:, None]).sum(axis=0)
    for r in range(len(free)):
        if free[r] > 0 and area[r] / free[r] > best.seconds:
            best = Bound(float(area[r] / free[r]), "all free room holds guests in flight")
    return best
