"""Guests that share one host, or one value of a label."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import HARD, SOFT, DomainCount, Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Together:
    """All of `guests` on one host, or within one value of the label `across`.

    Holds where a plan ends, not at every instant: guests cannot all move in the same one.
    """

    throughout: ClassVar[bool] = False

    guests: Selector
    across: str = "host"
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"together {self.guests.text} on one {self.across}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests to be kept together."""
        return problem.guests(self.guests)

    def post(self, formulation: Formulation) -> None:
        """Write it as: at most one domain in use."""
        formulation.add(
            DomainCount(
                label=self.label,
                members=formulation.numbers(self.concerns(formulation.problem)),
                domain=formulation.domains(self.across),
                least=0,
                most=1,
                penalty=HARD if self.hard else SOFT,
                hard=self.hard,
            )
        )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return the group if it uses more than one domain."""
        members = self.concerns(problem)
        hosts = {host for uuid in members for host in occupancy[uuid]}
        domains = sorted({problem.domain(host, self.across) for host in hosts})
        if len(domains) <= 1 or (touched is not None and hosts.isdisjoint(touched)):
            return ()
        return (
            Violation(
                rule=self.label,
                subject=self.guests.text,
                amount=len(domains) - 1,
                sentence=(
                    f"{self.guests.text} should share one {self.across}, "
                    f"but are on {', '.join(domains)}"
                ),
                guests=members,
                hard=self.hard,
            ),
        )
