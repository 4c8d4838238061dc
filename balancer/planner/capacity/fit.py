"""How many more guests of a kind fit: now, and once others have made room; and what stops the rest."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.capacity.asking import Wanted, asked_for, new, spread_of
from balancer.planner.capacity.counting import Counted, count_all, count_parts, losses
from balancer.planner.capacity.room import arrivals, places
from balancer.planner.capacity.volume import room_for
from balancer.planner.capacity.waiting import another, calm, largest
from balancer.planner.constraints.survive import Survive
from balancer.planner.explain import hot, loads
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Plan
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.model.resources import CPU, MEMORY, VCPUS, Resources
from balancer.planner.model.violation import baseline, worsened
from balancer.planner.pipeline import broken, weighed

AT_MOST: Final = 5000
"""Guests that are counted where nobody said how many."""
ONE_BY_ONE: Final = 200
"""The same, where they cannot be counted but must be placed one by one."""
REASONS: Final = 3
NICELY: Final = 200
"""Guests that are placed so that few hosts get hot; more are only counted."""
NICE: Final = 50_000
"""Guests times hosts up to which that is done."""
HOSTS_MORE: Final = 8
"""Hosts that are added at most to see whether all fit then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Something that would let more of them fit, tried."""

    words: str
    fit: int
    """How many would then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The answer."""

    asked: int
    """How many were tried; as many as could ever fit, up to `AT_MOST`, where nobody said."""
    now: int
    """Fit while nobody else moves."""
    hosts: Mapping[str, int]
    """Of these so many on each host, by name."""
    after: int
    """Fit once others have made room."""
    at_most: int
    """More than these fit in no placement, of those asked; equal to `after` where that is proven."""
    unreached: bool
    """True if more would fit in a placement to which no way of live moves was found."""
    stranded: int
    """Guests, in all losses together, that find no place today: `hosts_lost` makes it no more."""
    moves: Plan | None
    """What makes room, before the first of them arrives; None where that helps nobody."""
    hot: tuple[str, ...]
    """Hosts that would be hot with all of them, and are not now."""
    binding: Mapping[str, int]
    """What spoke against one more, then: number of hosts by reason."""
    ways: tuple[Way, ...] = ()

    @property
    def proven(self) -> bool:
        """True if no more fit, whatever moves."""
        return self.after == self.at_most


def fit(
    problem: Problem,
    wanted: Wanted,
    count: int = 0,
    effort: Effort = Effort.QUICK,
    keep_going: Callable[[], bool] = lambda: True,
) -> Fit:
    """Return how many guests as `wanted` fit, of `count` or of as many as could.

    Nobody is promised a place that the judge's reading of a rule refuses. Where `after` is less than
    `at_most`, more may fit than were found.
    """
    quiet = calm(problem)
    most = room_for(quiet, wanted)
    tried = min(count or AT_MOST, most)
    found = _found(quiet, wanted, count, tried, Request(effort=effort), keep_going)
    settled = asked_for(quiet, wanted, found.count + 1, count)
    where = {**settled.cluster.placement, **found.settled}
    all_of_them = count and found.count >= count
    return Fit(
        asked=count or tried,
        now=len(found.now),
        hosts=dict(Counter(found.now.values())),
        after=found.count,
        at_most=found.bound if found.bound < tried else min(most, count or most),
        unreached=found.stuck,
        stranded=_stranded(quiet, wanted),
        moves=found.moves,
        hot=_heated(settled, where),
        binding={} if all_of_them else _binding(settled, where, wanted, found.reasons),
    )


def _found(
    quiet: Problem,
    wanted: Wanted,
    count: int,
    tried: int,
    request: Request,
    keep_going: Callable[[], bool],
) -> Counted:
    """Return the answer in numbers where that can be had; else guest by guest."""
    if not tried:
        return Counted(now={}, settled={}, moves=None, bound=0)
    found = count_all(quiet, wanted, count, tried)
    if found is None:
        found = count_parts(quiet, wanted, count, tried, keep_going)
    holds = found and _holds(quiet, wanted, count, found)
    if found and holds and not found.stuck:
        return _nicely(quiet, wanted, count, found, keep_going)
    slow = _one_by_one(quiet, wanted, count, min(tried, ONE_BY_ONE), request, keep_going)
    if found and holds and slow.count <= found.count:
        return found
    return replace(slow, bound=found.bound, stuck=found.stuck) if found else slow


def _holds(quiet: Problem, wanted: Wanted, count: int, found: Counted) -> bool:
    """Say whether every rule's plain reading agrees with what was counted."""
    for there in (found.now, found.settled):
        number = sum(uuid not in quiet.cluster.guest for uuid in there)
        asked = asked_for(quiet, wanted, number, count)
        settled = {**asked.cluster.placement, **there}
        before = baseline(broken(asked, asked.cluster.placement))
        if worsened(before, broken(asked, settled)) or not _endures(wanted, asked, settled):
            return False
    return True


def _endures(wanted: Wanted, asked: Problem, settled: Placement) -> bool:
    """Say whether no loss leaves more guests without a place than before the new ones came."""
    if not wanted.hosts_lost:
        return True
    spare = Survive(hosts_lost=wanted.hosts_lost)
    before = losses(spare, asked, asked.cluster.placement)
    after = losses(spare, asked, settled)
    return all(left <= before.get(lost, 0) for lost, left in after.items())


def _stranded(quiet: Problem, wanted: Wanted) -> int:
    """Return how many guests find no place if such a loss came today, summed over losses."""
    if not wanted.hosts_lost:
        return 0
    spare = Survive(hosts_lost=wanted.hosts_lost)
    return sum(losses(spare, quiet, quiet.cluster.placement).values())


