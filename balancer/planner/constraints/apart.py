"""Two groups that share no host, or no failure domain."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from balancer.planner.formulation import HARD, SOFT, Formulation
from balancer.planner.formulation import Apart as ApartInDomains
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation

Sides = Mapping[str, tuple[list[str], list[str]]]
"""By domain: who of either group holds resources there."""


@dataclass(frozen=True, kw_only=True)
class Apart:
    """None of `guests` shares a host, or a value of the label `across`, with any of `others`.

    Guests of one group may share with each other. A guest in both groups counts to `guests`.
    """

    guests: Selector
    others: Selector
    across: str = "host"
    hard: bool = True
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        where = "" if self.across == "host" else f" across {self.across}"
        return self.name or f"apart {self.guests.text} from {self.others.text}{where}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests of both groups."""
        return tuple(sorted({u for group in self._groups(problem) for u in group}))

    def _groups(self, problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
        one = problem.guests(self.guests)
        return one, tuple(u for u in problem.guests(self.others) if u not in set(one))

    def post(self, formulation: Formulation) -> None:
        """Write it as two groups that share no domain."""
        one, other = self._groups(formulation.problem)
        formulation.add(
            ApartInDomains(
                label=self.label,
                one=formulation.numbers(one),
                other=formulation.numbers(other),
                domain=formulation.domains(self.across),
                penalty=HARD if self.hard else SOFT,
                hard=self.hard,
            )
        )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each domain that both groups hold; the amount is how many would have to leave."""
        looked = None if touched is None else {problem.domain(h, self.across) for h in touched}
        return tuple(
            self._shared(problem, domain, one, other)
            for domain, (one, other) in sorted(self._held(problem, occupancy).items())
            if one and other and (looked is None or domain in looked)
        )

    def _held(self, problem: Problem, occupancy: Occupancy) -> Sides:
        groups = problem.once((self, "groups"), lambda: self._groups(problem))
        held: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for side, members in enumerate(groups):
            for uuid in members:
                for domain in {problem.domain(host, self.across) for host in occupancy[uuid]}:
                    held[domain][side].append(uuid)
        return held

    def _shared(
        self, problem: Problem, domain: str, one: Collection[str], other: Collection[str]
    ) -> Violation:
        place = domain if self.across == "host" else f"{self.across} {domain}"
        names = (", ".join(sorted(map(problem.name, side))) for side in (one, other))
        return Violation(
            rule=self.label,
            subject=domain,
            amount=min(len(one), len(other)),
            sentence=f"{place} holds {' beside '.join(names)}, which are to be apart",
            guests=tuple(sorted((*one, *other))),
            hard=self.hard,
        )
