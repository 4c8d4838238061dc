"""Plans interrupted after every event, in a world with faults of its own, and taken up again."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

import pytest

from balancer.adapters.stand_in import MemoryBrake, MemoryJournal
from balancer.codec import load_outcome_data
from balancer.planner.constraints.spread import Spread
from balancer.planner.model.cluster import HostState
from balancer.planner.model.plan import Action, Outcome, Plan, Result, Rung, RungKind
from balancer.planner.model.policy import Allow
from balancer.planner.model.request import Effort, Request
from balancer.planner.model.selector import Selector
from balancer.planner.pipeline import plan
from balancer.ports import Event, Ports, Refused, UsageError
from balancer.service import execute, observe, resume
from balancer.service.recovery import left_open
from balancer.simulator.executor import SimulatedExecution, SimulatedExecutor
from balancer.simulator.world import World
from tests.drawing import uuid_of
from tests.worlds import EAGER, ports_of, world_of

SWIFT = Request(effort=Effort.INSTANT)
AGAIN = replace(
    EAGER,
    constraints=(*EAGER.constraints, Spread(guests=Selector(("g-*1", "g-*5"), may_be_empty=True))),
    aggressiveness=1,
    allow=Allow(
        post_copy=Selector(("g-*[02468]",), may_be_empty=True),
        auto_converge=Selector(("g-*[0134679]",), may_be_empty=True),
    ),
    limits=replace(
        EAGER.limits,
        pause_at_most=600,
        moves_per_hour=10_000,
        moves_per_hour_per_host=10_000,
        data_per_hour=1 << 40,
    ),
)
NEWCOMER = uuid_of("newcomer")
ROUNDS = 60
"""Lives of the planner until a world must be in order."""


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Mortal(MemoryJournal):
    """A journal whose planner dies at its write number `last`, before or after it is kept."""

    last: int = 0
    before: bool = False
    writes: int = 0
    full: tuple[int, int] = (0, 0)
    """Its disk is full from this write on, for so many."""
    refused: int = 0
    _events: list[Event] = field(default_factory=list)

    def write(self, event: Event) -> None:
        """Keep it, or die; or refuse it, where the disk is full."""
        begin, length = self.full
        if begin <= self.writes and self.refused < length:
            self.refused += 1
            raise UsageError("the journal cannot be written: its file system is full")
        self.writes += 1
        if self.writes == self.last and self.before:
            raise Killed
        super().write(event)
        if self.writes == self.last:
            raise Killed


class Strict(SimulatedExecutor):
    """Begins nothing that breaks a rule, unless others have changed the world since the look."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._in = world

    def start(self, action: Action) -> SimulatedExecution:
        """Assert that the target may take the guest; begin."""
        world, target = self._in, self._in.hosts[action.target]
        coming = [m.guest for m in world.moves if m.target == action.target]
        there = [u for u, host in world.placement.items() if host == action.target]
        both = {action.guest, *coming, *there}
        guests = [world.guests[uuid].spec for uuid in both if uuid in world.guests]
        if action.target not in MEDDLED_WITH[id(world)]:
            assert target.spec.state is HostState.UP, "moved to a host that is being emptied"
            room = target.spec.usable["memory"]
            assert sum(g.allocation["memory"] for g in guests) <= room, "over its memory"
            apart = [g for g in guests if g.name.endswith(APART)]
            mine = world.guests[action.guest].spec in apart
            assert not (mine and len(apart) > 1), "two that must be apart"
        return super().start(action)


APART = ("1", "5")
"""Guests whose names end so must not share a host."""
MEDDLED_WITH: defaultdict[int, set[str]] = defaultdict(set)
"""Hosts that somebody else has put guests on, by world: there we may have seen too early."""


