"""Windows of time in which guests stay where they are, whoever asks."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import EVERYTHING, Selector
from balancer.planner.model.staying import strayed
from balancer.planner.model.violation import Violation
from balancer.planner.model.window import checked, closed_until, window


@dataclass(frozen=True, kw_only=True)
class Blackout:
    """While the window `when` is open `guests` stay, for orders and repairs too.

    Times are of the policy's `timezone`. Without `guests` nothing moves at all: a freeze calendar.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True

    when: tuple[str, ...]
    guests: Selector = EVERYTHING
    name: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for a window that cannot be read."""
        checked(self.when)

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"blackout {', '.join(self.when)} of {self.guests.text}"

    def reason(self, at: float, timezone: str) -> str:
        """Return why its guests stay at `at`, seconds since the epoch; empty if they need not."""
        found = (closed_until(window(text), at, timezone) for text in self.when)
        ends = [end for end in found if end is not None]
        return f"blackout until {max(ends):%a %d %b %H:%M} {timezone}" if ends else ""

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return its guests while a window is open."""
        return problem.guests(self.guests) if self._why(problem) else ()

    def post(self, formulation: Formulation) -> None:
        """Hold them."""
        problem = formulation.problem
        formulation.hold(formulation.numbers(self.concerns(problem)), self._why(problem))

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is away from home."""
        because = dict.fromkeys(self.concerns(problem), self._why(problem))
        return strayed(problem, occupancy, touched, self.label, because)

    def _why(self, problem: Problem) -> str:
        return problem.once(
            (self, "why"), lambda: self.reason(problem.at, problem.policy.timezone)
        )
