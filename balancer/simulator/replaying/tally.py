"""What a replay comes to, counted column by column; and what its moves cost guests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from balancer.planner.model.plan import Outcome
from balancer.planner.model.resources import CPU
from balancer.planner.model.rollups import STEP, Cells
from balancer.planner.worth import SLOWED
from balancer.simulator.counting.power import DEFAULT_WATTS, power
from balancer.simulator.counting.spare import bears_any_loss
from balancer.simulator.replaying.track import Track
from balancer.simulator.world import World

PER_CORE = 1000
HOUR = 3600.0


@dataclass(slots=True)
class Tally:
    """Sums over all columns counted so far; units as in `Counted`."""

    wanted: Cells
    """[steps, guests]: millicores."""
    guests: tuple[str, ...]
    """Uuids, in the order of `wanted`."""
    contention: float = 0.0
    overload: float = 0.0
    energy: float = 0.0
    energy_empty: float = 0.0
    without_spare: float = 0.0

    def count(self, world: World, columns: range) -> None:
        """Count these columns with guests where they are now."""
        names = list(world.hosts)
        index = {name: i for i, name in enumerate(names)}
        home = np.array([index.get(world.placement.get(u, ""), -1) for u in self.guests])
        has = np.array([h.spec.capacity.get(CPU, 0) for h in world.hosts.values()])
        inhabited = np.isin(np.arange(len(names)), home)
        curves = [h.spec.power or DEFAULT_WATTS for h in world.hosts.values()]
        spare = bears_any_loss(world)
        there = home >= 0
        for column in columns:
            asked = np.bincount(home[there], self.wanted[column][there], len(names))
            over = np.maximum(0, asked - has)
            self.contention += float(over.sum()) / PER_CORE * STEP
            self.overload += float((over > 0).sum()) * STEP
            self.without_spare += 0.0 if spare else STEP
            loads = (asked / np.maximum(1, has)).tolist()
            watts = np.array([power(c, load) for c, load in zip(curves, loads, strict=True)])
            self.energy += float(watts.sum()) * STEP / HOUR
            self.energy_empty += float(watts[~inhabited].sum()) * STEP / HOUR


def moving(track: Track, wanted: Cells, outcomes: Sequence[Outcome]) -> float:
    """Return the guest-seconds that these moves cost the guests moved (docs/model.md).

    By how long they copied and paused, not by what was predicted; those in vain count, too.
    """
    places: Mapping[str, int] = {u: i for i, u in enumerate(track.guests["cpu"].names)}
    cost = 0.0
    for outcome in outcomes:
        column = min(max(0, track.column(outcome.started)), len(wanted) - 1)
        place = places.get(outcome.action.guest)
        running = int(wanted[column, place]) / PER_CORE if place is not None else 0.0
        copied = SLOWED * max(0.0, outcome.ended - outcome.started)
        cost += max(1.0, running) * (copied + (outcome.downtime_ms or 0) / 1000)
    return cost
