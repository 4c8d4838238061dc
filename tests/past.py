"""Pasts for drawn clusters: what tests of the gate, of forecasts and of the history start from."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.rollups import STEP, UNKNOWN, Block, Cells, Rollups
from tests.drawing import NOON, observation

METRICS = ("cpu", "memory.rss")


def with_past(text: str, steps: int = 60, noise: float = 0.05, seed: int = 1) -> Observation:
    """Return the drawn cluster with `steps` of a past that is steady but for `noise`.

    Newest samples of guests and hosts are averages over five minutes; a host measures what its
    guests use and a little for itself.
    """
    seen = observation(text)
    chance = np.random.default_rng(seed)
    names = sorted(seen.history.guests)
    blocks = {}
    for metric in METRICS:
        now = np.array([seen.history.guests[u][-1].values[metric] for u in names], dtype=float)
        wobble = 1 + noise * chance.standard_normal((len(names), steps))
        blocks[metric] = Block.of(names, as_cells(now.reshape(-1, 1) * wobble))
    start = (int(NOON) // STEP - steps) * STEP
    guests = {
        uuid: (replace(taken[-1], window=300.0),) for uuid, taken in seen.history.guests.items()
    }
    return replace(
        seen,
        history=History(guests, _hosts(seen, guests)),
        rollups=Rollups(start, steps, blocks),
    )


def as_cells(values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> Cells:
    """Return amounts as cells; NaN becomes UNKNOWN."""
    return np.where(np.isnan(values), UNKNOWN, np.maximum(0, np.rint(values))).astype(np.int32)


def _hosts(
    seen: Observation, guests: Mapping[str, tuple[Sample, ...]]
) -> dict[str, tuple[Sample, ...]]:
    found = {}
    for host, here in seen.cluster.guests_on.items():
        used = sum(guests[g.uuid][-1].values["cpu"] for g in here if g.uuid in guests)
        found[host] = (Sample(seen.at, 300.0, {"cpu": used + 200, "memory.used": 1024}),)
    return found
