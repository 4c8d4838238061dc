"""The one currency: guest-seconds of waiting. What its guests' load makes a host's guests wait.

A guest-second is one second that one vCPU of a guest was ready and had no processor, stood still
for swapped memory, or was paused. Formulas, their sources and what they leave out are told in
docs/model.md; here they stand once, in vCPUs and MiB.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import erf, exp, fsum, pi, sqrt
from typing import Final

THRASH: Final = 10.0
"""Guests stand still once one part in so many of their host's memory is swapped out."""
SWAP_KIB_S: Final = 40_000.0
"""Swap traffic that keeps one vCPU waiting all the time: pages of 4 KiB, 0.1 ms each."""


@dataclass(frozen=True, slots=True)
class Burden:
    """What a guest, or all of a host's together, put on the host."""

    running: float = 0.0
    """vCPUs that want to run, on average."""
    variance: float = 0.0
    """Of their number."""
    memory: float = 0.0
    """In use, MiB."""
    memory_variance: float = 0.0
    within: float = 0.0
    """vCPUs' worth of work for which guests have no vCPU there: it waits within them."""

    def plus(self, other: "Burden", times: int = 1) -> "Burden":
        """Return this and `other`, or with `times` = -1 this without it."""
        return Burden(
            self.running + times * other.running,
            self.variance + times * other.variance,
            self.memory + times * other.memory,
            self.memory_variance + times * other.memory_variance,
            self.within + times * other.within,
        )


@dataclass(frozen=True, slots=True)
class Room:
    """What a host has for its guests."""

    processors: float
    memory: float
    """MiB."""


def together(burdens: Iterable[Burden]) -> Burden:
    """Return what they put on a host together: guests vary independently of each other."""
    found = list(burdens)
    return Burden(
        fsum(b.running for b in found),
        fsum(b.variance for b in found),
        fsum(b.memory for b in found),
        fsum(b.memory_variance for b in found),
        fsum(b.within for b in found),
    )


def waiting(load: Burden, room: Room) -> float:
    """Return how many vCPUs wait on average under `load`: guest-seconds a second."""
    for_cpu = excess(load.running - room.processors, load.variance)
    swapped = excess(load.memory - room.memory, load.memory_variance)
    share = min(1.0, THRASH * swapped / max(1.0, load.memory))
    return for_cpu + share * max(0.0, load.running - for_cpu) + load.within


def excess(over: float, variance: float) -> float:
    """Return the mean of max(0, X) for a normal X with mean `over`: the loss function.

    Never negative, convex, never falling with `over`; max(0, over) where nothing varies.
    """
    least = max(0.0, over)
    if variance <= 0:
        return least
    spread = sqrt(variance)
    z = over / spread
    density = exp(-z * z / 2) / sqrt(2 * pi)
    return max(least, spread * density + over * (1 + erf(z / sqrt(2))) / 2)
