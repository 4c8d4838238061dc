"""From what was measured to what is expected: one method per file, and this table."""

from collections.abc import Callable, Mapping
from typing import Final

from balancer.planner.forecast.latest import latest
from balancer.planner.model.demand import Demand
from balancer.planner.model.observation import Observation

FORECASTERS: Final[Mapping[str, Callable[[Observation], Demand]]] = {"latest": latest}
"""By the name a policy uses."""
