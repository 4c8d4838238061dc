"""Reads the simulated world once a minute: what each minute begins with stands for all of it."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from balancer.planner.model.resources import CPU
from balancer.simulator.counting.counted import Counted, Course
from balancer.simulator.counting.power import power
from balancer.simulator.counting.spare import bears_any_loss
from balancer.simulator.world import World

STEP: Final = 60.0
"""Seconds."""
PER_CORE: Final = 1000
HOUR: Final = 3600.0
ROUNDED: Final = 1
"""Millicores by which what a guest gets is rounded."""


@dataclass(slots=True)
class Meter:
    """Counts from the world's present until `until`, seconds since the epoch."""

    until: float
    start: float = 0.0
    contention: float = 0.0
    borne: float = 0.0
    overload: float = 0.0
    energy: float = 0.0
    energy_empty: float = 0.0
    without_spare: float = 0.0
    _loads: list[dict[str, float]] = field(default_factory=list)
    _waiting: list[float] = field(default_factory=list)
    _watts: list[float] = field(default_factory=list)
    _seen: object = None
    """What decided on `_bears` the last time."""
    _bears: bool = True

    def attach(self, world: World) -> None:
        """Begin to count."""
        self.start = world.now
        world.plan_to(world.now, self._tick)

    def counted(self) -> Counted:
        """Return what was counted so far; what migrations cost is not in it."""
        return Counted(
            contention=round(self.contention, 3),
            borne=round(self.borne, 3),
            overload=self.overload,
            energy=round(self.energy, 3),
            energy_empty=round(self.energy_empty, 3),
            without_spare=self.without_spare,
        )

    def course(self) -> Course:
        """Return how it went."""
        hosts = tuple(dict.fromkeys(name for loads in self._loads for name in loads))
        rows = [[loads.get(name, np.nan) for loads in self._loads] for name in hosts]
        return Course(
            start=self.start,
            step=STEP,
            hosts=hosts,
            load=np.array(rows, dtype=np.float32).reshape(len(hosts), len(self._loads)),
            waiting=np.array(self._waiting, dtype=np.float32),
            watts=np.array(self._watts, dtype=np.float32),
        )

    def _tick(self, world: World) -> None:
        span = min(STEP, self.until - world.now)
        if span <= 0:
            return
        self._read(world, span)
        world.plan_to(world.now + STEP, self._tick)

    def _read(self, world: World, span: float) -> None:
        wanted, unmet = dict.fromkeys(world.hosts, 0), dict.fromkeys(world.hosts, 0)
        for uuid, (asked, granted) in world.granted().items():
            wanted[world.placement[uuid]] += asked
            unmet[world.placement[uuid]] += max(0, asked - granted - ROUNDED)
            if world.guests[uuid].lacks_memory:
                unmet[world.placement[uuid]] += PER_CORE
            if world.guests[uuid].patient:
                self.borne += (asked - granted) / PER_CORE * span
        inhabited = set(world.placement.values())
        loads: dict[str, float] = {}
        waiting = watts = 0.0
        for name, host in world.hosts.items():
            if not host.alive:
                continue
            has = host.spec.capacity.get(CPU, 0)
            loads[name] = wanted[name] / max(1, has)
            waiting += max(0, wanted[name] - has, unmet[name]) / PER_CORE
            self.overload += span * (wanted[name] > has)
            drawn = power(host.watts, loads[name])
            watts += drawn
            self.energy_empty += 0.0 if name in inhabited else drawn * span / HOUR
        self.contention += waiting * span
        self.energy += watts * span / HOUR
        self.without_spare += 0.0 if self._spare(world) else span
        self._loads.append(loads)
        self._waiting.append(waiting)
        self._watts.append(watts)

    def _spare(self, world: World) -> bool:
        seen = (
            tuple(world.placement.items()),
            tuple((name, host.alive, host.spec.state) for name, host in world.hosts.items()),
        )
        if seen != self._seen:
            self._seen, self._bears = seen, bears_any_loss(world)
        return self._bears
