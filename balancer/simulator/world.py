"""Hosts, guests and moves in a world of its own, in which time passes only when told to.

Between two changes (a round of a transfer ends, something scheduled happens) every rate is
constant, so time jumps from change to change and nothing is lost by it. The laws of this world:
a guest runs on exactly one living host or on none for good; it changes host only at the instant
its transfer arrives, or at a switch to post-copy; whatever ends a transfer early leaves it where it
was, but after such a switch loses it.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from balancer.planner.model.cluster import Guest, Host, HostState
from balancer.planner.model.knobs import USUAL_SHARES, Knobs
from balancer.planner.model.resize import What
from balancer.planner.model.resources import CPU, DISK, MEMORY, VCPUS
from balancer.ports import ABANDONED
from balancer.simulator.counting.power import DEFAULT_WATTS
from balancer.simulator.dealing import Ask, dealt
from balancer.simulator.physics import EFFICIENCY, RESTART, Phase, Stream, Transfer, share
from balancer.simulator.workloads import Workload

DEFAULT_LINK_KIB_S: Final = 1_220_703
"""10 Gbit/s, where a host's link is not given."""
CORE: Final = 1000
"""Millicores that a vCPU can use."""


@dataclass(slots=True)
class SimulatedHost:
    """A hypervisor and what has befallen it."""

    spec: Host
    alive: bool = True
    link_share: float = 1.0
    """What is left of its migration link: 1 all, 0 cut."""
    watts: tuple[int, ...] = DEFAULT_WATTS
    """Drawn at evenly spaced loads, from idle to busy."""
    slowdown: float = 1.0
    """Times the CPU that guests of other architectures take here, whose code is translated."""

    @property
    def link_mib_s(self) -> float:
        """What its link carries each way now."""
        nominal = self.spec.link_kib_s or DEFAULT_LINK_KIB_S
        return nominal / 1024 * EFFICIENCY * self.link_share


@dataclass(frozen=True, slots=True)
class SimulatedGuest:
    """A machine and how it behaves."""

    spec: Guest
    cpu: Workload
    memory_mib: int
    """In use."""
    dirty_mib_s: int
    hot_set_mib: int
    working_mib: int | None = None
    """Of the memory in use, what it works with; None: all."""
    disk_kib_s: int = 0
    """Disk traffic it would have if it were alone."""
    network_kib_s: int = 0
    """Network traffic, likewise."""
    patient: bool = False
    """True if nobody minds that it waits: its work is done later, and that is all."""

    @property
    def works_mib(self) -> int:
        """What it works with."""
        return self.memory_mib if self.working_mib is None else self.working_mib

    def wants(self, at: float) -> int:
        """Return the CPU that its hypervisor sees it ask for, millicores.

        What it would do with more vCPUs is not seen, where it can be given some; else its workload
        is what its vCPUs do.
        """
        more = self.spec.knobs is not None and self.spec.knobs.most_vcpus > 0
        seen = CORE * self.spec.allocation.get(VCPUS, 0) if more else 1 << 30
        return min(self.cpu.at(at), seen)

    @property
    def lacks_memory(self) -> bool:
        """True if it works with more than its balloon leaves it: then it stands still for pages."""
        knobs = self.spec.knobs
        may = bool(knobs and (knobs.balloon or knobs.most_plugged))
        return may and self.may_fill_mib < self.works_mib

    @property
    def may_fill_mib(self) -> int:
        """What it has for itself: what its balloon leaves it, or all that it is allocated."""
        balloon = self.spec.knobs.balloon if self.spec.knobs else 0
        return balloon or self.spec.allocation.get(MEMORY, 0)


@dataclass(slots=True, eq=False)
class Move:
    """One live migration under way, or ended."""

    guest: str
    source: str
    target: str
    at_most: float
    """MiB/s allowed."""
    transfer: Transfer
    started: float
    ended: float | None = None
    fault: str = ""
    """Why it ended without arriving."""
    doomed: tuple[float, str] | None = None
    """When it will break down by itself, and why."""

    @property
    def under_way(self) -> bool:
        """True until it has ended, one way or the other."""
        return self.ended is None

    @property
    def switched(self) -> bool:
        """True once its guest runs at the target and its memory follows."""
        return self.transfer.phase is Phase.FOLLOWING


