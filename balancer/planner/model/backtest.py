"""How well a method would have foretold what is known by now.

The score is the pinball loss of Koenker and Bassett (Econometrica 46, 1978): of the high line at its
quantile, since capacity is held against it, and of the mean at one half. Smaller is better; its
unit is that of the metric.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.model.outlook import PER_HOUR, Method, ratio
from balancer.planner.model.rollups import Floats

AGO: Final = (18 * PER_HOUR, 6 * PER_HOUR)
"""How many steps before the end each look ahead starts: two parts of a day."""
AHEAD: Final = 6 * PER_HOUR
"""How far each looks."""
LEAST: Final = 12 * PER_HOUR
"""Steps of the past a look needs, or it teaches nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """Scores of every method for every guest."""

    methods: tuple[str, ...]
    scores: Floats
    """[methods, guests]; NaN where nothing could be scored."""

    def best(
        self, usual: str, margin: float = 0.05
    ) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Return [guests]: the number of the best method, `usual` unless it is beaten by `margin`."""
        scores = np.where(np.isnan(self.scores), np.inf, self.scores)
        known = self.methods.index(usual)
        best = np.argmin(scores, axis=0)
        least = np.take_along_axis(scores, best[None], axis=0)[0]
        return np.where(least < (1 - margin) * scores[known], best, known)


def backtest(methods: Mapping[str, Method], past: Floats, first: int, quantile: float) -> Backtest:
    """Return how each method would have done, looking ahead from times of the past."""
    shape = (len(methods), len(past))
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for ago in AGO:
        split = past.shape[1] - ago
        if split < LEAST:
            continue
        came = past[:, split : split + AHEAD]
        for number, method in enumerate(methods.values()):
            path = method(past[:, :split], first, AHEAD, quantile)
            lost = _pinball(came, path.high, quantile) + _pinball(came, path.mean, 0.5)
            known = ~np.isnan(lost)
            total[number] += np.where(known, lost, np.float32(0)).sum(axis=1)
            count[number] += known.sum(axis=1)
    return Backtest(tuple(methods), ratio(total, count))


def _pinball(came: Floats, said: Floats, quantile: float) -> Floats:
    off = came - said
    lost: Floats = np.maximum(np.float32(quantile) * off, np.float32(quantile - 1) * off)
    return lost
