"""Guests that whoever asks for a plan wants left alone this time, each for a reason."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.staying import strayed
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Held:
    """Guests that the request holds stay: load that has not lasted yet, somebody else's move.

    Always in force, without exception: who holds a guest weighs exceptions before.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "held"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that are held."""
        return tuple(sorted(uuid for uuid in problem.held if uuid in problem.cluster.guest))

    def post(self, formulation: Formulation) -> None:
        """Hold them."""
        for uuid in self.concerns(formulation.problem):
            formulation.hold(formulation.numbers([uuid]), formulation.problem.held[uuid])

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is away from home."""
        return strayed(problem, occupancy, touched, self.label, problem.held)
