"""Guests that no migration is expected to bring away, or that none did lately.

Said before guests are placed, so that no plan is built upon a move that cannot be made.
"""

from collections.abc import Iterator, Mapping

from balancer.planner.model.copying import copied
from balancer.planner.model.duration import ratio
from balancer.planner.model.fitting import may_be_cold
from balancer.planner.model.plan import Outcome, RungKind
from balancer.planner.model.problem import Problem
from balancer.planner.order.cost import CATCH_UP, KIB, WillNotConverge
from balancer.planner.order.moves import Travel
from balancer.planner.order.rungs import remedy

Pairs = Mapping[tuple[str, str], str]


def too_busy(problem: Problem) -> Pairs:
    """Return where guests cannot go as they write too fast for every rung allowed, and why.

    To memory, or to disks that are copied along.
    """
    travel, found = Travel(problem), dict[tuple[str, str], str]()
    if not problem.receiving:
        return found
    share = problem.policy.limits.migration_link_share / KIB / 2
    slowest = share * min(map(travel.link, problem.cluster.host))
    fast = {u for u, dirty in problem.demand.dirty_mib_s.items() if dirty > CATCH_UP * slowest}
    along = {guest.uuid for guest in problem.cluster.guests if copied(problem, guest.uuid)}
    for guest in sorted((fast & problem.cluster.guest.keys()) | along):
        for host, why in _refusals(travel, guest):
            found[guest, host] = why
    return found


def _refusals(travel: Travel, guest: str) -> Iterator[tuple[str, str]]:
    """Yield where the guest cannot go, and why; hosts with like links are asked about once."""
    problem, home = travel.problem, travel.problem.home(guest)
    known: dict[tuple[int, float, str], str] = {}
    for host in problem.receiving:
        if host == home:
            continue
        way = (guest, home, host)
        like = (travel.top_rate(home, host), ratio(problem, home, host), travel.cold(*way))
        if like not in known:
            answer = travel.at_best(*way)
            known[like] = answer.sentence if isinstance(answer, WillNotConverge) else ""
        if known[like]:
            yield host, known[like]


def hopeless(problem: Problem, guest: str) -> bool:
    """True if there is no host that the guest could be sent to, as fast as it writes."""
    travel, home = Travel(problem), problem.home(guest)
    asked = guest in problem.demand.dirty_mib_s or bool(copied(problem, guest))
    return asked and all(
        isinstance(travel.at_best(guest, home, host), WillNotConverge)
        for host in problem.receiving
        if host != home
    )


def unmoved(problem: Problem) -> Mapping[str, str]:
    """Return guests whose last migration did not converge, while they rest; and why they stay.

    They rest as long as guests that have moved. Those that have to leave, or are ordered to, and
    those for which more is allowed by now than was tried, are tried again.
    """
    rest, at = problem.policy.limits.same_guest_again_after, problem.at
    return {
        uuid: _because(problem, outcome)
        for uuid, outcome in problem.diverged.items()
        if uuid in problem.cluster.guest
        and at - outcome.ended < rest
        and uuid not in problem.ordered
        and problem.home(uuid) not in (problem.emptied | problem.relieve)
        and not _more_allowed(problem, outcome)
    }


def _more_allowed(problem: Problem, outcome: Outcome) -> bool:
    """True if the policy allows the guest more than its last migration could use."""
    action = outcome.action
    if may_be_cold(problem, problem.cluster.guest[action.guest]):
        return True
    means = Travel(problem).means(action.guest, action.source, action.target)
    tried = {rung.kind for rung in action.rungs}
    longest = max([action.downtime_ms, *(rung.downtime_ms for rung in action.rungs)])
    return (
        (means.post_copy and RungKind.POST_COPY not in tried)
        or (
            means.auto_converge
            and not action.auto_converge
            and RungKind.AUTO_CONVERGE not in tried
        )
        or means.pause_at_most > longest
    )


def _because(problem: Problem, outcome: Outcome) -> str:
    action = outcome.action
    means = Travel(problem).means(action.guest, action.source, action.target)
    ago = max(0.0, problem.at - outcome.ended) / 60
    return f"its migration did not converge {ago:.0f} min ago; {remedy(means)}"
