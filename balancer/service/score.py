"""How well the last cycle foresaw this one: what mode auto has to earn.

Each cycle expects of every host the CPU use that its plan ends with. The next cycle measures. The
difference, as a share of the host, is its error; a day counts as observed when its cycles were
scored so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from balancer.planner.model.plan import HostLoad
from balancer.planner.model.resources import CPU
from balancer.ports import Event

DAY: Final = 86_400.0
REMEMBERED: Final = 30 * DAY
"""Observation older than this says nothing about the cluster of today."""


@dataclass(frozen=True, slots=True)
class Score:
    """How far off the last cycle was."""

    hosts: int
    median: float
    worst: float
    """Share of a host."""
    seconds: float
    """Length of the observation that is scored."""


def expected(loads: Iterable[HostLoad], *, carried_out: bool) -> Mapping[str, int]:
    """Return the CPU use expected of each host, millicores."""
    return {line.host: (line.after if carried_out else line.before).get(CPU, 0) for line in loads}


def score(
    promised: Mapping[str, int], measured: Iterable[HostLoad], seconds: float
) -> Score | None:
    """Return how far `measured` is from what was promised; None where nothing was."""
    errors = [
        abs(line.before.get(CPU, 0) - promised[line.host]) / max(1, line.usable.get(CPU, 0))
        for line in measured
        if line.host in promised
    ]
    if not errors:
        return None
    return Score(len(errors), round(median(errors), 4), round(max(errors), 4), seconds)


def observed_seconds(cycles: Iterable[Event]) -> float:
    """Return the length of observation that was scored, from events of the kind `cycle`."""
    scores = (event.data.get("score") for event in cycles)
    return sum(float(found.get("seconds", 0.0)) for found in scores if isinstance(found, dict))
