"""What may be held where: the hard rules, asked about one change at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from balancer.planner.constraints import all_rules
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import Constraint, singly, throughout
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation, baseline, worsened


class Guard:
    """The hard rules of a problem, held to what is broken already."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        hard = [rule for rule in all_rules(problem) if rule.hard]
        self._resting = [rule for rule in hard if not throughout(rule)]
        always = [rule for rule in hard if throughout(rule)]
        self._rules = _by_guest(problem, [rule for rule in always if not singly(rule)])
        self._single = _by_guest(problem, [rule for rule in always if singly(rule)])
        self._known: dict[tuple[str, tuple[str, ...], frozenset[str]], tuple[Violation, ...]] = {}
        """What those last have to say, as the same is asked again and again."""
        now = {**problem.cluster.placement, **problem.before}
        states = [self.ledger(), *([at_rest(now)] if problem.before else [])]
        self._before = baseline(
            v for state in states for rule in hard for v in rule.violations(problem, state)
        )

    def ledger(self) -> Ledger:
        """Return who holds what now; a guest that others are migrating holds both ends."""
        cluster = self.problem.cluster
        return Ledger(
            {
                guest: (host, cluster.in_flight[guest]) if guest in cluster.in_flight else (host,)
                for guest, host in cluster.placement.items()
            }
        )

    def faults(
        self, ledger: Ledger, guest: str, hosts: Iterable[str], touched: Iterable[str] = ()
    ) -> tuple[Violation, ...]:
        """Return what would be newly broken, or worse, if `guest` held exactly `hosts`.

        Looks at `touched` hosts, or at all that the change concerns. A rule that speaks of each
        guest by itself is asked about this one alone. The ledger is left as it was.
        """
        before = ledger[guest]
        ledger.put(guest, *hosts)
        look = frozenset(touched) or frozenset((*before, *ledger[guest]))
        found = [*self._alone(guest, ledger[guest], look)]
        for rule in self._rules.get(guest, ()):
            found += rule.violations(self.problem, ledger, look)
        ledger.put(guest, *before)
        return worsened(self._before, found)

    def _alone(
        self, guest: str, held: tuple[str, ...], look: frozenset[str]
    ) -> tuple[Violation, ...]:
        """Return what rules that speak of each guest by itself have against what it holds."""
        key = (guest, held, look)
        if key not in self._known:
            mine = {guest: held}
            self._known[key] = tuple(
                violation
                for rule in self._single.get(guest, ())
                for violation in rule.violations(self.problem, mine, look)
            )
        return self._known[key]

    def blocks(self, ledger: Ledger, guest: str, target: str) -> tuple[Violation, ...]:
        """Return what forbids moving `guest` to `target` while all others rest.

        In flight it holds both ends, which is the worst: rules that hold at every instant mind
        only more.
        """
        return self.faults(ledger, guest, (*ledger[guest], target))

    def split(self, ledger: Ledger) -> tuple[Violation, ...]:
        """Return what the rules that are asked only at the end find worse than it is now."""
        found = (v for rule in self._resting for v in rule.violations(self.problem, ledger))
        return worsened(self._before, found)


def _by_guest(
    problem: Problem, rules: Iterable[Constraint]
) -> Mapping[str, tuple[Constraint, ...]]:
    """Return, by guest, the rules that speak of it: no other can be broken by its moving."""
    found: dict[str, list[Constraint]] = defaultdict(list)
    for rule in rules:
        for guest in rule.concerns(problem):
            found[guest].append(rule)
    return {guest: tuple(mine) for guest, mine in found.items()}
