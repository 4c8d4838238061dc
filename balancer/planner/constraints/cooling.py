"""Guests that moved too recently to be moved again for balance."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.staying import steadied, strayed
from balancer.planner.model.violation import Violation

REASON = "moved recently: limit same_guest_again_after"


@dataclass(frozen=True, kw_only=True)
class Cooling:
    """Guests that moved within `same_guest_again_after` stay.

    Always in force, except for a guest that is moved, or whose host is emptied or relieved, by
    order, and for one that takes part in a broken hard rule of the policy: cooldown is there
    against flapping.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True
    steadying: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "cooling"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that rest."""
        return problem.once((self, "concerns"), lambda: steadied(problem, problem.cooling))

    def post(self, formulation: Formulation) -> None:
        """Hold them."""
        formulation.hold(formulation.numbers(self.concerns(formulation.problem)), REASON)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is away from home."""
        because = dict.fromkeys(self.concerns(problem), REASON)
        return strayed(problem, occupancy, touched, self.label, because)
