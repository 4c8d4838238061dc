"""What becomes of guests whose host, or whole rack, is lost: where each could be started anew."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from balancer.planner.capacity.waiting import calm, fallen, pinned
from balancer.planner.constraints.tied import bonds
from balancer.planner.model.plan import Infeasible, Plan
from balancer.planner.model.problem import UNLABELLED, Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.pipeline import plan_for, weighed


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What the loss of some hosts would mean."""

    lost: str
    """A host, or a value of the label."""
    hosts: tuple[str, ...]
    guests: int
    """That ran there."""
    restarted: int
    """Of them find a place while nobody else moves."""
    after_moves: int
    """Of them find one once others have made room."""
    moves: int
    """So many moves of others."""
    homeless: Mapping[str, str]
    """Name of each guest that finds none, and why."""

    @property
    def survived(self) -> bool:
        """True if everybody finds a place while nobody else moves."""
        return self.restarted == self.guests


def domains(problem: Problem, across: str) -> Mapping[str, tuple[str, ...]]:
    """Return the hosts that are lost together, by name of the domain; unlabelled ones are not."""
    found: dict[str, list[str]] = {}
    for host in problem.cluster.hosts:
        domain = problem.domain(host.name, across)
        if domain != UNLABELLED:
            found.setdefault(domain, []).append(host.name)
    return {name: tuple(hosts) for name, hosts in sorted(found.items())}


def failure(
    problem: Problem,
    lost: str,
    hosts: tuple[str, ...],
    effort: Effort = Effort.QUICK,
    keep_going: Callable[[], bool] = lambda: True,
) -> Failure:
    """Return what the loss of `hosts` together would mean."""
    after = fallen(calm(problem), hosts)
    mine = after.ordered
    request = Request(effort=effort)
    here = plan_for(pinned(after, but=mine), request, keep_going) if mine else None
    restarted = _placed(here, mine)
    best = here
    if len(restarted) < len(mine):
        roomy = plan_for(_rigid(after, problem), request, keep_going)
        if len(_placed(roomy, mine)) > len(restarted):
            best = roomy
    placed = _placed(best, mine)
    others = (
        {a.guest for a in best.actions if a.guest not in mine} if isinstance(best, Plan) else set()
    )
    return Failure(
        lost=lost,
        hosts=hosts,
        guests=len(mine),
        restarted=len(restarted),
        after_moves=len(placed),
        moves=len(others),
        homeless=_homeless(after, best, sorted(mine - placed.keys())),
    )


def _rigid(after: Problem, before: Problem) -> Problem:
    """Return the problem in which survivors that a rule keeps where they are stay there."""
    kept = {
        uuid: rule.label
        for rule in before.policy.constraints
        if rule not in after.policy.constraints
        for uuid in rule.concerns(before)
        if uuid not in after.ordered
    }
    return replace(after, held={**after.held, **kept})


def _placed(made: Plan | Infeasible | None, mine: frozenset[str]) -> Mapping[str, str]:
    if not isinstance(made, Plan):
        return {}
    return {a.guest: a.target for a in made.actions if a.guest in mine}


def _homeless(
    after: Problem, made: Plan | Infeasible | None, left: list[str]
) -> Mapping[str, str]:
    """Return why each guest that is left over finds no place, by name."""
    actions = made.actions if isinstance(made, Plan) else ()
    reached = {**after.cluster.placement, **{a.guest: a.target for a in actions}}
    found: dict[str, str] = {}
    for account in weighed(after, reached, left):
        guest = after.cluster.guest[account.guest]
        tied = bonds(guest, after.policy.allow)
        against = ", ".join(f"{why} ({number})" for why, number in account.rejected.items())
        found[guest.name] = tied or account.stays or against or "no host is left"
    return found
