"""Resizes are in the journal before they are made, undone as they were made, and mended after a death."""

from dataclasses import replace

import pytest

from balancer.adapters.stand_in import MemoryJournal
from balancer.codec import as_data
from balancer.config import default_policy
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Policy
from balancer.planner.model.resize import Resize, Resized, What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.result import Result
from balancer.planner.model.selector import Selector
from balancer.planner.pipeline import plan
from balancer.ports import Event, Ports, Refused
from balancer.service import execute, observe
from balancer.service.resizing import ENDED, keep_watch, left_open, mend, past
from balancer.service.returning import way_back
from balancer.service.turn import cycle, recheck
from balancer.simulator.executor import SimulatedExecutor
from balancer.simulator.inventory import SimulatedInventory
from balancer.simulator.world import World
from tests.drawing import uuid_of
from tests.worlds import Diary, ports_of, world_of

SHARED = """
    a 8c/64g : db 8v/8g cpu=6 knobs | w1 4v/4g cpu=4 knobs | w2 4v/4g cpu=4 knobs
    b 8c/64g : x 4v/8g cpu=1
"""
BATCH = Resizing(guests=Selector(("w*",)), shares=0.05, reserve=100, priority=0.0)
POLICY = replace(default_policy(), resizes=(BATCH,))


def shares(world: World) -> dict[str, int]:
    """Return the shares of guests that have any, by name."""
    specs = (guest.spec for guest in world.guests.values())
    return {spec.name: spec.knobs.shares for spec in specs if spec.knobs}


def made(ports: Ports, policy: Policy = POLICY) -> Plan:
    """Return the plan for what is seen now."""
    answer = plan(observe(ports, policy), policy)
    assert isinstance(answer, Plan)
    return answer


def test_a_plan_of_resizes_alone_is_carried_out() -> None:
    """Each change is announced, made, and told; who matters waits no more."""
    world, journal, diary = world_of(SHARED), MemoryJournal(), Diary()
    ports = ports_of(world, journal=journal, telemetry=diary)
    report = cycle(ports, POLICY)
    assert isinstance(report.decision, Plan)
    assert report.decision.actions == ()
    assert shares(world) == {"db": 1000, "w1": 50, "w2": 50}
    assert [e.kind for e in journal.read()] == ["decided", *["resizing", "resized"] * 2]
    assert "w1 on a: shares 1000 → 50: done" in diary.notes
    wanted, got = world.granted()[uuid_of("db")]
    assert wanted == got
    assert cycle(ports, POLICY).decision.actions == ()  # type: ignore[union-attr]
    assert len(past(ports, 0.0)) == 2


def test_what_was_done_can_be_given_back() -> None:
    """Undoing wants what was before of those that are as they were left, and asks no policy."""
    world, journal = world_of(SHARED), MemoryJournal()
    ports = ports_of(world, journal=journal)
    cycle(ports, POLICY)
    world.resize(uuid_of("w2"), What.SHARES, 700)
    found = way_back(journal.read(), "", SimulatedInventory(world).observe())
    assert found.homes == {}
    assert [(r.name, r.before, r.after) for r in found.resizes] == [("w1", 50, 1000)]
    bare = default_policy()
    back = replace(made(ports, bare), id="P-back", resizes=found.resizes, gives_back=True)
    execute(ports, bare, back)
    assert shares(world) == {"db": 1000, "w1": 1000, "w2": 700}
    with pytest.raises(Refused, match="nothing to undo"):
        way_back((), "", SimulatedInventory(world).observe())


def test_a_plan_that_does_not_fit_any_more_is_refused() -> None:
    """Somebody changed what it speaks of: nothing is done."""
    world = world_of(SHARED)
    ports = ports_of(world)
    old = made(ports)
    world.resize(uuid_of("w1"), What.SHARES, 300)
    with pytest.raises(Refused, match="it stands at 300, not at 1000"):
        execute(ports, POLICY, old)
    assert shares(world)["w2"] == 1000
    assert recheck(observe(ports, POLICY), POLICY, made(ports))


