"""What a method says of each metric, put together to a demand: mean, peak, joint futures.

A guest whose newest sample is missing or not believed is `unknown`: it stays where it is. If its
past is known it weighs as that past lets expect; else as its allocation, and its host's load is
not known either (`Demand.blind`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.model.cluster import Guest
from balancer.planner.model.demand import Demand
from balancer.planner.model.observation import Observation, Sample
from balancer.planner.model.outlook import PER_DAY, PER_HOUR, Method, ratio
from balancer.planner.model.policy import Forecast
from balancer.planner.model.resources import CPU, DISK, MEMORY, NETWORK, VCPUS, Resources
from balancer.planner.model.rollups import STEP, Floats
from balancer.planner.model.usage import MEANINGS, MILLICORES, credible, usage

CHUNK: Final = 1024
"""Guests looked at together: more would not stay in the processor's caches."""
METRICS: Final = (CPU, *MEANINGS, DISK, NETWORK)
LEAST: Final = PER_HOUR
"""Steps of the latest day that must be known for the past to stand in for the present."""

NEXT_HOUR: Final = Forecast()


@dataclass(frozen=True, slots=True)
class Expect:
    """A forecaster: `method` on every metric."""

    method: Method

    def __call__(self, observation: Observation, wanted: Forecast = NEXT_HOUR) -> Demand:
        """Return what each guest is expected to use over the horizon."""
        guests = observation.cluster.guests
        samples = [credible(observation, guest) for guest in guests]
        past = _Past(observation, samples)
        cpu = past.rows(CPU)
        known = (~np.isnan(cpu[:, -PER_DAY:])).sum(axis=1) >= LEAST
        unknown = {g.uuid for g, sample in zip(guests, samples, strict=True) if sample is None}
        silent = {
            g.uuid for g, k in zip(guests, known, strict=True) if g.uuid in unknown and not k
        }
        expected = {name: self._ahead(past, past.rows(name), wanted) for name in METRICS}
        mean, peak, basis = {}, {}, {}
        for number, guest in enumerate(guests):
            said = {
                name: (int(m[number]), int(p[number]))
                for name, (m, p) in expected.items()
                if not np.isnan(m[number]) and guest.uuid not in silent
            }
            mean[guest.uuid], basis[guest.uuid] = usage(
                guest, {n: v for n, (v, _) in said.items()}
            )
            high, _ = usage(guest, {name: v for name, (_, v) in said.items()})
            peak[guest.uuid] = _bounded(guest, mean[guest.uuid], high)
        return Demand(
            mean=mean,
            peak=peak,
            basis=basis,
            unknown=frozenset(unknown),
            blind=frozenset(observation.cluster.placement[uuid] for uuid in silent),
            scenarios=_together(guests, cpu, mean, wanted.scenarios),
            dirty_mib_s={
                guest.uuid: sample.values["dirty"]
                for guest, sample in zip(guests, samples, strict=True)
                if sample is not None and "dirty" in sample.values
            },
        )

    def _ahead(self, past: "_Past", rows: Floats, wanted: Forecast) -> tuple[Floats, Floats]:
        """Return [guests] twice: the mean over the horizon, and the highest of its high line."""
        horizon = max(1, int(wanted.horizon) // STEP)
        means, peaks = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
        for start in range(0, len(rows), CHUNK):
            path = self.method(rows[start : start + CHUNK], past.first, horizon, wanted.quantile)
            means.append(path.mean.mean(axis=1))
            peaks.append(path.high.max(axis=1))
        return np.concatenate(means), np.concatenate(peaks)


class _Past:
    """The roll-ups, and after them what was measured just now."""

    def __init__(self, observation: Observation, samples: Sequence[Sample | None]) -> None:
        self._observation = observation
        self._samples = samples
        rollups = observation.rollups
        now = int(observation.at) // STEP
        self._until = rollups.start // STEP + rollups.columns
        self._fits = rollups.columns > 0 and self._until in (now, now + 1)
        self.first = rollups.start // STEP if self._fits else now
        self._now = now

    def rows(self, metric: str) -> Floats:
        """Return [guests, steps] of that metric, up to now."""
        uuids = [guest.uuid for guest in self._observation.cluster.guests]
        newest = np.array(
            [np.nan if s is None else s.values.get(metric, np.nan) for s in self._samples],
            dtype=np.float32,
        ).reshape(-1, 1)
        if not self._fits:
            return newest
        rows = self._observation.rollups.guest_rows(metric, uuids)
        if self._until == self._now:
            return np.concatenate([rows, newest], axis=1)
        rows[:, -1:] = np.where(np.isnan(rows[:, -1:]), newest, rows[:, -1:])
        return rows


def _bounded(guest: Guest, mean: Resources, high: Resources) -> Resources:
    """Return the peak: not under the mean, and of CPU not over what the guest has."""
    most = guest.allocation.get(VCPUS, 0) * MILLICORES
    limit = {CPU: most, MEMORY: max(guest.allocation.get(MEMORY, 0), mean[MEMORY])}
    return {
        name: max(amount, min(high.get(name, amount), limit.get(name, high.get(name, amount))))
        for name, amount in mean.items()
    }


def _together(
    guests: Sequence[Guest],
    cpu: Floats,
    mean: Mapping[str, Resources],
    count: int,
) -> tuple[Mapping[str, Resources], ...]:
    """Return `count` joint futures of CPU: how guests ran together at moments of the past.

    The moments are spread evenly, so that each hour and each coincidence weighs as it occurs.
    Each guest is moved by what its forecast says beyond its past mean; where its past has a gap
    it is as expected.
    """
    if not count or cpu.shape[1] < count * PER_HOUR:
        return ()
    known = ~np.isnan(cpu)
    filled = np.where(known, cpu, np.float32(0))
    wont = ratio(filled.sum(axis=1), known.sum(axis=1, dtype=np.float32))
    expected = np.array([mean[guest.uuid][CPU] for guest in guests], dtype=np.float32)
    most = np.array([guest.allocation.get(VCPUS, 0) * MILLICORES for guest in guests])
    futures = []
    for moment in moments(cpu.shape[1], count):
        moved = cpu[:, moment] + (expected - wont)
        used = np.where(np.isnan(moved), expected, np.clip(moved, 0, np.maximum(most, expected)))
        amounts = np.rint(used).astype(np.int64).tolist()
        futures.append({g.uuid: {CPU: amount} for g, amount in zip(guests, amounts, strict=True)})
    return tuple(futures)


def moments(steps: int, count: int) -> list[int]:
    """Return `count` of `steps` columns, evenly spread: the middle of each of as many spans."""
    return [(2 * number + 1) * steps // (2 * count) for number in range(count)]
