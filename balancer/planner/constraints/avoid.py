"""Guests that are kept off certain hosts."""

from collections.abc import Collection
from dataclasses import dataclass

from balancer.planner.formulation import Formulation
from balancer.planner.model.keeping_off import misplaced
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Avoid:
    """`guests` do not run on `hosts`."""

    guests: Selector
    hosts: Selector
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"avoid {self.hosts.text}: {self.guests.text}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests it speaks of."""
        return problem.guests(self.guests)

    def _barred(self, problem: Problem) -> frozenset[str]:
        named = set(problem.hosts(self.hosts))
        return frozenset(h.name for h in problem.cluster.hosts if h.name in named)

    def post(self, formulation: Formulation) -> None:
        """Forbid them `hosts`, or price it where the rule is soft."""
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
            but=f"must keep off {self.hosts.text}",
            hard=self.hard,
        )
