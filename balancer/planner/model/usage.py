"""Which sample of a guest is believed, and what its words mean."""

from collections.abc import Mapping
from typing import Final

from balancer.planner.model.cluster import Guest
from balancer.planner.model.observation import Observation, Sample
from balancer.planner.model.resources import CPU, DISK, MEMORY, NETWORK, VCPUS, Resources

STALE: Final = 900.0
"""Seconds after which a sample says nothing about now."""
DOUBTFUL: Final = 2
"""A guest that seems to use more than this many times what it is allocated was measured wrongly."""
MILLICORES: Final = 1000
MEANINGS: Final[Mapping[str, str]] = {"memory.rss": "rss", "memory.balloon": "balloon"}
"""What memory in use is taken from, first that is known: metric and the word for it."""
ALLOCATION: Final = "allocation"

STANDS_IN: Final[Mapping[str, str]] = {
    "balloon": "what the balloon leaves it (how much of that is resident is not reported)",
    "guest-used": "what the guest itself counts",
    ALLOCATION: "what it is allocated (no use of memory is reported)",
}
"""What memory in use is where it is not the memory resident on the host, in words."""


def memory_from(basis: str) -> str:
    """Return what stands in for a guest's memory in use; empty where it is measured as it is."""
    return STANDS_IN.get(basis, "")


def credible(observation: Observation, guest: Guest) -> Sample | None:
    """Return the newest sample if it is fresh, knows the CPU, and can be true."""
    samples = observation.history.guests.get(guest.uuid, ())
    if not samples or observation.at - samples[-1].at > STALE:
        return None
    values = samples[-1].values
    most_cpu = DOUBTFUL * guest.allocation.get(VCPUS, 0) * MILLICORES
    most_memory = DOUBTFUL * guest.allocation.get(MEMORY, 0)
    can_be = (
        0 <= values.get(CPU, -1) <= most_cpu and 0 <= values.get("memory.rss", 0) <= most_memory
    )
    return samples[-1] if can_be else None


def usage(guest: Guest, values: Mapping[str, int]) -> tuple[Resources, str]:
    """Return (usage, what its memory was taken from); what is not known weighs as allocated."""
    known = ((values[metric], word) for metric, word in MEANINGS.items() if metric in values)
    memory, word = next(known, (guest.allocation.get(MEMORY, 0), ALLOCATION))
    traffic = {name: values[name] for name in (DISK, NETWORK) if name in values}
    cpu = values.get(CPU, guest.allocation.get(VCPUS, 0) * MILLICORES)
    return {CPU: cpu, MEMORY: memory, **traffic}, word
