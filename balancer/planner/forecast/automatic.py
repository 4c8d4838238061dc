"""To each guest its own method: the one that would have foretold its latest day best."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from balancer.planner.model.backtest import backtest
from balancer.planner.model.outlook import Method, Path
from balancer.planner.model.rollups import Floats


@dataclass(frozen=True, slots=True)
class Automatic:
    """A method that lets others compete; `usual` wins where nothing is to choose by."""

    methods: Mapping[str, Method]
    usual: str

    def __call__(self, past: Floats, first: int, horizon: int, quantile: float) -> Path:
        """Return for each guest what its best method says."""
        best = backtest(self.methods, past, first, quantile).best(self.usual)
        shape = (len(past), horizon)
        path = Path(*(np.full(shape, np.nan, dtype=np.float32) for _ in range(3)))
        for number, method in enumerate(self.methods.values()):
            mine = np.flatnonzero(best == number)
            if not len(mine):
                continue
            part = method(past[mine], first, horizon, quantile)
            path.mean[mine], path.low[mine], path.high[mine] = part.mean, part.low, part.high
        return path
