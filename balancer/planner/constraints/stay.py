"""Guests that are not moved for balance, only when their host has to be emptied."""

from collections.abc import Collection
from dataclasses import dataclass

from balancer.planner.formulation import SOFT_PRICE, Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.staying import strayed
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Stay:
    """`guests` stay where they are unless their host is drained; an order to relieve leaves them.

    With `hard = false` they move, too, where that is worth the price of a broken soft rule.
    """

    guests: Selector
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"stay {self.guests.text}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that stay: those selected, less those on hosts to be emptied."""
        return problem.once((self, "concerns"), lambda: self._kept(problem))

    def _kept(self, problem: Problem) -> tuple[str, ...]:
        return tuple(
            u for u in problem.guests(self.guests) if problem.home(u) not in problem.emptied
        )

    def post(self, formulation: Formulation) -> None:
        """Hold them, or price each move of theirs."""
        who = formulation.numbers(self.concerns(formulation.problem))
        if self.hard:
            formulation.hold(who, self.label)
        else:
            formulation.move_cost[who] += SOFT_PRICE

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is away from home."""
        because = dict.fromkeys(self.concerns(problem), self.label)
        return strayed(problem, occupancy, touched, self.label, because, hard=self.hard)
