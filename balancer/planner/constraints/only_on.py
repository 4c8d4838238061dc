"""Guests that belong on certain hosts."""

from collections.abc import Collection
from dataclasses import dataclass

from balancer.planner.formulation import Formulation
from balancer.planner.model.keeping_off import misplaced
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class OnlyOn:
    """`guests` run on none but `hosts`."""

    guests: Selector
    hosts: Selector
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"only_on {self.hosts.text}: {self.guests.text}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests it speaks of."""
        return problem.guests(self.guests)

    def _barred(self, problem: Problem) -> frozenset[str]:
        named = set(problem.hosts(self.hosts))
        return frozenset(h.name for h in problem.cluster.hosts if h.name not in named)

    def post(self, formulation: Formulation) -> None:
        """Forbid them sites outside `hosts`, or price it where the rule is soft."""
        problem = formulation.problem
        guests, hosts = self.concerns(problem), self._barred(problem)
        formulation.keep_off(guests, hosts, self.label, hard=self.hard)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them on a host where it must not be."""
        return misplaced(
            problem,
            occupancy,
            touched,
            label=self.label,
            guests=problem.once((self, "members"), lambda: frozenset(self.concerns(problem))),
            barred=problem.once((self, "barred"), lambda: self._barred(problem)),
            but=f"may run only on {self.hosts.text}",
            hard=self.hard,
        )
