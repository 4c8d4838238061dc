"""Runs the service over a track: look by look, and what each decision would have cost and saved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from balancer.adapters.experience import JournalExperience
from balancer.adapters.stand_in import (
    MemoryBrake,
    MemoryJournal,
    SilentTelemetry,
    UncontestedLease,
)
from balancer.config import Guards, Mode
from balancer.planner.model.cluster import Guest
from balancer.planner.model.observation import History
from balancer.planner.model.plan import Infeasible, Outcome, Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Effort
from balancer.planner.model.resources import CPU, MEMORY
from balancer.planner.model.rollups import STEP, UNKNOWN, Cells, Rollups
from balancer.ports import Ports
from balancer.service.loop import Service
from balancer.service.turn import CycleReport
from balancer.service.world import World as Installation
from balancer.simulator.clock import VirtualClock
from balancer.simulator.counting.counted import Counted, lasting, return_trips
from balancer.simulator.counting.power import DEFAULT_WATTS, power
from balancer.simulator.counting.spare import bears_any_loss
from balancer.simulator.replaying.executor import ReplayedExecutor
from balancer.simulator.replaying.inventory import ReplayedInventory
from balancer.simulator.replaying.track import Track
from balancer.simulator.workloads import Constant
from balancer.simulator.world import SimulatedGuest, SimulatedHost, World

USED = 0.75
"""Share of its memory that a guest is taken to use where nobody measured it."""
HOT_SET = 0.05
PER_CORE = 1000
HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was decided at one look."""

    at: float
    plan: str
    """Id of the plan; empty where nothing was to be moved."""
    moves: tuple[str, ...]
    """`web-1 a b`, in order."""
    sentence: str
    then: str | None = None
    """Id of the plan that was decided when it happened; None where that is not known."""

    @property
    def same(self) -> bool:
        """True if the decision is the one of then."""
        return self.then == self.plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What came of it."""

    policy: str
    looks: tuple[Look, ...]
    counted: Counted
    stopped: str = ""
    """Why the service stopped itself, where it did."""

    @property
    def same(self) -> int:
        """Return how many decisions are those of then."""
        return sum(look.same for look in self.looks)


@dataclass(slots=True)
class Replay:
    """One track under one policy."""

    track: Track
    policy: Policy
    mode: Mode = Mode.AUTO
    guards: Guards = field(default_factory=Guards)
    effort: Effort = Effort.INSTANT
    interval: float = 900.0
    world: World = field(init=False)
    wanted: Cells = field(init=False)
    """[steps, guests]: millicores wanted; what is not known is as it was known last."""
    contention: float = 0.0
    overload: float = 0.0
    energy: float = 0.0
    energy_empty: float = 0.0
    without_spare: float = 0.0

    def __post_init__(self) -> None:
        self.world = _world(self.track)
        self.wanted = _wanted(self.track)

    def run(self, done: Callable[[], None] = lambda: None) -> ReplayReport:
        """Look at every moment of the track, in order; `done` is called after each."""
        track, journal, brake = self.track, MemoryJournal(), MemoryBrake()
        for event in track.record.events if track.record else ():
            journal.write(event)
        inventory = ReplayedInventory(track, self.world, self.policy.forecast.lookback)
        ports = Ports(
            inventory=inventory,
            executor=None
            if self.mode is Mode.OBSERVE
            else ReplayedExecutor(self.world, track.record),
            journal=journal,
            clock=VirtualClock(self.world, lambda _: None),
            lease=UncontestedLease(),
            telemetry=SilentTelemetry(),
            brake=brake,
            experience=JournalExperience(journal),
        )
        service = Service(
            Installation(
                ports=ports,
                policy=self.policy,
                mode=self.mode,
                interval=self.interval,
                guards=replace(self.guards, auto_after=0.0),
                effort=self.effort,
            )
        )
        told: list[tuple[int, CycleReport]] = []
        for number, at in enumerate(track.looks):
            if self._go_on(number, at):
                inventory.at_look(number)
                report = service.turn()
                if report is not None:
                    told.append((number, _slim(report)))
            self._count(number)
            done()
        return self._report(told, brake.reason())

    def _go_on(self, number: int, at: float) -> bool:
        """Let time pass until that look; False where moves took longer than that."""
        if at < self.world.now:
            return False
        self.world.advance(at)
        _remember(self.track, self.world, self.track.newest(at))
        self._moved_by_others(number)
        return True

    def _moved_by_others(self, number: int) -> None:
        """Move whom others had moved by then, if it is still where they found it."""
        record = self.track.record
        if record is None:
            return
        before = record.placements[max(0, number - 1)]
        for uuid, host in record.placements[number].items():
            source = before.get(uuid, host)
            ours = record.outcomes.get((uuid, source, host), ())
            if source == host or (ours and self.mode is not Mode.OBSERVE):
                continue
            if self.world.placement.get(uuid) == source:
                self.world.put(uuid, host)

    def _count(self, number: int) -> None:
        """Count from this look to the next, column by column."""
        looks, track = self.track.looks, self.track
        begin, end = track.newest(looks[number]), self._end(number)
        names = list(self.world.hosts)
        index = {name: i for i, name in enumerate(names)}
        uuids = track.guests["cpu"].names
        home = np.array([index.get(self.world.placement.get(u, ""), -1) for u in uuids])
        has = np.array([h.spec.capacity.get(CPU, 0) for h in self.world.hosts.values()])
        inhabited = np.isin(np.arange(len(names)), home)
        spare = bears_any_loss(self.world)
        there = home >= 0
        for column in range(max(0, begin), min(end, len(self.wanted))):
            asked = np.bincount(home[there], self.wanted[column][there], len(names))
            over = np.maximum(0, asked - has)
            self.contention += float(over.sum()) / PER_CORE * STEP
            self.overload += float((over > 0).sum()) * STEP
            self.without_spare += 0.0 if spare else STEP
            watts = np.array([power(DEFAULT_WATTS, load) for load in asked / np.maximum(1, has)])
            self.energy += float(watts.sum()) * STEP / HOUR
            self.energy_empty += float(watts[~inhabited].sum()) * STEP / HOUR

    def _end(self, number: int) -> int:
        """Return the column at which the next look counts on; after the last one, the end."""
        looks = self.track.looks
        if number + 1 < len(looks):
            return self.track.newest(looks[number + 1])
        return self.track.newest(looks[number] + self.interval)

    def _report(self, told: list[tuple[int, CycleReport]], stopped: str) -> ReplayReport:
        record = self.track.record
        outcomes: list[Outcome] = [o for _, report in told for o in report.outcomes]
        tried = [o for o in outcomes if o.result is not Result.REFUSED]
        arrived = sorted((o for o in tried if o.result is Result.DONE), key=lambda o: o.ended)
        broken = [(r.observation.at, _broken(r)) for _, r in told]
        counted = Counted(
            contention=round(self.contention, 3),
            overload=self.overload,
            migrations=len(arrived),
            mib=sum(o.mib for o in tried),
            downtime=sum(o.downtime_ms or 0 for o in arrived) / 1000,
            energy=round(self.energy, 3),
            energy_empty=round(self.energy_empty, 3),
            without_spare=self.without_spare,
            rules_broken=lasting(broken, self.track.looks[-1] + self.interval) if broken else 0.0,
            return_trips=return_trips(arrived),
        )
        looks = tuple(_look(r, record.plans[n] if record else None) for n, r in told)
        return ReplayReport(policy=self.policy.name, looks=looks, counted=counted, stopped=stopped)


def _slim(report: CycleReport) -> CycleReport:
    """Return the report without the past that was looked at: of a thousand looks it fills memory."""
    seen = replace(report.observation, rollups=Rollups(), history=History(), outcomes=())
    return replace(report, observation=seen)


def _look(report: CycleReport, then: str | None) -> Look:
    decision = report.decision
    actions = () if isinstance(decision, Infeasible) else decision.actions
    return Look(
        at=report.observation.at,
        plan=decision.id if actions and not isinstance(decision, Infeasible) else "",
        moves=tuple(f"{a.name} {a.source} {a.target}" for a in actions),
        sentence=report.sentence,
        then=then,
    )


def _broken(report: CycleReport) -> int:
    """Return the hard rules broken at a look; 1 where nothing could be done about them."""
    decision = report.decision
    if isinstance(decision, Infeasible):
        return max(1, len(decision.conflicting))
    return sum(v.hard for v in decision.broken_before)


def _wanted(track: Track) -> Cells:
    """Return what guests got and waited for."""
    cpu, delay = track.guests["cpu"], track.guests.get("cpu.delay")
    wanted = _held(cpu.cells)
    if delay is not None and delay.names == cpu.names:
        wanted = wanted + _held(delay.cells)
    return wanted


def _held(cells: Cells) -> Cells:
    """Return the cells with what is unknown as it was known last; 0 before anything was."""
    rows = np.arange(len(cells))[:, None]
    last = np.maximum.accumulate(np.where(cells == UNKNOWN, 0, rows), axis=0)
    return np.maximum(0, np.take_along_axis(cells, last, axis=0))


def _world(track: Track) -> World:
    cluster = track.cluster
    world = World(
        now=track.looks[0],
        hosts={host.name: SimulatedHost(host) for host in cluster.hosts},
        guests={guest.uuid: _guest(guest) for guest in cluster.guests},
        placement=dict(cluster.placement),
    )
    _remember(track, world, track.newest(track.looks[0]))
    return world


def _guest(spec: Guest) -> SimulatedGuest:
    used = int(USED * spec.allocation.get(MEMORY, 0))
    return SimulatedGuest(
        spec=spec,
        cpu=Constant(cpu=0),  # counted from the track, not from here
        memory_mib=used,
        dirty_mib_s=0,
        hot_set_mib=int(HOT_SET * used),
    )


def _remember(track: Track, world: World, column: int) -> None:
    """Have guests use and dirty the memory they did then: what moving them depends on."""
    used, dirty = (_cells(track, metric, column) for metric in ("memory.rss", "dirty"))
    for uuid in used.keys() | dirty.keys():
        guest = world.guests.get(uuid)
        if guest is None:
            continue
        memory = used.get(uuid, guest.memory_mib)
        written = dirty.get(uuid, guest.dirty_mib_s)
        if (memory, written) != (guest.memory_mib, guest.dirty_mib_s):
            world.guests[uuid] = replace(
                guest, memory_mib=memory, dirty_mib_s=written, hot_set_mib=int(HOT_SET * memory)
            )


def _cells(track: Track, metric: str, column: int) -> Mapping[str, int]:
    table = track.guests.get(metric)
    if table is None or not 0 <= column < len(table.cells):
        return {}
    row = table.cells[column].tolist()
    return {name: cell for name, cell in zip(table.names, row, strict=True) if cell != UNKNOWN}
