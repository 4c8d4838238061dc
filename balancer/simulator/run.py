"""Runs the service over a simulated cluster, in virtual time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from balancer.adapters.experience import JournalExperience
from balancer.adapters.stand_in import (
    MemoryBrake,
    MemoryJournal,
    SilentTelemetry,
    UncontestedLease,
)
from balancer.config import Mode
from balancer.planner.ladder import Patience
from balancer.planner.model.conversation import Talk
from balancer.planner.model.plan import Outcome, Plan, Result
from balancer.planner.model.resources import CPU, MEMORY
from balancer.planner.pipeline import assess, broken
from balancer.ports import Board, Brake, Journal, Ports, Telemetry
from balancer.service import CycleReport
from balancer.service.loop import Service
from balancer.service.world import NoBoard
from balancer.service.world import World as Installation
from balancer.simulator.clock import VirtualClock
from balancer.simulator.counting.counted import Counted, Course, lasting, return_trips
from balancer.simulator.counting.meter import Meter
from balancer.simulator.counting.power import DEFAULT_WATTS
from balancer.simulator.executor import SimulatedExecutor
from balancer.simulator.expectation import Figures
from balancer.simulator.inventory import SimulatedInventory
from balancer.simulator.scenario import Scenario
from balancer.simulator.world import SimulatedHost, World

HOUR: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationReport:
    """What came of a scenario."""

    scenario: str
    figures: Figures
    cycles: tuple[CycleReport, ...]
    refusals: tuple[str, ...]
    """Why whole plans were refused."""
    stopped: str
    """Why the service stopped itself; empty if it did not."""
    lost: tuple[str, ...]
    """Guests that fell with their hosts."""
    course: Course
    """How loads went, minute by minute."""
    unmet: tuple[str, ...]
    """What was expected and did not come true; empty is success."""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Return how every action of every cycle ended, in order of time."""
        return tuple(outcome for report in self.cycles for outcome in report.outcomes)


