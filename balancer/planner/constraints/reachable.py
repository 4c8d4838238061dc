"""Hosts that are down, and guests that are on their way already."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.cluster import HostState
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.staying import strayed
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Reachable:
    """A host that is down takes nothing and gives nothing; a guest in flight is left to land.

    Always in force.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "reachable"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return every guest: none may go to a host that is down."""
        return problem.everyone

    def post(self, formulation: Formulation) -> None:
        """Hold what cannot be moved, and forbid the hosts that are down to all others."""
        problem = formulation.problem
        for uuid, reason in _because(problem).items():
            formulation.hold([formulation.guest_number[uuid]], reason)
        formulation.forbid(
            range(len(formulation.start)),
            formulation.sites(_down(problem)),
            "host is down",
            spare_start=True,
        )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each guest that left what it cannot leave, or went where nothing can go."""
        because = problem.once((self, "because"), lambda: _because(problem))
        lost = strayed(problem, occupancy, touched, self.label, because)
        down = problem.once((self, "down"), lambda: frozenset(_down(problem)))
        arrived = (
            Violation(
                rule=self.label,
                subject=problem.name(uuid),
                amount=1,
                sentence=f"{problem.name(uuid)} cannot be on {host}: the host is down",
                guests=(uuid,),
            )
            for uuid, host in (problem.moved(occupancy, touched) if down else ())
            if host in down and uuid not in because
        )
        return (*lost, *arrived)


def _down(problem: Problem) -> tuple[str, ...]:
    return tuple(h.name for h in problem.cluster.hosts if h.state is HostState.DOWN)


def _because(problem: Problem) -> dict[str, str]:
    """Return why each guest that cannot be moved now cannot, by uuid."""
    cluster = problem.cluster
    down = set(_down(problem))
    stuck = {u: f"{h} is down" for u, h in sorted(cluster.placement.items()) if h in down}
    flying = {u: f"in flight to {t} already" for u, t in sorted(cluster.in_flight.items())}
    return {**stuck, **flying}