@dataclass(slots=True)
class World:
    """The truth, which the planner only sees through its ports."""

    now: float
    hosts: dict[str, SimulatedHost]
    guests: dict[str, SimulatedGuest]
    """Running now, by uuid."""
    placement: dict[str, str]
    moves: list[Move] = field(default_factory=list)
    """Under way."""
    lost: dict[str, str] = field(default_factory=dict)
    """Guests that fell with their host, one sentence each, by uuid."""
    stopped: dict[str, str] = field(default_factory=dict)
    """Guests that their owners shut down, likewise."""
    never_began: dict[str, str] = field(default_factory=dict)
    """Guests that were to be booted and found no room, one sentence each, by uuid."""
    silent: set[str] = field(default_factory=set)
    """Uuids of guests and names of hosts that nothing is measured of."""
    dooms: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By uuid of a guest: the next move of it breaks after so many seconds, for this reason."""
    by_shares: bool = False
    """True: CPU is dealt by shares also where all have the same."""
    _agenda: list[tuple[float, int, Callable[["World"], None]]] = field(default_factory=list)
    _planned: int = 0

    def plan_to(self, at: float, happen: Callable[["World"], None]) -> None:
        """Let `happen` take place at `at`; things of the same moment in the order given."""
        self._planned += 1
        heapq.heappush(self._agenda, (at, self._planned, happen))

    def advance(self, until: float) -> None:
        """Let time pass up to `until`."""
        while True:
            self._happen_what_is_due()
            rates = self._rates()
            step = min(until - self.now, *self._changes(rates), self._next_due() - self.now)
            if until <= self.now:
                return
            self._pass(max(0.0, step), rates)

    def begin(  # noqa: PLR0913 - how, each by its name
        self,
        uuid: str,
        target: str,
        at_most: float,
        pause_allowed: float,
        *,
        slowed: bool = False,
        copies: Collection[str] = (),
        cold: bool = False,
    ) -> Move:
        """Start moving a guest at up to `at_most` MiB/s; `Move.fault` says if it cannot begin.

        `cold`: it is shut down and started there; whatever comes between, it starts where it was.
        `copies` are the local disks that are to come along, by name.
        """
        guest = self.guests.get(uuid)
        move = Move(
            guest=uuid,
            source=self.placement.get(uuid, ""),
            target=target,
            at_most=at_most,
            transfer=Transfer(
                memory_mib=guest.memory_mib if guest else 0,
                dirty_mib_s=guest.dirty_mib_s if guest else 0,
                hot_set_mib=guest.hot_set_mib if guest else 0,
                pause_allowed=pause_allowed,
                slowed=slowed,
                off=RESTART if cold else 0.0,
                disk_mib=sum(d.used_mib for d in guest.spec.disks if d.name in copies)
                if guest
                else 0,
            ),
            started=self.now,
        )
        fault = self.objection(uuid, target, copies)
        if fault:
            move.ended, move.fault = self.now, fault
            return move
        if uuid in self.dooms:
            after, reason = self.dooms.pop(uuid)
            move.doomed = (self.now + after, reason)
        self.moves.append(move)
        return move

    def ended_long_ago(self, uuid: str, target: str, at: float) -> Move:
        """Return what can be told, by where a guest is, of a move that nobody watched."""
        here = self.placement.get(uuid, "")
        return Move(
            guest=uuid,
            source=here,
            target=target,
            at_most=0.0,
            transfer=Transfer(memory_mib=0, dirty_mib_s=0, hot_set_mib=0, pause_allowed=0.0),
            started=at,
            ended=max(at, self.now),
            fault="" if here == target else ABANDONED,
        )

    def objection(self, uuid: str, target: str, copies: Collection[str] = ()) -> str:
        """Return why the hypervisors would not begin this move now, or an empty string."""
        if uuid not in self.guests:
            return "Domain not found"
        name = self.guests[uuid].spec.name
        host = self.hosts.get(target)
        if host is None or not host.alive:
            return f"unable to connect to {target}"
        if self.placement[uuid] == target:
            return f"{name} runs on {target} already"
        if any(move.guest == uuid for move in self.moves):
            return f"another migration job is already running for {name}"
        free, needed = self.free_mib(target), self.guests[uuid].memory_mib
        if free < needed:
            return f"{target} has {free} MiB of memory left, {name} uses {needed}"
        return self._disks_missing(uuid, target, copies)

    def _disks_missing(self, uuid: str, target: str, copies: Collection[str]) -> str:
        """Return which of a guest's local disks would not be there, or find no room."""
        needed = Counter[str]()
        for disk in self.guests[uuid].spec.disks:
            if disk.name not in copies:
                return f"Cannot access storage file of {disk.name} on {target}"
            needed[disk.place] += disk.size_mib
        coming = [m.guest for m in self.moves if m.target == target]
        for other in (disk for guest in coming for disk in self.guests[guest].spec.disks):
            needed[other.place] += other.size_mib if other.place in needed else 0
        free = self.hosts[target].spec.images
        full = next((place for place, mib in needed.items() if mib > free.get(place, 0)), "")
        return f"{target} has no room for its disks at {full}" if full else ""

    def _arrive(self, move: Move) -> None:
        """Let a guest be on its target, its disks with it."""
        self.placement[move.guest] = move.target
        move.ended = self.now
        self.moves.remove(move)
        for disk in self.guests[move.guest].spec.disks:
            for host, freed in ((move.source, disk.size_mib), (move.target, -disk.size_mib)):
                known = self.hosts[host]
                free = known.spec.images.get(disk.place, 0) + freed
                known.spec = replace(known.spec, images={**known.spec.images, disk.place: free})

    def free_mib(self, host: str) -> int:
        """Return the memory nobody uses there, those on their way counted at both ends."""
        here = [uuid for uuid, where in self.placement.items() if where == host]
        ends = [(m.guest, m.source if m.switched else m.target) for m in self.moves]
        coming = [uuid for uuid, end in ends if end == host]
        used = sum(self.guests[uuid].memory_mib for uuid in (*here, *coming))
        return self.hosts[host].spec.usable.get(MEMORY, 0) - used

    def stop(self, move: Move, reason: str) -> None:
        """End a move early; harmless if it has ended, without effect once it was switched."""
        if move.under_way and not move.switched:
            self._break(move, reason)

    def switch(self, move: Move) -> bool:
        """Have a guest go on at the target, its memory following; False where it cannot."""
        if not (move.under_way and move.transfer.switch()):
            return False
        self.placement[move.guest] = move.target
        return True

    def _break(self, move: Move, reason: str) -> None:
        """Have a move end early, come what may."""
        move.ended, move.fault = self.now, reason
        self.moves.remove(move)
        if move.switched and move.guest in self.guests:
            self.lost[move.guest] = f"{self._forget(move.guest)} fell in post-copy: {reason}"

    def die(self, host: str) -> None:
        """Cut a host's power: its guests are gone, moves to it and from it break off."""
        self.hosts[host].alive = False
        for move in [m for m in self.moves if host in (m.source, m.target)]:
            self._break(move, f"lost the connection to {host}")
        for uuid in [u for u, where in self.placement.items() if where == host]:
            self.lost[uuid] = f"{self._forget(uuid)} fell with {host}"

    def revive(self, host: str) -> None:
        """Let a dead host come back, empty."""
        self.hosts[host].alive = True

    def add_host(self, host: SimulatedHost) -> None:
        """Let a new host join, empty; one that is there already stays as it is."""
        self.hosts.setdefault(host.spec.name, host)

    def remove_host(self, host: str) -> None:
        """Take a host away for good, as if it had never been; guests left on it are lost."""
        self.die(host)
        del self.hosts[host]

    def boot(self, guest: SimulatedGuest, host: str = "") -> None:
        """Start a guest where it is told to, else where most memory is free.

        One that finds no room, or whose host is dead, is noted in `never_began`.
        """
        uuid, needed = guest.spec.uuid, guest.spec.allocation[MEMORY]
        able = [
            name
            for name, known in self.hosts.items()
            if known.alive and known.spec.state is HostState.UP and host in ("", name)
        ]
        home = max(able, key=self.unallocated_mib, default="")
        if uuid in self.guests:
            return
        if not home or self.unallocated_mib(home) < needed:
            self.never_began[uuid] = f"{guest.spec.name} found no host with {needed} MiB free"
            return
        self.guests[uuid], self.placement[uuid] = guest, home

    def unallocated_mib(self, host: str) -> int:
        """Return the memory there that is promised to no guest."""
        here = [uuid for uuid, where in self.placement.items() if where == host]
        given = sum(self.guests[uuid].spec.allocation[MEMORY] for uuid in here)
        return self.hosts[host].spec.usable.get(MEMORY, 0) - given

    def resize(self, uuid: str, what: What, amount: int) -> str:
        """Change a setting of a guest at once; return why it cannot be, or an empty string."""
        guest = self.guests.get(uuid)
        if guest is None:
            return "Domain not found"
        knobs = guest.spec.knobs
        if knobs is None or what in knobs.missing:
            return f"{guest.spec.name} has no {what} that can be changed"
        changed = _changed(guest, knobs, what, amount)
        if isinstance(changed, str):
            return changed
        self.guests[uuid] = changed
        return ""

    def works_with(self, uuid: str, mib: int) -> None:
        """Let a guest work with so much memory from now on."""
        if guest := self.guests.get(uuid):
            guest = replace(guest, working_mib=mib)
            most = guest.may_fill_mib if guest.spec.knobs else mib
            self.guests[uuid] = replace(guest, memory_mib=_resident(guest, most))

    def granted(self) -> Mapping[str, tuple[int, int]]:
        """Return what each guest wants of CPU at this moment, and what it gets, millicores."""
        wanted = {uuid: self._wants(uuid, guest) for uuid, guest in self.guests.items()}
        here: dict[str, list[str]] = {name: [] for name in self.hosts}
        for uuid, host in self.placement.items():
            here[host].append(uuid)
        found: dict[str, tuple[int, int]] = {}
        for host, uuids in here.items():
            asks = [Ask(wanted[u], *_weight(self.guests[u].spec.knobs)) for u in uuids]
            has = self.hosts[host].spec.capacity.get(CPU, 0)
            for uuid, got in zip(uuids, dealt(asks, has, by_shares=self.by_shares), strict=True):
                found[uuid] = (wanted[uuid], got)
        return found

    def traffic(self, name: str) -> Mapping[str, tuple[int, int]]:
        """Return what each guest wants of `disk` or `network` traffic, and what it has, KiB/s.

        Where a host is asked for more than it carries, everybody has the same share of what it asks
        for within its limit.
        """
        wants = {uuid: _asked(guest, name) for uuid, guest in self.guests.items()}
        asked: Counter[str] = Counter()
        for uuid, (_, most) in wants.items():
            asked[self.placement[uuid]] += most
        found = {}
        for uuid, (wanted, most) in wants.items():
            host = self.placement[uuid]
            carries = self.hosts[host].spec.capacity.get(name, 0)
            has = most * carries // asked[host] if 0 < carries < asked[host] else most
            found[uuid] = (wanted, has)
        return found

    def _wants(self, uuid: str, guest: SimulatedGuest) -> int:
        """Return what a guest wants of CPU where it is: never more than all its vCPUs can do."""
        calm, host = guest.wants(self.now), self.hosts[self.placement[uuid]]
        if host.spec.architecture == guest.spec.architecture:
            return calm
        cores = guest.spec.allocation.get(VCPUS, 0) * CORE
        return max(calm, min(cores, round(calm * host.slowdown)))

    def set_state(self, host: str, state: HostState) -> None:
        """Close a host to arrivals and have it emptied, or open it again."""
        known = self.hosts[host]
        known.spec = replace(known.spec, state=state)

    def set_link(self, host: str, share: float) -> None:
        """Leave a host this share of its migration link: 0 cuts it, 1 heals it."""
        self.hosts[host].link_share = share

    def shut_down(self, uuid: str) -> None:
        """Let a guest's owner end it, and with it any move of it; harmless if it is gone."""
        for move in [m for m in self.moves if m.guest == uuid]:
            if move.switched:
                move.ended, move.fault = self.now, "Domain not found: the guest ended"
                self.moves.remove(move)
            self.stop(move, "Domain not found: the guest ended")
        if uuid in self.guests:
            self.stopped[uuid] = f"{self._forget(uuid)} was shut down by its owner"

    def _forget(self, uuid: str) -> str:
        """Let a guest be no more; return its name."""
        del self.placement[uuid]
        return self.guests.pop(uuid).spec.name

    def put(self, uuid: str, host: str) -> None:
        """Have somebody else move a guest, in no time; a planned move of it breaks off.

        One whose memory follows it cannot be moved.
        """
        if any(m.switched for m in self.moves if m.guest == uuid):
            return
        for move in [m for m in self.moves if m.guest == uuid]:
            self.stop(move, "another migration job took over")
        if uuid in self.guests and self.hosts[host].alive:
            self.placement[uuid] = host

    def rate(self, move: Move) -> float:
        """Return what a move under way gets now, MiB/s."""
        return dict(zip(self.moves, self._rates(), strict=True)).get(move, 0.0)

    def _rates(self) -> tuple[float, ...]:
        streams = [Stream((f"out {m.source}", f"in {m.target}"), m.at_most) for m in self.moves]
        room = {
            f"{way} {name}": host.link_mib_s
            for name, host in self.hosts.items()
            for way in ("out", "in")
        }
        return share(streams, room) if streams else ()

    def _changes(self, rates: tuple[float, ...]) -> list[float]:
        """Return the seconds until each move changes by itself."""
        rounds = [m.transfer.next_change(r) for m, r in zip(self.moves, rates, strict=True)]
        return rounds + [m.doomed[0] - self.now for m in self.moves if m.doomed]

    def _next_due(self) -> float:
        return self._agenda[0][0] if self._agenda else float("inf")

    def _happen_what_is_due(self) -> None:
        while self._agenda and self._agenda[0][0] <= self.now:
            heapq.heappop(self._agenda)[2](self)

    def _pass(self, seconds: float, rates: tuple[float, ...]) -> None:
        self.now += seconds
        for move, rate in zip(tuple(self.moves), rates, strict=True):
            move.transfer.advance(seconds, rate)
            if move.transfer.phase is Phase.ARRIVED:
                self._arrive(move)
            elif move.doomed and move.doomed[0] <= self.now:
                self._break(move, move.doomed[1])


