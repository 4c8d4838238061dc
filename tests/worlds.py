"""Simulated worlds drawn as text, and plans for them written as `web-1 a b`, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from balancer.adapters.stand_in import MemoryJournal, SilentTelemetry, UncontestedLease
from balancer.planner.model.placement import fingerprint
from balancer.planner.model.plan import (
    Migration,
    Outcome,
    Plan,
    Prediction,
    Quality,
    Score,
)
from balancer.planner.model.policy import Limits, Policy
from balancer.ports import Ports, Progress
from balancer.simulator.clock import VirtualClock
from balancer.simulator.executor import SimulatedExecutor
from balancer.simulator.inventory import SimulatedInventory
from balancer.simulator.workloads import Constant
from balancer.simulator.world import SimulatedGuest, SimulatedHost, World
from tests.drawing import NOON, parse, uuid_of

NO_SCORE = Score(repair=0, overload=0, cost=0)
EAGER = Policy(
    name="eager", limits=Limits(at_once_per_host=4, at_once_total=8, migration_link_share=1.0)
)
"""No rules but those that are always there; several moves at once."""


def world_of(text: str) -> World:
    """Return the drawn cluster as a world; links are 1 Gbit/s where not drawn."""
    drawing = parse(text)
    return World(
        now=NOON,
        hosts={
            host.name: SimulatedHost(replace(host, link_kib_s=host.link_kib_s or 122_070))
            for host in drawing.cluster.hosts
        },
        guests={
            guest.uuid: SimulatedGuest(
                spec=guest,
                cpu=Constant(cpu=drawing.usage[guest.uuid].cpu),
                memory_mib=drawing.usage[guest.uuid].memory,
                dirty_mib_s=drawing.usage[guest.uuid].dirty or 0,
                hot_set_mib=drawing.usage[guest.uuid].memory // 10,
            )
            for guest in drawing.cluster.guests
        },
        placement=dict(drawing.cluster.placement),
    )


@dataclass
class Diary(SilentTelemetry):
    """Remembers what it was told."""

    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: list[Progress] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def planned(self, plan: Plan) -> None:
        """Remember it."""
        self.plans.append(plan)

    def progress(self, running: Sequence[Progress]) -> None:
        """Remember it."""
        self.seen.extend(running)

    def ended(self, outcome: Outcome) -> None:
        """Remember it."""
        self.outcomes.append(outcome)

    def note(self, sentence: str) -> None:
        """Remember it."""
        self.notes.append(sentence)


def ports_of(world: World, **others: object) -> Ports:
    """Return the ports of a world, with others in the place of some."""
    ports = Ports(
        inventory=SimulatedInventory(world),
        executor=SimulatedExecutor(world),
        journal=MemoryJournal(),
        clock=VirtualClock(world, lambda _: None),
        lease=UncontestedLease(),
        telemetry=SilentTelemetry(),
    )
    return replace(ports, **others)  # type: ignore[arg-type]


def plan_of(world: World, *moves: str, seconds: float = 100.0) -> Plan:
    """Return a plan of moves written `guest source target`, then `after` and numbers, if any.

    Actions are numbered from 1; a move that waits for none is on the timetable at once.
    """
    names = {guest.spec.name: uuid for uuid, guest in world.guests.items()}
    actions = [_action(i, line.split(), names, seconds) for i, line in enumerate(moves, 1)]
    return Plan(
        id="P-1",
        made_at=world.now,
        fingerprint=fingerprint(world.placement),
        policy="drawn@0000",
        actions=tuple(actions),
        score_before=NO_SCORE,
        score_after=NO_SCORE,
        quality=Quality(engine="hand", bound=None, proven=False, steps=0),
        loads=(),
        summary="made by hand",
    )


def _action(number: int, words: list[str], names: dict[str, str], seconds: float) -> Migration:
    name, source, target, *rest = words
    waits = tuple(f"{n}" for n in rest[1:])
    return Migration(
        id=f"{number}",
        guest=names.get(name, uuid_of(name)),
        name=name,
        source=source,
        target=target,
        rate_kib_s=30_000,
        downtime_ms=300,
        predicted=Prediction(seconds=seconds, seconds_p90=seconds, mib=1000, downtime_ms=100),
        waits_for=waits,
        start=seconds * max(map(int, waits), default=0),
        reason="because the test says so",
    )
