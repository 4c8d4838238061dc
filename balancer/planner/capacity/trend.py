"""When the cluster runs out, of what: a line through the days that were measured, with a band.

Least squares through daily means of what all guests use and were given together, those that came
and went included, and the standard errors of its slope and of its end (Draper and Smith, Applied
Regression Analysis, chapter 1). Nothing is said from fewer days than a line with a band needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.constraints.capacity import Capacity
from balancer.planner.model.cluster import HostState
from balancer.planner.model.outlook import PER_DAY
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, MEMORY
from balancer.planner.model.rollups import Floats, Rollups
from balancer.planner.model.usage import MEANINGS

Bools = NDArray[np.bool_]
IN_USE: Final = "memory in use"
GIVEN_OUT: Final = "memory given out"
READ: Final[Mapping[str, tuple[str, ...]]] = {
    CPU: (CPU,),
    IN_USE: tuple(MEANINGS),
    GIVEN_OUT: ("memory.assigned",),
}
"""Metrics that each is read from, by name: the first that is known."""
DAYS_NEEDED: Final = 4
COVERED: Final = 0.5
"""Share of a day's steps that must be known, for a day to count."""
SURE: Final = 0.9
"""Probability of the band, both sides together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One resource of the whole cluster, in its unit: millicores or MiB."""

    resource: str
    """A key of READ."""
    days: tuple[float, ...]
    """Mean of each day that counts, oldest first."""
    limit: int
    """From here on hosts are hot, or have nothing left to give out, with the largest ones lost
    that may be."""
    per_day: float
    """Growth."""
    likely: float | None
    """Days from now until the limit is reached, if it grows; None: not as it looks now."""
    soonest: float | None
    latest: float | None
    """The same at both ends of the band."""


def trends(problem: Problem, rollups: Rollups, hosts_lost: int = 0) -> tuple[Trend, ...]:
    """Return what is known of each of READ; one with too few days is left out."""
    found = []
    for name, metrics in READ.items():
        names, rows = _rows(rollups, metrics)
        running = np.array([guest in problem.cluster.guest for guest in names], dtype=bool)
        days = _days(rows, running)
        limit = _limit(problem, name, hosts_lost)
        if len(days) >= DAYS_NEEDED and limit:
            found.append(_trend(name, days, limit))
    return tuple(found)


def _limit(problem: Problem, name: str, hosts_lost: int) -> int:
    """Return how much there is of it; 0 if no rule says how much may be given out."""
    up = [host for host in problem.cluster.hosts if host.state is HostState.UP]
    if name == GIVEN_OUT:
        rules = [rule for rule in problem.policy.constraints if isinstance(rule, Capacity)]
        rooms = {host: room for rule in rules for host, room in rule.rooms(problem).items()}
        sizes = [float(rooms[host.name][MEMORY]) for host in up if host.name in rooms]
    else:
        hot = problem.policy.hot
        kind, share = (CPU, hot.cpu_used) if name == CPU else (MEMORY, hot.memory_used)
        sizes = [share * host.usable.get(kind, 0) for host in up]
    return int(sum(sorted(sizes)[: len(sizes) - hosts_lost]))


def _rows(rollups: Rollups, metrics: Sequence[str]) -> tuple[Sequence[str], Floats]:
    """Return every guest that was ever measured, and [guests, columns] of the first that is known."""
    blocks = [rollups.guests[metric] for metric in metrics if metric in rollups.guests]
    names = sorted({name for block in blocks for name in block.names})
    rows = rollups.guest_rows(metrics[0], names)
    for metric in metrics[1:]:
        rows = np.where(np.isnan(rows), rollups.guest_rows(metric, names), rows)
    return names, rows


def _days(rows: Floats, running: Bools) -> Sequence[float]:
    """Return what guests use together, by day; days that are known too little are left out.

    `running` [guests] are there still. Counted backwards from the newest step. A guest is there
    from its first to its last known step, to the end if it runs; while it was there and was not
    measured it weighs as its mean over all days.
    """
    if not rows.size:
        return []
    known = ~np.isnan(rows)
    seen = known.any(axis=1)
    rows, known, running = rows[seen], known[seen], running[seen]
    steps = np.arange(rows.shape[1])
    first = known.argmax(axis=1)
    last = rows.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    last[running] = rows.shape[1] - 1
    usual = np.nansum(rows, axis=1) / known.sum(axis=1)
    days = []
    for end in range(rows.shape[1], PER_DAY - 1, -PER_DAY):
        day = slice(end - PER_DAY, end)
        measured = known[:, day].any(axis=0)
        there = (first[:, None] <= steps[day]) & (steps[day] <= last[:, None]) & measured
        held = known[:, day]
        if measured.sum() >= COVERED * PER_DAY and held.sum() >= COVERED * there.sum():
            counted = np.where(held, rows[:, day], usual[:, None]) * there
            days.append(float(counted.sum(axis=0)[measured].mean()))
    return days[::-1]


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
