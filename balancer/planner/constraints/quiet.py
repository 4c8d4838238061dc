"""Windows of time in which guests would rather be moved than outside them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import SOFT_PRICE, Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.staying import strayed
from balancer.planner.model.violation import Violation
from balancer.planner.model.window import checked, closed_until, window


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """Outside the windows `when`, `guests` move only to mend, to cool a hot host, or for much gain.

    Times are of the policy's `timezone`. Each move outside costs as much as a broken soft rule.
    """

    hard: ClassVar[bool] = False

    guests: Selector
    when: tuple[str, ...]
    name: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for a window that cannot be read."""
        checked(self.when)

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"quiet {', '.join(self.when)} for {self.guests.text}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return its guests while no window is open, less those on hosts to be emptied."""
        return problem.once((self, "concerns"), lambda: self._kept(problem))

    def _kept(self, problem: Problem) -> tuple[str, ...]:
        zone = problem.policy.timezone
        if any(closed_until(window(text), problem.at, zone) for text in self.when):
            return ()
        guests = problem.guests(self.guests)
        return tuple(uuid for uuid in guests if problem.home(uuid) not in problem.emptied)

    def post(self, formulation: Formulation) -> None:
        """Price each move of theirs."""
        who = formulation.numbers(self.concerns(formulation.problem))
        formulation.move_cost[who] += SOFT_PRICE

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is away from home."""
        why = f"quiet only {', '.join(self.when)}"
        because = dict.fromkeys(self.concerns(problem), why)
        return strayed(problem, occupancy, touched, self.label, because, hard=False)
