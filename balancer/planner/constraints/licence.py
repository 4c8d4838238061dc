"""Software that is paid for by the host it may run on."""

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
class Licence:
    """`guests` run on at most `at_most` hosts, whichever these are.

    Counted where a plan ends: while the last of them move from one host to another, both run some.
    Where the hosts are given by name, write `only_on`.
    """

    throughout: ClassVar[bool] = False

    guests: Selector
    at_most: int
    hard: bool = True
    name: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for no host at all."""
        if self.at_most < 1:
            raise ValueError("at_most must be 1 or more")

    @property
    def label(self) -> str:
        """What the operator calls it."""
        hosts = "1 host" if self.at_most == 1 else f"{self.at_most} hosts"
        return self.name or f"licence {self.guests.text}: {hosts}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that need the licence."""
        return problem.guests(self.guests)

    def post(self, formulation: Formulation) -> None:
        """Write it as: at most so many hosts in use."""
        formulation.add(
            DomainCount(
                label=self.label,
                members=formulation.numbers(self.concerns(formulation.problem)),
                domain=formulation.domains("host"),
                least=0,
                most=self.at_most,
                penalty=HARD if self.hard else SOFT,
                hard=self.hard,
            )
        )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return the group if it runs on more hosts than are licensed."""
        members = self.concerns(problem)
        hosts, names = places_used(problem, occupancy, members, "host")
        amount = len(names) - self.at_most
        if amount <= 0 or (touched is not None and hosts.isdisjoint(touched)):
            return ()
        return (
            Violation(
                rule=self.label,
                subject=self.guests.text,
                amount=amount,
                sentence=(
                    f"{self.guests.text} run on {len(names)} hosts ({', '.join(names)}), "
                    f"but {self.at_most} are licensed"
                ),
                guests=members,
                hard=self.hard,
            ),
        )
