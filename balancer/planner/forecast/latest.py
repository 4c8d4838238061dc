"""The newest sample, taken for the future."""

from collections.abc import Mapping
from typing import Final

from balancer.planner.model.cluster import Guest
from balancer.planner.model.demand import Demand
from balancer.planner.model.observation import Observation, Sample
from balancer.planner.model.resources import CPU, DISK, MEMORY, NETWORK, VCPUS, Resources

STALE: Final = 900.0
"""Seconds after which a sample says nothing about now."""
DOUBTFUL: Final = 2
"""A guest that seems to use more than this many times what it is allocated was measured wrongly."""
MILLICORES: Final = 1000
MEANINGS: Final = (("memory.rss", "rss"), ("memory.balloon", "balloon"))
"""What memory in use is taken from, first that is known: metric and the word for it."""


def latest(observation: Observation) -> Demand:
    """Return the newest trustworthy sample of each guest as its mean and its peak.

    A guest without one is unknown and weighs as its allocation.
    """
    mean: dict[str, Resources] = {}
    basis: dict[str, str] = {}
    unknown = set()
    for guest in observation.cluster.guests:
        sample = _newest(observation, guest)
        if sample is None:
            unknown.add(guest.uuid)
        mean[guest.uuid], basis[guest.uuid] = _usage(
            guest, {} if sample is None else sample.values
        )
    return Demand(
        mean=mean,
        peak=mean,
        basis=basis,
        unknown=frozenset(unknown),
        dirty_mib_s=_dirty(observation, unknown),
    )


def _newest(observation: Observation, guest: Guest) -> Sample | None:
    """Return the newest sample if it is fresh, knows the CPU, and can be true."""
    samples = observation.history.guests.get(guest.uuid, ())
    if not samples or observation.at - samples[-1].at > STALE:
        return None
    values = samples[-1].values
    most_cpu = DOUBTFUL * guest.allocation.get(VCPUS, 0) * MILLICORES
    most_memory = DOUBTFUL * guest.allocation.get(MEMORY, 0)
    credible = (
        0 <= values.get(CPU, -1) <= most_cpu and 0 <= values.get("memory.rss", 0) <= most_memory
    )
    return samples[-1] if credible else None


def _usage(guest: Guest, values: Mapping[str, int]) -> tuple[Resources, str]:
    """Return (usage, what its memory was taken from)."""
    known = ((values[metric], word) for metric, word in MEANINGS if metric in values)
    memory, word = next(known, (guest.allocation.get(MEMORY, 0), "allocation"))
    traffic = {name: values[name] for name in (DISK, NETWORK) if name in values}
    cpu = values.get(CPU, guest.allocation.get(VCPUS, 0) * MILLICORES)
    return {CPU: cpu, MEMORY: memory, **traffic}, word


def _dirty(observation: Observation, unknown: set[str]) -> Mapping[str, int]:
    newest = {
        guest.uuid: observation.history.guests[guest.uuid][-1].values
        for guest in observation.cluster.guests
        if guest.uuid not in unknown
    }
    return {uuid: values["dirty"] for uuid, values in newest.items() if "dirty" in values}
