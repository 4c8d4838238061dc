"""When the cluster runs out, of what: a line through the days that were measured, with a band.

Least squares through daily means of what all guests use together, and the standard errors of its
slope and of its end (Draper and Smith, Applied Regression Analysis, chapter 1). Nothing is said from fewer
days than a line with a band needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from balancer.planner.model.cluster import HostState
from balancer.planner.model.outlook import PER_DAY
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, MEMORY
from balancer.planner.model.rollups import Floats, Rollups

DAYS_NEEDED: Final = 4
COVERED: Final = 0.5
"""Share of a day's steps that must be known, for a day to count."""
SURE: Final = 0.9
"""Probability of the band, both sides together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One resource of the whole cluster, in its unit: millicores or MiB."""

    resource: str
    days: tuple[float, ...]
    """Mean of each day that counts, oldest first."""
    limit: int
    """From here on hosts are hot on the whole, with the largest ones lost that may be."""
    per_day: float
    """Growth."""
    likely: float | None
    """Days from now until the limit is reached, if it grows; None: not as it looks now."""
    soonest: float | None
    latest: float | None
    """The same at both ends of the band."""


def trends(problem: Problem, rollups: Rollups, hosts_lost: int = 0) -> tuple[Trend, ...]:
    """Return what is known of CPU and memory; a resource with too few days is left out."""
    hot = problem.policy.hot
    found = []
    for name, share in ((CPU, hot.cpu_used), (MEMORY, hot.memory_used)):
        sizes = sorted(
            h.usable.get(name, 0) for h in problem.cluster.hosts if h.state is HostState.UP
        )
        limit = int(share * sum(sizes[: len(sizes) - hosts_lost]))
        days = _days(rollups.guest_rows(name, problem.everyone))
        if len(days) >= DAYS_NEEDED:
            found.append(_trend(name, days, limit))
    return tuple(found)


def _days(rows: Floats) -> Sequence[float]:
    """Return what guests use together, by day; days that are known too little are left out.

    Counted backwards from the newest step. A guest of which nothing is known on a day weighs as
    its mean over all days: it was there, and unmeasured.
    """
    whole = rows.shape[1] // PER_DAY
    recent = rows[:, rows.shape[1] - whole * PER_DAY :].reshape(len(rows), whole, PER_DAY)
    known = (~np.isnan(recent)).sum(axis=2)
    sums = np.nansum(recent, axis=2)
    means = np.divide(sums, known, out=np.full(sums.shape, np.nan), where=known > 0)
    every = known.sum(axis=1)
    usual = np.divide(sums.sum(axis=1), every, out=np.zeros(len(rows)), where=every > 0)
    filled = np.where(np.isnan(means), usual[:, None], means)
    counts = known.sum(axis=0) >= COVERED * PER_DAY * max(1, (every > 0).sum())
    return [float(day) for day in filled.sum(axis=0)[counts]]


def _trend(name: str, days: Sequence[float], limit: int) -> Trend:
    y = np.array(days)
    x = np.arange(len(y)) - (len(y) - 1)
    centred = x - x.mean()
    squares = float(centred @ centred)
    slope = float(centred @ y) / squares
    level = float(y.mean() - slope * x.mean())
    residual = y - level - slope * x
    spread = float(np.sqrt(residual @ residual / (len(y) - 2)))
    sure = _student((1 + SURE) / 2, len(y) - 2)
    tilt = sure * spread / float(np.sqrt(squares))
    lift = sure * spread * float(np.sqrt(1 / len(y) + x.mean() ** 2 / squares))
    return Trend(
        resource=name,
        days=tuple(days),
        limit=limit,
        per_day=slope,
        likely=_until(level, slope, limit),
        soonest=_until(level + lift, slope + tilt, limit),
        latest=_until(level - lift, slope - tilt, limit),
    )


def _student(probability: float, freedom: int) -> float:
    """Return the quantile of Student's distribution (Abramowitz and Stegun, 26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return float(z + first + second)


def _until(level: float, slope: float, limit: int) -> float | None:
    if level >= limit:
        return 0.0
    return (limit - level) / slope if slope > 0 else None
