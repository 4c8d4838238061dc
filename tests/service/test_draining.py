"""The verdict on emptying a host, what rounds teach, and the way back."""

from dataclasses import replace

import pytest

from balancer.adapters.stand_in import MemoryBrake, MemoryJournal
from balancer.config import default_policy
from balancer.planner.model.cluster import Tie
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Outcome, Plan, Result
from balancer.ports import Refused
from balancer.service import execute
from balancer.service.draining import Terms, Tries, calm, evacuate, shut_down
from balancer.service.guards import LATE, STOP_ASKED
from balancer.service.returning import way_back
from balancer.simulator.inventory import SimulatedInventory
from tests.drawing import observation, uuid_of
from tests.worlds import EAGER, plan_of, ports_of, world_of

TWO = """
a 16c/64g : web-1 2v/4g cpu=1 | db-1 4v/8g cpu=2
b 16c/64g : web-2 2v/4g cpu=1
c 16c/64g :
"""
CALM = calm(default_policy())


def test_a_host_that_can_be_emptied() -> None:
    """All its guests leave, nobody else moves, and it is said how long that takes."""
    found = evacuate(observation(TWO), CALM, "a")
    assert found.possible
    assert found.guests == ("db-1", "web-1")
    assert isinstance(found.decision, Plan)
    assert {a.name for a in found.decision.actions} == {"db-1", "web-1"}
    assert found.seconds == found.decision.seconds > 0
    empty = evacuate(observation(TWO), CALM, "c")
    assert (empty.possible, empty.guests, empty.seconds) == (True, (), 0.0)


def test_each_guest_that_cannot_leave_is_named_with_a_remedy() -> None:
    """One has a device; one failed everywhere; with no room at all it is nobody's own fault."""
    seen = observation(TWO)
    tie = Tie(kind="passthrough", detail="PCI 0000:3b:00.0")
    guests = tuple(replace(g, ties=(tie,)) if g.name == "db-1" else g for g in seen.cluster.guests)
    seen = replace(seen, cluster=replace(seen.cluster, guests=guests))
    barred = {(uuid_of("web-1"), host): "failed: so" for host in ("b", "c")}
    found = evacuate(seen, CALM, "a", barred)
    assert not found.possible
    assert {b.guest: (b.reason, b.remedy) for b in found.blocked} == {
        "db-1": (
            "passthrough: PCI 0000:3b:00.0",
            "detach the device, or let it be shut down (--shutdown)",
        ),
        "web-1": ("b: failed: so; c: failed: so", "see balancer why web-1"),
    }
    full = "a 16c/64g : big 2v/40g cpu=1 | small 1v/1g cpu=0.1\nb 16c/40g : other 2v/36g cpu=1"
    (big,) = evacuate(observation(full), CALM, "a").blocked
    assert big.guest == "big"
    assert big.reason


def outcome(result: Result, reason: str = "", name: str = "web-1", target: str = "b") -> Outcome:
    (action,) = plan_of(world_of(TWO), f"{name} a {target}").actions
    return Outcome(action=action, result=result, started=0.0, ended=1.0, reason=reason)


def test_what_failed_bars_a_pair_and_work_goes_on_while_there_is_something_new() -> None:
    """Refusals count only where nothing else was done: they may be another's consequence."""
    tries = Tries()
    failed = outcome(Result.FAILED, "so")
    assert tries.learn([failed])
    assert tries.barred == {(uuid_of("web-1"), "b"): "failed: so"}
    assert not tries.learn([failed])
    assert tries.learn(
        [failed, outcome(Result.DONE, name="db-1"), outcome(Result.REFUSED, target="c")]
    )
    assert len(tries.barred) == 1
    assert tries.learn([outcome(Result.REFUSED, target="c")])
    assert not tries.learn([outcome(Result.REFUSED, STOP_ASKED)])
    assert not tries.learn([outcome(Result.LOST, "gone"), outcome(Result.DONE)])


