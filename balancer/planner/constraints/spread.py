"""At most so many of a group in one failure domain."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from balancer.planner.formulation import HARD, SOFT, AtMostPerDomain, Formulation
from balancer.planner.model.cluster import HostState
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Spread:
    """At most `at_most` of `guests` on any one host, or any one value of the label `across`.

    With `each_group_alone` every pattern of `guests` is a group of its own. With `evenly` no
    domain holds more than the even share, rounded up, of domains that take guests; with `quorum`
    the loss of any one domain leaves most of them. `at_most` is then not looked at.
    """

    guests: Selector
    across: str = "host"
    at_most: int = 1
    each_group_alone: bool = False
    evenly: bool = False
    quorum: bool = False
    hard: bool = True
    name: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError where two measures are given."""
        if self.evenly and self.quorum:
            raise ValueError("evenly and quorum are two measures: give one of them")

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"spread {self.guests.text} across {self.across}"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests to be kept apart."""
        return tuple(sorted({u for members in self._groups(problem).values() for u in members}))

    def _groups(self, problem: Problem) -> Mapping[str, tuple[str, ...]]:
        """Return the uuids of each group, by how the group is written."""
        return problem.once(
            (self, "groups"), lambda: {s.text: problem.guests(s) for s in self._selectors()}
        )

    def _selectors(self) -> tuple[Selector, ...]:
        if not self.each_group_alone:
            return (self.guests,)
        barred = tuple(p for p in self.guests.patterns if p.startswith("!"))
        return tuple(
            Selector((pattern, *barred), may_be_empty=self.guests.may_be_empty)
            for pattern in self.guests.patterns
            if pattern not in barred
        )

    def _tells_apart(self, problem: Problem) -> bool:
        """False where no host has the label, and that is no fault: then it asks nothing."""
        return (
            self.across == "host"
            or not self.guests.may_be_empty
            or any(self.across in host.labels for host in problem.cluster.hosts)
        )

    def _most(self, problem: Problem, members: Collection[str]) -> int:
        """Return how many of these one domain may hold."""
        if self.quorum:
            return max(1, (len(members) - 1) // 2)
        if not self.evenly:
            return self.at_most
        up = (h.name for h in problem.cluster.hosts if h.state is HostState.UP)
        domains = len({problem.domain(name, self.across) for name in up})
        return -(-len(members) // max(1, domains))

    def post(self, formulation: Formulation) -> None:
        """Write each group as one at-most-per-domain primitive."""
        problem = formulation.problem
        for members in self._groups(problem).values() if self._tells_apart(problem) else ():
            formulation.add(
                AtMostPerDomain(
                    label=self.label,
                    members=formulation.numbers(members),
                    domain=formulation.domains(self.across),
                    most=self._most(problem, members),
                    penalty=HARD if self.hard else SOFT,
                    hard=self.hard,
                )
            )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each domain that holds too many, counting a guest in flight on both ends."""
        domains = (
            None if touched is None else {problem.domain(host, self.across) for host in touched}
        )
        found: list[Violation] = []
        for group, members in self._groups(problem).items() if self._tells_apart(problem) else ():
            most = self._most(problem, members)
            for domain, held in _held(problem, occupancy, members, self.across).items():
                if len(held) > most and (domains is None or domain in domains):
                    found.append(self._crowded(problem, group, domain, held, most))
        return tuple(found)

    def _crowded(
        self, problem: Problem, group: str, domain: str, held: Collection[str], most: int
    ) -> Violation:
        names = ", ".join(sorted(map(problem.name, held)))
        place = domain if self.across == "host" else f"{self.across} {domain}"
        return Violation(
            rule=self.label,
            subject=f"{domain}: {group}" if self.each_group_alone else domain,
            amount=len(held) - most,
            sentence=f"{place} holds {len(held)} of {group} ({names}), at most {most} allowed",
            guests=tuple(sorted(held)),
            hard=self.hard,
        )


def _held(
    problem: Problem, occupancy: Occupancy, members: Collection[str], across: str
) -> Mapping[str, set[str]]:
    """Return the members that hold resources in each domain, domains in order."""
    held: dict[str, set[str]] = defaultdict(set)
    for uuid in members:
        for host in occupancy[uuid]:
            held[problem.domain(host, across)].add(uuid)
    return dict(sorted(held.items()))
