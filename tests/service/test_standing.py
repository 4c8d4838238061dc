"""The journal says why guests and hosts stood as they did, wherever that changed, and no oftener."""

from dataclasses import replace
from typing import Any

import pytest

from balancer.adapters.stand_in import MemoryBrake, MemoryJournal
from balancer.config import Guards, Mode
from balancer.planner.constraints.blackout import Blackout
from balancer.planner.model.cluster import HostState
from balancer.planner.model.observation import Unseen
from balancer.planner.model.policy import Hot
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.weighed import Bound
from balancer.ports import GONE, Event, UsageError
from balancer.service.recall import Recall, guest_course, host_course, last_seen
from balancer.service.score import DAY
from tests.drawing import NOON, select, uuid_of
from tests.service.test_loop import AT_ONCE, BALANCE, CALM, HOT, INTERVAL, Bench
from tests.worlds import world_of


def stood(bench: Bench) -> tuple[Event, ...]:
    """Return what was kept of how everything stood."""
    events: tuple[Event, ...] = bench.journal.read(0.0, ("stood",))
    return events


def now_of(bench: Bench, name: str) -> Any:
    """Return the last that is known of a guest."""
    return guest_course(stood(bench), name, 0.0)[-1]


def test_quiet_cycles_leave_one_account_a_day() -> None:
    """Everything in the first, nothing where nothing changed, everything again a day later."""
    bench = Bench(world_of(CALM))
    service = bench.service()
    bench.turned(service, 5)
    (first,) = stood(bench)
    assert first.data["whole"]
    assert set(first.data["guests"]) == set(bench.world.guests)  # type: ignore[call-overload]
    bench.world.advance(NOON + DAY)
    bench.turned(service, 2)
    assert [e.data["whole"] for e in stood(bench)] == [True, True]


def test_a_guest_that_stayed_on_a_hot_host_is_accounted_for() -> None:
    """What the cycle came to, who was moved in its place, who was rejected, what would move it."""
    bench = Bench(world_of(HOT))
    bench.turned(bench.service())
    moved = {a.name for a in bench.diary.plans[0].actions}
    stayed = next(f"web-{n}" for n in (1, 2, 3, 4) if f"web-{n}" not in moved)
    told = now_of(bench, stayed)
    assert (told.host, told.state, told.target) == ("a", "hot", "")
    assert told.reason == f"a is relieved by moving {', '.join(sorted(moved))}"
    assert "moves done" in told.sentence
    assert set(told.weighed.left) == {"b", "c"} or told.weighed.rejected
    assert told.weighed.otherwise
    mover = now_of(bench, moved.pop())
    assert mover.target in ("b", "c")
    assert mover.plan == bench.diary.plans[0].id
    assert mover.reason.startswith("hot: a CPU")


def test_what_a_guest_gets_where_it_is_is_read_back() -> None:
    """Where the policy resizes somebody; elsewhere nothing is said of it."""
    table = Resizing(guests=select("web-*"), limit=500)
    bench = Bench(world_of(CALM), policy=replace(AT_ONCE, resizes=(table,)))
    bench.turned(bench.service())
    assert now_of(bench, "zk-1").weighed.resized.bound is Bound.NONE
    plain = Bench(world_of(CALM))
    plain.turned(plain.service())
    assert now_of(plain, "zk-1").weighed.resized is None


def test_where_nothing_helps_that_is_what_is_said() -> None:
    """Of each guest of the hot host."""
    bench = Bench(world_of("a 4c/64g : big 4v/8g cpu=4\nb 4c/64g : huge 4v/8g cpu=4"))
    bench.turned(bench.service())
    assert now_of(bench, "big").reason == "a is hot, and no move that may be made now helps it"


def test_a_load_that_has_not_lasted_is_said_of_its_guests() -> None:
    """Each cycle how long so far: the course of the decision."""
    bench = Bench(world_of(HOT), policy=BALANCE)
    bench.turned(bench.service(), 2)
    course = guest_course(stood(bench), "web-4", 0.0)
    assert [c.weighed.stays for c in course if c.weighed] == [
        "the load of a has lasted 0 of 10 min",
        "the load of a has lasted 5 of 10 min",
    ]


