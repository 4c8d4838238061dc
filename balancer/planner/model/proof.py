"""What a plan promises of each of its steps, so that anybody can hold it to that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from typing_extensions import override

from balancer.planner.model.placement import Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is left of a host while a step is in flight, on the predicted timetable."""

    memory_mib: int
    """Not allocated to whoever holds resources there; negative where too much is given out."""
    cpu_millicores: int
    """Not used, on the mean, by whoever holds resources there."""
    link_kib_s: int
    """Of the migration link's share, in the direction that this step uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One step, when its turn comes in the plan's order."""

    action: str
    """Id of the action."""
    fingerprint: str
    """Of the placement it starts from, see `mark`."""
    source: Room
    target: Room
    broken: tuple[str, ...] = ()
    """Hard rules that are still broken, or broken on purpose, once it has ended: rule and subject."""
    heat: int
    """By how much hosts are beyond `[hot]` once it has ended, all together, per mille of a host."""


class Mark:
    """Tells placements apart, and follows one that changes without reading it anew.

    16 hex digits: the exclusive or of a hash of each guest with its host.
    """

    def __init__(self, placement: Placement) -> None:
        self._value = 0
        self.shift(placement.items())

    def shift(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Add each of these guests on its host, or take it off if it was there."""
        for guest, host in pairs:
            digest = sha256(f"{guest} {host}".encode()).digest()
            self._value ^= int.from_bytes(digest[:8], "big")

    @override
    def __str__(self) -> str:
        return f"{self._value:016x}"


def mark(placement: Mapping[str, str]) -> str:
    """Return what tells `placement` from others."""
    return str(Mark(placement))
