"""New guests that are alike, counted by host: exactly where the cluster is small, else part by part."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from balancer.planner.capacity.asking import Wanted, asked_for, new, places_of, uuid_of
from balancer.planner.capacity.part import Atlas, atlas
from balancer.planner.capacity.waiting import NOWHERE
from balancer.planner.constraints import all_rules
from balancer.planner.constraints.survive import Survive
from balancer.planner.formulation import Formulation, Ints, formulate
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Plan
from balancer.planner.model.problem import Problem
from balancer.planner.objectives import all_goals
from balancer.planner.pipeline import named, towards_for

if TYPE_CHECKING:
    from balancer.planner.place.copies import Copies, Evenly

SMALL: Final = 250_000
"""Guests times hosts up to which one formulation of the whole is written."""
HOSTS_OF_A_PART: Final = 8
FOR_OTHERS: Final = "it stays, for others that are not asked"
TRIES: Final = 4
"""Placements of as many guests to which a way is sought, before one guest less is asked for."""
TARGETS: Final = 16
"""Placements to which a way is sought before it is said that there is none."""
PART_WORK: Final = 0.5
"""Deterministic time for a part that makes room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many fit, where, and how sure."""

    now: Placement
    """New guests that fit while nobody else moves: host by uuid."""
    settled: Placement
    """Of all that are new or have moved, once others have made room."""
    moves: Plan | None
    """What makes room."""
    bound: int
    """More do not fit in any placement."""
    stuck: bool = False
    """True if more would fit where live moves do not lead."""
    reasons: Mapping[str, int] | None = None
    """What binds, by hosts; None where that is not known yet."""

    @property
    def count(self) -> int:
        """How many fit once others have made room."""
        return sum(uuid.startswith(MARKED) for uuid in self.settled)


MARKED: Final = uuid_of(0)[:-5]


def count_all(quiet: Problem, wanted: Wanted, count: int, tried: int) -> Counted | None:
    """Return the answer of one exact model.

    None where the cluster is too large for one, or a rule is in the way that cannot speak of numbers.
    """
    if len(quiet.cluster.guests) * len(quiet.cluster.hosts) > SMALL:
        return None
    from balancer.planner.place.copies import (  # noqa: PLC0415 - OR-Tools takes a second
        MOST,
        countable,
        decisions,
        most_copies,
    )

    moving = named(quiet)
    one, formulation = _posed(moving, wanted)
    (guest,) = (formulation.guest_number[uuid] for uuid in new(one))
    if not countable(formulation, guest):
        return None
    evenly = _evenly(quiet, wanted, count, formulation)
    still = _still(moving, wanted)
    if decisions(still) > MOST:
        return None
    at_once = most_copies(still, guest, tried, evenly)
    now = _named(formulation, at_once.at)
    found = Counted(now=now, settled=now, moves=None, bound=tried)
    if at_once.count >= tried:
        return found
    if decisions(formulation) > MOST:  # parts make room, where each can be looked at by itself
        return found if wanted.hosts_lost or wanted.spread else None

    def ask(number: int, blocked: Sequence[Ints]) -> "Copies":
        return most_copies(formulation, guest, number, evenly, unlike=blocked)

    return _after_moves(quiet, formulation, found, ask)


def _after_moves(
    quiet: Problem,
    formulation: Formulation,
    found: Counted,
    ask: Callable[[int, Sequence[Ints]], "Copies"],
) -> Counted:
    """Return what fits once others have made room, as far as there is a way to it.

    Where there is none to some placements of the most, one guest less is asked for.
    """
    blocked: list[Ints] = []
    number = tried = found.bound
    while len(blocked) < TARGETS:
        later = ask(number, blocked)
        if not blocked:
            found = replace(found, bound=max(later.bound, found.count))
            tried = number = later.count
        if later.count <= found.count:
            break
        target = _target(formulation, later.placement)
        made = towards_for(replace(quiet, ordered=frozenset(target)), target, "makes room")
        if isinstance(made, Plan) and _arrived(made, target):
            there = _named(formulation, later.at)
            stuck = later.count < tried
            return replace(found, settled={**target, **there}, moves=made, stuck=stuck)
        blocked.append(later.placement)
        number = min(later.count, tried - len(blocked) // TRIES)
    return replace(found, stuck=bool(blocked))


def _arrived(made: Plan, target: Placement) -> bool:
    """True if everybody ends where he should; on the way he may have stepped aside."""
    return {a.guest: a.target for a in made.actions} == target


def _posed(problem: Problem, wanted: Wanted) -> tuple[Problem, Formulation]:
    """Return the problem with one new guest waiting, and all that is said of it."""
    one = asked_for(problem, replace(wanted, spread=""), 1, 0)
    rules = all_rules(one)
    if wanted.hosts_lost:
        rules = (*rules, Survive(hosts_lost=wanted.hosts_lost))
    return one, formulate(one, rules, all_goals(one))


def _still(problem: Problem, wanted: Wanted) -> Formulation:
    """Return the same with everybody held where he is."""
    _, formulation = _posed(problem, wanted)
    formulation.held[:] = True
    return formulation


def _evenly(
    quiet: Problem, wanted: Wanted, count: int, formulation: Formulation
) -> "Evenly | None":
    """Return how they are to be spread over the domains of hosts that may take guests."""
    if not wanted.spread:
        return None
    from balancer.planner.place.copies import Evenly  # noqa: PLC0415 - as above

    domain = formulation.domains(wanted.spread).copy()
    receiving = set(quiet.receiving)
    for name, site in formulation.site_number.items():
        if name not in receiving:
            domain[site] = -1
    most = -(-count // max(1, len(places_of(quiet, wanted.spread)))) if count else None
    return Evenly(domain, most)


def _named(formulation: Formulation, at: Ints) -> dict[str, str]:
    """Return a host for each new guest, by number, from how many there are at each."""
    hosts = [h.name for h in formulation.problem.cluster.hosts]
    each = [hosts[site] for site in np.repeat(np.arange(len(at)), at).tolist()]
    return {uuid_of(number): host for number, host in enumerate(each, 1)}


def _target(formulation: Formulation, placement: Ints) -> dict[str, str]:
    """Return where those go that run now, by uuid, as far as they move."""
    cluster = formulation.problem.cluster
    hosts = [h.name for h in cluster.hosts]
    return {
        cluster.guests[number].uuid: hosts[placement[number]]
        for number in np.flatnonzero(placement != formulation.start).tolist()
    }


def count_parts(
    quiet: Problem, wanted: Wanted, count: int, tried: int, keep_going: Callable[[], bool]
) -> Counted | None:
    """Return the answer of a large cluster: exact while nobody moves, a lower bound of what moves do.

    Parts of a few hosts make room each by itself. With hosts to be lost nobody makes room, and the
    number is the largest found in two orders of filling hosts. None where a rule is in the way that
    looks at more than one host.
    """
    from balancer.planner.place.copies import plain, slots  # noqa: PLC0415 - as above

    known = atlas(quiet, quiet)
    rooms: dict[str, int] = {}
    reasons: Counter[str] = Counter()
    parts = list(_parts(quiet))
    for names in parts:
        formulation = _still(known.inside(names), replace(wanted, hosts_lost=0))
        (guest,) = (formulation.guest_number[u] for u in new(formulation.problem))
        if not plain(formulation, guest):
            return None
        most, words = slots(formulation, guest)
        for name, site in formulation.site_number.items():
            if name != NOWHERE:
                rooms[name] = int(most[site])
                reasons[words[site]] += 1
    rooms = _within(quiet, wanted, rooms, count)
    if wanted.hosts_lost:
        reasons = Counter({Survive(hosts_lost=wanted.hosts_lost).label: len(rooms)})
        fills = (_filled(rooms, sorted(rooms)), _filled(rooms, sorted(rooms, key=rooms.get)))  # type: ignore[arg-type]
        hosts = max((_surviving(quiet, wanted, f[:tried], count) for f in fills), key=len)
    else:
        hosts = _filled(rooms, sorted(rooms))[:tried]
    now = {uuid_of(number): host for number, host in enumerate(hosts, 1)}
    found = Counted(now=now, settled=now, moves=None, bound=tried, reasons=dict(reasons))
    if len(now) >= tried or wanted.hosts_lost or wanted.spread:
        return found
    return _defragmented(known, wanted, found, rooms, parts, keep_going)


def _parts(quiet: Problem) -> Iterator[frozenset[str]]:
    """Yield the hosts in groups, those in one between which guests are in flight."""
    names = sorted(h.name for h in quiet.cluster.hosts)
    number = max(1, len(names) // HOSTS_OF_A_PART)
    group = {name: index % number for index, name in enumerate(names)}
    for uuid, target in sorted(quiet.cluster.in_flight.items()):
        old, one = group[target], group[quiet.cluster.placement[uuid]]
        group = {name: one if which == old else which for name, which in group.items()}
    found: dict[int, set[str]] = {}
    for name, which in group.items():
        found.setdefault(which, set()).add(name)
    yield from map(frozenset, found.values())


def _within(
    quiet: Problem, wanted: Wanted, rooms: Mapping[str, int], count: int
) -> dict[str, int]:
    """Return the same, cut so that they are spread evenly where that is wanted."""
    if not wanted.spread:
        return dict(rooms)
    places: dict[str, list[str]] = {d: [] for d in sorted(places_of(quiet, wanted.spread))}
    for name in sorted(rooms):
        if rooms[name]:
            places[quiet.domain(name, wanted.spread)].append(name)
    most = {place: sum(rooms[name] for name in names) for place, names in places.items()}
    each = -(-count // len(places)) if count else min(most.values(), default=0) + 1
    found = dict.fromkeys(rooms, 0)
    for names in places.values():
        free = each
        for name in names:
            found[name] = min(rooms[name], free)
            free -= found[name]
    return found


def _filled(rooms: Mapping[str, int], order: list[str]) -> list[str]:
    """Return a host for each new guest: one on each host in `order` after the other, round by round."""
    found: list[str] = []
    for turn in range(max(rooms.values(), default=0)):
        found += [name for name in order if rooms[name] > turn]
    return found


def _surviving(quiet: Problem, wanted: Wanted, hosts: list[str], count: int) -> list[str]:
    """Return as many of `hosts`, from the first on, as leave no loss worse than it is now."""
    spare = Survive(hosts_lost=wanted.hosts_lost)
    asked = asked_for(quiet, replace(wanted, spread=""), len(hosts), count)
    home = asked.cluster.placement
    before = losses(spare, asked, home)
    few, many = 0, len(hosts)
    while few < many:
        number = (few + many + 1) // 2
        then = {**home, **{uuid_of(n): host for n, host in enumerate(hosts[:number], 1)}}
        after = losses(spare, asked, then)
        if all(left <= before.get(lost, 0) for lost, left in after.items()):
            few = number
        else:
            many = number - 1
    return hosts[:few]


def losses(spare: Survive, asked: Problem, placement: Placement) -> Mapping[str, int]:
    """Return how many guests find no place, by loss; those that wait are on no host to be lost."""
    found = spare.violations(asked, asked.rest(placement))
    return {v.subject: v.amount for v in found if NOWHERE not in v.subject}


def _defragmented(
    known: Atlas,
    wanted: Wanted,
    found: Counted,
    rooms: Mapping[str, int],
    parts: list[frozenset[str]],
    keep_going: Callable[[], bool],
) -> Counted:
    """Return what is found once parts have made room, each by itself, until `tried` fit."""
    from balancer.planner.place.copies import most_copies  # noqa: PLC0415 - as above

    at, target, used = dict(rooms), dict[str, str](), set[str]()
    for names in parts:
        missing = found.bound - sum(at.values())
        if missing <= 0 or not keep_going():
            break
        part = named(known.inside(names))
        here_now = frozenset(part.cluster.guest)
        fixed = dict.fromkeys(here_now.difference(known.loose(here_now, here_now)), FOR_OTHERS)
        _, formulation = _posed(replace(part, held={**fixed, **part.held}), wanted)
        (guest,) = (formulation.guest_number[u] for u in new(formulation.problem))
        here = sum(at[name] for name in names)
        more = most_copies(formulation, guest, here + missing, work=PART_WORK)
        if more.count > here:
            used |= names
            target |= _target(formulation, more.placement)
            at |= {h.name: int(n) for h, n in zip(part.cluster.hosts, more.at, strict=False)}
    if not used:
        return found
    inside = replace(known.inside(used), ordered=frozenset(target))
    made = towards_for(inside, target, "makes room")
    if not isinstance(made, Plan) or not _arrived(made, target):
        return replace(found, stuck=True)
    hosts = _filled(at, sorted(at))[: found.bound]
    there = {uuid_of(number): host for number, host in enumerate(hosts, 1)}
    return replace(found, settled={**target, **there}, moves=made)
