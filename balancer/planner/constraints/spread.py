"""At most so many of a group in one failure domain."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from balancer.planner.formulation import HARD, AtMostPerDomain, Formulation, Level, Penalty
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation

SOFT = Penalty(Level.COST, ((0, 20_000),))


@dataclass(frozen=True, kw_only=True)
class Spread:
    """At most `at_most` of `guests` on any one host, or any one value of the label `across`."""

    guests: Selector
    across: str = "host"
    at_most: int = 1
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"spread {self.guests.text} across {self.across}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests to be kept apart."""
        return problem.guests(self.guests)

    def post(self, formulation: Formulation) -> None:
        """Write it as one at-most-per-domain primitive."""
        formulation.add(
            AtMostPerDomain(
                label=self.label,
                members=formulation.numbers(self.concerns(formulation.problem)),
                domain=formulation.domains(self.across),
                most=self.at_most,
                penalty=HARD if self.hard else SOFT,
                hard=self.hard,
            )
        )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each domain that holds too many, counting a guest in flight on both ends."""
        held: dict[str, set[str]] = defaultdict(set)
        for uuid in self.concerns(problem):
            for host in occupancy[uuid]:
                held[problem.domain(host, self.across)].add(uuid)
        relevant = (
            held
            if touched is None
            else {problem.domain(host, self.across) for host in touched} & held.keys()
        )
        return tuple(
            Violation(
                rule=self.label,
                subject=domain,
                amount=len(held[domain]) - self.at_most,
                sentence=(
                    f"{self.across} {domain} holds {len(held[domain])} of {self.guests.text} "
                    f"({', '.join(sorted(problem.name(u) for u in held[domain]))}), "
                    f"at most {self.at_most} allowed"
                ),
                guests=tuple(sorted(held[domain])),
                hard=self.hard,
            )
            for domain in sorted(relevant)
            if len(held[domain]) > self.at_most
        )
