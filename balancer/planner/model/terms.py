"""What of guests' demand is a reason to move anybody, where a policy lets guests be resized.

A guest of `[[resize]]` may be made to wait: beyond its limit nobody waits for it, and beyond its
reserve a second of its waiting counts as its priority says. What counts of u wanted is

    keep + priority * (min(u, limit) - keep),    keep = min(u, limit, reserve)

never more than u. Every stage that prices a placement reads this in place of u: what a resize can
fix is no reason to move, and nothing has to know of resizes but the stage that makes them. What is
wanted in all is kept beside it (`Demand.wanted`). docs/model.md tells when the two agree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from balancer.planner.model.cluster import Cluster, Guest
from balancer.planner.model.demand import Demand
from balancer.planner.model.policy import Policy
from balancer.planner.model.resize import Resized, What, in_vain
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import CPU, Resources

PER_MILLE = 1000
ALIKE = 0.05
"""Share by which a setting may differ from what is wanted and is left as it is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms one guest shares its host's CPU, as the policy wants it."""

    shares: int = PER_MILLE
    """Per mille of the usual weight."""
    reserve: int = 0
    limit: int = 0
    """Millicores; no limit where it is 0."""
    priority: float = 1.0

    def within(self, wanted: float) -> float:
        """Return what of `wanted` the guest may have at all."""
        return min(wanted, self.limit) if self.limit else wanted

    def counts(self, wanted: int) -> int:
        """Return what of `wanted` millicores is a reason to move."""
        most = self.within(wanted)
        keep = min(most, self.reserve)
        return round(keep + self.priority * (most - keep))


def resizing(policy: Policy, cluster: Cluster) -> Mapping[str, Resizing]:
    """Return what the policy's last `[[resize]]` that names a guest says, by uuid."""
    return {
        uuid: table
        for table in policy.resizes
        for uuid in table.guests.guests(cluster, policy.groups)
    }


def terms(
    policy: Policy, cluster: Cluster, resized: Iterable[Resized] = ()
) -> Mapping[str, Terms]:
    """Return the terms of the guests whose CPU can be changed while they run, by uuid.

    Not of those of which it was tried within a day, as `resized` tells, and failed.
    """
    failed = in_vain(resized)
    return {
        uuid: _terms(table)
        for uuid, table in resizing(policy, cluster).items()
        if not failed & {(uuid, What.SHARES), (uuid, What.QUOTA)}
        and _has(cluster.guest[uuid], What.SHARES)
        and (not table.limit or _has(cluster.guest[uuid], What.QUOTA))
    }


def _has(guest: Guest, what: What) -> bool:
    return guest.knobs is not None and what not in guest.knobs.missing


def _terms(table: Resizing) -> Terms:
    return Terms(
        shares=round(table.shares * PER_MILLE),
        reserve=table.reserve,
        limit=table.limit,
        priority=table.priority,
    )


def counted(demand: Demand, agreed: Mapping[str, Terms]) -> Demand:
    """Return `demand` as it counts: the rest of what is wanted stands in `wanted`."""
    patient = {u: t for u, t in agreed.items() if (t.priority < 1 or t.limit) and u in demand.mean}
    if not patient:
        return demand

    def part(future: Mapping[str, Resources]) -> Mapping[str, Resources]:
        cut = {
            uuid: {**future[uuid], CPU: one.counts(future[uuid][CPU])}
            for uuid, one in patient.items()
            if CPU in future.get(uuid, {})
        }
        return {**future, **cut}

    return replace(
        demand,
        mean=part(demand.mean),
        peak=part(demand.peak),
        scenarios=tuple(map(part, demand.scenarios)),
        recent=tuple(map(part, demand.recent)),
        wanted={u: demand.mean[u].get(CPU, 0) + demand.delay.get(u, 0) for u in patient},
        used={u: demand.mean[u].get(CPU, 0) for u in patient},
        delay={**demand.delay, **_delays(demand, patient)},
    )


def _delays(demand: Demand, patient: Mapping[str, Terms]) -> Mapping[str, int]:
    """Return what of each patient guest's delay counts: what counts of all less what of its use."""
    found = {}
    for uuid, one in patient.items():
        if uuid in demand.delay:
            used = demand.mean[uuid].get(CPU, 0)
            found[uuid] = max(0, one.counts(used + demand.delay[uuid]) - one.counts(used))
    return found


def quiet(
    demand: Demand, cluster: Cluster, agreed: Mapping[str, Terms], pressure: float
) -> frozenset[str]:
    """Return the hosts whose CPU pressure says nothing: those wait that may, or a resize helps.

    There are patient guests, and what counts fits. Where all are set as agreed already, those
    that count must not wait for more than `pressure` of what they want either.
    """
    found = set()
    for host in cluster.hosts:
        here = cluster.guests_on[host.name]
        patient = [guest for guest in here if guest.uuid in demand.wanted]
        waits = sum(demand.delay.get(guest.uuid, 0) for guest in here)
        wants = waits + sum(demand.mean.get(guest.uuid, {}).get(CPU, 0) for guest in here)
        as_agreed = all(_set(guest, agreed[guest.uuid]) for guest in patient)
        still = as_agreed and waits > pressure * wants
        if patient and wants <= host.usable.get(CPU, 0) and not still:
            found.add(host.name)
    return frozenset(found)


def _set(guest: Guest, one: Terms) -> bool:
    """True if the guest's shares are what was agreed, or fewer."""
    return guest.knobs is not None and guest.knobs.shares <= one.shares * (1 + ALIKE)
