"""How many hosts, racks or sites a group is spread over."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import HARD, SOFT, DomainCount, Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.places import places_used
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Places:
    """`guests` use at least `at_least`, and at most `at_most`, hosts or values of the label `across`.

    Nought asks for nothing; fewer guests than `at_least` are asked for as many places as they are.
    Holds where a plan ends, not at every instant.
    """

    throughout: ClassVar[bool] = False

    guests: Selector
    across: str = "host"
    at_least: int = 0
    at_most: int = 0
    hard: bool = True
    name: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError where nothing, or nothing possible, is asked."""
        if not self.at_least and not self.at_most:
            raise ValueError("give at_least, at_most or both")
        if self.at_most and self.at_least > self.at_most:
            raise ValueError(f"at_least = {self.at_least} is more than at_most = {self.at_most}")

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"places {self.guests.text}: {self._asked()}"

    def _asked(self) -> str:
        least = f"at least {self.at_least}" if self.at_least else ""
        most = f"at most {self.at_most}" if self.at_most else ""
        kind = "hosts" if self.across == "host" else f"values of {self.across}"
        return f"{' and '.join(filter(None, (least, most)))} {kind}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests whose places are counted."""
        return problem.guests(self.guests)

    def _bounds(self, members: Collection[str]) -> tuple[int, int]:
        return min(self.at_least, len(members)), self.at_most or len(members)

    def post(self, formulation: Formulation) -> None:
        """Write it as a number of domains in use."""
        members = self.concerns(formulation.problem)
        least, most = self._bounds(members)
        formulation.add(
            DomainCount(
                label=self.label,
                members=formulation.numbers(members),
                domain=formulation.domains(self.across),
                least=least,
                most=most,
                penalty=HARD if self.hard else SOFT,
                hard=self.hard,
            )
        )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return the group if it uses too few places, or too many."""
        members = self.concerns(problem)
        hosts, used = places_used(problem, occupancy, members, self.across)
        least, most = self._bounds(members)
        amount = max(least - len(used), len(used) - most)
        if amount <= 0 or (touched is not None and hosts.isdisjoint(touched)):
            return ()
        return (
            Violation(
                rule=self.label,
                subject=self.guests.text,
                amount=amount,
                sentence=(
                    f"{self.guests.text} should use {self._asked()}, "
                    f"but use {len(used)}: {', '.join(used)}"
                ),
                guests=members,
                hard=self.hard,
            ),
        )