def test_the_course_begins_with_what_was_so_then_and_leaves_repetitions_out() -> None:
    """A daily account that says the same is no news; an earlier change is not shown."""
    bench = Bench(world_of(CALM))
    service = bench.service()
    bench.turned(service)
    bench.world.put(uuid_of("web-1"), "c")
    bench.turned(service, 2)
    moved = NOON + INTERVAL
    bench.world.advance(NOON + DAY + 2 * INTERVAL)
    bench.turned(service, 2)
    course = guest_course(stood(bench), uuid_of("web-1"), moved + 1)
    assert (course[0].at, course[0].host) == (moved, "c")
    assert "somebody else" in str(course[0].weighed)
    whole = guest_course(stood(bench), "web-1", 0.0)
    assert [c.host for c in whole[:2]] == ["a", "c"]
    assert len(guest_course(stood(bench), "zk-2", 0.0)) == 1


def test_guests_that_end_are_gone_and_those_of_unseen_hosts_are_not() -> None:
    """Who is not seen because its host is not is still where it was."""
    bench = Bench(world_of(CALM), mode=Mode.OBSERVE)
    service = bench.service()
    bench.turned(service)
    world = bench.world
    observe = service._world.ports.inventory.observe
    seen = observe()
    cut = replace(
        seen.cluster,
        hosts=tuple(h for h in seen.cluster.hosts if h.name != "b"),
        guests=tuple(g for g in seen.cluster.guests if g.name not in ("web-2", "zk-2", "zk-1")),
        placement={
            u: h for u, h in seen.cluster.placement.items() if h != "b" and u != uuid_of("zk-1")
        },
    )
    partial = replace(seen, at=world.now, cluster=cut, unseen=(Unseen("b", "no answer"),))
    bench.others["inventory"] = type("Half", (), {"observe": lambda _: partial})()
    service._world = bench.installation()
    bench.turned(service)
    assert now_of(bench, "zk-1").state == GONE
    assert now_of(bench, "web-2").state != GONE
    assert host_course(stood(bench), "b", 0.0)[-1].state == "unseen"
    assert host_course(stood(bench), "b", 0.0)[-1].left == "no answer"
    placement, at = last_seen(bench.journal, world.now, DAY)
    assert at == partial.at
    assert placement[uuid_of("web-2")] == "b"
    assert uuid_of("zk-1") not in placement
    assert service._memory.placement == placement


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, digest="other"),
        lambda p: replace(p, constraints=(Blackout(when=("daily 00:00-24:00",)),)),
    ],
)
def test_what_concerns_all_is_told_of_all(change: Any) -> None:
    """A new policy, a blackout that begins."""
    bench = Bench(world_of(CALM))
    service = bench.service()
    bench.turned(service)
    service._world = bench.installation(policy=change(AT_ONCE))
    bench.turned(service)
    assert [e.data["whole"] for e in stood(bench)] == [True, True]


def test_a_host_is_told_of_where_its_state_or_ten_percent_of_it_changed() -> None:
    """Less is no news."""
    bench = Bench(world_of(CALM), mode=Mode.OBSERVE)
    service = bench.service()
    bench.turned(service)
    for cpu in (1100, 5000):
        for guest in bench.world.guests.values():
            if guest.spec.name == "web-1":
                bench.world.guests[guest.spec.uuid] = replace(guest, cpu=type(guest.cpu)(cpu=cpu))
        bench.turned(service)
    assert [h.cpu for h in host_course(stood(bench), "a", 0.0)] == [12, 38]
    drained = bench.world.hosts["c"]
    drained.spec = replace(drained.spec, state=HostState.DRAINING)
    bench.turned(service)
    assert host_course(stood(bench), "c", 0.0)[-1].state == "to be emptied"


def test_large_clusters_are_accounted_for_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody's place at once, reasons cycle by cycle, those of hot hosts first."""
    monkeypatch.setattr("balancer.service.standing.LEAST_AT_ONCE", 4)
    monkeypatch.setattr("balancer.service.standing.CELLS_AT_ONCE", 0)
    bench = Bench(world_of(HOT), mode=Mode.OBSERVE)
    service = bench.service()
    bench.turned(service)
    (first,) = stood(bench)
    guests: Any = first.data["guests"]
    assert guests.keys() == bench.world.guests.keys()
    assert [u for u, told in guests.items() if "otherwise" not in told] == [uuid_of("idle")]
    bench.turned(service, 2)
    (_, second) = stood(bench)
    assert set(second.data["guests"]) == {uuid_of("idle")}  # type: ignore[call-overload]
    assert now_of(bench, "idle").weighed.otherwise


def test_old_accounts_are_forgotten_moves_never() -> None:
    """Cycles as long as they count as observation; what was decided is kept for good."""
    bench = Bench(world_of(HOT))
    service = bench.service()
    service._world = bench.installation(reasons_kept=2 * DAY)
    bench.turned(service, 2)
    for day in (1, 2, 3, 29, 31):
        bench.world.advance(NOON + day * DAY)
        bench.turned(service)
    assert [round((e.at - NOON) / DAY) for e in stood(bench)] == [29, 31]
    assert min(e.at for e in bench.journal.read(0.0, ("cycle",))) > NOON + DAY / 2
    assert bench.said("decided")
    assert bench.said("ended")


