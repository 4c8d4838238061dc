"""Plans interrupted after every event, in a world with faults of its own, and taken up again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest

from balancer.adapters.stand_in import MemoryJournal
from balancer.codec import load_outcome_data
from balancer.planner.model.cluster import HostState
from balancer.planner.model.plan import Outcome, Plan, Result, Rung, RungKind
from balancer.planner.model.policy import Allow
from balancer.planner.model.request import Effort, Request
from balancer.planner.model.selector import Selector
from balancer.planner.pipeline import plan
from balancer.ports import Event, Ports, Refused, UsageError
from balancer.service import execute, observe, resume
from balancer.service.recovery import left_open
from balancer.simulator.world import World
from tests.worlds import EAGER, ports_of, world_of

SWIFT = Request(effort=Effort.INSTANT)
AGAIN = replace(
    EAGER,
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
    _events: list[Event] = field(default_factory=list)

    def write(self, event: Event) -> None:
        """Keep it, or die."""
        self.writes += 1
        if self.writes == self.last and self.before:
            raise Killed
        super().write(event)
        if self.writes == self.last:
            raise Killed


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


def befall(world: World, chance: random.Random, hosts: list[str]) -> None:
    """Have something go wrong in the next minutes, or nothing."""
    at = world.now + chance.uniform(1, 200)
    uuid, host = chance.choice(sorted(world.guests)), chance.choice(hosts)
    match chance.randint(0, 8):
        case 0:
            world.dooms[uuid] = (chance.uniform(0, 40), "qemu unexpectedly closed the monitor")
        case 1:
            world.plan_to(at, lambda w: w.set_link(host, 0.0))
            world.plan_to(at + 300, lambda w: w.set_link(host, 1.0))
        case 2:
            world.plan_to(at, lambda w: w.die(hosts[-1]))
        case 3:
            world.plan_to(at, lambda w: w.shut_down(uuid))
        case 4:
            world.plan_to(at, lambda w: w.put(uuid, host))
        case 5:
            share = chance.uniform(0.1, 0.6)
            world.plan_to(at, lambda w: w.set_link(host, share))
            world.plan_to(at + 300, lambda w: w.set_link(host, 1.0))
        case 6 | 7:
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


def lives(world: World, journal: Mortal) -> bool:
    """Let a planner live until it dies or has nothing to do; True in the latter case."""
    ports = ports_of(world, journal=journal)
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
        world.advance(world.now + 1.5)
    return False


def in_order(world: World, born: set[str], journal: MemoryJournal, ports: Ports) -> None:
    """Assert that nobody was lost or doubled by us, and that the journal says what happened."""
    assert set(world.guests) | set(world.lost) | set(world.stopped) == born
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
            journal = Mortal(last=last, before=before)
            for _ in range(ROUNDS):
                if lives(world, journal):
                    break
            else:
                pytest.fail(f"seed {seed}, event {last}: never in order")
            in_order(world, born, journal, ports_of(world, journal=journal))
            deaths += journal.writes >= last
        if journal.writes < last:
            return deaths
    raise AssertionError(seed)


@pytest.mark.parametrize("seed", range(10))
def test_a_plan_interrupted_after_every_event(seed: int) -> None:
    """Nobody is lost or doubled, nothing is begun twice, and the journal agrees with the world."""
    interrupted(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_plans_interrupted_after_every_event() -> None:
    """The same, a thousand times."""
    assert sum(interrupted(seed) for seed in range(1000)) > 1000
