"""How much processor time a guest wants over time: same seed and moment, same answer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

DAY: Final = 86_400.0
SLOT: Final = 60.0
"""Seconds for which noise keeps its value."""


class Workload(Protocol):
    """A demand for CPU over time."""

    def at(self, seconds: float) -> int:
        """Return the millicores wanted at `seconds` since the epoch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """The same at all times."""

    cpu: int
    """Millicores."""

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        del seconds
        return self.cpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One level until a moment, another from then on."""

    before: int
    after: int
    """Millicores."""
    moment: float
    """Seconds since the epoch."""

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        return self.after if seconds >= self.moment else self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Diurnal:
    """A smooth day: highest at one hour (UTC), lowest twelve hours from it."""

    low: int
    high: int
    """Millicores."""
    peak: float
    """Seconds after midnight."""

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        wave = (1 + math.cos(2 * math.pi * (seconds - self.peak) / DAY)) / 2
        return round(self.low + (self.high - self.low) * wave)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Quiet, with one busy stretch in every period, at a time drawn afresh for each."""

    low: int
    high: int
    """Millicores."""
    every: float
    lasting: float
    """Seconds."""
    seed: int

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        period, within = divmod(seconds, self.every)
        begin = chance(self.seed, int(period)) * max(0.0, self.every - self.lasting)
        return self.high if begin <= within < begin + self.lasting else self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Busy at the beginning of every period, all that share it at once: a cluster's shuffles."""

    low: int
    high: int
    """Millicores."""
    every: float
    lasting: float
    """Seconds."""
    origin: float
    """When a period begins, seconds since the epoch."""

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        return self.high if (seconds - self.origin) % self.every < self.lasting else self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was once measured, from `origin` on, and from the beginning again when it ends."""

    cells: tuple[int, ...]
    """Millicores, one for each `step`."""
    step: float
    """Seconds."""
    origin: float
    """When the first cell begins, seconds since the epoch."""

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        return self.cells[int((seconds - self.origin) // self.step) % len(self.cells)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Booting:
    """So much until a guest is up, and then its work."""

    cpu: int
    """Millicores."""
    until: float
    """Seconds since the epoch."""
    then: Workload

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        return self.cpu if seconds < self.until else self.then.at(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Another workload, so many times as much from `since` until `until`."""

    calm: Workload
    factor: float
    since: float
    until: float = math.inf
    """Seconds since the epoch."""

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        wanted = self.calm.at(seconds)
        return round(wanted * self.factor) if self.since <= seconds < self.until else wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Noisy:
    """Another workload, up or down by as much as `noise` of itself, anew each minute."""

    calm: Workload
    noise: float
    """0.05 is 5 %."""
    seed: int

    def at(self, seconds: float) -> int:
        """Return the millicores wanted."""
        swing = 2 * chance(self.seed, int(seconds // SLOT)) - 1
        return max(0, round(self.calm.at(seconds) * (1 + self.noise * swing)))


def chance(seed: int, number: int) -> float:
    """Return a number in [0, 1) that looks random and depends on the arguments alone.

    SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    """
    mask = 0xFFFF_FFFF_FFFF_FFFF
    x = (seed * 0x9E37_79B9_7F4A_7C15 + (number + 1) * 0xD1B5_4A32_D192_ED03) & mask
    x = ((x ^ (x >> 30)) * 0xBF58_476D_1CE4_E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D0_49BB_1331_11EB) & mask
    return (x ^ (x >> 31)) / 2**64


SHAPES: Final[Mapping[str, type]] = {
    "constant": Constant,
    "step": Step,
    "diurnal": Diurnal,
    "burst": Burst,
    "phases": Phases,
}
"""By the name a scenario gives them."""