def test_the_way_back_from_what_a_plan_did() -> None:
    """To each guest's first host, through whatever it went; what is elsewhere since is left alone."""
    world, journal = world_of(TWO), MemoryJournal()
    ports = ports_of(world, journal=journal)
    with pytest.raises(Refused, match="no move done at all"):
        way_back(journal.read(), "", ports.inventory.observe())
    execute(ports, EAGER, plan_of(world, "web-1 a c", "web-1 c b after 1", "db-1 a c"))
    back = way_back(journal.read(), "", ports.inventory.observe())
    assert (back.plan, back.strayed) == ("P-1", ())
    assert back.homes == {uuid_of("web-1"): "a", uuid_of("db-1"): "a"}
    world.put(uuid_of("db-1"), "b")
    world.shut_down(uuid_of("web-1"))
    back = way_back(journal.read(), "P-1", SimulatedInventory(world).observe())
    assert back.homes == {}
    assert sorted(back.strayed) == [
        "db-1 runs on b now, the plan had left it on c: it is left alone",
        "web-1 is not seen, the plan had left it on b: it is left alone",
    ]
    with pytest.raises(Refused, match="no move done of P-2"):
        way_back(journal.read(), "P-2", SimulatedInventory(world).observe())


def test_of_a_plan_carried_out_twice_the_last_time_counts() -> None:
    """The same question has the same name; what came of it before is history."""
    world, journal = world_of(TWO), MemoryJournal()
    ports = ports_of(world, journal=journal)
    execute(ports, EAGER, plan_of(world, "web-1 a c"))
    world.put(uuid_of("web-1"), "a")
    plan = plan_of(world, "db-1 a c")
    execute(ports, EAGER, plan)
    assert way_back(journal.read(), "", ports.inventory.observe()).homes == {uuid_of("db-1"): "a"}


def tied() -> Observation:
    """Return TWO with a db-1 that cannot leave."""
    seen = observation(TWO)
    tie = Tie(kind="passthrough", detail="PCI 0000:3b:00.0")
    guests = tuple(replace(g, ties=(tie,)) if g.name == "db-1" else g for g in seen.cluster.guests)
    return replace(seen, cluster=replace(seen.cluster, guests=guests))


def test_who_may_be_shut_down_blocks_nothing() -> None:
    """Only where it cannot leave; a name that is not there is refused."""
    terms = Terms(shut_down=frozenset({"db-1", "web-1"}))
    found = evacuate(tied(), CALM, "a", terms=terms)
    assert (found.possible, found.blocked, found.shut_down) == (True, (), ("db-1",))
    with pytest.raises(Refused, match="web-2 does not run on a"):
        evacuate(tied(), CALM, "a", terms=Terms(shut_down=frozenset({"web-2"})))


def test_a_window_that_is_too_short_is_said_before_anything_moves() -> None:
    """Those whose moves may end after it are named, with what would help."""
    whole = evacuate(observation(TWO), CALM, "a")
    short = evacuate(observation(TWO), CALM, "a", terms=Terms(seconds=whole.seconds / 2))
    assert whole.possible
    assert not short.possible
    block = short.blocked[0]
    assert "after --until" in block.reason
    assert "give it more time" in block.remedy


def test_what_would_end_too_late_is_not_begun() -> None:
    """And the rounds end there."""
    world = world_of(TWO)
    plan = plan_of(world, "web-1 a b", "db-1 a b after 1", seconds=100)
    first, second = execute(ports_of(world), EAGER, plan, until=world.now + 150)
    assert (first.result, second.result) == (Result.DONE, Result.REFUSED)
    assert second.reason.startswith(LATE)
    assert not Tries().learn((first, second))


def test_guests_are_shut_down_by_name_and_it_is_journalled_before() -> None:
    """Each is off in the end, or it is said why not; a brake stops it."""
    world, journal = world_of(TWO), MemoryJournal()
    ports = ports_of(world, journal=journal)
    seen = SimulatedInventory(world).observe()
    assert shut_down(ports, "a", ["db-1"], seen) == {}
    assert uuid_of("db-1") not in world.guests
    assert [e.kind for e in journal.read()] == ["shutting", "shut"]
    again = shut_down(ports, "a", ["db-1"], seen)
    assert again == {(uuid_of("db-1"), "a"): "it does not run on a"}
    brake = MemoryBrake()
    brake.pull("enough")
    with pytest.raises(Refused, match="enough"):
        shut_down(replace(ports, brake=brake), "a", ["web-1"], seen)
    with pytest.raises(Refused, match="read-only"):
        shut_down(replace(ports, executor=None), "a", ["web-1"], seen)
