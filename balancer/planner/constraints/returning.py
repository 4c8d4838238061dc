"""Guests do not go back where load drove them from, for a while: hysteresis against flapping."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from balancer.planner.formulation import Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.policy import Hot
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, MEMORY, Resources, total
from balancer.planner.model.staying import at_fault
from balancer.planner.model.violation import Violation

REASON: Final = "left it lately: limit same_host_again_after"
OVER: Final = 0.05
"""Share of a host by which it must be over its limit of heat, for a return to pay clearly,"""
UNDER: Final = 0.15
"""and by which the host returned to must stay under it: far more than what noise does."""


@dataclass(frozen=True, kw_only=True)
class Returning:
    """A guest that load drove from a host within `same_host_again_after` does not go back there.

    Always in force, except where going back pays clearly: the guest's host is OVER its limit in
    `[hot]`, and the other one stays UNDER it with the guest. And except for guests that are moved,
    or whose host is emptied or relieved, by order, or that take part in a broken hard rule.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True
    steadying: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "returning"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that must not go somewhere."""
        return tuple(sorted({uuid for uuid, _ in _barred(problem)}))

    def post(self, formulation: Formulation) -> None:
        """Forbid each of them the hosts that it left."""
        by_guest: dict[str, list[str]] = {}
        for uuid, host in sorted(_barred(formulation.problem)):
            by_guest.setdefault(uuid, []).append(host)
        for uuid, hosts in by_guest.items():
            guests, sites = formulation.numbers([uuid]), formulation.sites(hosts)
            formulation.forbid(guests, sites, REASON, spare_start=True)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each guest that has gone back too early."""
        barred = _barred(problem)
        return tuple(
            Violation(
                rule=self.label,
                subject=f"{problem.name(uuid)} on {host}",
                amount=1,
                sentence=f"{problem.name(uuid)} must not go back to {host} yet: it {REASON}",
                guests=(uuid,),
            )
            for uuid, host in problem.moved(occupancy, touched)
            if (uuid, host) in barred
        )


def _barred(problem: Problem) -> frozenset[tuple[str, str]]:
    """Return which guest must not go back to which host."""
    return problem.once("returning", lambda: _reckoned(problem))


def _reckoned(problem: Problem) -> frozenset[tuple[str, str]]:
    if not problem.left:
        return frozenset()
    free, loads = problem.ordered | at_fault(problem), _peaks(problem)
    return frozenset(
        (uuid, host)
        for uuid, hosts in problem.left.items()
        if uuid in problem.cluster.guest
        and uuid not in free
        and problem.home(uuid) not in problem.emptied | problem.relieve
        for host in hosts
        if host in problem.cluster.host
        and host != problem.home(uuid)
        and not _pays_clearly(problem, loads, uuid, host)
    )


def _pays_clearly(problem: Problem, loads: Mapping[str, Resources], uuid: str, host: str) -> bool:
    home = problem.home(uuid)
    mine = problem.on(host, uuid, problem.demand.peak)
    limits = _limits(problem.policy.hot)
    too_hot = any(
        loads[home].get(name, 0) > (limit + OVER) * problem.host(home).usable.get(name, 0)
        for name, limit in limits.items()
    )
    stays_cool = all(
        loads[host].get(name, 0) + mine.get(name, 0)
        <= (limit - UNDER) * problem.host(host).usable.get(name, 0)
        for name, limit in limits.items()
    )
    return too_hot and stays_cool


def _limits(hot: Hot) -> Mapping[str, float]:
    return {CPU: hot.cpu_used, MEMORY: hot.memory_used}


def _peaks(problem: Problem) -> Mapping[str, Resources]:
    """Return each host's demand at its guests' peaks, as they are placed now."""
    peak = problem.demand.peak
    return {
        host: total(peak.get(guest.uuid, {}) for guest in guests)
        for host, guests in problem.cluster.guests_on.items()
    }
