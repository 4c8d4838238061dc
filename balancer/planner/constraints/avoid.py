"""Guests that are kept off certain hosts."""

from collections.abc import Collection
from dataclasses import dataclass

from balancer.planner.formulation import SOFT_PRICE, Formulation
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
        guests = formulation.numbers(self.concerns(problem))
        sites = formulation.sites(self._barred(problem))
        if self.hard:
            formulation.forbid(guests, sites, self.label)
        else:
            formulation.price(guests, sites, SOFT_PRICE)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them on a host where it must not be."""
        barred = problem.once((self, "barred"), lambda: self._barred(problem))
        members = problem.once((self, "members"), lambda: frozenset(self.concerns(problem)))
        hosts = barred if touched is None else barred.intersection(touched)
        return tuple(
            Violation(
                rule=self.label,
                subject=f"{problem.name(uuid)} on {host}",
                amount=1,
                sentence=(
                    f"{problem.name(uuid)} is on {host}, but must keep off {self.hosts.text}"
                ),
                guests=(uuid,),
                hard=self.hard,
            )
            for host, uuids in sorted(problem.holders(occupancy, hosts).items())
            for uuid in uuids
            if uuid in members
        )
