"""A change of what a guest may have where it is, beside migrations: it moves nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from balancer.planner.model.resources import DISK, NETWORK
from balancer.planner.model.result import Result


class What(StrEnum):
    """What of a guest is changed, and the unit it is counted in."""

    SHARES = "shares"
    """Its weight against others where CPU is short: per mille of the weight guests usually have."""
    QUOTA = "quota"
    """The most CPU all its vCPUs get together: millicores; 0 for no limit."""
    BALLOON = "balloon"
    """Memory that its balloon leaves it: MiB."""
    PLUGGED = "plugged"
    """Memory that is plugged into it by virtio-mem, beside what it booted with: MiB."""
    VCPUS = "vcpus"
    """How many virtual processors it has."""
    BLOCK = "block"
    """The most traffic all its disks have together, read and written: KiB/s; 0 for no limit."""
    NETWORK = "network"
    """The most traffic all its network devices have together, each way: KiB/s; 0 for no limit."""


TRAFFIC: Final[Mapping[What, str]] = {What.BLOCK: DISK, What.NETWORK: NETWORK}
"""The resource that each limit of traffic is of."""
LIMITS: Final = frozenset((What.QUOTA, *TRAFFIC))
"""What is without limit where it is 0."""


OF_MEMORY: Final = frozenset({What.BALLOON, What.PLUGGED})
"""The two ways in which memory is taken from a guest that runs, and given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """One setting of one guest, changed while it runs and as long as it runs."""

    id: str
    guest: str
    """Uuid."""
    name: str
    """The guest's name, for people."""
    host: str
    """Where it runs, and stays."""
    what: What
    before: int
    """As it is, in the unit of `what`: what undoing it gives back."""
    after: int
    waits_for: tuple[str, ...] = ()
    """Ids of the resizes that must have ended well before this one: what is given must be free."""
    reason: str = ""
    """Why, in one sentence."""
    step: int = 0
    """Of memory: MiB that are taken at a time; 0 for all at once."""
    keep: int = 0
    """Of memory: MiB that the guest is to have unused; once it has less than half of that, all
    that was taken is given back."""
    room_for: tuple[str, ...] = ()
    """For a balloon: uuids of guests that the same plan moves there, and that need what is taken."""
    devices: tuple[str, ...] = ()
    """For a limit of traffic: the disks, or the addresses of the network devices, that share it."""
    kind: Literal["resize"] = "resize"

    @property
    def of_memory(self) -> bool:
        """True if it takes memory, or gives some."""
        return self.what in OF_MEMORY

    @property
    def shrinks(self) -> bool:
        """True if the guest may have less afterwards."""
        if self.what in LIMITS and 0 in {self.before, self.after}:
            return self.before == 0
        return self.after < self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Resized:
    """How one resize ended."""

    resize: Resize
    result: Result
    started: float
    ended: float
    """Seconds since the epoch."""
    reason: str = ""

    @property
    def in_vain(self) -> bool:
        """True if it failed, or nobody was there who might have taken memory: it is left alone for a day."""
        refused = self.result is Result.REFUSED and self.resize.of_memory
        return refused or self.result is Result.FAILED


def in_vain(resized: Iterable[Resized]) -> frozenset[tuple[str, What]]:
    """Return the settings, by uuid, that were tried in vain within the day that `resized` tells of."""
    return frozenset((one.resize.guest, one.resize.what) for one in resized if one.in_vain)


def memory_taken(resizes: Iterable[Resize]) -> int:
    """Return the MiB of memory that these take from guests, whatever they give to others."""
    return sum(max(0, one.before - one.after) for one in resizes if one.of_memory)


BACK = "-back"
"""What is added to the id of a resize for the one that undoes it."""


def undone(done: tuple[Resize, ...], reason: str = "") -> tuple[Resize, ...]:
    """Return what gives back what these resizes of one plan changed, the last one first.

    What waited for another is waited for by its undoing: what was given is taken before what had
    been taken for it is given back.
    """
    here = {resize.id for resize in done}
    waits: dict[str, list[str]] = {resize.id: [] for resize in done}
    for resize in done:
        for needed in here.intersection(resize.waits_for):
            waits[needed].append(resize.id + BACK)
    return tuple(
        Resize(
            id=resize.id + BACK,
            guest=resize.guest,
            name=resize.name,
            host=resize.host,
            what=resize.what,
            before=resize.after,
            after=resize.before,
            waits_for=tuple(waits[resize.id]),
            devices=resize.devices,
            reason=reason or f"undoes {resize.id}",
        )
        for resize in reversed(done)
    )
