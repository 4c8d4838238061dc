"""What the policy lets happen to guests where they are: `[[resize]]`."""

from dataclasses import dataclass
from typing import Final

from balancer.planner.model.selector import Selector

LEAST_SHARES: Final = 0.002
MOST_SHARES: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resizing:
    """Guests that may be given less or more where they run, before anything is moved.

    Where several tables name a guest, the last one holds. What is not named is left as it is, and
    what its XML says about shares and quota with it.
    """

    guests: Selector
    shares: float = 1.0
    """Weight where CPU is short; 1 is what guests usually have."""
    reserve: int = 0
    """What each gets of CPU before anybody gets by shares, millicores."""
    limit: int = 0
    """What each gets of CPU at most, millicores; 0 for no limit."""
    priority: float = 1.0
    """What a second of its waiting beyond `reserve` counts; 0 may wait as long as others need."""
    dedicated: bool = False
    """True: nothing is ever taken from them."""
    memory: bool = False
    """True: memory they do not use may be taken by their balloon, and is given back."""
    floor: int = 0
    """Memory below which they are never brought, MiB."""
    step: int = 256
    """Memory taken at a time, MiB."""
    idle: float = 3600.0
    """Seconds for which memory, or a virtual processor, must have been unused."""
    margin: float = 0.25
    """Share of what a guest uses that it keeps on top of it."""
    vcpus: bool = False
    """True: virtual processors are plugged where all it has are in use and its host has room, and
    those that were plugged are taken back once they were not needed for `idle`."""
    most_vcpus: int = 0
    """Virtual processors that are never exceeded; 0 for as many as its XML allows."""
    least_vcpus: int = 0
    """Virtual processors below which none is taken."""
    disk_limit: int = 0
    """What the disks of each carry at most, KiB/s; 0 for no limit."""
    disk_least: int = 0
    """What they carry at least where their host has not enough for all, KiB/s: it is divided by
    shares then, and nobody is held any more once there is room. 0: they give way to nobody."""
    network_limit: int = 0
    """What the network devices of each carry at most, each way, KiB/s; 0 for no limit."""
    network_least: int = 0
    """What they carry at least where their host has not enough for all, KiB/s; as `disk_least`."""
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"resize {self.guests.text}"

    def __post_init__(self) -> None:
        """Raises ValueError for what contradicts itself."""
        if not LEAST_SHARES <= self.shares <= MOST_SHARES:
            raise ValueError(f"shares must be {LEAST_SHARES:g} to {MOST_SHARES:g}; 1 is usual")
        if 0 < self.limit < self.reserve:
            raise ValueError("limit must not be less than reserve")
        if self.priority < 1 and self.shares >= 1:
            raise ValueError(
                "priority below 1 needs shares below 1: else nobody goes before them when CPU is short"
            )
        if self.dedicated and (self.memory or self.shares < 1 or self.limit):
            raise ValueError("dedicated guests give nothing: no memory, limit or fewer shares")
        if 0 < self.most_vcpus < self.least_vcpus:
            raise ValueError("most_vcpus must not be less than least_vcpus")
        if self.memory and not self.step:
            raise ValueError("step must be more than nothing")
        self._check("disk", self.disk_least, self.disk_limit)
        self._check("network", self.network_least, self.network_limit)

    def _check(self, kind: str, least: int, most: int) -> None:
        if 0 < most < least:
            raise ValueError(f"{kind}_limit must not be less than {kind}_least")
        if self.dedicated and (least or most):
            raise ValueError(f"dedicated guests give nothing: no {kind}_least, no {kind}_limit")
