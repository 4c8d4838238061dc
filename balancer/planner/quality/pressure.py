"""Pressure of a host must be felt: by its guests' vCPUs, or in its memory."""

from collections.abc import Mapping
from typing import Final

from balancer.planner.model.observation import Observation
from balancer.planner.model.pressure import CPU_PRESSURE, MEMORY_PRESSURE, PER_MILLE, borne_out

LEAST: Final = 50
"""Per mille: less is a reason for nothing."""
WHY: Final[Mapping[str, str]] = {
    CPU_PRESSURE: "its guests' vCPUs hardly waited",
    MEMORY_PRESSURE: "much of its memory is free",
}


def unfelt(observation: Observation) -> Mapping[str, Mapping[str, str]]:
    """Return which pressure of a host is not believed, and why: by host and metric."""
    found: dict[str, dict[str, str]] = {}
    for host in observation.cluster.host:
        samples = observation.history.hosts.get(host, ())
        values = samples[-1].values if samples else {}
        for metric, why in WHY.items():
            amount = values.get(metric, 0)
            if not 0 <= amount <= PER_MILLE:
                found.setdefault(host, {})[metric] = f"{metric} cannot be {amount} per mille"
            elif amount >= LEAST and borne_out(observation, host, metric) is False:
                found.setdefault(host, {})[metric] = f"{metric} is {amount} per mille, but {why}"
    return found
