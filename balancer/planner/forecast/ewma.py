"""The recent past counts most: an exponentially weighted mean, and the variance around it."""

from typing import Final

import numpy as np

from balancer.planner.model.outlook import PER_HOUR, Path, normal_band, ratio
from balancer.planner.model.rollups import Floats

HALF_LIFE: Final = 2 * PER_HOUR
"""Steps after which a value counts half."""
REACH: Final = 12 * HALF_LIFE
"""Older values would weigh less than one in four thousand: they are not looked at."""


def ewma(past: Floats, first: int, horizon: int, quantile: float) -> Path:  # noqa: ARG001 - knows no time
    """Return the same for every step of the horizon, with a normal band."""
    recent = past[:, -REACH:]
    age = np.arange(recent.shape[1])[::-1]
    weight = np.exp2(-age / HALF_LIFE).astype(np.float32)
    known = ~np.isnan(recent)
    values = np.where(known, recent, np.float32(0))
    total = known @ weight
    mean = ratio(values @ weight, total)
    away = np.where(known, recent - mean[:, None], np.float32(0))
    deviation = np.sqrt(ratio((away * away) @ weight, total))
    return normal_band(np.repeat(mean[:, None], horizon, axis=1), deviation[:, None], quantile)
