"""Small clusters drawn by a seed, and a replay of plans in plain terms: no rule's code, no judge's.

Numbers and names only. Memory is added up, guests are counted, and every instant is looked at
anew. Slow and dumb on purpose.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite

from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.together import Together
from balancer.planner.model.plan import Migration
from balancer.planner.model.policy import Allow, Limits
from balancer.planner.model.problem import Problem
from tests.drawing import problem, select, uuid_of

LINK = 100
"""MiB/s."""
SHARE = 0.4


@dataclass(frozen=True)
class World:
    """One small cluster: sizes in GiB."""

    room: Mapping[str, int]
    rack: Mapping[str, str]
    down: frozenset[str]
    size: Mapping[str, int]
    """By guest's uuid."""
    home: Mapping[str, str]
    target: Mapping[str, str]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    """host, rack (each at most its share in a domain) or together, and uuids."""
    per_host: int
    at_once: int
    moves: int
    steps_aside: bool
    problem: Problem


def world(seed: int) -> World:
    """Return the cluster of that seed: little room, wishes that often cross."""
    rng = random.Random(seed)
    hosts = [f"h{i}" for i in range(rng.randint(3, 5))]
    names = [f"g{i}" for i in range(rng.randint(4, 9))]
    size = {g: rng.choice([1, 2, 4, 4]) for g in names}
    home = {g: rng.choice(hosts[:-1]) for g in names}
    wish = dict(zip(names, rng.sample(list(home.values()), len(names)), strict=True))
    for g in names:
        if rng.random() < 0.3:
            wish[g] = rng.choice(hosts)
    rack = {h: rng.choice(["r1", "r2"]) for h in hosts}
    down = frozenset(h for h in hosts if rng.random() < 0.04)
    room = {}
    for h in hosts:
        now = sum(size[g] for g in names if home[g] == h)
        then = sum(size[g] for g in names if wish[g] == h)
        room[h] = max(4, max(now, then) + rng.choice([0, 0, 1, 4, -2]))
    groups = []
    if rng.random() < 0.4:
        groups.append(("host", tuple(names[:3])))
    if rng.random() < 0.3:
        groups.append(("rack", (names[1], names[3])))
    if rng.random() < 0.2:
        groups.append(("together", (names[2], names[-1])))
    limits = Limits(
        at_once_per_host=rng.randint(1, 3),
        at_once_total=rng.randint(2, 5),
        moves_per_hour=rng.choice([20, 20, 3]),
        hotter_on_the_way=10.0,
    )
    aside = rng.random() < 0.75
    text = "\n".join(
        f"{h} 99c/{room[h]}g rack={rack[h]} link={LINK} state={'down' if h in down else 'up'} : "
        + " | ".join(f"{g} 1v/{size[g]}g" for g in names if home[g] == h)
        for h in hosts
    )
    posed = problem(text, *map(_rule, groups), limits=limits, allow=Allow(temporary_moves=aside))
    return World(
        room, rack, down, {uuid_of(g): n for g, n in size.items()},
        {uuid_of(g): h for g, h in home.items()}, {uuid_of(g): h for g, h in wish.items()},
        tuple((kind, tuple(map(uuid_of, who))) for kind, who in groups),
        limits.at_once_per_host, limits.at_once_total, limits.moves_per_hour, aside, posed,
    )  # fmt: skip


def _rule(group: tuple[str, tuple[str, ...]]) -> Spread | Together:
    kind, who = group
    if kind == "together":
        return Together(guests=select(*who))
    return Spread(guests=select(*who), across=kind)


Held = dict[str, set[str]]
"""Hosts by uuid."""


def crowding(w: World, held: Held) -> dict[tuple[str, ...], int]:
    """Return by how much each host and each domain is beyond what it may have; only what is."""
    over: dict[tuple[str, ...], int] = {}
    for host, room in w.room.items():
        there = sum(w.size[g] for g, hosts in held.items() if host in hosts)
        if there > room:
            over["memory", host] = there - room
    for i, (kind, who) in enumerate(w.groups):
        if kind == "together":
            continue
        domain = {h: h if kind == "host" else w.rack[h] for h in w.room}
        most = ceil(len(who) / len({domain[h] for h in w.room if h not in w.down}))
        for d in set(domain.values()):
            there = sum(any(domain[h] == d for h in held[g]) for g in who)
            if there > most:
                over["crowd", str(i), d] = there - most
    return over


def apart(w: World, held: Held) -> dict[tuple[str, ...], int]:
    """Return over how many hosts too many each group that belongs together is."""
    return {
        ("apart", str(i)): len({h for g in who for h in held[g]}) - 1
        for i, (kind, who) in enumerate(w.groups)
        if kind == "together"
    }


def worse(before: Mapping[tuple[str, ...], int], now: Mapping[tuple[str, ...], int]) -> list[str]:
    return [f"{key} is {n} over" for key, n in now.items() if n > before.get(key, 0)]


def harm(w: World, plan: Sequence[Migration]) -> str:
    """Return the first harm that carrying `plan` out may do, or an empty string."""
    return next(_harms(w, plan), "")


def _harms(w: World, plan: Sequence[Migration]) -> Iterator[str]:
    if len({a.id for a in plan}) != len(plan):
        yield "two steps are called the same"
    seen: list[str] = []
    for a in plan:
        if nonsense := _nonsense(w, a):
            yield nonsense
            return
        yield from _odd(w, a)
        if any(needed not in seen for needed in a.waits_for):
            yield "it waits for what does not come before it"
        seen.append(a.id)
    if len(plan) > w.moves:
        yield "more moves than an hour may have"
    yield from _aside(w, plan)
    yield from _by_the_clock(w, plan)
    yield from _one_by_one(w, plan)
    yield from _in_any_order(w, plan)


