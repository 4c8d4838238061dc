"""What a solver and the judge are given: the cluster, its demand, and the policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from balancer.planner.model.calibration import UNCALIBRATED, Calibration
from balancer.planner.model.cluster import Cluster, Guest, Host
from balancer.planner.model.demand import Demand
from balancer.planner.model.policy import Policy
from balancer.planner.model.resources import Resources, add
from balancer.planner.model.selector import Selector

UNLABELLED = "(unlabelled)"
"""The domain of every host without the label asked for: nothing is known to separate them."""


@dataclass(frozen=True)
class Problem:
    """One question, complete. Derived look-ups are computed once and kept."""

    cluster: Cluster
    demand: Demand
    policy: Policy
    cooling: frozenset[str] = frozenset()
    """Uuids that moved too recently to be moved again for balance."""
    relieve: frozenset[str] = frozenset()
    """Hosts the operator asked to relieve."""
    at: float = 0.0
    """Time of the observation, seconds since the epoch."""
    calibration: Calibration = UNCALIBRATED
    """What finished migrations taught about rates."""
    _selected: dict[Selector, tuple[str, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def guests(self, selector: Selector) -> tuple[str, ...]:
        """Return the uuids that `selector` means here, sorted."""
        if selector not in self._selected:
            self._selected[selector] = selector.guests(self.cluster, self.policy.groups)
        return self._selected[selector]

    def hosts(self, selector: Selector) -> tuple[str, ...]:
        """Return the names of the hosts that `selector` means here."""
        return selector.hosts(self.cluster)

    def domain(self, host: str, across: str) -> str:
        """Return the failure domain of `host`: itself for `host`, else its label's value."""
        if across == "host":
            return host
        return self.cluster.host[host].labels.get(across, UNLABELLED)

    @cached_property
    def needs(self) -> Mapping[str, Resources]:
        """What each guest takes of a host, by uuid.

        vCPUs, memory and hugepages as allocated; CPU, disk and network as the demand's peak.
        """
        return {g.uuid: self._need(g) for g in self.cluster.guests}

    def _need(self, guest: Guest) -> Resources:
        peak = self.demand.peak.get(guest.uuid, {})
        return {**peak, **guest.allocation}

    @cached_property
    def loads(self) -> Mapping[str, Resources]:
        """Mean demand by host as guests are placed now: millicores, MiB, KiB/s."""
        sums: dict[str, Resources] = {host.name: {} for host in self.cluster.hosts}
        for guest in self.cluster.guests:
            host = self.cluster.placement[guest.uuid]
            sums[host] = add(sums[host], self.demand.mean.get(guest.uuid, {}))
        return sums

    def name(self, uuid: str) -> str:
        """Return the guest's name, for sentences."""
        return self.cluster.guest[uuid].name

    def host(self, name: str) -> Host:
        """Return the host of that name."""
        return self.cluster.host[name]
