"""All checks, one after the other, and what is left when they are done."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from balancer.planner.model.cluster import Cluster, HostState
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.resources import VCPUS
from balancer.planner.quality.agreement import disagreeing
from balancer.planner.quality.capacity import impossible_hosts
from balancer.planner.quality.past import implausible, unstuck
from balancer.planner.quality.pressure import unfelt
from balancer.planner.quality.samples import unbelievable
from balancer.planner.quality.sums import contradicted
from balancer.planner.quality.swapped import mistaken

SHOWN = 3
"""How many guests one sentence names."""
LEAST_KNOWN = 0.5
"""Share of the guests that must be known for load to be a reason for anything."""
MOST_KNOWN = 0.9
"""Share of the guests that must be known for the cluster's mean to be a measure of its hosts,"""
MOST_VCPUS_KNOWN = 0.99
"""and share of their vCPUs: a few large ones may weigh more than many small ones."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is left of an observation, and what is not believed."""

    observation: Observation
    """Without the samples that are not believed; hosts that cannot be true receive nothing."""
    guests: Mapping[str, str]
    """Why a guest's newest sample is not believed, by uuid."""
    hosts: Mapping[str, str]
    """Why what a host says it has is not believed, by name."""

    @property
    def blind(self) -> frozenset[str]:
        """Hosts about whose load nothing may be concluded: all, where too little is known."""
        enough = self._known() >= LEAST_KNOWN
        return frozenset(self.hosts if enough else self.observation.cluster.host)

    @property
    def partial(self) -> bool:
        """True if what the cluster uses on the whole cannot be said."""
        few = self._known() < MOST_KNOWN or self._vcpus_known() < MOST_VCPUS_KNOWN
        return bool(self.hosts) or few

    def _known(self) -> float:
        """Return the share of the guests whose newest sample is believed."""
        guests = self.observation.cluster.guest
        return 1 - len(self.guests.keys() & guests.keys()) / max(1, len(guests))

    def _vcpus_known(self) -> float:
        """Return the share of the guests' vCPUs of which the newest sample is believed."""
        vcpus = {g.uuid: g.allocation.get(VCPUS, 0) for g in self.observation.cluster.guests}
        unknown = sum(vcpus.get(uuid, 0) for uuid in self.guests)
        return 1 - unknown / max(1, sum(vcpus.values()))


def gate(observation: Observation) -> Trusted:
    """Return what may be believed. What passed once passes again: gating twice changes nothing."""
    hosts = impossible_hosts(observation.cluster)
    faults = {
        guest.uuid: f"its host cannot be as {hosts[host]}"
        for guest in observation.cluster.guests
        if (host := observation.cluster.placement[guest.uuid]) in hosts
    }
    for check in (unbelievable, disagreeing, implausible, mistaken):
        faults = {**check(observation), **faults}
    # Sums are of what passed the checks of single guests: one absurd value accuses only itself.
    faults = {**contradicted(_without(observation, faults)), **faults}
    left = _without(observation, faults)
    pressure = unfelt(left)
    return Trusted(
        replace(
            left,
            history=History(left.history.guests, _without_pressure(left, pressure)),
            cluster=_not_receiving(observation.cluster, hosts),
            rollups=unstuck(observation, faults),
            doubts=tuple(
                dict.fromkeys((*left.doubts, *_sentences(observation, faults, hosts, pressure)))
            ),
        ),
        faults,
        hosts,
    )


def _without(observation: Observation, faults: Mapping[str, str]) -> Observation:
    """Return the observation without the samples of those guests."""
    kept = {u: taken for u, taken in observation.history.guests.items() if u not in faults}
    return replace(observation, history=History(kept, observation.history.hosts))


def _without_pressure(
    observation: Observation, doubted: Mapping[str, Collection[str]]
) -> Mapping[str, tuple[Sample, ...]]:
    """Return what was measured of hosts, without those metrics of the newest sample."""
    found = dict(observation.history.hosts)
    for host, metrics in doubted.items():
        *before, last = found[host]
        values = {name: value for name, value in last.values.items() if name not in metrics}
        found[host] = (*before, replace(last, values=values))
    return found


def _not_receiving(cluster: Cluster, hosts: Mapping[str, str]) -> Cluster:
    """Return the cluster with those hosts down for arrivals; one being drained stays so."""
    if not hosts:
        return cluster
    return replace(
        cluster,
        hosts=tuple(
            replace(h, state=HostState.DOWN) if h.name in hosts and h.state is HostState.UP else h
            for h in cluster.hosts
        ),
    )


def _sentences(
    observation: Observation,
    faults: Mapping[str, str],
    hosts: Mapping[str, str],
    pressure: Mapping[str, Mapping[str, str]],
) -> tuple[str, ...]:
    cluster = observation.cluster
    told = (
        *(f"{host}: {why}; it receives no guest" for host, why in sorted(hosts.items())),
        *_odd_pressure(pressure),
    )
    silent = observation.history.guests.keys() & faults.keys()
    doubted = sorted((cluster.guest[u].name, why) for u, why in faults.items() if u in silent)
    if not doubted:
        return told
    named = "; ".join(f"{name}: {why}" for name, why in islice(doubted, SHOWN))
    more = f" (and {len(doubted) - SHOWN} more)" if len(doubted) > SHOWN else ""
    return (*told, f"not believed, so not moved for load: {named}{more}")


def _odd_pressure(pressure: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield one sentence on pressure that is not believed, if there is any."""
    said = [f"{host}: {why}" for host, of in sorted(pressure.items()) for why in of.values()]
    if said:
        more = f" (and {len(said) - SHOWN} more)" if len(said) > SHOWN else ""
        yield f"pressure not believed, so no reason to move: {'; '.join(said[:SHOWN])}{more}"