def test_what_another_version_wrote_is_one_sentence() -> None:
    """With the way round it."""
    for data in ({"guests": {"u": {"name": "x"}}}, {"hosts": {"a": {"odd": 1}}}):
        with pytest.raises(UsageError, match="balancer why --now"):
            Recall().take(Event(1.0, "stood", data=data))
    assert Recall().take(Event(1.0, "stood")) == ([], [])


def test_moves_by_others_while_it_did_not_run_are_noticed_and_their_guests_left_alone() -> None:
    """Within the hour they count, and may stop it; its own moves by hand meanwhile are ours."""
    bench = Bench(world_of(CALM), guards=Guards(auto_after=0.0, moves_by_others_per_hour=2))
    bench.turned(bench.service(), 2)
    bench.world.put(uuid_of("web-1"), "c")
    bench.world.put(uuid_of("web-2"), "c")
    service = bench.service()
    bench.turned(service)
    assert set(bench.said("foreign")) == {
        "web-1 was moved from a to c by somebody else while the service did not run",
        "web-2 was moved from b to c by somebody else while the service did not run",
    }
    assert "left alone" in str(now_of(bench, "web-1").weighed)
    assert "2 guests were moved by others within an hour" in bench.brake.reason()
    bench.turned(service)
    assert len(bench.said("foreign")) == 2, "told once"


def test_after_a_longer_absence_nobody_knows_when_so_they_do_not_count() -> None:
    """Their guests are left alone all the same."""
    bench = Bench(world_of(CALM), guards=Guards(auto_after=0.0, moves_by_others_per_hour=2))
    bench.turned(bench.service())
    bench.world.advance(NOON + DAY)
    bench.world.put(uuid_of("web-1"), "c")
    bench.world.put(uuid_of("web-2"), "c")
    bench.turned(bench.service())
    assert len(bench.said("foreign")) == 2
    assert not bench.brake.reason()
    assert "left alone" in str(now_of(bench, "web-2").weighed)


def test_moves_that_we_made_before_a_restart_are_not_others() -> None:
    """Neither those of the last cycle, nor an operator's since then, however long ago."""
    bench = Bench(world_of(HOT))
    bench.turned(bench.service())
    assert bench.said("ended")
    bench.world.advance(NOON + 5 * DAY)
    bench.turned(bench.service())
    assert not bench.said("foreign")


def test_a_journal_without_accounts_is_no_reproach() -> None:
    """Of an older version, or of `apply` alone."""
    journal = MemoryJournal()
    journal.write(Event(NOON - 10, "cycle", text="as it was"))
    assert last_seen(journal, NOON, DAY) == ({}, 0.0)
    bench = Bench(world_of(CALM), journal=journal, brake=MemoryBrake())
    bench.turned(bench.service())
    assert not bench.said("foreign")


def test_what_stands_in_for_something_is_shown() -> None:
    """Memory that is not measured, links that are not declared, how fast memory changes."""
    bench = Bench(world_of(CALM), policy=replace(AT_ONCE, hot=Hot()))
    bench.turned(bench.service())
    assert bench.board.shown[-1].fallbacks == ()
    seen = bench.installation().ports.inventory.observe()
    taken = {
        u: (replace(s[-1], values={"cpu": 1000} if u != uuid_of("zk-1") else {}),)
        for u, s in seen.history.guests.items()
    }
    hosts = tuple(replace(h, link_kib_s=0) for h in seen.cluster.hosts)
    poor = replace(
        seen,
        cluster=replace(seen.cluster, hosts=hosts),
        history=replace(seen.history, guests=taken),
        doubts=("the history cannot be read",),
    )
    bench.others["inventory"] = type("Poor", (), {"observe": lambda _: poor})()
    bench.turned(bench.service())
    told = bench.board.shown[-1].fallbacks
    assert told[0] == "no data to be trusted on zk-1: weighs as its allocation, and stays"
    assert told[1] == (
        "memory in use of web-1, web-2, zk-2: what it is allocated (no use of memory is reported)"
    )
    assert told[2] == "migration link of a, b, c: taken as 10 Gbit/s (default_link)"
    assert "how fast guests change their memory: not measured" in told[3]
    assert told[4] == "the history cannot be read"
    assert now_of(bench, "web-1").memory_from == "allocation"
    assert now_of(bench, "zk-1").unknown
    assert select("zk-1")
