"""Electrical power of a host by its load, as everywhere: `planner.model.power`."""

from balancer.planner.model.power import DEFAULT_WATTS as DEFAULT_WATTS  # noqa: PLC0414 - found here, too
from balancer.planner.model.power import LEAST_POINTS as LEAST_POINTS  # noqa: PLC0414
from balancer.planner.model.power import power as power  # noqa: PLC0414