def drawn(chance: random.Random) -> World:
    """Return a world in which one host is to be emptied, and faults to come."""
    hosts = [f"h{n}" for n in range(chance.randint(3, 5))]
    lines, number = [], 0
    for host in hosts:
        guests = []
        for _ in range(chance.randint(1, 4) if host == "h0" else chance.randint(0, 3)):
            number += 1
            size = chance.choice([2, 4, 8])
            dirty = chance.choice([0, 0, 30, 70, 300])
            guests.append(f"g-{number} 2v/{size}g cpu={chance.choice([0.5, 1, 2])} dirty={dirty}")
        lines.append(f"{host} 16c/64g : {' | '.join(guests)}")
    world = world_of("\n".join(lines))
    world.set_state("h0", HostState.DRAINING)
    for _ in range(chance.randint(0, 3)):
        befall(world, chance, hosts)
    return world


def befall(world: World, chance: random.Random, hosts: list[str]) -> None:  # noqa: C901, PLR0915
    """Have something go wrong in the next minutes, or nothing."""
    at = world.now + chance.uniform(1, 200)
    uuid, host = chance.choice(sorted(world.guests)), chance.choice(hosts)
    match chance.randint(0, 10):
        case 0:
            world.dooms[uuid] = (chance.uniform(0, 40), "qemu unexpectedly closed the monitor")
        case 1:
            world.plan_to(at, lambda w: w.set_link(host, 0.0))
            world.plan_to(at + 300, lambda w: w.set_link(host, 1.0))
        case 2:
            world.plan_to(at, lambda w: w.die(host))  # where guests leave, too
            if chance.randrange(2):
                world.plan_to(at + 200, lambda w: w.revive(host))
        case 3:
            world.plan_to(at, lambda w: w.shut_down(uuid))
        case 4:
            MEDDLED_WITH[id(world)].add(host)
            world.plan_to(at, lambda w: w.put(uuid, host))
        case 6:
            MEDDLED_WITH[id(world)].add(host)
            world.plan_to(at, lambda w: fill(w, host))
        case 7:
            world.plan_to(at, lambda w: w.set_state(host, HostState.DRAINING))
            MEDDLED_WITH[id(world)].add(host)
        case 5:
            share = chance.uniform(0.1, 0.6)
            world.plan_to(at, lambda w: w.set_link(host, share))
            world.plan_to(at + 300, lambda w: w.set_link(host, 1.0))
        case 8 | 9:
            written = chance.choice([60, 120, 500])
            world.plan_to(world.now + chance.uniform(1, 60), lambda w: busier(w, written))
        case _:
            pass


def busier(world: World, dirty_mib_s: int) -> None:
    """Have every guest on its way write that much, to half of its memory: nobody foresaw it."""
    for move in world.moves:
        move.transfer.dirty_mib_s = dirty_mib_s
        move.transfer.hot_set_mib = move.transfer.memory_mib / 2


def slower(made: Plan) -> Plan:
    """Return the plan with a third of its rates, and the rest as a step up."""
    return replace(
        made,
        actions=tuple(
            replace(
                action,
                rate_kib_s=action.rate_kib_s // 3,
                rungs=(Rung(kind=RungKind.BANDWIDTH, rate_kib_s=action.rate_kib_s), *action.rungs),
            )
            for action in made.actions
        ),
    )


def fill(world: World, host: str) -> None:
    """Have somebody start a guest there that takes all that is left."""
    spare = next(iter(world_of("x 1c/1g : newcomer 2v/8g cpu=1").guests.values()))
    memory = max(0, world.free_mib(host)) * 9 // 10
    spec = replace(spare.spec, allocation={**spare.spec.allocation, "memory": memory})
    if world.hosts[host].alive and spec.uuid not in {
        **world.guests,
        **world.lost,
        **world.stopped,
    }:
        world.guests[spec.uuid] = replace(spare, spec=spec, memory_mib=memory)
        world.placement[spec.uuid] = host


