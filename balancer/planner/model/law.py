"""The law that plans are held to: what is broken may stay broken, and never gets worse."""

from collections.abc import Collection, Iterable, Iterator

from balancer.planner.model.ledger import Ledger
from balancer.planner.model.placement import Occupancy, at_rest
from balancer.planner.model.policy import Constraint, singly, throughout
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation, baseline, worsened


class Law:
    """The hard ones of `rules`, and how far each is broken before anything moves.

    For those who check plans (the judge, the dispatcher); those who make them bring their own.
    """

    def __init__(self, problem: Problem, rules: Iterable[Constraint]) -> None:
        self.problem = problem
        self.rules = tuple(rule for rule in rules if rule.hard)
        self._always = tuple(rule for rule in self.rules if throughout(rule))
        self._resting = tuple(rule for rule in self.rules if not throughout(rule))
        coming = {guest: (host,) for guest, host in problem.cluster.in_flight.items()}
        self.start = Ledger(
            {g: (host, *coming.get(g, ())) for g, host in problem.cluster.placement.items()}
        )
        """Who holds what before anything moves; a guest that others are migrating, both ends.
        Never changed: take a twin."""
        found = [*self._broken(self.rules, self.start, None)]
        if problem.before:
            earlier = at_rest({**problem.cluster.placement, **problem.before})
            found += self._broken(self.rules, earlier, None)
        self._before = baseline(found)
        self.broken_before = {v.key: v.guests for v in found if v.hard}
        """What is broken already, and the guests concerned."""
        self._of: dict[str, tuple[Constraint, ...]] = {}
        for rule in self._always:
            for guest in rule.concerns(problem):
                self._of[guest] = (*self._of.get(guest, ()), rule)
        self._at_rest_of: dict[str, tuple[Constraint, ...]] = {}
        for rule in self._resting:
            for guest in rule.concerns(problem):
                self._at_rest_of[guest] = (*self._at_rest_of.get(guest, ()), rule)

    def worse(
        self,
        occupancy: Occupancy,
        touched: Collection[str] | None,
        guest: str | None = None,
    ) -> tuple[Violation, ...]:
        """Return what is worse on `touched` hosts, by the rules that hold at every instant.

        None asks about all hosts, and about rules on the plan as a whole, such as budgets. Where
        `guest` alone has changed what it holds, no rule is asked that does not speak of it, nor
        about others a rule that speaks of each guest by itself.
        """
        if guest is None:
            return worsened(self._before, self._broken(self._always, occupancy, touched))
        return worsened(self._before, self._changed(occupancy, touched, guest))

    def _changed(
        self, occupancy: Occupancy, touched: Collection[str] | None, guest: str
    ) -> Iterator[Violation]:
        mine = {guest: occupancy[guest]}
        for rule in self._of.get(guest, ()):
            held = mine if singly(rule) else occupancy
            yield from rule.violations(self.problem, held, touched)

    def worse_at_rest(self, occupancy: Occupancy) -> tuple[Violation, ...]:
        """Return what is worse anywhere, by the rules that are asked only where a plan ends."""
        if not self._resting:
            return ()
        return worsened(self._before, self._broken(self._resting, occupancy, None))

    def broken(
        self, occupancy: Occupancy, touched: Collection[str], guest: str
    ) -> Iterator[Violation]:
        """Yield what is broken on `touched` hosts, new or not, by rules that speak of `guest`."""
        rules = (*self._of.get(guest, ()), *self._at_rest_of.get(guest, ()))
        yield from self._broken(rules, occupancy, touched)

    def _broken(
        self, rules: Iterable[Constraint], occupancy: Occupancy, touched: Collection[str] | None
    ) -> Iterator[Violation]:
        for rule in rules:
            yield from rule.violations(self.problem, occupancy, touched)


def link_share(problem: Problem, host: str) -> int:
    """Return what all migrations into, or out of, `host` may use of its link together, KiB/s."""
    limits = problem.policy.limits
    link = problem.host(host).link_kib_s or limits.default_link_kib_s
    return max(1, int(link * limits.migration_link_share))