def test_one_that_fails_drops_what_waits_for_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is done; the fault is told, and the guest left alone for a while."""
    world, journal = world_of(SHARED), MemoryJournal()
    ports = ports_of(world, journal=journal)
    plan_ = made(ports)
    first, second = plan_.resizes
    chained = replace(second, id="r3", waits_for=("r1",), before=second.after, after=60)
    plan_ = replace(plan_, resizes=(first, second, chained))
    real = SimulatedExecutor.resize

    def failing(self: SimulatedExecutor, one: Resize) -> str:
        return "the host takes no such setting" if one.name == "w1" else real(self, one)

    monkeypatch.setattr(SimulatedExecutor, "resize", failing)
    execute(ports, POLICY, plan_)
    ended = past(ports, 0.0)
    assert [o.result for o in ended] == [Result.FAILED, Result.DONE, Result.REFUSED]
    assert ended[2].reason == "r1 did not end well"
    assert shares(world) == {"db": 1000, "w1": 1000, "w2": 50}
    assert [r.name for r in made(ports).resizes] == []


def test_stopping_and_the_brake_change_nothing_more() -> None:
    """Whoever says stop is heard before each change."""
    world = world_of(SHARED)
    ports = replace(ports_of(world), stop_requested=lambda: True)
    execute(ports, POLICY, made(ports))
    assert shares(world) == {"db": 1000, "w1": 1000, "w2": 1000}
    assert {o.result for o in past(ports, 0.0)} == {Result.REFUSED}


class _Killed(BaseException):
    """Ends a planner as a signal does."""


@pytest.mark.parametrize("done", [False, True])
def test_what_a_killed_planner_left_open_is_mended(
    monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    """The journal is told how it stands, and the next plan does what is missing."""
    world, journal = world_of(SHARED), MemoryJournal()
    ports = ports_of(world, journal=journal)
    real = SimulatedExecutor.resize

    def killed(self: SimulatedExecutor, one: Resize) -> str:
        if done:
            real(self, one)
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedExecutor, "resize", killed)
        with pytest.raises(_Killed):
            cycle(ports, POLICY)
    assert len(left_open(journal.read())) == 1
    world.advance(world.now + 400)
    cycle(ports, POLICY)
    assert shares(world) == {"db": 1000, "w1": 50, "w2": 50}
    assert left_open(journal.read(kinds=("resizing", "resized"))) == ()
    first = past(ports, 0.0)[0]
    assert (first.result is Result.DONE) == done
    assert first.reason.startswith("whoever began it is gone")


def test_a_guest_that_is_gone_is_told_so() -> None:
    """What was begun on it has ended, one way or the other."""
    world, journal = world_of(SHARED), MemoryJournal()
    ports = ports_of(world, journal=journal)
    one = made(ports).resizes[0]
    begun = Event(
        at=world.now, kind="resizing", plan="P", action="r1", data={"resize": vars_of(one)}
    )
    journal.write(begun)
    world.shut_down(uuid_of("w1"))
    (told,) = mend(ports, SimulatedInventory(world).observe())
    assert (told.result, told.reason.endswith("the guest is not seen")) == (Result.ABORTED, True)
    assert [e.kind for e in journal.read()][-1] == ENDED


def vars_of(one: Resize) -> object:
    """Return a resize as the journal keeps it."""
    return {
        "id": one.id, "guest": one.guest, "name": one.name, "host": one.host,
        "what": one.what.value, "before": one.before, "after": one.after,
    }  # fmt: skip


def test_a_vcpu_is_plugged_and_taken_back_by_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the journal as any other; one that a kernel keeps stays, and is left alone for a day."""
    world, journal = world_of("a 8c/64g : x 1v/4g cpu=4 most-vcpus=4"), MemoryJournal()
    policy = replace(
        default_policy(), resizes=(Resizing(guests=Selector(("x",)), vcpus=True, idle=0),)
    )
    ports, uuid = ports_of(world, journal=journal), uuid_of("x")
    cycle(ports, policy)
    assert world.guests[uuid].spec.allocation["vcpus"] == 2
    found = way_back(journal.read(), "", SimulatedInventory(world).observe())
    assert [(r.what, r.before, r.after) for r in found.resizes] == [(What.VCPUS, 2, 1)]
    monkeypatch.setattr(SimulatedExecutor, "resize", lambda *_: "its kernel does not let it go")
    bare = default_policy()
    back = replace(made(ports, bare), id="P-back", resizes=found.resizes, gives_back=True)
    execute(ports, bare, back)
    last = past(ports, 0.0)[-1]
    assert (last.result, last.reason) == (Result.FAILED, "its kernel does not let it go")
    world.advance(world.now + 600)
    answer = cycle(ports, policy).decision
    assert isinstance(answer, Plan)
    assert answer.resizes == ()


def test_memory_that_is_plugged_is_taken_by_whoever_stays() -> None:
    """A plan by hand gives some, and takes none: nobody would watch."""
    text = "a 8c/64g : x 1v/8g used=2 plugged=4g most-plugged=8g"
    world, journal = world_of(text), MemoryJournal()
    table = Resizing(guests=Selector(("x",)), memory=True, idle=0)
    policy, uuid = replace(default_policy(), resizes=(table,)), uuid_of("x")
    ports = ports_of(world, journal=journal)
    take = Resize(
        id="r1",
        guest=uuid,
        name="x",
        host="a",
        what=What.PLUGGED,
        before=4096,
        after=2048,
        keep=1024,
    )
    by_hand = replace(made(ports, policy), id="P-take", resizes=(take,))
    execute(ports, policy, by_hand)
    assert (
        past(ports, 0.0)[-1].reason
        == "memory is taken by the service alone, which stays to watch it"
    )
    assert world.guests[uuid].spec.allocation["memory"] == 8192
    stays = replace(ports, stays=True)
    execute(stays, policy, replace(by_hand, id="P-stays"))
    assert world.guests[uuid].spec.allocation["memory"] == 6144
    world.works_with(uuid, 6000)
    world.advance(world.now + 60)
    (back,) = keep_watch(stays, observe(stays, policy))
    assert (back.resize.what, world.guests[uuid].spec.allocation["memory"]) == (What.PLUGGED, 8192)
    assert keep_watch(stays, observe(stays, policy)) == ()


def test_what_a_balloon_took_is_not_given_back_as_plugged() -> None:
    """A guest may have been booted with virtio-mem since: each kind counts in its own measure."""
    text = "a 8c/64g : x 1v/8g used=2 plugged=4g most-plugged=8g"
    world, journal = world_of(text), MemoryJournal()
    ports = replace(ports_of(world, journal=journal), stays=True)
    table = Resizing(guests=Selector(("x",)), memory=True, idle=0)
    policy = replace(default_policy(), resizes=(table,))
    one = Resize(
        id="r1", guest=uuid_of("x"), name="x", host="a", what=What.BALLOON, before=9999, after=8000
    )
    for number, resize in enumerate(
        (one, replace(one, what=What.PLUGGED, before=6144, after=4096, keep=1024))
    ):
        done = Resized(resize=resize, result=Result.DONE, started=1.0, ended=1.0)
        journal.write(
            Event(at=world.now - 9 + number, kind=ENDED, data={"resized": as_data(done)})
        )
    keep_watch(ports, observe(ports, policy))
    assert isinstance(ports.executor, SimulatedExecutor)
    assert [t.before for t in ports.executor._taken.values()] == [6144]
