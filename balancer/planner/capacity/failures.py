"""What becomes of guests whose host, or whole rack, is lost: where each could be started anew."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from balancer.planner.capacity.room import places
from balancer.planner.capacity.waiting import NOWHERE, calm, fallen
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.stay import Stay
from balancer.planner.constraints.tied import bonds
from balancer.planner.model.placement import Placement
from balancer.planner.model.problem import UNLABELLED, Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.pipeline import weighed


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
    after = _rigid(fallen(calm(problem), hosts), problem)
    found = places(after, Request(effort=effort), keep_going)
    left = sorted(uuid for uuid, host in found.settled.items() if host == NOWHERE)
    return Failure(
        lost=lost,
        hosts=hosts,
        guests=len(after.ordered),
        restarted=len(found.now),
        after_moves=len(found.later),
        moves=len(found.moves.actions) if found.moves else 0,
        homeless=_homeless(after, found.settled, left),
    )


def _rigid(after: Problem, before: Problem) -> Problem:
    """Return the problem in which survivors that a rule keeps where they are stay there."""
    kept = {
        uuid: rule.label
        for rule in before.policy.constraints
        if isinstance(rule, Stay | NeverMove)
        for uuid in rule.concerns(before)
        if uuid not in after.ordered
    }
    return replace(after, held={**after.held, **kept})


def _homeless(after: Problem, settled: Placement, left: list[str]) -> Mapping[str, str]:
    """Return why each guest that is left over finds no place, by name."""
    found: dict[str, str] = {}
    for account in weighed(after, settled, left):
        guest = after.cluster.guest[account.guest]
        against = ", ".join(f"{why} ({number})" for why, number in account.rejected.items())
        tied = bonds(guest)
        found[guest.name] = tied or account.stays or against or "no host is left"
    return found
