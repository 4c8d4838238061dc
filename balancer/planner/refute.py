"""Whether a certificate of impossibility holds: asked of the rules alone, by no solver's code."""

from collections.abc import Iterator

from balancer.planner.constraints import all_rules
from balancer.planner.model.certificate import Argument, Certificate
from balancer.planner.model.cluster import HostState
from balancer.planner.model.law import Law
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.problem import Problem

MOST_PLACEMENTS = 100_000
"""A search that claims to have seen more is not repeated, and not believed."""


def doubts(problem: Problem, certificate: Certificate) -> tuple[str, ...]:
    """Return what is wrong with `certificate` in `problem`; nothing if it holds."""
    unknown = {*certificate.target, *certificate.moving, *certificate.stuck}
    unknown -= set(problem.cluster.guest)
    if unknown:
        return (f"the certificate speaks of {min(unknown)}, which no guest is",)
    return tuple(_Court(problem, certificate).doubts())


class _Court:
    """One certificate, looked at afresh."""

    def __init__(self, problem: Problem, certificate: Certificate) -> None:
        self.problem, self.certificate = problem, certificate
        self.law = Law(problem, all_rules(problem))
        self.up = [h.name for h in problem.cluster.hosts if h.state is HostState.UP]
        self.aside = problem.policy.allow.temporary_moves

    def doubts(self) -> Iterator[str]:
        """Yield what is wrong."""
        yield from self._somebody_moves_first()
        claim = self.certificate
        stuck = set(claim.stuck)
        if claim.argument is Argument.COUNT:
            if not stuck & claim.target.keys():
                yield "the certificate names nobody who was to move"
            return
        flying = self.problem.cluster.in_flight
        if missing := self._taking_part() - stuck - set(claim.moving) - flying.keys():
            yield f"{self.problem.name(min(missing))} might move, and was left out of the search"
        if flying:
            yield "guests are in flight, and the search does not know where they end"
        if claim.placements > MOST_PLACEMENTS:
            yield f"a search of {claim.placements} placements is not repeated here"
        elif self._reached():
            yield "the placement wanted can be reached"

    def _taking_part(self) -> set[str]:
        """Return who may leave home: for steps aside anybody."""
        return set(self.problem.everyone if self.aside else self.certificate.target)

    def _somebody_moves_first(self) -> Iterator[str]:
        """Yield who of the stuck could go, if all others that may leave held nothing."""
        ledger = self.law.start.twin()
        for guest in self._taking_part().union(self.problem.cluster.in_flight):
            if guest not in self.certificate.stuck:
                ledger.put(guest)
        for guest in self.certificate.stuck:
            for host in self._open_to(guest):
                if self._fits(ledger, guest, host):
                    yield f"{self.problem.name(guest)} can move to {host}"

    def _open_to(self, guest: str) -> list[str]:
        if self.aside:
            return self.up
        return [host for host in (self.certificate.target.get(guest),) if host]

    def _fits(self, ledger: Ledger, guest: str, host: str) -> bool:
        before = ledger[guest]
        if host in before:
            return False
        ledger.put(guest, *before, host)
        broken = self.law.worse(ledger, frozenset((*before, host)), guest)
        ledger.put(guest, *before)
        return not broken

    def _reached(self) -> bool:
        """True if the target is among all that can be reached, or too much can."""
        moving, home = self.certificate.moving, self.problem.cluster.placement
        wanted = tuple(self.certificate.target.get(guest, home[guest]) for guest in moving)
        start = tuple(home[guest] for guest in moving)
        seen, todo = {start}, [start]
        ledger = self.law.start.twin()
        while todo:
            here = todo.pop()
            if here == wanted or len(seen) > MOST_PLACEMENTS:
                return True
            for guest, host in zip(moving, here, strict=True):
                ledger.put(guest, host)
            for i, guest in enumerate(moving):
                for host in self._open_to(guest):
                    there = (*here[:i], host, *here[i + 1 :])
                    if there not in seen and self._fits(ledger, guest, host):
                        seen.add(there)
                        todo.append(there)
        return False
