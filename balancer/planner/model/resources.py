"""A vector of integers over named dimensions, and what the names mean.

A `Resources` value is a plain read-only mapping; a dimension that is absent is zero.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

Resources = Mapping[str, int]

NOTHING: Final[Resources] = {}


@dataclass(frozen=True, slots=True)
class Dimension:
    """One kind of thing a host has and a guest takes."""

    name: str
    unit: str
    meaning: str
    held_on_both_ends: bool = True
    """True if a guest in flight holds it on its source and on its target."""


CPU: Final = "cpu"
VCPUS: Final = "vcpus"
EMULATED: Final = "emulated-vcpus"
"""vCPUs of guests whose code is translated on hosts that could run code as it is: never counted
among those, whose ratio to cores says nothing of them."""
MEMORY: Final = "memory"
DISK: Final = "disk"
NETWORK: Final = "network"
HUGEPAGES: Final = "hugepages-"
"""Prefix: `hugepages-2048` counts pages of 2048 KiB."""

DIMENSIONS: Final[Mapping[str, Dimension]] = {
    d.name: d
    for d in (
        Dimension(CPU, "millicores", "processor time in use"),
        Dimension(VCPUS, "vCPUs", "virtual processors configured"),
        Dimension(MEMORY, "MiB", "memory"),
        Dimension(DISK, "KiB/s", "disk traffic, read and write"),
        Dimension(NETWORK, "KiB/s", "network traffic, in and out"),
    )
}


def dimension(name: str) -> Dimension:
    """Return what `name` means; hugepage dimensions are made on demand.

    Raises KeyError for a name that is neither in the table nor a hugepage size.
    """
    if name.startswith(HUGEPAGES):
        return Dimension(name, "pages", f"huge pages of {name.removeprefix(HUGEPAGES)} KiB")
    return DIMENSIONS[name]


def add(a: Resources, b: Resources) -> Resources:
    """Return a + b."""
    return {name: a.get(name, 0) + b.get(name, 0) for name in a.keys() | b.keys()}


def subtract(a: Resources, b: Resources) -> Resources:
    """Return a - b; may be negative."""
    return {name: a.get(name, 0) - b.get(name, 0) for name in a.keys() | b.keys()}


def total(parts: Iterable[Resources]) -> Resources:
    """Return the sum of `parts`."""
    result: dict[str, int] = {}
    for part in parts:
        for name, amount in part.items():
            result[name] = result.get(name, 0) + amount
    return result


def fits(need: Resources, room: Resources) -> bool:
    """True if every dimension of `need` is within `room`."""
    return all(amount <= room.get(name, 0) for name, amount in need.items())