@dataclass(slots=True)
class Simulation:
    """One scenario's world, its ports, and the service that turns over it.

    `pace` is told of every stretch of virtual time slept through, so that a demonstration can
    be slowed down for people to watch.
    """

    scenario: Scenario
    telemetry: Telemetry = field(default_factory=SilentTelemetry)
    journal: Journal = field(default_factory=MemoryJournal)
    brake: Brake = field(default_factory=MemoryBrake)
    board: Board = field(default_factory=NoBoard)
    stop_requested: Callable[[], bool] = lambda: False
    pace: Callable[[float], None] = lambda _: None
    world: World = field(init=False)
    meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        self.meter = Meter(self.scenario.start + self.scenario.length)
        self.world = _world(self.scenario, self.meter)

    @property
    def ports(self) -> Ports:
        """The world as the service sees it."""
        return Ports(
            inventory=SimulatedInventory(self.world),
            executor=SimulatedExecutor(
                self.world, Patience(stalled_after=self.scenario.guards.stalled_after)
            ),
            journal=self.journal,
            experience=JournalExperience(self.journal),
            clock=VirtualClock(self.world, self.pace),
            lease=UncontestedLease(),
            telemetry=self.telemetry,
            brake=self.brake,
            stop_requested=self.stop_requested,
            stays=True,
        )

    def run(self) -> SimulationReport:
        """Turn the service until the scenario's time is over; return what came of it.

        Raises UsageError if the journal fails; everything else is a figure in the report.
        """
        scenario = self.scenario
        installation = Installation(
            ports=self.ports,
            policy=scenario.policy,
            mode=Mode.AUTO,
            interval=scenario.interval,
            guards=replace(scenario.guards, auto_after=0.0),
            effort=scenario.effort,
        )
        service = Service(installation, board=self.board, nap=scenario.interval)
        return self._report(service.run(scenario.start + scenario.length))

    def _report(self, cycles: tuple[CycleReport, ...]) -> SimulationReport:
        figures = self._figures(cycles)
        return SimulationReport(
            scenario=self.scenario.name,
            figures=figures,
            cycles=cycles,
            refusals=tuple(report.refusal for report in cycles if report.refusal),
            stopped=self.brake.reason(),
            lost=tuple(self.world.lost.values()),
            course=replace(
                self.meter.course(),
                arrivals=tuple(
                    sorted(o.ended for c in cycles for o in c.outcomes if o.result is Result.DONE)
                ),
            ),
            unmet=self.scenario.expect.broken_by(figures),
        )

    def _figures(self, cycles: tuple[CycleReport, ...]) -> Figures:
        outcomes = [outcome for report in cycles for outcome in report.outcomes]
        tried = [o for o in outcomes if o.result is not Result.REFUSED]
        arrived = [o for o in tried if o.result is Result.DONE]
        observation = SimulatedInventory(self.world).observe()
        problem = assess(observation, self.scenario.policy)
        faults = broken(problem, observation.cluster.placement)
        talk = Talk(problem.conversations, problem.domain)
        return Figures(
            cycles=len(cycles),
            moves=len(arrived),
            temporary_moves=sum(o.action.temporary for o in arrived),
            failed=len(tried) - len(arrived),
            refused=len(outcomes) - len(tried) + sum(bool(report.refusal) for report in cycles),
            lost=len(self.world.lost),
            mib=sum(o.mib for o in tried),
            longest_pause_ms=max((o.downtime_ms or 0 for o in arrived), default=0),
            rules_broken=sum(v.hard for v in faults),
            hottest=self._busiest(CPU, "cpu"),
            fullest=self._busiest(MEMORY, "memory.used"),
            done_after=max((o.ended for o in tried), default=self.scenario.start)
            - self.scenario.start,
            quiet_cycles=_quiet(cycles),
            traffic=round(HOUR * talk.waits(talk.counts(observation.cluster.placement)), 1),
            stopped=bool(self.brake.reason()),
            counted=self._counted(cycles, tried),
        )

    def _counted(self, cycles: tuple[CycleReport, ...], tried: Sequence[Outcome]) -> Counted:
        arrived = [o for o in tried if o.result is Result.DONE]
        end = self.scenario.start + self.scenario.length
        return replace(
            self.meter.counted(),
            migrations=len(arrived),
            mib=sum(o.mib for o in tried),
            downtime=sum(o.downtime_ms or 0 for o in arrived) / 1000,
            rules_broken=lasting([(c.observation.at, self._broken(c)) for c in cycles], end),
            return_trips=return_trips(sorted(arrived, key=lambda o: o.ended)),
            never_began=len(self.world.never_began),
        )

    def _broken(self, report: CycleReport) -> int:
        """Return how many hard rules were broken when that cycle began."""
        seen, decision = report.observation, report.decision
        if isinstance(decision, Plan):
            return sum(v.hard for v in decision.broken_before)
        problem = assess(seen, self.scenario.policy)
        return sum(v.hard for v in broken(problem, seen.cluster.placement))

    def _busiest(self, resource: str, metric: str) -> float:
        """Return the largest share in use of what is usable, over the living hosts."""
        observation = SimulatedInventory(self.world).observe()
        return max(
            (
                observation.history.hosts[host.name][-1].values[metric]
                / max(1, host.usable.get(resource, 0))
                for host in observation.cluster.hosts
            ),
            default=0.0,
        )


def _world(scenario: Scenario, meter: Meter) -> World:
    world = World(
        now=scenario.start,
        hosts={
            host.name: SimulatedHost(
                host,
                watts=scenario.watts.get(host.name, host.power or DEFAULT_WATTS),
                slowdown=scenario.slowdowns.get(host.name, 1.0),
            )
            for host in scenario.hosts
        },
        guests={guest.spec.uuid: guest for guest in scenario.guests},
        placement=dict(scenario.placement),
        by_shares=scenario.cpu_by_shares,
    )
    for at, happen in scenario.happenings:
        world.plan_to(at, happen)
    meter.attach(world)
    world.advance(scenario.start)
    return world


def _quiet(cycles: tuple[CycleReport, ...]) -> int:
    """Return how many cycles at the end moved nothing."""
    count = 0
    for report in reversed(cycles):
        if report.outcomes:
            return count
        count += 1
    return count
