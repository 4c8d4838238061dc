"""Where two sources measured the same, they must say the same."""

from collections.abc import Mapping
from typing import Final

from balancer.planner.model.observation import Observation, Sample
from balancer.planner.model.resources import CPU

LEAST_WINDOW: Final = 60.0
"""Seconds: averages over less are too jumpy to compare."""
SLACK: Final[Mapping[str, tuple[float, int]]] = {CPU: (0.5, 500), "memory.rss": (0.5, 512)}
"""Metric to what its two values may differ by: a share of the larger one, and an amount."""


def disagreeing(observation: Observation) -> Mapping[str, str]:
    """Return in what two sources contradict each other, by uuid."""
    found = {}
    for source, history in observation.also.items():
        for uuid, others in history.guests.items():
            samples = observation.history.guests.get(uuid, ())
            if samples and others and (why := _apart(samples[-1], others[-1])):
                found[uuid] = f"{source} says {why}"
    return found


def _apart(mine: Sample, other: Sample) -> str:
    if min(mine.window, other.window) < LEAST_WINDOW:
        return ""
    for metric, (share, amount) in SLACK.items():
        if metric not in mine.values or metric not in other.values:
            continue
        a, b = mine.values[metric], other.values[metric]
        if abs(a - b) > share * max(a, b) + amount:
            return f"{metric} {b}, but {a} was measured"
    return ""
