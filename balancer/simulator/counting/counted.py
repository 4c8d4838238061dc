"""What a run cost and spared, counted: the figures policies are compared by (docs/simulation.md)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balancer.planner.model.plan import Outcome, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Sums over a whole run. Everything but `migrations` and `mib` is better small."""

    contention: float = 0.0
    """Guest-seconds: one vCPU that wanted to run and got no processor, for one second."""
    borne: float = 0.0
    """Of it: by guests that nobody minds to wait."""
    overload: float = 0.0
    """Host-seconds during which more CPU was wanted of a host than it has."""
    migrations: int = 0
    """That arrived."""
    mib: int = 0
    """Sent by all migrations, in vain or not."""
    downtime: float = 0.0
    """Seconds that guests stood still at the end of their migrations, together."""
    energy: float = 0.0
    """Watt-hours of all living hosts."""
    energy_empty: float = 0.0
    """Watt-hours of those that ran no guest: what switching them off would have saved."""
    without_spare: float = 0.0
    """Seconds during which the loss of some one host could not have been borne by the others."""
    rules_broken: float = 0.0
    """Rule-seconds: hard rules broken, each for as long as it was."""
    return_trips: int = 0
    """Migrations that brought a guest back to a host that it had left in the same run."""
    never_began: int = 0
    """Guests that were to be booted and found no room."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Course:
    """How it went, in steps of `step` seconds from `start` on."""

    start: float
    step: float
    hosts: tuple[str, ...]
    load: NDArray[np.float32]
    """[hosts, steps]: CPU wanted of a host as a share of what it has; NaN while it is dead."""
    waiting: NDArray[np.float32]
    """[steps]: vCPUs that wait, on all hosts."""
    watts: NDArray[np.float32]
    """[steps]: of all hosts."""
    arrivals: tuple[float, ...] = ()
    """When migrations arrived, seconds since the epoch, in order."""


def return_trips(outcomes: Iterable[Outcome]) -> int:
    """Return how many of these, in order of time, brought a guest to a host it had left before.

    A step through a third host is no trip; what follows it counts from where the guest came from.
    """
    left: dict[str, set[str]] = {}
    trips = 0
    for outcome in outcomes:
        if outcome.result is not Result.DONE:
            continue
        known = left.setdefault(outcome.action.guest, set())
        trips += not outcome.action.temporary and outcome.action.target in known
        known.add(outcome.action.source)
    return trips


def lasting(broken: Sequence[tuple[float, int]], until: float) -> float:
    """Return the rule-seconds of (moment, hard rules broken from then on), in order of time."""
    ends = [*(at for at, _ in broken), until][1:]
    return sum(number * max(0.0, end - at) for (at, number), end in zip(broken, ends, strict=True))
