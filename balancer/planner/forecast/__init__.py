"""From what was measured to what is expected: one method per file, and this table."""

from collections.abc import Mapping
from typing import Final, Protocol

from balancer.planner.forecast.automatic import Automatic
from balancer.planner.forecast.ewma import ewma
from balancer.planner.forecast.expect import Expect
from balancer.planner.forecast.holt_winters import holt_winters
from balancer.planner.forecast.hour_of_week import hour_of_week
from balancer.planner.forecast.latest import latest
from balancer.planner.forecast.percentile import percentile
from balancer.planner.model.demand import Demand
from balancer.planner.model.observation import Observation
from balancer.planner.model.outlook import Method
from balancer.planner.model.policy import Forecast


class Forecaster(Protocol):
    """From what was measured to what is expected."""

    def __call__(self, observation: Observation, wanted: Forecast = ...) -> Demand:
        """Return the demand of every guest."""
        ...


METHODS: Final[Mapping[str, Method]] = {
    "percentile": percentile,
    "ewma": ewma,
    "hour_of_week": hour_of_week,
    "holt_winters": holt_winters,
}
"""Ways to look ahead."""

FORECASTERS: Final[Mapping[str, Forecaster]] = {
    "latest": latest,
    **{name: Expect(method) for name, method in METHODS.items()},
    "automatic": Expect(Automatic(METHODS, usual="percentile")),
}
"""By the name a policy uses."""
