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
from balancer.planner.model.observation import History
from balancer.planner.model.plan import Infeasible, Outcome, Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Effort
from balancer.planner.model.rollups import STEP, UNKNOWN, Cells, Rollups
from balancer.ports import Ports
from balancer.service.loop import Service
from balancer.service.turn import CycleReport
from balancer.service.world import World as Installation
from balancer.simulator.clock import VirtualClock
from balancer.simulator.counting.counted import Counted, lasting, return_trips
from balancer.simulator.replaying.coming import HOT_SET, Coming, simulated
from balancer.simulator.replaying.executor import ReplayedExecutor
from balancer.simulator.replaying.inventory import ReplayedInventory
from balancer.simulator.replaying.recorded import remembered
from balancer.simulator.replaying.tally import Tally, moving
from balancer.simulator.replaying.track import Track
from balancer.simulator.world import SimulatedHost, World


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
class Period:
    """From one moment of the track to the next, whether or not the service could look at it."""

    at: float
    waiting: float
    """Contention, guest-seconds."""
    moving: float
    """What the moves begun then cost, guest-seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What came of it."""

    policy: str
    looks: tuple[Look, ...]
    counted: Counted
    moving: float = 0.0
    """Guest-seconds that the moves cost the guests moved."""
    periods: tuple[Period, ...] = ()
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
    tally: Tally = field(init=False)
    coming: Coming = field(init=False)

    def __post_init__(self) -> None:
        track = self.track
        self.world = _world(track)
        self.tally = Tally(_wanted(track), track.guests["cpu"].names)
        self.coming = Coming(self.world, track.cluster.guest, track.changes)

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
        installation = Installation(
            ports=ports,
            policy=self.policy,
            mode=self.mode,
            interval=self.interval,
            guards=replace(self.guards, auto_after=0.0),
            effort=self.effort,
        )
        record = track.record
        memory = remembered(record.events, track.looks[0]) if record else None
        service = Service(installation, memory=memory)
        told: list[tuple[int, CycleReport]] = []
        periods = []
        for number, at in enumerate(track.looks):
            report = None
            if record and number in record.restarts:
                service = Service(installation)
            if self._go_on(number, at):
                inventory.at_look(number)
                report = service.turn()
            if report is not None:
                told.append((number, _slim(report)))
            periods.append(self._period(number, report.outcomes if report else ()))
            done()
        return self._report(told, tuple(periods), brake.reason())

    def _go_on(self, number: int, at: float) -> bool:
        """Let time pass until that look; False where moves took longer than that."""
        if at < self.world.now:
            return False
        self.world.advance(at)
        self.coming.until(at)
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

    def _period(self, number: int, outcomes: tuple[Outcome, ...]) -> Period:
        """Count from this look to the next, as guests are placed now and come and go."""
        track, looks, tally = self.track, self.track.looks, self.tally
        before = tally.contention
        end = looks[number + 1] if number + 1 < len(looks) else looks[number] + self.interval
        columns = range(track.column(looks[number]), min(track.column(end), len(tally.wanted)))
        begin = columns.start
        for column in columns:
            if self.coming.pending(track.start + column * STEP):
                tally.count(self.world, range(begin, column))
                self.coming.until(track.start + column * STEP)
                begin = column
        tally.count(self.world, range(begin, columns.stop))
        tried = [o for o in outcomes if o.result is not Result.REFUSED]
        return Period(
            at=looks[number],
            waiting=tally.contention - before,
            moving=moving(track, tally.wanted, tried),
        )

    def _report(
        self, told: list[tuple[int, CycleReport]], periods: tuple[Period, ...], stopped: str
    ) -> ReplayReport:
        record = self.track.record
        outcomes: list[Outcome] = [o for _, report in told for o in report.outcomes]
        tried = [o for o in outcomes if o.result is not Result.REFUSED]
        arrived = sorted((o for o in tried if o.result is Result.DONE), key=lambda o: o.ended)
        broken = [(r.observation.at, _broken(r)) for _, r in told]
        tally = self.tally
        counted = Counted(
            contention=round(tally.contention, 3),
            overload=tally.overload,
            migrations=len(arrived),
            mib=sum(o.mib for o in tried),
            downtime=sum(o.downtime_ms or 0 for o in arrived) / 1000,
            energy=round(tally.energy, 3),
            energy_empty=round(tally.energy_empty, 3),
            without_spare=tally.without_spare,
            rules_broken=lasting(broken, self.track.looks[-1] + self.interval) if broken else 0.0,
            return_trips=return_trips(arrived),
            never_began=len(self.coming.homeless),
        )
        looks = tuple(_look(r, record.plans[n] if record else None) for n, r in told)
        return ReplayReport(
            policy=self.policy.name,
            looks=looks,
            counted=counted,
            moving=round(sum(p.moving for p in periods), 3),
            periods=periods,
            stopped=stopped,
        )


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
        guests={g.uuid: simulated(g) for g in cluster.guests if g.uuid in cluster.placement},
        placement=dict(cluster.placement),
    )
    _remember(track, world, track.newest(track.looks[0]))
    return world


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
