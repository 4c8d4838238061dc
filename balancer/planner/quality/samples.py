"""A sample must be there, be fresh, and be possible for this very guest."""

from collections.abc import Mapping
from typing import Final

from balancer.planner.model.cluster import Guest, GuestState
from balancer.planner.model.observation import METRICS, Observation, Sample
from balancer.planner.model.resources import CPU, MEMORY, VCPUS
from balancer.planner.model.usage import DOUBTFUL, MILLICORES, STALE

AHEAD: Final = 60.0
"""Seconds that another machine's clock may be ahead of ours."""
TOLERANCE: Final = 0.02
"""By how much two statements of the same assigned memory may differ: rounding."""


def unbelievable(observation: Observation) -> Mapping[str, str]:
    """Return why a guest's newest sample cannot be believed, by uuid."""
    found = {}
    for guest in observation.cluster.guests:
        samples = observation.history.guests.get(guest.uuid, ())
        why = _why(guest, samples[-1], observation.at) if samples else "nothing was measured"
        if why:
            found[guest.uuid] = why
    return found


def _why(guest: Guest, sample: Sample, now: float) -> str:
    return _time(sample, now) or _range(sample) or _possible(guest, sample.values)


def _time(sample: Sample, now: float) -> str:
    age = now - sample.at
    if age > STALE:
        return f"its newest sample is {age / 60:.0f} min old"
    if age < -AHEAD:
        return f"its newest sample is {-age:.0f} s in the future"
    return ""


def _range(sample: Sample) -> str:
    if CPU not in sample.values:
        return "its CPU was not measured"
    wrong = (n for n, v in sample.values.items() if v < 0 or n not in METRICS)
    return next((f"{name} cannot be {sample.values[name]}" for name in wrong), "")


def _possible(guest: Guest, values: Mapping[str, int]) -> str:
    """Compare with what the guest is allocated; its helper threads may use as much again."""
    cpu = DOUBTFUL * guest.allocation.get(VCPUS, 0) * MILLICORES
    memory = guest.allocation.get(MEMORY, 0)
    if (
        guest.knobs is not None
    ):  # hypervisors count what can still be plugged among what it is given
        memory += guest.knobs.most_plugged - guest.knobs.plugged
    most = {
        CPU: cpu,
        "cpu.delay": cpu,
        "memory.rss": DOUBTFUL * memory,
        "memory.balloon": DOUBTFUL * memory,
        "memory.unused": DOUBTFUL * memory,
        "memory.used": DOUBTFUL * memory,
    }
    for name, limit in most.items():
        if values.get(name, 0) > limit:
            return f"{name} cannot be {values[name]} {_unit(name)} where {limit} are the most"
    assigned = values.get("memory.assigned", memory)
    if abs(assigned - memory) > TOLERANCE * memory + 1:
        return f"its metrics are of a guest with {assigned} MiB, it has {memory} MiB"
    if guest.state is GuestState.RUNNING and values.get("memory.rss") == 0:
        return "a guest that runs cannot use no memory at all"
    return ""


def _unit(name: str) -> str:
    return METRICS[name].rsplit(", ", 1)[-1]