def _nicely(
    quiet: Problem, wanted: Wanted, count: int, found: Counted, keep_going: Callable[[], bool]
) -> Counted:
    """Return the same, with those that fit now where they make few hosts hot, if that is no work."""
    small = len(quiet.cluster.guests) * len(quiet.cluster.hosts) <= NICE
    if not small or wanted.hosts_lost or not 0 < len(found.now) <= NICELY:
        return found
    asked = asked_for(quiet, wanted, len(found.now), count)
    there = arrivals(asked, new(asked), Request(effort=Effort.INSTANT), keep_going)
    if len(there) < len(found.now):
        return found
    return replace(found, now=there, settled=found.settled if found.moves else there)


def _one_by_one(
    quiet: Problem,
    wanted: Wanted,
    count: int,
    tried: int,
    request: Request,
    keep_going: Callable[[], bool],
) -> Counted:
    """Return what placing guest by guest finds; with losses to be survived, halving."""
    asked = asked_for(quiet, wanted, tried, count)
    found = places(asked, request, keep_going)
    few, many = (0, len(found.later)) if wanted.hosts_lost else (len(found.later),) * 2
    while few < many and keep_going():
        number = (few + many + 1) // 2
        some = asked_for(quiet, wanted, number, count)
        there = places(some, request, keep_going)
        if len(there.later) == number and _endures(wanted, some, there.settled):
            few = number
        else:
            many = number - 1
    if few < len(found.later):
        asked = asked_for(quiet, wanted, few, count)
        found = places(asked, request, keep_going)
    home = asked.cluster.placement
    settled = {u: host for u, host in found.settled.items() if host != home[u]}
    return Counted(now=found.now, settled=settled, moves=found.moves, bound=tried)


def ways(
    problem: Problem, wanted: Wanted, count: int, found: Fit, keep_going: Callable[[], bool]
) -> tuple[Way, ...]:
    """Return what would let more of `count` fit, each tried; best first.

    Losses not to be survived, more hosts like the largest, and each rule of the policy that spoke
    against one more.
    """
    tried: list[Way] = []
    changes: list[tuple[str, Problem, Wanted]] = []
    if wanted.hosts_lost:
        rules = tuple(r for r in problem.policy.constraints if not isinstance(r, Survive))
        bold = replace(problem, policy=replace(problem.policy, constraints=rules))
        words = "with no loss to be survived"
        changes.append((words, bold, replace(wanted, hosts_lost=0)))
    if wanted.spread:
        changes.append(("without --spread", problem, replace(wanted, spread="")))
    for rule in problem.policy.constraints:
        if any(reason.startswith(rule.label) for reason in found.binding):
            without = tuple(r for r in problem.policy.constraints if r is not rule)
            policy = replace(problem.policy, constraints=without)
            changes.append(
                (f"without the rule {rule.label}", replace(problem, policy=policy), wanted)
            )
    for words, changed, asked in changes:
        if keep_going():
            then = fit(changed, asked, count, keep_going=keep_going).after
            if then > found.after:
                tried.append(Way(words=words, fit=then))
    tried += _with_hosts(problem, wanted, count, found, keep_going)
    return tuple(sorted(tried, key=lambda way: -way.fit))


def _with_hosts(
    problem: Problem, wanted: Wanted, count: int, found: Fit, keep_going: Callable[[], bool]
) -> Iterator[Way]:
    """Yield what one more host would do, and then as many as it takes, where that is few."""
    host, changed, before = largest(problem), problem, found.after
    number, done = 0, False
    while host and not done and keep_going():
        number += 1
        changed = another(changed, host, number)
        then = fit(changed, wanted, count, keep_going=keep_going).after
        enough = then >= count
        if then > found.after and (number == 1 or enough):
            many = "one more host" if number == 1 else f"{number} more hosts"
            yield Way(words=f"{many} like {host.name}", fit=then)
        slow = number > 1 and (count - then) > (then - before) * (HOSTS_MORE - number)
        before, done = then, enough or slow


def _heated(asked: Problem, settled: Placement) -> tuple[str, ...]:
    """Return the hosts that are hot where everybody settled, and were not before."""
    lines = loads(asked, settled)
    after = hot(asked, (replace(line, before=line.after) for line in lines))
    return tuple(sorted({h.host for h in after} - {h.host for h in hot(asked, lines)}))


def _binding(
    asked: Problem, settled: Placement, wanted: Wanted, known: Mapping[str, int] | None
) -> Mapping[str, int]:
    """Return what spoke against one more, everybody else being placed."""
    if known is not None:
        return dict(Counter(known).most_common(REASONS))
    left = max(new(asked))
    account = weighed(asked, settled, (left,))[0]
    found = dict(list(account.rejected.items())[:REASONS])
    if wanted.hosts_lost and account.left:
        spare = Survive(hosts_lost=wanted.hosts_lost).label
        return {spare: len(account.left) + account.more, **found}
    if account.left and wanted.spread:
        return {spread_of(wanted): len(account.left) + account.more, **found}
    return found or {account.stays or "nothing": 1}


def expected_use(problem: Problem, allocation: Resources) -> Resources:
    """Return what a guest of this size would use, were it as busy as those that run.

    CPU: the cluster's mean of peak demand per vCPU; memory: all of it.
    """
    known = [g for g in problem.cluster.guests if g.uuid not in problem.demand.unknown]
    vcpus = sum(g.allocation.get(VCPUS, 0) for g in known)
    busy = sum(problem.demand.peak.get(g.uuid, {}).get(CPU, 0) for g in known)
    each = -(-busy // vcpus) if vcpus else 1000
    return {CPU: each * allocation.get(VCPUS, 0), MEMORY: allocation.get(MEMORY, 0)}