def _nonsense(w: World, a: Migration) -> str:
    if a.guest not in w.home or a.source not in w.room or a.target not in w.room:
        return "it speaks of what is not there"
    finite = isfinite(a.start) and isfinite(a.predicted.seconds)
    return "" if finite else "its times are no times"


def _odd(w: World, a: Migration) -> Iterator[str]:
    if a.target in w.down:
        yield f"{a.target} is down"
    if a.source == a.target or a.rate_kib_s <= 0 or a.start < 0 or a.predicted.seconds <= 0:
        yield "it makes no sense"
    if not 0 < a.downtime_ms <= 300 or a.predicted.downtime_ms > 300:
        yield "the guest may stand still for too long"


def _aside(w: World, plan: Sequence[Migration]) -> Iterator[str]:
    last = {a.guest: a for a in plan}
    for a in plan:
        if a.temporary and not w.steps_aside:
            yield "nobody may step aside"
        if a.temporary and last[a.guest] is a:
            yield "a guest is left on its way"


def _by_the_clock(w: World, plan: Sequence[Migration]) -> Iterator[str]:
    """Yield what is wrong at any instant of the predicted times."""
    end = {a.id: a.start + a.predicted.seconds for a in plan}
    before = crowding(w, {g: {h} for g, h in w.home.items()})
    for now in sorted({t for a in plan for t in (a.start, end[a.id])}):
        held: Held = {g: {h} for g, h in w.home.items()}
        flying = []
        for a in sorted(plan, key=lambda a: a.start):
            if a.start > now:
                continue
            if any(end.get(needed, 0.0) > a.start for needed in a.waits_for):
                yield "it starts before what it waits for has ended"
            if end[a.id] <= now:
                held[a.guest] = {a.target}
            else:
                held[a.guest] = held[a.guest] | {a.target}
                flying.append(a)
        starting = [a for a in plan if a.start == now]
        for a in starting:
            where = _place(w, plan, a, now, end)
            if where != {a.source}:
                yield "a guest is not where it is taken from"
        yield from worse(before, crowding(w, held))
        yield from _too_many(w, flying)


def _place(w: World, plan: Sequence[Migration], mine, now: float, end) -> set[str]:
    """Return where the guest of `mine` is just before it starts."""
    held = {w.home[mine.guest]}
    for a in sorted(plan, key=lambda a: a.start):
        if a is mine or a.guest != mine.guest:
            continue
        if a.start < now or (a.start == now and plan.index(a) < plan.index(mine)):
            held = {a.target} if end[a.id] <= now else held | {a.target}
    return held


def _too_many(w: World, flying: Sequence[Migration]) -> Iterator[str]:
    if len(flying) > w.at_once:
        yield "too many at once"
    for host in w.room:
        if sum(host in (a.source, a.target) for a in flying) > w.per_host:
            yield f"too many at once on {host}"
        most = int(LINK * 1024 * SHARE)
        if sum(a.rate_kib_s for a in flying if a.source == host) > most:
            yield f"too much out of {host}"
        if sum(a.rate_kib_s for a in flying if a.target == host) > most:
            yield f"too much into {host}"


def _one_by_one(w: World, plan: Sequence[Migration]) -> Iterator[str]:
    held: Held = {g: {h} for g, h in w.home.items()}
    before, apart_before = crowding(w, held), apart(w, held)
    for a in plan:
        if held[a.guest] != {a.source}:
            yield "one at a time, a guest is not where it is taken from"
        held[a.guest] = held[a.guest] | {a.target}
        yield from worse(before, crowding(w, held))
        held[a.guest] = {a.target}
    yield from worse(before, crowding(w, held))
    yield from worse(apart_before, apart(w, held))


def _in_any_order(w: World, plan: Sequence[Migration]) -> Iterator[str]:
    """Yield what is wrong in some run that respects the waits: all runs of few, some of many."""
    start: Held = {g: {h} for g, h in w.home.items()}
    before = crowding(w, start)
    todo: list[State] = [(frozenset(), frozenset())]
    seen = set(todo)
    while todo and len(seen) < 20_000:
        begun, over = todo.pop()
        held = _held(start, plan, begun, over)
        if begun:
            yield from worse(before, crowding(w, held))
        starting = _may_start(plan, begun, over)
        if any(held[plan[i].guest] != {plan[i].source} for i in starting):
            yield "in some order, a guest is not where it is taken from"
        nexts = [(begun | {i}, over) for i in starting]
        nexts += [(begun, over | {i}) for i in begun - over]
        fresh = [state for state in nexts if state not in seen]
        seen.update(fresh)
        todo += fresh


State = tuple[frozenset[int], frozenset[int]]
"""Numbers of the steps that have begun, and of those that are over."""


def _may_start(
    plan: Sequence[Migration], begun: frozenset[int], over: frozenset[int]
) -> list[int]:
    number = {a.id: i for i, a in enumerate(plan)}
    return [
        i
        for i, a in enumerate(plan)
        if i not in begun and all(number.get(needed, -1) in over for needed in a.waits_for)
    ]


def _held(
    start: Held, plan: Sequence[Migration], begun: frozenset[int], over: frozenset[int]
) -> Held:
    held = {g: set(hosts) for g, hosts in start.items()}
    for i, a in enumerate(plan):
        if i in over:
            held[a.guest] = {a.target}
        elif i in begun:
            held[a.guest] = held[a.guest] | {a.target}
    return held


__all__ = ["World", "harm", "world"]
