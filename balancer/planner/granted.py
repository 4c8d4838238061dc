"""What fair division gives a guest where it is, what bounds it, and what is missing for more."""

from collections.abc import Iterator

import numpy as np

from balancer.planner.ballooning import held, short
from balancer.planner.model.cluster import Guest
from balancer.planner.model.placement import Placement
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import VCPUS
from balancer.planner.model.spare import memory_by
from balancer.planner.model.terms import resizing, terms
from balancer.planner.model.weighed import Bound, Granted, Share
from balancer.planner.plugging import full, may, most
from balancer.planner.resize import Sharing
from balancer.planner.throttling import shares, unlimited

CORE = 1000
NEARLY = 1.0
"""Millicores that are nothing."""


class Grants:
    """Tells of guests one after the other; each host is divided once."""

    def __init__(self, problem: Problem, reached: Placement) -> None:
        """`reached`: where guests are by then."""
        self._problem, self._reached = problem, reached
        self._tables = resizing(problem.policy, problem.cluster)
        self._agreed = terms(problem.policy, problem.cluster, problem.resized)
        self._divided: dict[str, tuple[Sharing, dict[str, int]]] = {}

    def of(self, uuid: str) -> Granted | None:
        """Return what a guest gets; None where the policy resizes nobody or its use is not known."""
        if not self._problem.policy.resizes or uuid not in self._problem.demand.mean:
            return None
        host = self._reached[uuid]
        if host not in self._divided:
            here = [g for g in self._problem.cluster.guests if self._reached[g.uuid] == host]
            numbers = {guest.uuid: number for number, guest in enumerate(here)}
            self._divided[host] = (Sharing(self._problem, self._agreed, host, here), numbers)
        sharing, numbers = self._divided[host]
        number = numbers[uuid]
        bound = _bound(sharing, number)
        if bound is Bound.NONE and full(self._problem, self._problem.cluster.guest[uuid]):
            bound = Bound.VCPUS
        return Granted(
            host=host,
            wanted=round(float(sharing.wanted[number])),
            got=round(float(sharing.then.got[number])),
            bound=bound,
            missing=tuple(self._missing(self._problem.cluster.guest[uuid], sharing, bound)),
            beside=tuple(self._beside(self._problem.cluster.guest[uuid], host)),
        )

    def _beside(self, guest: Guest, host: str) -> Iterator[Share]:
        """Yield what it has of memory and of traffic, as the policy wants them divided there."""
        here = [g for g in self._problem.cluster.guests if self._reached[g.uuid] == host]
        share = held(self._problem, self._tables, host, here, guest)
        yield from (share,) if share else ()
        yield from shares(self._problem, self._tables, host, here, guest)

    def _missing(self, guest: Guest, sharing: Sharing, bound: Bound) -> Iterator[str]:
        """Yield what would be needed for more, and what keeps the policy from being carried out."""
        table = self._tables.get(guest.uuid)
        if bound is Bound.VCPUS:
            yield from self._more_vcpus(guest, table)
        elif bound is Bound.LIMIT:
            named = table is not None and table.limit
            yield "a higher limit in its [[resize]]" if named else "a higher quota of its own"
        elif bound is not Bound.NONE:
            asked = np.minimum(sharing.claims.wanted, sharing.claims.limit)
            beyond = float(asked.sum()) - sharing.room
            yield f"{beyond / CORE:.1f} cores more on {sharing.name}, which its guests want beyond what it has"
        if table is None:
            return
        lacks = guest.knobs.missing if guest.knobs else {}
        if guest.uuid not in self._agreed:
            yield lacks.get(What.SHARES) or lacks.get(What.QUOTA) or self._why_not(guest)
        if table.memory and What.BALLOON in lacks and memory_by(guest) is None:
            yield f"for memory: {lacks[What.BALLOON]} (from its next start on)"
        if table.memory and What.PLUGGED in lacks and short(self._problem, guest, table):
            yield f"more memory: {lacks[What.PLUGGED]} (from its next start on)"
        yield from unlimited(self._problem, table, guest, sharing.name)

    def _more_vcpus(self, guest: Guest, table: Resizing | None) -> Iterator[str]:
        """Yield what would be needed for another vCPU."""
        has = guest.allocation.get(VCPUS, 0)
        if table is None or not table.vcpus:
            yield "another vCPU: vcpus = true in a [[resize]] lets it be plugged"
        elif guest.knobs is None or What.VCPUS in guest.knobs.missing:
            lacks = guest.knobs.missing[What.VCPUS] if guest.knobs else "its host must tell of it"
            yield f"another vCPU: {lacks} (from its next start on)"
        elif has >= most(table, guest):
            by = "most_vcpus" if has < guest.knobs.most_vcpus else "its XML"
            yield f"another vCPU: {by} allows {most(table, guest)}"
        elif not may(self._problem, self._tables, guest):
            yield "another vCPU: that was tried or done of late, and rests"
        else:
            yield "another vCPU: the plan plugs it where its host has cores, and no rule is against it"

    @staticmethod
    def _why_not(guest: Guest) -> str:
        """Return why its `[[resize]]` is not carried out, where its XML lacks nothing."""
        if guest.knobs is None:
            return "its host must tell what of it can be changed while it runs"
        return "changing it failed within the last day: it is left alone until that is over"


def _bound(sharing: Sharing, number: int) -> Bound:
    """Return what binds a guest, by its number on its host."""
    claims, got = sharing.claims, float(sharing.then.got[number])
    if got >= float(claims.wanted[number]) - NEARLY:
        return Bound.NONE
    if got >= float(claims.limit[number]) - NEARLY:
        return Bound.LIMIT
    by_shares = float(sharing.then.level[0] * claims.shares[number])
    return Bound.RESERVATION if got > by_shares + NEARLY else Bound.SHARE
