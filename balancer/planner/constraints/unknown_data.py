"""Guests without trustworthy data: unknown is frozen, never idle."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.staying import strayed
from balancer.planner.model.violation import Violation

REASON = "no trustworthy usage data"


@dataclass(frozen=True, kw_only=True)
class UnknownData:
    """Guests of which nothing trustworthy is known stay.

    Always in force, except where the operator ordered the host drained or relieved: such an order
    needs only what the hypervisor itself answers.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "unknown data"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that are frozen."""
        return problem.once((self, "concerns"), lambda: _frozen(problem))

    def post(self, formulation: Formulation) -> None:
        """Hold them."""
        formulation.hold(formulation.numbers(self.concerns(formulation.problem)), REASON)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is away from home."""
        because = dict.fromkeys(self.concerns(problem), REASON)
        return strayed(problem, occupancy, touched, self.label, because)


def _frozen(problem: Problem) -> tuple[str, ...]:
    ordered = problem.emptied | problem.relieve
    return tuple(
        sorted(
            uuid
            for uuid in problem.demand.unknown
            if uuid in problem.cluster.guest and problem.home(uuid) not in ordered
        )
    )