def lives(world: World, journal: Mortal, brake: MemoryBrake) -> bool:
    """Let a planner live until it dies or has nothing to do; True in the latter case."""
    ports = ports_of(world, journal=journal, executor=Strict(world), brake=brake)
    try:
        resume(ports)
        made = plan(observe(ports, AGAIN), AGAIN, SWIFT)
        if not isinstance(made, Plan) or not made.actions:
            if not world.moves:
                return True
            world.advance(world.now + 100)  # post-copy that stood still goes on once it can
            return False
        execute(ports, AGAIN, slower(made) if len(world.guests) % 2 else made)
    except (Killed, Refused, UsageError):
        world.advance(world.now + (30 if brake.reason() else 1.5))
    return False


def in_order(world: World, born: set[str], journal: MemoryJournal, ports: Ports) -> None:
    """Assert that nobody was lost or doubled by us, and that the journal says what happened."""
    assert (set(world.guests) | set(world.lost) | set(world.stopped)) - {NEWCOMER} == born
    assert world.placement.keys() == world.guests.keys()
    assert all(world.hosts[host].alive for host in world.placement.values())
    assert not left_open(ports)
    assert not world.moves
    open_: dict[str, Event] = {}
    for event in journal.read():
        if event.kind == "started":
            assert event.guest not in open_, "begun while it was under way"
            open_[event.guest] = event
        elif event.kind == "ended":
            assert open_.pop(event.guest).action == event.action
            outcome: Outcome = load_outcome_data(event.data["outcome"])
            assert "another migration job is already running" not in outcome.reason
            if outcome.result is Result.LOST and "touch neither copy" not in outcome.reason:
                assert outcome.action.guest in {**world.lost, **world.stopped}
        elif event.kind == "raised":
            assert event.guest in open_, "a step up of what is not under way"
    assert not open_


def interrupted(seed: int) -> int:
    """Carry one plan out, once for each event that it can die at; return how often it died."""
    deaths = 0
    for last in range(1, 1000):
        for before in (False, True):
            chance = random.Random(seed)
            world = drawn(chance)
            born = set(world.guests)
            journal, brake = Mortal(last=last, before=before), MemoryBrake()
            if chance.randrange(4) == 0:
                journal.full = (chance.randint(0, 6), chance.randint(1, 4))
            if chance.randrange(4) == 0:
                at = world.now + chance.uniform(1, 100)
                world.plan_to(at, lambda _, b=brake: b.pull("somebody freezes"))
                world.plan_to(at + 120, lambda _, b=brake: setattr(b, "_pulled", ""))
            for _ in range(ROUNDS):
                if lives(world, journal, brake):
                    break
            else:
                pytest.fail(f"seed {seed}, event {last}: never in order")
            in_order(world, born, journal, ports_of(world, journal=journal))
            SEEN.update(
                e.text.split(": ")[-1].split(" up to")[0] for e in journal.read(kinds=["raised"])
            )
            SEEN.update(
                f"result {e.data['outcome']['result']}" for e in journal.read(kinds=["ended"])
            )
            SEEN.update(e.kind for e in journal.read())
            MEDDLED_WITH.pop(id(world), None)
            deaths += journal.writes >= last
        if journal.writes < last:
            return deaths
    raise AssertionError(seed)


@pytest.mark.parametrize("seed", range(10))
def test_a_plan_interrupted_after_every_event(seed: int) -> None:
    """Nobody is lost or doubled, nothing is begun twice, and the journal agrees with the world."""
    interrupted(seed)


SEEN: Counter[str] = Counter()
"""What came to pass, over all worlds: steps up, results, kinds of event."""
EXPECTED = {
    *("bandwidth", "pause", "begun anew with auto-converge", "switched to post-copy"),
    *(f"result {result}" for result in Result if result is not Result.REFUSED),
    *("decided", "started", "ended", "refused", "stopped", "raised"),
}


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("hundred", range(10))
def test_a_thousand_plans_interrupted_after_every_event(hundred: int) -> None:
    """The same, a hundred times; every rung of the ladder and every result came to pass."""
    SEEN.clear()
    assert sum(interrupted(100 * hundred + seed) for seed in range(100)) > 1000
    assert SEEN.keys() >= EXPECTED, EXPECTED - SEEN.keys()
