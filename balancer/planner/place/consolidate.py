"""Fewer hosts for the same guests, a little at every turn, and none of them short of CPU.

What a host bears is the sum of what its guests are expected to ask for, and as many standard
deviations of that sum as the risk demands: guests that peak apart share what each would keep in
reserve alone. Hosts over their limit shed first; then the host is emptied whose guests cost least
to move for the watts it saves, onto those that are thriftiest and fullest already. Steady turns of
a few moves beat one great repacking: demand drifts all day long.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.formulation import Bools, Ints

Floats = NDArray[np.float64]

FULL: Final = 0.99
"""Share of a host's CPU asked for at this moment from which it sheds."""


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Hosts as arrays: CPU in one unit, the same as of the crowd."""

    cpu: Floats
    """[hosts] what guests may use."""
    widest: Floats
    """[hosts] what one guest may use at most."""
    idle: Floats
    """[hosts] watts that emptying it saves."""
    busy: Floats
    """[hosts] watts at full load."""
    room: Floats
    """[hosts, resources] free of what guests hold, memory for one; no columns where none binds."""


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Guests as arrays."""

    where: Ints
    """[guests] host, -1 for those that do not run."""
    expected: Floats
    """[guests] CPU."""
    deviation: Floats
    """[guests] standard deviation of it."""
    now: Floats
    """[guests] CPU asked for at this moment."""
    weight: Floats
    """[guests] what moving it costs where some guest of a host must leave, in any unit."""
    price: Floats
    """[guests] what moving it costs where all guests of a host leave, in any unit."""
    held: Floats
    """[guests, resources] as `Fleet.room`."""
    may: Bools
    """[guests, hosts] who may be where; one that may be nowhere keeps its host from being emptied."""


def consolidate(fleet: Fleet, crowd: Crowd, certainty: float, moves_at_most: int) -> Ints:
    """Return moves [n, guest and host], in an order in which relief comes first.

    `certainty`: the probability, for normal demand, that a host that takes guests in suffices.
    Relief is not bounded by `moves_at_most`, emptying is. Memory is counted as if all moves
    were made at once, none leaving before another arrives.
    """
    from balancer.planner.place.kernels.settle import settle  # noqa: PLC0415 - compiles

    moves = np.empty((len(crowd.where), 2), dtype=np.int64)
    count = settle(
        crowd.where.astype(np.int64),
        (fleet.cpu, fleet.widest, fleet.busy / fleet.cpu),
        (crowd.expected, crowd.deviation**2, crowd.now, crowd.held, crowd.may),
        crowd.weight,
        crowd.price,
        fleet.idle,
        fleet.room.copy(),
        NormalDist().inv_cdf(certainty),
        FULL,
        moves_at_most,
        moves,
    )
    return moves[:count]
