"""Level, trend and hour of the day, each learnt on the way: additive Holt-Winters, damped.

Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 8.3 and 8.4. Steps of
one hour; of a few settings each guest gets the one with the least squared one-hour error.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.model.outlook import PER_HOUR, Path, hours, normal_band, ratio
from balancer.planner.model.rollups import Floats

DAY: Final = 24
DAMPED: Final = np.float32(0.9)
"""Share of the trend that is left after each further hour."""
WARM_UP: Final = DAY
"""Hours that teach before errors are counted."""


SETTINGS: Final = ((0.1, 0.0, 0.1), (0.3, 0.0, 0.2), (0.3, 0.05, 0.2), (0.7, 0.0, 0.1))
"""How quickly level, trend and season learn: all of them run side by side."""


@dataclass(frozen=True, slots=True, eq=False)
class _Learnt:
    """Where every setting arrives: [settings, guests] and more."""

    level: Floats
    trend: Floats
    season: Floats
    """[settings, guests, DAY]"""
    squared: Floats
    """Mean squared one-hour error."""


def holt_winters(past: Floats, first: int, horizon: int, quantile: float) -> Path:
    """Return level, trend and season carried on, with a normal band that widens by the hour."""
    seen = hours(past, first)
    learnt = _learn(seen.mean, seen.first)
    best = np.argmin(np.where(np.isnan(learnt.squared), np.inf, learnt.squared), axis=0)
    mine = (best, np.arange(len(past)))
    ahead = (first + past.shape[1] + np.arange(horizon)) // PER_HOUR
    further = ahead - (seen.first + seen.mean.shape[1] - 1)
    mean = (
        learnt.level[mine][:, None]
        + learnt.trend[mine][:, None] * _carried(int(further.max()))[further]
        + learnt.season[mine][:, ahead % DAY]
    )
    speed = np.array(SETTINGS, dtype=np.float32)[best, :1]
    growth = np.float32(1) + np.maximum(0, further - 1).astype(np.float32) * speed**2
    variance = learnt.squared[mine][:, None] * growth + (seen.spread**2)[:, None]
    return normal_band(np.maximum(0, mean), np.sqrt(variance), quantile)


def _carried(most: int) -> Floats:
    """Return [0..most]: how many hours' worth of trend are added that many hours on."""
    added = np.cumsum(DAMPED ** np.arange(1, most + 1, dtype=np.float32))
    return np.concatenate([np.zeros(1), added]).astype(np.float32)


def _learn(means: Floats, first: int) -> _Learnt:
    """Go through [guests, hours] once. An hour that is unknown teaches nothing."""
    guests, count = means.shape
    speeds = np.array(SETTINGS, dtype=np.float32)[:, :, None]
    by_hour = np.ascontiguousarray(means.T)
    shape = (len(SETTINGS), guests)
    level, trend, squared = (np.zeros(shape, np.float32) for _ in range(3))
    season = np.repeat(_first_habit(by_hour, first)[:, None], len(SETTINGS), axis=1)
    counted, begun = np.zeros(guests, np.float32), np.zeros(guests, np.bool_)
    for number, value in enumerate(by_hour):
        slot = (first + number) % DAY
        known = ~np.isnan(value)
        ahead = level + DAMPED * trend
        missed = np.where(known, value - ahead - season[slot], np.float32(0))
        if number >= min(WARM_UP, count - 1):
            squared += missed * missed * begun
            counted += known & begun
        quick = np.where(begun, speeds[:, 0], np.float32(1))
        level = ahead + quick * missed
        trend = DAMPED * trend + speeds[:, 1] * speeds[:, 0] * missed * begun
        season[slot] += speeds[:, 2] * (1 - quick) * missed
        begun |= known
    level = np.where(begun, level, np.float32(np.nan))
    error = ratio(squared, np.broadcast_to(counted, shape))
    return _Learnt(level, trend, season.transpose(1, 2, 0), np.nan_to_num(error))


def _first_habit(by_hour: Floats, first: int) -> Floats:
    """Return [DAY, guests]: how the hours of the first two days differed from their mean.

    Nothing where less than two days are known: one day is no habit.
    """
    habit = np.zeros((DAY, by_hour.shape[1]), np.float32)
    if len(by_hour) < 2 * DAY:
        return habit
    two = np.roll(by_hour[: 2 * DAY].reshape(2, DAY, -1), first % DAY, axis=1)
    known = ~np.isnan(two)
    day = ratio(np.where(known, two, np.float32(0)).sum(axis=0), known.sum(axis=0))
    count = (~np.isnan(day)).sum(axis=0)
    mean = ratio(np.nansum(day, axis=0), count)
    away: Floats = np.nan_to_num(day - mean)
    return away
