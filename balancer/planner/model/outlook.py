"""How a forecast is asked for and what it answers: the words that all methods share."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Protocol

import numpy as np

from balancer.planner.model.rollups import STEP, Floats

PER_HOUR: Final = 3600 // STEP
PER_DAY: Final = 24 * PER_HOUR
PER_WEEK: Final = 7 * PER_DAY


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """What is expected: [guests, steps] each, in the unit of the past; NaN where nothing is."""

    mean: Floats
    low: Floats
    """With a probability of `quantile`, it is not below this. Never negative."""
    high: Floats
    """With a probability of `quantile`, it is not above this."""


class Method(Protocol):
    """A way to look ahead. It must cope with one column, with gaps, and with rows of nothing."""

    def __call__(self, past: Floats, first: int, horizon: int, quantile: float) -> Path:
        """Return what follows `past` [guests, steps], for `horizon` steps.

        `first` is the number of the first column, counted in steps since the epoch, so that the
        hour of the day and of the week are known (in UTC). NaN is what nobody measured.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """The past by the hour."""

    mean: Floats
    """[guests, hours]: NaN where no step of the hour is known."""
    spread: Floats
    """[guests]: standard deviation of single steps around the mean of their hour."""
    first: int
    """Number of the first hour, since the epoch."""


def hours(past: Floats, first: int) -> Hours:
    """Return the past by the hour; the first and the last hour may be known in part."""
    before = first % PER_HOUR
    after = -(before + past.shape[1]) % PER_HOUR
    padded = np.pad(past, ((0, 0), (before, after)), constant_values=np.nan)
    cells = padded.reshape(len(past), -1, PER_HOUR)
    known = ~np.isnan(cells)
    count = known.sum(axis=2, dtype=np.float32)
    np.copyto(cells, 0, where=~known)
    mean = ratio(cells.sum(axis=2), count)
    squares = np.einsum("ghs,ghs->g", cells, cells)
    explained = np.nansum(mean * mean * count, axis=1)
    variance = np.maximum(0, squares - explained) / np.maximum(1, count.sum(axis=1))
    return Hours(mean, np.sqrt(variance), first // PER_HOUR)


def ratio(total: Floats, count: Floats) -> Floats:
    """Return total / count, NaN where nothing was counted."""
    full = np.full(total.shape, np.nan, dtype=np.float32)
    return np.divide(total, count, out=full, where=count > 0)


def normal_band(mean: Floats, deviation: Floats, quantile: float) -> Path:
    """Return a path whose band is that of a normal distribution. Shapes must broadcast."""
    reach = np.float32(NormalDist().inv_cdf(quantile)) * deviation
    wide = np.broadcast_to(reach, mean.shape)
    return Path(mean, np.maximum(0, mean - wide), mean + wide)