def _changed(guest: SimulatedGuest, knobs: Knobs, what: What, amount: int) -> SimulatedGuest | str:
    """Return the guest with a setting changed, or why it cannot be."""
    match what:
        case What.SHARES | What.QUOTA | What.BLOCK | What.NETWORK:
            return _with(guest, replace(knobs, **{what.value: amount}))  # type: ignore[arg-type]
        case What.BALLOON:
            changed = _with(guest, replace(knobs, balloon=amount))
            return replace(changed, memory_mib=_resident(guest, amount))
        case What.PLUGGED:
            return _with_plugged(guest, knobs, amount)
        case What.VCPUS:
            return _with_vcpus(guest, knobs, amount)


def _with(guest: SimulatedGuest, knobs: Knobs, **allocated: int) -> SimulatedGuest:
    allocation = {**guest.spec.allocation, **allocated}
    return replace(guest, spec=replace(guest.spec, knobs=knobs, allocation=allocation))


def _with_plugged(guest: SimulatedGuest, knobs: Knobs, amount: int) -> SimulatedGuest | str:
    if not 0 <= amount <= knobs.most_plugged:
        return f"{guest.spec.name} can have {knobs.most_plugged} MiB plugged, not {amount}"
    has = guest.spec.allocation.get(MEMORY, 0) + amount - knobs.plugged
    changed = _with(guest, replace(knobs, plugged=amount), **{MEMORY: has})
    return replace(changed, memory_mib=_resident(guest, has))


