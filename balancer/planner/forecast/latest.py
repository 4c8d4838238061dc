"""The newest sample, taken for the future."""

from balancer.planner.model.demand import Demand
from balancer.planner.model.observation import Observation
from balancer.planner.model.policy import Forecast
from balancer.planner.model.resources import Resources
from balancer.planner.model.usage import credible, usage

NEXT_HOUR = Forecast()


def latest(observation: Observation, wanted: Forecast = NEXT_HOUR) -> Demand:  # noqa: ARG001 - looks no way ahead
    """Return the newest trustworthy sample of each guest as its mean and its peak.

    A guest without one is unknown and weighs as its allocation.
    """
    mean: dict[str, Resources] = {}
    basis: dict[str, str] = {}
    dirty: dict[str, int] = {}
    unknown = set()
    for guest in observation.cluster.guests:
        sample = credible(observation, guest)
        values = {} if sample is None else sample.values
        if sample is None:
            unknown.add(guest.uuid)
        if "dirty" in values:
            dirty[guest.uuid] = values["dirty"]
        mean[guest.uuid], basis[guest.uuid] = usage(guest, values)
    return Demand(
        mean=mean,
        peak=mean,
        basis=basis,
        unknown=frozenset(unknown),
        blind=frozenset(observation.cluster.placement[uuid] for uuid in unknown),
        dirty_mib_s=dirty,
    )
