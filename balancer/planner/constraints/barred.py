"""Pairs of guest and host that whoever asks for a plan has seen fail, or refused."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Barred:
    """A guest does not go where the request bars it from: a "no" forbids one pair, not the plan.

    Always in force. A guest that is there already may stay.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "barred"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that are barred from anywhere."""
        return tuple(sorted({u for u, _ in problem.barred if u in problem.cluster.guest}))

    def post(self, formulation: Formulation) -> None:
        """Forbid each pair, for its reason."""
        for (uuid, host), reason in formulation.problem.barred.items():
            if uuid in formulation.guest_number and host in formulation.site_number:
                guests, sites = formulation.numbers([uuid]), formulation.sites([host])
                formulation.forbid(guests, sites, reason, spare_start=True)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each guest that has come where it is barred from."""
        return tuple(
            Violation(
                rule=self.label,
                subject=f"{problem.name(uuid)} on {host}",
                amount=1,
                sentence=f"{problem.name(uuid)} cannot go to {host}: {problem.barred[uuid, host]}",
                guests=(uuid,),
            )
            for uuid, host in problem.moved(occupancy, touched)
            if (uuid, host) in problem.barred
        )
