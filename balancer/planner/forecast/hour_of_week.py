"""Every hour of the week has a habit: its mean, leaning on the hour of the day while few are known."""

from typing import Final

import numpy as np

from balancer.planner.model.outlook import PER_HOUR, Hours, Path, hours, normal_band, ratio
from balancer.planner.model.rollups import Floats

DAY: Final = 24
WEEK: Final = 7 * DAY
LEAN: Final = np.float32(1)
"""The hour of the day, over all days, weighs as much as that many weeks of this hour."""
LEVEL_HALF_LIFE: Final = 12
"""Hours after which a departure from the habit counts half: a guest may be busier today."""
FADE: Final = np.float32(0.5 ** (1 / 6))
"""What is left of today's departure after each further hour."""


def hour_of_week(past: Floats, first: int, horizon: int, quantile: float) -> Path:
    """Return the habit of the hours to come, shifted by today's departure from it, which fades.

    The band is normal, as wide as the hours missed their habit and steps missed their hour.
    """
    seen = hours(past, first)
    habit = _habit(seen)
    missed = seen.mean - habit[:, _slots(seen.first, seen.mean.shape[1])]
    steps = first + past.shape[1] + np.arange(horizon)
    ahead = steps // PER_HOUR
    fading = FADE ** (ahead - ahead[0]).astype(np.float32)
    mean = np.maximum(0, habit[:, ahead % WEEK] + _departure(missed)[:, None] * fading)
    variance = ratio(np.nansum(missed * missed, axis=1), (~np.isnan(missed)).sum(axis=1))
    deviation = np.sqrt(variance + seen.spread**2)
    return normal_band(mean.astype(np.float32), deviation[:, None], quantile)


def _slots(first: int, count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return (first + np.arange(count)) % WEEK


def _habit(seen: Hours) -> Floats:
    """Return [guests, WEEK]: what each hour of the week is wont to be."""
    total, count = _by_slot(seen)
    by_day = (len(total), 7, DAY)
    day = ratio(total.reshape(by_day).sum(axis=1), count.reshape(by_day).sum(axis=1))
    overall = ratio(total.sum(axis=1), count.sum(axis=1))
    day = np.where(np.isnan(day), overall[:, None], day)
    habit: Floats = (total + LEAN * np.tile(day, 7)) / (count + LEAN)
    return habit


def _by_slot(seen: Hours) -> tuple[Floats, Floats]:
    """Return [guests, WEEK] twice: sum and number of the hours known."""
    guests, count = seen.mean.shape
    before = seen.first % WEEK
    after = -(before + count) % WEEK
    padded = np.pad(seen.mean, ((0, 0), (before, after)), constant_values=np.nan)
    weeks = padded.reshape(guests, -1, WEEK)
    return np.nansum(weeks, axis=1), (~np.isnan(weeks)).sum(axis=1, dtype=np.float32)


def _departure(missed: Floats) -> Floats:
    """Return [guests]: by how much the latest hours differ from their habit."""
    age = np.arange(missed.shape[1])[::-1]
    weight = np.exp2(-age / LEVEL_HALF_LIFE).astype(np.float32)
    known = ~np.isnan(missed)
    total = known @ weight
    # One unit of the habit's own weight: a single odd hour does not turn the forecast around.
    return (np.where(known, missed, np.float32(0)) @ weight) / (total + np.float32(1))
