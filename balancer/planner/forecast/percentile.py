"""What was, will be: the mean and the quantiles of the whole past. Robust, and blind to time."""

import numpy as np

from balancer.planner.model.outlook import Path, ratio
from balancer.planner.model.rollups import Floats


def percentile(past: Floats, first: int, horizon: int, quantile: float) -> Path:  # noqa: ARG001 - knows no time
    """Return the same for every step of the horizon."""
    ordered = np.sort(past, axis=1)  # what is unknown comes last
    known = ~np.isnan(past)
    count = known.sum(axis=1, dtype=np.int64)
    total = np.add.reduce(past, axis=1, where=known, dtype=np.float64).astype(np.float32)
    columns = (
        ratio(total, count.astype(np.float32)),
        _rank(ordered, count, 1 - quantile),
        _rank(ordered, count, quantile),
    )
    return Path(*(np.repeat(column[:, None], horizon, axis=1) for column in columns))


def _rank(
    ordered: Floats, count: np.ndarray[tuple[int], np.dtype[np.int64]], share: float
) -> Floats:
    """Return the smallest known value that `share` of the known values do not exceed."""
    place = np.clip(np.ceil(share * count).astype(np.int64) - 1, 0, ordered.shape[1] - 1)
    return np.take_along_axis(ordered, place[:, None], axis=1)[:, 0]
