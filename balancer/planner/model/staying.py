"""What every rule that keeps guests where they are has in common: the judge's reading."""

from collections.abc import Collection, Mapping

from balancer.planner.model.placement import Occupancy
from balancer.planner.model.policy import steadying
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation


def strayed(
    problem: Problem,
    occupancy: Occupancy,
    touched: Collection[str] | None,
    label: str,
    because: Mapping[str, str],
    *,
    hard: bool = True,
) -> tuple[Violation, ...]:
    """Return a violation for each guest of `because` (uuid to reason) that is away from home."""
    away: dict[str, list[str]] = {}
    for uuid, host in problem.moved(occupancy, touched) if because else ():
        if uuid in because:
            away.setdefault(uuid, []).append(host)
    return tuple(
        Violation(
            rule=label,
            subject=problem.name(uuid),
            amount=1,
            sentence=(
                f"{problem.name(uuid)} {'must' if hard else 'should'} stay on {problem.home(uuid)} ({because[uuid]}), "
                f"but is on {', '.join(hosts)}"
            ),
            guests=(uuid,),
            hard=hard,
        )
        for uuid, hosts in away.items()
    )


def steadied(problem: Problem, guests: Collection[str]) -> tuple[str, ...]:
    """Return those of `guests` that a rule which only steadies the cluster may hold, sorted.

    Not whom an order moves, nor who is on a host that is emptied or relieved by order, nor who takes
    part in a broken hard rule.
    """
    ordered, free = problem.emptied | problem.relieve, at_fault(problem) | problem.ordered
    return tuple(
        sorted(
            uuid
            for uuid in guests
            if uuid in problem.cluster.guest
            and uuid not in free
            and problem.home(uuid) not in ordered
        )
    )


def at_fault(problem: Problem) -> frozenset[str]:
    """Return the guests that take part in a hard rule of the policy being broken now.

    Rules that only steady the cluster give way to them, and are not asked.
    """
    return problem.once("at fault", lambda: _found(problem))


def _found(problem: Problem) -> frozenset[str]:
    now = problem.rest(problem.cluster.placement)
    return frozenset(
        uuid
        for rule in problem.policy.constraints
        if not steadying(rule)
        for violation in rule.violations(problem, now)
        if violation.hard
        for uuid in violation.guests
    )