def _with_vcpus(guest: SimulatedGuest, knobs: Knobs, amount: int) -> SimulatedGuest | str:
    has = guest.spec.allocation.get(VCPUS, 0)
    if not has - knobs.plugged_vcpus <= amount <= max(has, knobs.most_vcpus):
        return f"{guest.spec.name} cannot be brought from {has} vCPUs to {amount}"
    plugged = knobs.plugged_vcpus + amount - has
    return _with(guest, replace(knobs, plugged_vcpus=plugged), **{VCPUS: amount})


def _resident(guest: SimulatedGuest, has: int) -> int:
    """Return what a guest uses that may fill so much: at once what it works with."""
    return min(has, max(guest.memory_mib, guest.works_mib))


def _weight(knobs: Knobs | None) -> tuple[int, int]:
    """Return a guest's weight and quota; the usual ones where nothing can be set of it."""
    return (knobs.shares, knobs.quota) if knobs else (USUAL_SHARES, 0)


def _asked(guest: SimulatedGuest, name: str) -> tuple[int, int]:
    """Return the traffic that a guest wants, and what of it its limit lets through."""
    knobs = guest.spec.knobs or Knobs()
    disk = name == DISK
    wanted = guest.disk_kib_s if disk else guest.network_kib_s
    most = knobs.block if disk else knobs.network
    return wanted, min(wanted, most) if most else wanted
