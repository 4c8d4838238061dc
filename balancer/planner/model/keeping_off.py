"""What every rule that keeps guests off hosts has in common: the judge's reading."""

from collections.abc import Collection

from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation


def misplaced(  # noqa: PLR0913 - what differs between the rules, named
    problem: Problem,
    occupancy: Occupancy,
    touched: Collection[str] | None,
    *,
    label: str,
    guests: frozenset[str],
    barred: frozenset[str],
    but: str,
    hard: bool,
) -> tuple[Violation, ...]:
    """Return a violation for each of `guests` on each of the `barred` hosts.

    `but` ends its sentence: `must keep off kvm01`.
    """
    hosts = barred if touched is None else barred.intersection(touched)
    return tuple(
        Violation(
            rule=label,
            subject=f"{problem.name(uuid)} on {host}",
            amount=1,
            sentence=f"{problem.name(uuid)} is on {host}, but {but}",
            guests=(uuid,),
            hard=hard,
        )
        for host, uuids in sorted(problem.holders(occupancy, hosts).items())
        for uuid in uuids
        if uuid in guests
    )
