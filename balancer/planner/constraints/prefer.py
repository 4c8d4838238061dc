"""Guests that belong on some hosts, and may fall back on others."""

from collections.abc import Collection
from dataclasses import dataclass

from balancer.planner.formulation import SOFT_PRICE, Formulation
from balancer.planner.model.keeping_off import misplaced
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Prefer:
    """`guests` run on `hosts`, on `fallback_hosts` where these have no room, and nowhere else.

    With `hard = false` they may run elsewhere, which is the last resort: twice the price.
    """

    guests: Selector
    hosts: Selector
    fallback_hosts: Selector
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        where = f"{self.hosts.text}, else {self.fallback_hosts.text}"
        return self.name or f"prefer {where}: {self.guests.text}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests it speaks of."""
        return problem.guests(self.guests)

    def _second(self, problem: Problem) -> frozenset[str]:
        first = problem.hosts(self.hosts)
        return frozenset(problem.hosts(self.fallback_hosts)).difference(first)

    def _last(self, problem: Problem) -> frozenset[str]:
        known = frozenset(problem.hosts(self.hosts)) | self._second(problem)
        return frozenset(h.name for h in problem.cluster.hosts if h.name not in known)

    def post(self, formulation: Formulation) -> None:
        """Price the second choice, and forbid the rest, or price it twice."""
        problem = formulation.problem
        guests = self.concerns(problem)
        formulation.keep_off(guests, self._second(problem), self.label, hard=False)
        last = self._last(problem)
        if self.hard:
            formulation.keep_off(guests, last, self.label, hard=True)
        else:
            numbers, sites = formulation.numbers(guests), formulation.sites(last)
            formulation.price(numbers, sites, 2 * SOFT_PRICE)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is on its second choice (never hard), or elsewhere."""
        guests = problem.once((self, "members"), lambda: frozenset(self.concerns(problem)))
        second = misplaced(
            problem,
            occupancy,
            touched,
            label=self.label,
            guests=guests,
            barred=problem.once((self, "second"), lambda: self._second(problem)),
            but=f"would rather run on {self.hosts.text}",
            hard=False,
        )
        last = misplaced(
            problem,
            occupancy,
            touched,
            label=self.label,
            guests=guests,
            barred=problem.once((self, "last"), lambda: self._last(problem)),
            but=f"may run only on {self.hosts.text} or {self.fallback_hosts.text}",
            hard=self.hard,
        )
        return (*second, *last)
