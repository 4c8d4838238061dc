"""Guests that nothing moves, not even a drain."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.staying import strayed
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class NeverMove:
    """`guests` stay where they are, whatever else is asked."""

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True

    guests: Selector
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"never_move {self.guests.text}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that stay."""
        return problem.guests(self.guests)

    def post(self, formulation: Formulation) -> None:
        """Hold them."""
        formulation.hold(formulation.numbers(self.concerns(formulation.problem)), self.label)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is away from home."""
        because = dict.fromkeys(self.concerns(problem), self.label)
        return strayed(problem, occupancy, touched, self.label, because)
