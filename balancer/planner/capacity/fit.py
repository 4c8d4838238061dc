"""How many more guests of a kind fit: now, and once others have made room; and what stops the rest."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.capacity.room import Places, places
from balancer.planner.capacity.waiting import NOWHERE, another, arriving, calm, largest
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.survive import Survive
from balancer.planner.explain import hot, loads
from balancer.planner.model.cluster import Guest, HostState
from balancer.planner.model.plan import Plan
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.model.resources import CPU, MEMORY, VCPUS, Resources
from balancer.planner.model.selector import Selector
from balancer.planner.pipeline import weighed

MARK: Final = "balancer-capacity"
"""Label of the guests asked about, for rules to speak of them."""
AT_MOST: Final = 500
"""Guests that are tried where nobody said how many."""
REASONS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The guest asked about."""

    guest: Guest
    """Its allocation, and what it needs of a host; name and uuid are replaced by a number."""
    use: Resources
    """What it is expected to use: millicores, MiB."""
    spread: str = ""
    """Label over which they are to be spread evenly, `host`, or nothing."""
    hosts_lost: int = 0
    """So many hosts may be lost afterwards, and everybody still finds a place."""


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
    moves: Plan | None
    """What makes room, before the first of them arrives; None where that helps nobody."""
    hot: tuple[str, ...]
    """Hosts that would be hot with all of them, and are not now."""
    binding: Mapping[str, int]
    """What spoke against one more, then: number of hosts by reason."""
    ways: tuple[Way, ...] = ()


def fit(
    problem: Problem,
    wanted: Wanted,
    count: int = 0,
    effort: Effort = Effort.QUICK,
    keep_going: Callable[[], bool] = lambda: True,
) -> Fit:
    """Return how many guests as `wanted` fit, of `count` or of as many as could.

    Proven in so far as the plan is: nobody is promised a place that the judge refuses. One
    guest more than may fit is tried where `count` is 0, so that something says why not. With
    losses to be survived the number is one that holds, not proven to be the largest: those
    that fit without are tried again with fewer, halving.
    """
    quiet = calm(problem)
    tried = count or min(AT_MOST, most(quiet, wanted) + 1)
    request = Request(effort=effort)
    asked = _asked(quiet, wanted, tried)
    found = places(asked, request, keep_going)
    binding = _binding(asked, found)
    if wanted.hosts_lost:
        spare = Survive(hosts_lost=wanted.hosts_lost)
        few, most_many = 0, len(found.later)
        while few < most_many and keep_going():
            number = (few + most_many + 1) // 2
            some = _asked(quiet, wanted, number)
            there = places(some, request, keep_going)
            if len(there.later) == number and _endures(spare, some, there):
                few = number
            else:
                most_many = number - 1
        if few < len(found.later):
            binding = {spare.label: len(quiet.receiving)}
            asked = _asked(quiet, wanted, few)
            found = places(asked, request, keep_going)
    return Fit(
        asked=tried,
        now=len(found.now),
        hosts=dict(Counter(found.now.values())),
        after=len(found.later),
        moves=found.moves,
        hot=_heated(asked, found),
        binding=binding,
    )


def _endures(spare: Survive, asked: Problem, found: Places) -> bool:
    """Say whether no loss leaves more guests without a place than before the new ones came."""
    before, after = (
        sum(v.amount for v in spare.violations(asked, asked.rest(placement)))
        for placement in (asked.cluster.placement, found.settled)
    )
    return after <= before


def ways(
    problem: Problem, wanted: Wanted, count: int, found: Fit, keep_going: Callable[[], bool]
) -> tuple[Way, ...]:
    """Return what would let more of `count` fit, each tried; best first.

    One more host like the largest, and each rule of the policy that spoke against one more.
    """
    tried: list[Way] = []
    host = largest(problem)
    changes = [(f"one more host like {host.name}", another(problem, host))] if host else []
    for rule in problem.policy.constraints:
        if any(reason.startswith(rule.label) for reason in found.binding):
            without = tuple(r for r in problem.policy.constraints if r is not rule)
            policy = replace(problem.policy, constraints=without)
            changes.append((f"without the rule {rule.label}", replace(problem, policy=policy)))
    for words, changed in changes:
        if keep_going():
            then = fit(changed, wanted, count, keep_going=keep_going).after
            if then > found.after:
                tried.append(Way(words=words, fit=then))
    return tuple(sorted(tried, key=lambda way: -way.fit))


def most(problem: Problem, wanted: Wanted) -> int:
    """Return how many could fit at most, were memory that is free all in one place."""
    size = wanted.guest.allocation.get(MEMORY, 0)
    up = [h for h in problem.cluster.hosts if h.state is HostState.UP]
    if not size:
        return sum(h.capacity.get(CPU, 0) for h in up) // 1000
    room = sum(h.usable.get(MEMORY, 0) for h in up)
    held = sum(g.allocation.get(MEMORY, 0) for g in problem.cluster.guests)
    return max(0, 2 * room - held) // size  # overcommit may allow more than there is


def _asked(problem: Problem, wanted: Wanted, count: int) -> Problem:
    template = wanted.guest
    guests = tuple(
        replace(
            template,
            uuid=f"{MARK}-{number:05}",
            name=f"(new {number})",
            labels={**template.labels, MARK: "new"},
        )
        for number in range(1, count + 1)
    )
    rules = (
        (Spread(guests=Selector((f"label:{MARK}=new",)), across=wanted.spread, evenly=True),)
        if wanted.spread
        else ()
    )
    return arriving(problem, guests, {g.uuid: wanted.use for g in guests}, rules)


def _heated(asked: Problem, found: Places) -> tuple[str, ...]:
    """Return the hosts that are hot where everybody settled, and were not before."""
    lines = loads(asked, found.settled)
    after = hot(asked, (replace(line, before=line.after) for line in lines))
    return tuple(sorted({h.host for h in after} - {h.host for h in hot(asked, lines)}))


def _binding(asked: Problem, found: Places) -> Mapping[str, int]:
    """Return what spoke against the first of those left over, everybody else being placed."""
    left = [uuid for uuid, host in found.settled.items() if host == NOWHERE]
    if not left:
        return {}
    account = weighed(asked, found.settled, (min(left),))[0]
    return dict(list(account.rejected.items())[:REASONS]) or {account.stays or "nothing": 1}


def expected_use(problem: Problem, allocation: Resources) -> Resources:
    """Return what a guest of this size would use, were it as busy as those that run.

    CPU: the cluster's mean of peak demand per vCPU; memory: all of it.
    """
    known = [g for g in problem.cluster.guests if g.uuid not in problem.demand.unknown]
    vcpus = sum(g.allocation.get(VCPUS, 0) for g in known)
    busy = sum(problem.demand.peak.get(g.uuid, {}).get(CPU, 0) for g in known)
    each = -(-busy // vcpus) if vcpus else 1000
    return {CPU: each * allocation.get(VCPUS, 0), MEMORY: allocation.get(MEMORY, 0)}
