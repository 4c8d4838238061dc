"""Whether the guests of lost hosts find room on the others, where nobody else moves.

Counted are vCPUs, memory and huge pages as allocated, and whether the hardware fits. Rules on who
runs where are left out: whoever restarts guests after a loss starts them first; what is broken
then is mended later. A guest that nothing could restart elsewhere is not counted. A guest in
flight takes room on both hosts, and needs a place when either is lost.

A loss is survived if there is a *witness*: a place for each of its guests. Witnesses are kept, and
looked for again only where something they rely on has changed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import Final

from balancer.planner.model.allotment import takes
from balancer.planner.model.fitting import misfits
from balancer.planner.model.packing import NOWHERE, Vector, holds, pack
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import EMULATED, HUGEPAGES, MEMORY, VCPUS
from balancer.planner.model.rooming import rooms as rooms_of

MOST_LOSSES: Final = 500
"""Losses that are looked at; of more, those of the fullest domains, and nothing is proven."""
LOST_FOR_GOOD: Final = frozenset({"passthrough", "local-disk", "unknown-storage"})
"""Ties that end with the host: nothing restarts such a guest elsewhere."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What may be lost, and what the rest has to offer then."""

    sets: tuple[frozenset[str], ...]
    """Hosts that are lost together."""
    names: tuple[str, ...]
    """What each of these is called: `kvm01`, `rack r1`."""
    complete: bool
    """False if there are more than are looked at."""
    sizes: tuple[str, ...]
    """The dimensions counted."""
    rooms: Mapping[str, Vector]
    """Of each host that can take guests, all it may give out."""
    wants: Mapping[str, Vector]
    """Of each guest, all it takes."""
    counted: frozenset[str]
    """Guests that need a place when their host is lost."""
    barred: Mapping[str, frozenset[str]]
    """Hosts on which a guest cannot run."""


def losses(problem: Problem, count: int, across: str) -> Losses:
    """Return the losses of up to `count` domains at a time; what more is lost is harder only."""
    return problem.once(("losses", count, across), lambda: _losses(problem, count, across))


def _losses(problem: Problem, count: int, across: str) -> Losses:
    taken = takes(problem)
    sizes = (
        VCPUS,
        MEMORY,
        *({EMULATED} & {n for t in taken.values() for n in t}),
        *sorted({n for t in taken.values() for n in t if n.startswith(HUGEPAGES)}),
    )
    rooms = {
        name: tuple(room.get(n, 0) for n in sizes) for name, room in rooms_of(problem).items()
    }
    barred = _barred(problem)
    sets, names, complete = _sets(problem, count, across)
    return Losses(
        sets=sets,
        names=names,
        complete=complete,
        sizes=sizes,
        rooms=rooms,
        wants={uuid: tuple(t.get(n, 0) for n in sizes) for uuid, t in taken.items()},
        counted=frozenset(
            g.uuid
            for g in problem.cluster.guests
            if not any(tie.kind in LOST_FOR_GOOD for tie in g.ties)
            and len(rooms.keys() - barred[g.uuid] - {problem.home(g.uuid)})
        ),
        barred=barred,
    )


def _barred(problem: Problem) -> Mapping[str, frozenset[str]]:
    guests, hosts = problem.cluster.guests, problem.cluster.hosts
    found: dict[str, frozenset[str]] = {}
    for members, barred in misfits(problem):
        names = frozenset(hosts[number].name for number in barred)
        for uuid in (guests[number].uuid for number in members):
            home = problem.home(uuid)  # it runs there, so it can
            found[uuid] = names - {home} if home in names else names
    return found


def _sets(
    problem: Problem, count: int, across: str
) -> tuple[tuple[frozenset[str], ...], tuple[str, ...], bool]:
    domains: dict[str, list[str]] = {}
    held: dict[str, int] = {}
    for host in problem.cluster.hosts:
        name = problem.domain(host.name, across)
        domains.setdefault(name, []).append(host.name)
        here = problem.cluster.guests_on[host.name]
        held[name] = held.get(name, 0) + sum(g.allocation.get(MEMORY, 0) for g in here)
    fullest = sorted(domains, key=lambda name: (-held[name], name))
    size = min(count, len(fullest))
    looked = len(fullest)
    while looked > size and comb(looked, size) > MOST_LOSSES:
        looked -= 1
    chosen = list(combinations(sorted(fullest[:looked]), size)) if size else []
    word = "" if across == "host" else f"{across} "
    return (
        tuple(frozenset(h for name in names for h in domains[name]) for names in chosen),
        tuple(" and ".join(word + name for name in names) for names in chosen),
        looked == len(fullest),
    )


@dataclass(slots=True)
class Watch:
    """Witnesses for all losses, kept from one look to the next."""

    problem: Problem
    given: Losses
    on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    free: dict[str, Vector] = field(default_factory=dict)
    witness: dict[int, Mapping[str, str]] = field(default_factory=dict)
    """By loss: where each of its guests finds room."""
    left: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """By loss: guests that find none."""

    def look(self, occupancy: Occupancy) -> Mapping[int, tuple[str, ...]]:
        """Return the guests that find no room, by number of the loss; losses survived are left out."""
        holders = self.problem.holders(occupancy)
        changed = {host for host, uuids in holders.items() if self.on.get(host) != uuids}
        for host in changed:
            self.on[host] = holders[host]
            if host in self.given.rooms:
                self.free[host] = self._free(host)
        if changed:
            for number, lost in enumerate(self.given.sets):
                if self._concerned(number, lost, changed):
                    self._renew(number, lost)
        return {number: left for number, left in self.left.items() if left}

    def _free(self, host: str) -> Vector:
        room = list(self.given.rooms[host])
        for uuid in self.on[host]:
            for number, amount in enumerate(self.given.wants[uuid]):
                room[number] -= amount
        return tuple(max(0, amount) for amount in room)

    def _concerned(self, number: int, lost: Collection[str], changed: set[str]) -> bool:
        """True unless the witness there is relies on nothing that has changed."""
        return (
            number not in self.witness
            or bool(self.left[number])
            or not changed.isdisjoint(lost)
            or not changed.isdisjoint(self.witness[number].values())
        )

    def _renew(self, number: int, lost: frozenset[str]) -> None:
        """Find a witness for one loss, and add up whether it holds."""
        uuids = self._gone(lost)
        hosts = sorted(self.free.keys() - lost, key=lambda h: (-self.free[h][1], h))
        things: Sequence[Vector] = [self.given.wants[uuid] for uuid in uuids]
        boxes = [self.free[host] for host in hosts]
        barred = [self.given.barred[uuid] for uuid in uuids]
        found = pack(things, boxes, lambda thing, box: hosts[box] not in barred[thing])
        if not holds(found, things, boxes):
            self.witness[number], self.left[number] = {}, tuple(uuids)
            return
        pairs = list(zip(uuids, found.box, strict=True))
        self.witness[number] = {uuid: hosts[box] for uuid, box in pairs if box != NOWHERE}
        self.left[number] = tuple(uuid for uuid, box in pairs if box == NOWHERE)

    def _gone(self, lost: Collection[str]) -> list[str]:
        gone = {uuid for host in lost for uuid in self.on[host]}
        return sorted(gone & self.given.counted)
