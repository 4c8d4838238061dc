"""Hosts that must end empty."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.cluster import HostState
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation

NOBODY = Selector((), may_be_empty=True)


@dataclass(frozen=True, kw_only=True)
class Drain:
    """Every guest leaves `hosts` (without any named: those in state draining); none arrives there.

    Guests that nothing may move are left, and stand as what is still broken.
    """

    hard: ClassVar[bool] = True

    hosts: Selector = NOBODY
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or " ".join(("drain", *self.hosts.patterns))

    def empties(self, problem: Problem) -> tuple[str, ...]:
        """Return the hosts named here."""
        return problem.hosts(self.hosts)

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return every guest: those there leave, the others stay away."""
        return problem.everyone

    def post(self, formulation: Formulation) -> None:
        """Forbid the hosts to be emptied to all guests."""
        sites = formulation.sites(self._emptied(formulation.problem))
        formulation.forbid(range(len(formulation.start)), sites, "host is to be emptied")

    def _emptied(self, problem: Problem) -> frozenset[str]:
        if self.hosts.patterns:
            return frozenset(self.empties(problem))
        hosts = problem.cluster.hosts
        return frozenset(h.name for h in hosts if h.state is HostState.DRAINING)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of those hosts with the guests still there, and each guest that arrives."""
        emptied = problem.once((self, "emptied"), lambda: self._emptied(problem))
        hosts = emptied if touched is None else emptied.intersection(touched)
        if not hosts:
            return ()
        found: list[Violation] = []
        for host, uuids in sorted(problem.holders(occupancy, hosts).items()):
            here = [u for u in uuids if problem.home(u) == host]
            found.extend(self._arrived(problem, host, (u for u in uuids if u not in here)))
            if here:
                found.append(self._remain(problem, host, tuple(here)))
        return tuple(found)

    def _remain(self, problem: Problem, host: str, here: tuple[str, ...]) -> Violation:
        names = ", ".join(sorted(map(problem.name, here)))
        return Violation(
            rule=self.label,
            subject=host,
            amount=len(here),
            sentence=f"{host} is to be emptied, but still has {names}",
            guests=here,
        )

    def _arrived(self, problem: Problem, host: str, uuids: Iterable[str]) -> Iterable[Violation]:
        for uuid in uuids:
            yield Violation(
                rule=self.label,
                subject=f"{problem.name(uuid)} on {host}",
                amount=1,
                sentence=f"{problem.name(uuid)} cannot go to {host}, which is to be emptied",
                guests=(uuid,),
            )
