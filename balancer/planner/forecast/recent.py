"""The latest steps as they were: what heat has to have lasted through."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from balancer.planner.model.demand import Demand
from balancer.planner.model.observation import Observation
from balancer.planner.model.outlook import PER_HOUR
from balancer.planner.model.pressure import borne_out
from balancer.planner.model.resources import CPU, MEMORY, Resources
from balancer.planner.model.rollups import STEP
from balancer.planner.model.usage import MEANINGS, STALE

DELAY: Final = "cpu.delay"
PER_MILLE: Final = 1000
METRIC: Final[Mapping[str, str]] = {word: metric for metric, word in MEANINGS.items()}
"""The word for what a guest's memory is taken from, to its metric."""


def recent(
    observation: Observation, demand: Demand, seconds: float
) -> tuple[Mapping[str, Resources], ...]:
    """Return what guests used in each step of the latest `seconds`, this one not counted.

    What is not known of a guest is as its demand says. Empty where no past is known.
    """
    rollups = observation.rollups
    first = max(0, (int(observation.at - seconds) - rollups.start) // STEP)
    last = (int(observation.at) - rollups.start) // STEP
    newest = max(0, rollups.columns - first)
    uuids = [guest.uuid for guest in observation.cluster.guests]
    cpu = rollups.guest_rows(CPU, uuids, newest)
    memory = {word: rollups.guest_rows(m, uuids, newest) for word, m in METRIC.items()}
    moments = []
    for column in range(min(last, rollups.columns) - first):
        if np.isnan(cpu[:, column]).all():
            continue
        moment: dict[str, Resources] = {}
        for number, uuid in enumerate(uuids):
            used = {CPU: cpu[number, column]}
            word = demand.basis.get(uuid, "")
            if word in memory:
                used[MEMORY] = memory[word][number, column]
            known = {name: int(amount) for name, amount in used.items() if not np.isnan(amount)}
            moment[uuid] = {**demand.mean.get(uuid, {}), **known}
        moments.append(moment)
    return tuple(moments)


def pressed(
    observation: Observation, limits: Mapping[str, float], seconds: float
) -> Mapping[str, frozenset[str]]:
    """Return the hosts whose pressure is over its limit (a share, by metric), now and before.

    In every known step of the latest `seconds`; one that was never measured is no reason, nor is
    one that nothing else bears out (`model.pressure`).
    """
    rollups = observation.rollups
    names = [host.name for host in observation.cluster.hosts]
    first = max(0, (int(observation.at - seconds) - rollups.start) // STEP)
    last = max(0, (int(observation.at) - rollups.start) // STEP)
    found = {}
    for metric, limit in limits.items():
        steps = rollups.host_rows(metric, names)[:, first:last]
        lasting = np.isnan(steps) | (steps > PER_MILLE * limit)
        found[metric] = frozenset(
            name
            for name, steps_over in zip(names, lasting, strict=True)
            if steps_over.all() and _now(observation, name, metric) > PER_MILLE * limit
        )
    return found


def _now(observation: Observation, host: str, metric: str) -> int:
    """Return the newest value, if it is fresh and can be true; else 0."""
    samples = observation.history.hosts.get(host, ())
    if not samples or abs(observation.at - samples[-1].at) > STALE:
        return 0
    value = samples[-1].values.get(metric, 0)
    return value if 0 < value <= PER_MILLE and borne_out(observation, host, metric) else 0


def delays(observation: Observation) -> Mapping[str, int]:
    """Return how long guests' vCPUs were ready but not running lately, millicores.

    The mean of the latest hour with what was measured just now; guests of which the present is not
    believed, or of which no delay is known, are left out.
    """
    rollups = observation.rollups
    last = max(0, (int(observation.at) - rollups.start) // STEP)
    guests = [g.uuid for g in observation.cluster.guests if observation.history.guests.get(g.uuid)]
    rows = rollups.guest_rows(DELAY, guests)[:, max(0, last - PER_HOUR) : last]
    found = {}
    for uuid, row in zip(guests, rows, strict=True):
        known = row[~np.isnan(row)].tolist()
        newest = observation.history.guests[uuid][-1].values.get(DELAY)
        known += [] if newest is None else [newest]
        if known:
            found[uuid] = round(sum(known) / len(known))
    return found
