"""What becomes of guests whose host, or whole rack, is lost: where each could be started anew."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.capacity.part import Atlas, atlas
from balancer.planner.capacity.room import arrivals, places
from balancer.planner.capacity.waiting import (
    NOWHERE,
    OF_MOVES_AND_SPARES,
    adrift,
    another,
    calm,
    fallen,
    largest,
)
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.stay import Stay
from balancer.planner.constraints.tied import bonds
from balancer.planner.model.placement import Placement
from balancer.planner.model.problem import UNLABELLED, Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.pipeline import weighed

PARTS: Final = (16, 80)
"""Hosts for each kind of guest that are asked before all of them are."""
WHOLE: Final = 250_000
"""Guests times hosts up to which the whole cluster is asked to make room."""
ROOMY: Final = 40
"""Hosts that are asked to make room where the whole cluster is too large for that."""
IN_HARDWARE: Final[Mapping[str, str]] = {
    "passthrough": "have the device in another host, or start it without",
    "local-disk": "put its disk on shared storage",
    "unknown-storage": "declare its storage in hosts.toml, if it is shared",
}
"""What would let a guest start elsewhere, by the kind of what ties it."""


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
    whole: bool = True
    """False where not all hosts were asked to make room, so that more might find a place then."""

    @property
    def survived(self) -> bool:
        """True if everybody finds a place while nobody else moves."""
        return self.restarted == self.guests


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """Something that would let guests of losses find a place, tried where that can be."""

    words: str
    losses: tuple[str, ...]
    """For which it would; with a `words` that names guests, as far as these are concerned."""


def domains(problem: Problem, across: str) -> Mapping[str, tuple[str, ...]]:
    """Return the hosts that are lost together, by name of the domain; unlabelled ones are not."""
    found: dict[str, list[str]] = {}
    for host in problem.cluster.hosts:
        domain = problem.domain(host.name, across)
        if domain != UNLABELLED:
            found.setdefault(domain, []).append(host.name)
    return {name: tuple(hosts) for name, hosts in sorted(found.items())}


def survey(problem: Problem) -> Atlas:
    """Return what is to be known of `problem` for any loss; asked for once, where there are many."""
    quiet = calm(problem)
    lasting = tuple(r for r in quiet.policy.constraints if not isinstance(r, OF_MOVES_AND_SPARES))
    after = replace(quiet, policy=replace(quiet.policy, constraints=lasting))
    return atlas(after, adrift(after))


def failure(
    problem: Problem,
    lost: str,
    hosts: tuple[str, ...],
    effort: Effort = Effort.QUICK,
    keep_going: Callable[[], bool] = lambda: True,
    known: Atlas | None = None,
) -> Failure:
    """Return what the loss of `hosts` together would mean; `known` is the problem's `survey`.

    A few hosts with room are asked first. Only where they do not take everybody the whole is.
    """
    known = known or survey(problem)
    gone = [g.uuid for name in hosts for g in known.problem.cluster.guests_on[name]]
    stuck = _stuck(known, gone, hosts)
    request = Request(effort=effort)
    for size in PARTS:
        names = known.part(gone, size, hosts)
        if names is None or len(stuck) == len(gone):
            break
        after = fallen(known.inside(names), hosts)
        if len(arrivals(after, after.ordered, request, keep_going)) == len(gone) - len(stuck):
            return _told(known, lost, hosts, gone, stuck)
    if len(stuck) == len(gone):
        return _told(known, lost, hosts, gone, stuck)
    return _thoroughly(problem, known, lost, hosts, stuck, request, keep_going)


def _told(
    known: Atlas,
    lost: str,
    hosts: tuple[str, ...],
    gone: Collection[str],
    stuck: Mapping[str, str],
) -> Failure:
    """Return what a loss means of which all find a place at once that find one at all."""
    found = len(gone) - len(stuck)
    return Failure(
        lost=lost,
        hosts=hosts,
        guests=len(gone),
        restarted=found,
        after_moves=found,
        moves=0,
        homeless={known.problem.name(uuid): why for uuid, why in stuck.items()},
    )


def _thoroughly(  # noqa: PLR0913, PLR0917 - all of `failure`, and what it knows by then
    problem: Problem,
    known: Atlas,
    lost: str,
    hosts: tuple[str, ...],
    stuck: Mapping[str, str],
    request: Request,
    keep_going: Callable[[], bool],
) -> Failure:
    """Return what a loss means of which some find no place at once, others making room."""
    cluster = known.problem.cluster
    whole = len(cluster.guests) * len(cluster.hosts) <= WHOLE
    names: frozenset[str] | None = None
    if not whole:
        open_ = [g.uuid for h in hosts for g in cluster.guests_on[h] if g.uuid not in stuck]
        names = known.part(open_, ROOMY, hosts)
    inside = known.problem if names is None else known.inside(names | set(hosts))
    after = _rigid(fallen(inside, hosts), problem)
    if names is not None:
        here = frozenset(after.cluster.guest)
        loose = frozenset(known.loose(here, here))
        fixed = dict.fromkeys(here - loose, "it stays, for others that are not asked")
        after = replace(after, held={**fixed, **after.held})
        after = replace(
            after, held={u: w for u, w in after.held.items() if u not in after.ordered}
        )
    found = places(after, request, keep_going)
    left = sorted(uuid for uuid, host in found.settled.items() if host == NOWHERE)
    return Failure(
        lost=lost,
        hosts=hosts,
        guests=len(after.ordered),
        restarted=len(found.now),
        after_moves=len(found.later),
        moves=len(found.moves.actions) if found.moves else 0,
        homeless=_homeless(after, found.settled, left, stuck),
        whole=names is None,
    )


def _stuck(known: Atlas, gone: Collection[str], hosts: Collection[str]) -> Mapping[str, str]:
    """Return the guests that could run nowhere else, whatever room there is, and why."""
    cluster = known.problem.cluster
    others = frozenset(known.problem.receiving).difference(hosts)
    alike: dict[frozenset[str], bool] = {}
    found: dict[str, str] = {}
    for uuid in gone:
        guest = cluster.guest[uuid]
        lasting = tuple(tie for tie in guest.ties if tie.kind in IN_HARDWARE)
        if tied := bonds(replace(guest, owner="", ties=lasting)):
            found[uuid] = tied
            continue
        barred = known.barred[uuid]
        if barred not in alike:
            alike[barred] = others <= barred
        if alike[barred]:
            number = f"{len(others)} host{'' if len(others) == 1 else 's'}"
            why = f"no other host is open to it: compatible ({number})"
            found[uuid] = why if others else "no host is left"
    return found


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


def _homeless(
    after: Problem, settled: Placement, left: list[str], stuck: Mapping[str, str]
) -> Mapping[str, str]:
    """Return why each guest that is left over finds no place, by name."""
    found: dict[str, str] = {}
    for account in weighed(after, settled, left):
        guest = after.cluster.guest[account.guest]
        against = ", ".join(f"{why} ({number})" for why, number in account.rejected.items())
        tied = bonds(guest)
        known = tied or account.stays or against or stuck.get(guest.uuid, "")
        found[guest.name] = known or "no host is left"
    return found


def remedies(
    problem: Problem,
    found: Collection[Failure],
    keep_going: Callable[[], bool] = lambda: True,
) -> tuple[Remedy, ...]:
    """Return what would let those find a place that find none; hosts and rules are tried."""
    bad = [loss for loss in found if loss.homeless]
    told = [*_untying(problem, bad)]
    room = [loss for loss in bad if _for_room(problem, loss)]
    for words, changed in _changes(problem, room):
        helped = []
        fresh = survey(changed)
        for loss in room:
            if keep_going():
                then = failure(changed, loss.lost, loss.hosts, keep_going=keep_going, known=fresh)
                if len(_for_room(problem, then)) < len(_for_room(problem, loss)):
                    helped.append(loss.lost)
        if helped:
            told.append(Remedy(words=words, losses=tuple(helped)))
    return tuple(told)


def _tied(problem: Problem, loss: Failure) -> Iterator[tuple[str, str]]:
    """Yield the name of each guest that its hardware keeps down, and the kind of what ties it."""
    for name in loss.hosts:
        for guest in problem.cluster.guests_on[name]:
            kinds = [tie.kind for tie in guest.ties if tie.kind in IN_HARDWARE]
            if kinds and guest.name in loss.homeless:
                yield guest.name, kinds[0]


def _for_room(problem: Problem, loss: Failure) -> frozenset[str]:
    """Return the names of guests that find no place though nothing ties them to what is lost."""
    return frozenset(loss.homeless).difference(name for name, _ in _tied(problem, loss))


def _untying(problem: Problem, bad: Collection[Failure]) -> Iterator[Remedy]:
    """Yield, for each kind of tie, what would undo it, and for whom."""
    guests: dict[str, list[str]] = {}
    losses: dict[str, list[str]] = {}
    for loss in bad:
        for name, kind in _tied(problem, loss):
            guests.setdefault(kind, []).append(name)
            losses.setdefault(kind, []).append(loss.lost)
    for kind, names in guests.items():
        who = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        unique = tuple(dict.fromkeys(losses[kind]))
        yield Remedy(words=f"{who}: {IN_HARDWARE[kind]}", losses=unique)


def _changes(problem: Problem, bad: Collection[Failure]) -> Iterator[tuple[str, Problem]]:
    """Yield what may be tried: one more host, and each rule of the policy that stood against it."""
    if not bad:
        return
    if host := largest(problem):
        yield f"one more host like {host.name}", another(problem, host)
    reasons = [why for loss in bad for why in loss.homeless.values()]
    for rule in problem.policy.constraints:
        if any(rule.label in why for why in reasons) and not getattr(rule, "rooms", None):
            without = tuple(r for r in problem.policy.constraints if r is not rule)
            policy = replace(problem.policy, constraints=without)
            yield f"without the rule {rule.label}", replace(problem, policy=policy)
