"""The service carries out what is safe, tells the truth about it, and stops when it must."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.adapters.lease import FileLease
from balancer.adapters.stand_in import MemoryBrake, MemoryJournal
from balancer.codec import load_outcome_data, load_plan_data
from balancer.planner import dispatch, pipeline
from balancer.planner.constraints.together import Together
from balancer.planner.model.plan import Action, Infeasible, Plan, Result, Rung, RungKind
from balancer.planner.model.policy import Allow
from balancer.planner.model.request import Request
from balancer.planner.model.selector import EVERYTHING
from balancer.ports import Event, Passing, Progress, Refused, UsageError
from balancer.service import barred, cycle, execute, observe
from balancer.simulator.executor import SimulatedExecutor
from balancer.simulator.world import World
from tests.drawing import select, uuid_of
from tests.worlds import EAGER, Diary, plan_of, ports_of, world_of

THREE = """
    a 16c/64g : web-1 2v/4g cpu=1 | web-2 2v/4g cpu=1 | db-1 4v/8g cpu=2
    b 16c/64g : web-3 2v/4g cpu=1
    c 16c/64g :
"""


def kinds(journal: MemoryJournal) -> list[str]:
    """Return kind and action of each event, in order."""
    return [f"{e.kind} {e.action}".strip() for e in journal.read()]


def test_a_plan_is_carried_out_and_all_of_it_is_in_the_journal() -> None:
    """Guests end where planned; each move has one outcome, in the plan's order."""
    world, journal, diary = world_of(THREE), MemoryJournal(), Diary()
    plan = plan_of(world, "db-1 a c", "web-1 a b", "web-2 a c after 1")
    outcomes = execute(ports_of(world, journal=journal, telemetry=diary), EAGER, plan)
    assert [o.result for o in outcomes] == [Result.DONE] * 3
    assert [o.action for o in outcomes] == list(plan.actions)
    where = {name: world.placement[uuid_of(name)] for name in ("db-1", "web-1", "web-2", "web-3")}
    assert where == {"db-1": "c", "web-1": "b", "web-2": "c", "web-3": "b"}
    told = kinds(journal)
    assert told[:3] == ["decided", "started 1", "started 2"]
    assert told.index("ended 1") < told.index("started 3") < told.index("ended 3")
    assert set(diary.outcomes) == set(outcomes)
    assert diary.seen


def test_the_journal_can_tell_plan_and_outcomes_again() -> None:
    """What was decided and how it ended are read back as the values they were."""
    world, journal = world_of(THREE), MemoryJournal()
    plan = plan_of(world, "db-1 a c")
    (outcome,) = execute(ports_of(world, journal=journal), EAGER, plan)
    decided, started, ended = journal.read()
    assert load_plan_data(decided.data["plan"]) == plan
    assert load_outcome_data(ended.data["outcome"]) == outcome
    assert (started.guest, started.host) == (uuid_of("db-1"), "c")
    assert started.text == "db-1 from a to c: because the test says so"
    assert ended.text.startswith("db-1 to c: done in ")
    assert "(predicted 100 s, p90 100 s)" in ended.text
    assert outcome.ended > outcome.started
    assert outcome.mib >= 8 * 1024


def test_moves_run_side_by_side_where_nothing_waits() -> None:
    """Two moves to different hosts overlap in time; one that waits begins after its forerunner."""
    world = world_of(THREE)
    plan = plan_of(world, "db-1 a c", "web-3 b a", "web-1 a b after 2")
    first, second, third = execute(ports_of(world), EAGER, plan)
    assert second.started < first.ended
    assert third.started >= second.ended


def test_a_plan_whose_guest_runs_elsewhere_is_stale() -> None:
    """The refusal names the guest and where it is; nothing was started or decided."""
    world, journal = world_of(THREE), MemoryJournal()
    plan = plan_of(world, "web-1 a b", "db-1 a c")
    world.put(uuid_of("db-1"), "b")
    with pytest.raises(Refused, match="P-1 is stale: db-1 runs on b now, the plan expects a"):
        execute(ports_of(world, journal=journal), EAGER, plan)
    assert journal.read() == ()
    assert world.placement[uuid_of("web-1")] == "a"


def test_a_plan_whose_guest_is_gone_is_stale() -> None:
    """A guest that was shut down since is named."""
    world = world_of(THREE)
    plan = plan_of(world, "db-1 a c")
    world.shut_down(uuid_of("db-1"))
    with pytest.raises(Refused, match="db-1 runs on no host that was seen"):
        execute(ports_of(world), EAGER, plan)


def test_a_plan_whose_guest_is_on_its_way_already_is_stale() -> None:
    """A migration that somebody else began is not interfered with."""
    world = world_of(THREE)
    plan = plan_of(world, "db-1 a c")
    world.begin(uuid_of("db-1"), "b", 1.0, 0.3)
    with pytest.raises(Refused, match="db-1 is being migrated from a to b at this moment"):
        execute(ports_of(world), EAGER, plan)


def test_a_plan_whose_host_is_not_seen_is_stale() -> None:
    """A host that does not answer is named with the reason."""
    world = world_of(THREE)
    plan = plan_of(world, "db-1 a c")
    world.die("c")
    with pytest.raises(Refused, match=r"host c was not seen \(no answer in 10 s\)"):
        execute(ports_of(world), EAGER, plan)
    world = world_of(THREE)
    with pytest.raises(Refused, match=r"host x was not seen \(it is not configured\)"):
        execute(ports_of(world), EAGER, plan_of(world, "db-1 a x"))


def test_that_other_guests_moved_meanwhile_does_not_matter_by_itself() -> None:
    """The plan is judged again as a whole and found good."""
    world = world_of(THREE)
    plan = plan_of(world, "db-1 a c")
    world.put(uuid_of("web-3"), "a")
    (outcome,) = execute(ports_of(world), EAGER, plan)
    assert outcome.result is Result.DONE


FULL = """
    a 16c/64g : db-1 4v/40g cpu=2
    b 16c/64g : db-2 4v/40g cpu=2
    c 16c/64g :
"""


def test_a_target_filled_meanwhile_makes_the_plan_unsafe() -> None:
    """Another guest took the room: refused with the first fault, before anything starts."""
    world, journal = world_of(FULL), MemoryJournal()
    plan = plan_of(world, "db-1 a c")
    world.put(uuid_of("db-2"), "c")
    with pytest.raises(Refused, match=r"P-1 is not safe any more: .*c.*; make a new plan"):
        execute(ports_of(world, journal=journal), EAGER, plan)
    assert journal.read() == ()


def test_a_failed_move_leaves_its_guest_and_the_rest_goes_on() -> None:
    """What waits for it is not started and says so; what does not, arrives."""
    world, journal = world_of(THREE), MemoryJournal()
    world.dooms[uuid_of("web-1")] = (5.0, "qemu unexpectedly closed the monitor")
    plan = plan_of(world, "web-1 a b", "web-2 a c after 1", "db-1 a c")
    failed, never, done = execute(ports_of(world, journal=journal), EAGER, plan)
    assert (failed.result, failed.reason) == (
        Result.FAILED,
        "qemu unexpectedly closed the monitor",
    )
    assert never.result is Result.REFUSED
    assert "waits for 1" in never.reason
    assert done.result is Result.DONE
    assert world.placement[uuid_of("web-1")] == "a"
    assert "started 2" not in kinds(journal)
    assert "refused 2" in kinds(journal)
    assert "stopped" not in kinds(journal)
    by_action = {e.action: e for e in journal.read(kinds=["ended", "refused"])}
    assert [by_action[n].host for n in "123"] == ["a", "a", "c"]
    assert by_action["1"].text == (
        "web-1 from a to b: failed, qemu unexpectedly closed the monitor"
    )


def test_a_cut_link_is_a_stall_and_is_given_up() -> None:
    """No byte for a while: aborted as stalled, the guest stays, other hosts go on."""
    world, diary = world_of(THREE), Diary()
    world.plan_to(world.now + 3, lambda w: w.set_link("c", 0.0))
    plan = plan_of(world, "db-1 a c", "web-1 a b")
    stalled, done = execute(ports_of(world, telemetry=diary), EAGER, plan)
    assert stalled.result is Result.STALLED
    assert stalled.reason == "no data for 60 s: aborted"
    assert world.placement[uuid_of("db-1")] == "a"
    assert done.result is Result.DONE
    assert "no data for 30 s" in {progress.note for progress in diary.seen}


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No move is hastened though links have room: what is done about it is what is looked at."""
    monkeypatch.setattr(dispatch, "raises", lambda _: {})


def test_room_that_nobody_else_needs_is_given_to_what_runs() -> None:
    """It goes faster than planned from then on, and arrives earlier than it could have."""
    world = world_of("a 16c/64g link=1000 : db-1 4v/32g cpu=2\nb 16c/64g link=1000 :")
    plan = plan_of(world, "db-1 a b")
    slow = 32 * 1024 * 1024 / plan.actions[0].rate_kib_s
    begin = world.now
    (outcome,) = execute(ports_of(world), EAGER, plan)
    assert outcome.result is Result.DONE
    assert world.now - begin < slow / 2
    assert outcome.passed is not None
    assert not outcome.passed.teaches


@pytest.mark.usefixtures("unhurried")
def test_a_guest_that_never_converges_is_given_up_in_time() -> None:
    """The limit follows the prediction, so that a short move is not waited for an hour."""
    world = world_of("a 16c/64g : db-1 4v/32g cpu=2 dirty=2000\nb 16c/64g :")
    begin = world.now
    (outcome,) = execute(ports_of(world), EAGER, plan_of(world, "db-1 a b", seconds=200))
    assert (outcome.result, outcome.diverged) == (Result.ABORTED, False)
    assert world.now - begin == pytest.approx(800, abs=5)
    assert world.placement[uuid_of("db-1")] == "a"


@pytest.mark.usefixtures("unhurried")
def test_a_guest_that_is_seen_not_to_converge_is_not_waited_for() -> None:
    """With nothing left to try, the link is not filled until the time limit."""
    world = world_of("a 16c/64g : db-1 4v/4g cpu=2 dirty=2000\nb 16c/64g :")
    begin = world.now
    (outcome,) = execute(ports_of(world), EAGER, plan_of(world, "db-1 a b", seconds=200))
    assert (outcome.result, outcome.diverged) == (Result.ABORTED, True)
    assert "does not converge" in outcome.reason
    assert 200 < world.now - begin < 400


def climbing(world: World, *rungs: Rung) -> Plan:
    """Return a plan to move db-1 from a to b with these rungs."""
    made = plan_of(world, "db-1 a b", seconds=200)
    return replace(made, actions=(replace(made.actions[0], rungs=rungs),))


ALLOWED = replace(EAGER, allow=Allow(post_copy=EVERYTHING, auto_converge=EVERYTHING))
BUSY = "a 16c/64g : db-1 4v/4g cpu=2 dirty=200\nb 16c/64g :"


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(
    ("dirty", "rung", "step"),
    [
        (40, Rung(kind=RungKind.BANDWIDTH, rate_kib_s=110_000), "bandwidth up to 107 MiB/s"),
        (200, Rung(kind=RungKind.AUTO_CONVERGE, risk="x"), "begun anew with auto-converge"),
        (200, Rung(kind=RungKind.POST_COPY, risk="x"), "switched to post-copy"),
    ],
)
def test_a_rung_helps_and_is_journalled(dirty: int, rung: Rung, step: str) -> None:
    """Without it the guest does not converge; with it it arrives, and the journal says by what."""
    world = world_of(BUSY.replace("dirty=200", f"dirty={dirty}"))
    (outcome,) = execute(ports_of(world), ALLOWED, climbing(world))
    assert outcome.diverged
    world, journal = world_of(BUSY.replace("dirty=200", f"dirty={dirty}")), MemoryJournal()
    (outcome,) = execute(ports_of(world, journal=journal), ALLOWED, climbing(world, rung))
    assert (outcome.result, outcome.steps) == (Result.DONE, (step,))
    assert world.placement[uuid_of("db-1")] == "b"
    (raised,) = journal.read(kinds=("raised",))
    assert raised.text == f"db-1 from a to b does not converge: {step}"
    assert kinds(journal) == ["decided", "started 1", "raised 1", "ended 1"]


def test_what_the_policy_does_not_allow_a_guest_is_refused() -> None:
    """The judge reads the rungs of a plan, whoever wrote them."""
    world = world_of(BUSY)
    plan = climbing(world, Rung(kind=RungKind.POST_COPY))
    with pytest.raises(Refused, match="post-copy is not allowed for this guest"):
        execute(ports_of(world), EAGER, plan)


def test_post_copy_over_a_cut_link_is_reported_lost_and_left_alone() -> None:
    """Both copies are untouched; once the link is mended the guest runs on, once."""
    world = world_of(BUSY)
    plan = climbing(world, Rung(kind=RungKind.POST_COPY))

    @dataclass
    class Cutting(Diary):
        def progress(self, running: Sequence[Progress]) -> None:
            if running[0].steps:
                world.set_link("b", 0.0)

    (outcome,) = execute(ports_of(world, telemetry=Cutting()), ALLOWED, plan)
    assert outcome.result is Result.LOST
    assert "touch neither copy" in outcome.reason
    assert len(world.moves) == 1
    world.set_link("b", 1.0)
    world.advance(world.now + 100)
    assert not world.moves
    assert world.placement[uuid_of("db-1")] == "b"


def test_links_are_never_given_out_twice() -> None:
    """Two moves that wish for more share one link: together they never get more than it has."""
    world = world_of(
        "a 16c/64g : db-1 4v/4g cpu=2 dirty=40 | db-2 4v/4g cpu=2 dirty=40\nb 16c/64g :"
    )
    more = Rung(kind=RungKind.BANDWIDTH, rate_kib_s=110_000)
    made = plan_of(world, "db-1 a b", "db-2 a b", seconds=200)
    made = replace(made, actions=tuple(replace(a, rungs=(more,)) for a in made.actions))
    most = 0.0

    @dataclass
    class Watching(Diary):
        def progress(self, running: Sequence[Progress]) -> None:
            nonlocal most
            super().progress(running)
            most = max(most, sum(move.at_most for move in world.moves))

    outcomes = execute(ports_of(world, telemetry=Watching()), ALLOWED, made)
    assert {o.result for o in outcomes} == {Result.DONE}
    assert 60 < most <= 122_070 / 1024


def test_a_stop_between_two_moves_finishes_the_first_and_starts_no_second() -> None:
    """What never began is accounted for, with the reason, and so is the stop."""
    world, journal, diary = world_of(THREE), MemoryJournal(), Diary()
    plan = plan_of(world, "web-1 a b", "web-2 a c after 1")
    begin = world.now
    ports = ports_of(
        world,
        journal=journal,
        telemetry=diary,
        stop_requested=lambda: world.now > begin + 5,
    )
    first, second = execute(ports, EAGER, plan)
    assert first.result is Result.DONE
    assert (second.result, second.reason) == (Result.REFUSED, "a stop was requested")
    assert kinds(journal) == ["decided", "started 1", "ended 1", "stopped", "refused 2"]
    (stopped,) = journal.read(kinds=["stopped"])
    assert stopped.text == "a stop was requested: 1 of 2 moves not started"
    assert diary.notes == ["a stop was requested: nothing more is started"]


def test_a_stop_before_the_first_move_starts_nothing() -> None:
    """Every move is refused."""
    world = world_of(THREE)
    ports = ports_of(world, stop_requested=lambda: True)
    outcomes = execute(ports, EAGER, plan_of(world, "web-1 a b", "web-2 a c"))
    assert {o.result for o in outcomes} == {Result.REFUSED}
    assert world.placement[uuid_of("web-1")] == "a"


def test_a_no_just_before_the_start_refuses_that_move_only() -> None:
    """A guest moved by hand during the plan is left alone; its dependents too; the rest goes on."""
    world, journal = world_of(THREE), MemoryJournal()
    world.plan_to(world.now + 2, lambda w: w.put(uuid_of("web-2"), "b"))
    plan = plan_of(world, "web-1 a b", "web-2 a c after 1", "db-1 a c after 1")
    first, second, third = execute(ports_of(world, journal=journal), EAGER, plan)
    assert first.result is third.result is Result.DONE
    assert (second.result, second.reason) == (
        Result.REFUSED,
        "web-2 runs on b now, not on a",
    )
    assert "started 2" not in kinds(journal)


def test_a_refusal_is_taken_in_before_the_next_start() -> None:
    """Guests that belong together do not part because one of them may not leave."""
    world = world_of(THREE)
    apart = replace(EAGER, constraints=(Together(guests=select("web-1", "web-2")),))
    plan = plan_of(world, "web-1 a b", "web-2 a b")
    executor = Objecting(world)
    first, second = execute(ports_of(world, executor=executor), apart, plan)
    assert (first.result, first.reason) == (Result.REFUSED, "not this one")
    assert second.result is Result.REFUSED
    assert "together" in second.reason or "share" in second.reason
    assert world.placement[uuid_of("web-2")] == "a"


class Objecting(SimulatedExecutor):
    """Objects to every move of web-1."""

    def look_again(self, action: Action) -> str:
        """Say no to one guest."""
        return "not this one" if action.name == "web-1" else super().look_again(action)


def test_after_a_lost_guest_nothing_more_is_started() -> None:
    """A host that dies with its guests is reported, and the rest waits for a fresh look."""
    world, journal = world_of(THREE), MemoryJournal()
    world.plan_to(world.now + 3, lambda w: w.die("a"))
    plan = plan_of(world, "db-1 a c", "web-3 b c after 1")
    lost, never = execute(ports_of(world, journal=journal), EAGER, plan)
    assert (lost.result, lost.reason) == (Result.LOST, "db-1 fell with a")
    assert (never.result, never.reason) == (Result.REFUSED, "db-1 is lost")
    assert world.placement == {uuid_of("web-3"): "b"}


def test_a_dead_target_leaves_the_guest_where_it_was() -> None:
    """The move fails, the guest runs on."""
    world = world_of(THREE)
    world.plan_to(world.now + 3, lambda w: w.die("c"))
    (outcome,) = execute(ports_of(world), EAGER, plan_of(world, "db-1 a c"))
    assert (outcome.result, outcome.reason) == (Result.FAILED, "lost the connection to c")
    assert world.placement[uuid_of("db-1")] == "a"


@dataclass
class Faulty(MemoryJournal):
    """Fails at the write of this number, and from then on."""

    good: int = 0
    _events: list[Event] = field(default_factory=list)

    def write(self, event: Event) -> None:
        """Keep it, or fail."""
        if len(self._events) >= self.good:
            raise UsageError("the journal j cannot be written: free some space")
        super().write(event)


@pytest.mark.parametrize("good", range(8))
def test_a_journal_that_fails_starts_nothing_more(good: int) -> None:
    """Whichever write fails: no act without its event, what is in flight ends, and it is said."""
    world, diary = world_of(THREE), Diary()
    plan = plan_of(world, "db-1 a c", "web-1 a b", "web-2 a c after 1")
    journal = Faulty(good=good)
    ports = ports_of(world, journal=journal, telemetry=diary)
    if good == 7:  # decided, three starts, three ends: all there is to write
        assert len(execute(ports, EAGER, plan)) == 3
    else:
        with pytest.raises(UsageError, match="cannot be written: free some space"):
            execute(ports, EAGER, plan)
    begun = {e.guest for e in journal.read(kinds=["started"])}
    moved = {
        u
        for u, host in world.placement.items()
        if host != ports_of(world_of(THREE)).inventory.observe().cluster.placement[u]
    }
    assert moved == begun
    assert world.moves == []


def test_only_one_planner_acts(tmp_path: Path) -> None:
    """While another holds the lease nothing is even looked at; afterwards it is free again."""
    world = world_of(THREE)
    plan = plan_of(world, "db-1 a c")
    other = FileLease(tmp_path / "lease")
    other.acquire()
    ports = ports_of(world, lease=FileLease(tmp_path / "lease"))
    with pytest.raises(Refused, match="another planner is at work"):
        execute(ports, EAGER, plan)
    other.release()
    execute(ports, EAGER, plan)
    other.acquire()


def test_the_lease_is_given_up_whatever_happens(tmp_path: Path) -> None:
    """A refused plan does not keep the next one out."""
    world = world_of(THREE)
    plan = plan_of(world, "db-1 a c")
    world.put(uuid_of("db-1"), "b")
    with pytest.raises(Refused, match="stale"):
        execute(ports_of(world, lease=FileLease(tmp_path / "lease")), EAGER, plan)
    FileLease(tmp_path / "lease").acquire()


def test_nothing_is_carried_out_where_nothing_may_be_changed() -> None:
    """Without an executor a plan is refused with what to set."""
    world = world_of(THREE)
    with pytest.raises(Refused, match=r"P-1 is not carried out: .* set mode"):
        execute(ports_of(world, executor=None), EAGER, plan_of(world, "db-1 a c"))


class Killed(BaseException):
    """The process is gone: not even clean-up that catches exceptions runs."""


@dataclass
class Fatal(MemoryJournal):
    """Keeps so many events, then the process dies: after the write, before anything else."""

    last: int = 0
    _events: list[Event] = field(default_factory=list)

    def write(self, event: Event) -> None:
        """Keep it, and perhaps die."""
        super().write(event)
        if len(self._events) == self.last:
            raise Killed


@pytest.mark.parametrize("last", range(1, 8))
def test_killed_after_any_event_the_journal_tells_the_truth(last: int) -> None:
    """What ended is where the journal says; what started is on its way or at its source."""
    world = world_of(THREE)
    plan = plan_of(world, "db-1 a c", "web-1 a b", "web-2 a c after 1")
    journal = Fatal(last=last)
    with pytest.raises(Killed):
        execute(ports_of(world, journal=journal), EAGER, plan)
    _agrees(journal.read(), world)
    started = {e.action for e in journal.read(kinds=["started"])}
    assert {move.guest for move in world.moves} <= {
        a.guest for a in plan.actions if a.id in started
    }


def _agrees(events: Sequence[Event], world: World) -> None:
    """Assert that the journal and the world say the same of every guest."""
    ended = {e.action: load_outcome_data(e.data["outcome"]) for e in events if e.kind == "ended"}
    started = [e.action for e in events if e.kind == "started"]
    assert len(started) == len(set(started))
    assert set(ended) <= set(started)
    for outcome in ended.values():
        where = world.placement.get(outcome.action.guest)
        match outcome.result:
            case Result.LOST:
                assert where is None
            case Result.DONE:
                assert where in (None, outcome.action.target)
            case _:
                assert where in (None, outcome.action.source)


FAULTS = st.lists(
    st.tuples(
        st.floats(0, 400),
        st.sampled_from(["die", "cut", "heal", "doom", "stop"]),
        st.integers(0, 5),
    ),
    max_size=5,
)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=6),
    FAULTS,
    st.sampled_from([None, 10.0, 100.0]),
)
def test_whatever_fails_no_guest_is_lost_or_doubled(
    moves: list[tuple[int, int]],
    faults: list[tuple[float, str, int]],
    stop_after: float | None,
) -> None:
    """Guests vanish only with their host or by their owner; the journal agrees with the world."""
    world, journal = _random_world(), MemoryJournal()
    began, everybody = world.now, set(world.guests)
    hosts, guests = sorted(world.hosts), sorted(world.guests)
    _befall(world, faults)
    lines, seen = [], set()
    for number, target in moves:
        source = world.placement[guests[number]]
        if hosts[target] != source and number not in seen:
            seen.add(number)
            lines.append(f"{world.guests[guests[number]].spec.name} {source} {hosts[target]}")
    plan = plan_of(world, *lines)
    stop = (lambda: world.now > began + stop_after) if stop_after else (lambda: False)
    ports = ports_of(world, journal=journal, stop_requested=stop)
    try:
        outcomes = execute(ports, EAGER, plan)
    except Refused:
        outcomes = ()
        assert journal.read() == ()
    else:
        assert [o.action for o in outcomes] == list(plan.actions)
    assert world.moves == []
    assert set(world.placement) | set(world.lost) | set(world.stopped) == everybody
    assert not set(world.placement) & (set(world.lost) | set(world.stopped))
    assert all(world.hosts[host].alive for host in world.placement.values())
    started = {e.action for e in journal.read(kinds=["started"])}
    assert started == {e.action for e in journal.read(kinds=["ended"])}
    _agrees(journal.read(), world)


def _random_world() -> World:
    return world_of("""
        a 16c/64g : g0 2v/4g cpu=1 | g1 2v/8g cpu=1 dirty=20 | g2 4v/24g cpu=2
        b 16c/64g : g3 2v/4g cpu=1 dirty=200 | g4 2v/16g cpu=1
        c 16c/64g : g5 2v/40g cpu=1
        d 16c/32g :
    """)


def _befall(world: World, faults: list[tuple[float, str, int]]) -> None:
    hosts, guests = sorted(world.hosts), sorted(world.guests)
    for after, what, number in faults:
        host, guest = hosts[number % len(hosts)], guests[number]
        happen = {
            "die": lambda w, h=host: w.die(h),
            "cut": lambda w, h=host: w.set_link(h, 0.0),
            "heal": lambda w, h=host: w.set_link(h, 1.0),
            "doom": lambda w, g=guest: w.dooms.update({g: (1.0, "broken pipe")}),
            "stop": lambda w, g=guest: w.shut_down(g),
        }[what]
        world.plan_to(world.now + after, happen)


def test_a_cycle_plans_and_carries_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observe, plan, execute: the report holds all three."""
    world, diary = world_of(THREE), Diary()
    made = plan_of(world, "db-1 a c")
    monkeypatch.setattr(pipeline, "plan", lambda *_, **__: made)
    report = cycle(ports_of(world, telemetry=diary), EAGER, Request(relieve=frozenset({"a"})))
    assert report.decision == made
    assert [o.result for o in report.outcomes] == [Result.DONE]
    assert report.observation.cluster.placement[uuid_of("db-1")] == "a"
    assert diary.plans == [made]


def test_a_cycle_without_executor_is_a_dry_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is made and shown; nothing is decided, started or locked."""
    world, journal = world_of(THREE), MemoryJournal()
    monkeypatch.setattr(pipeline, "plan", lambda *_, **__: plan_of(world, "db-1 a c"))
    report = cycle(ports_of(world, executor=None, journal=journal), EAGER)
    assert report.outcomes == ()
    assert journal.read() == ()
    assert world.placement[uuid_of("db-1")] == "a"


def test_a_cycle_that_finds_no_answer_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Infeasible is an answer, and changes nothing."""
    world, diary = world_of(THREE), Diary()
    answer = Infeasible(reason="db-1 and db-2 cannot be parted")
    monkeypatch.setattr(pipeline, "plan", lambda *_, **__: answer)
    report = cycle(ports_of(world, telemetry=diary), EAGER)
    assert (report.decision, report.outcomes) == (answer, ())
    assert diary.notes == ["db-1 and db-2 cannot be parted"]


def test_what_ended_lately_is_part_of_the_next_observation(tmp_path: Path) -> None:
    """Outcomes come back from the journal for as long as they keep guests where they are."""
    world = world_of(THREE)
    ports = ports_of(world, journal=SqliteJournal(tmp_path / "j.sqlite"))
    (outcome,) = execute(ports, EAGER, plan_of(world, "db-1 a c"))
    assert observe(ports, EAGER).outcomes == (outcome,)
    assert pipeline.assess(observe(ports, EAGER), EAGER).cooling == {uuid_of("db-1")}
    world.advance(world.now + EAGER.limits.same_guest_again_after + 1)
    assert observe(ports, EAGER).outcomes == (outcome,)
    assert not pipeline.assess(observe(ports, EAGER), EAGER).cooling
    world.advance(world.now + EAGER.limits.same_host_again_after)
    assert observe(ports, EAGER).outcomes == ()


def test_an_order_needs_only_what_the_hypervisor_answers() -> None:
    """A plan to relieve moves guests that rest or are unknown, and is carried out as such."""
    crowd = " | ".join(f"db-{n} 4v/8g cpu=4" for n in (2, 3, 4))
    world = world_of(f"a 16c/64g : db-1 4v/8g cpu=4\nb 16c/64g :\nc 16c/64g : {crowd}")
    journal = MemoryJournal()
    ports = ports_of(world, journal=journal)
    execute(ports, EAGER, plan_of(world, "db-1 a c"))
    seen = observe(ports, EAGER)
    assert pipeline.assess(seen, EAGER).cooling == {uuid_of("db-1")}
    blind = replace(seen, history=replace(seen.history, guests={}))
    order = pipeline.plan(blind, EAGER, Request(relieve=frozenset({"c"})))
    assert not isinstance(order, Infeasible)
    assert order.relieve == ("c",)
    assert uuid_of("db-1") in {a.guest for a in order.actions}
    assert {o.result for o in execute(ports, EAGER, order)} == {Result.DONE}


def test_everything_is_refused_while_a_brake_is_on() -> None:
    """Before anything is looked at."""
    world = world_of(THREE)
    brake = MemoryBrake()
    brake.pull("a test")
    with pytest.raises(Refused, match="the service stopped itself: a test"):
        execute(ports_of(world, brake=brake), EAGER, plan_of(world, "db-1 a c"))


def test_no_host_takes_part_in_more_moves_within_an_hour_than_it_may() -> None:
    """What was moved before counts; the move over the limit is not begun, and says why."""
    world, journal = world_of(THREE), MemoryJournal()
    policy = replace(EAGER, limits=replace(EAGER.limits, moves_per_hour_per_host=2))
    ports = ports_of(world, journal=journal)
    execute(ports, policy, plan_of(world, "db-1 a c"))
    done, refused = execute(ports, policy, plan_of(world, "web-1 a b", "web-2 a c after 1"))
    assert (done.result, refused.result) == (Result.DONE, Result.REFUSED)
    assert refused.reason.startswith("a took part in 2 moves within an hour: limit moves_per_hour")
    world.advance(world.now + 3700)
    (later,) = execute(ports, policy, plan_of(world, "web-2 a c"))
    assert later.result is Result.DONE


def test_a_no_just_before_a_start_bars_the_pair_and_not_the_plan() -> None:
    """The journal marks it; the rest of the plan goes on; a stop marks nothing."""
    world, journal = world_of(THREE), MemoryJournal()

    class Unwilling(SimulatedExecutor):
        def look_again(self, action: Action) -> str:
            return "no CPU for it" if action.name == "web-1" else super().look_again(action)

    ports = ports_of(world, journal=journal, executor=Unwilling(world))
    plan = plan_of(world, "web-1 a b", "web-2 a c after 1", "db-1 a c")
    no, never, done = execute(ports, EAGER, plan)
    assert (no.result, never.result, done.result) == (Result.REFUSED, Result.REFUSED, Result.DONE)
    marked = [e.guest for e in journal.read(kinds=["refused"]) if e.data.get("barred")]
    assert marked == [uuid_of("web-1")]


def test_an_objection_of_the_moment_bars_no_pair() -> None:
    """Another planner at work, a guest that is busy: once that is over, the same may be tried."""
    world, journal = world_of(THREE), MemoryJournal()

    class Busy(SimulatedExecutor):
        def look_again(self, action: Action) -> str:
            return Passing(f"{action.name}: a backup runs")

    ports = ports_of(world, journal=journal, executor=Busy(world))
    (no,) = execute(ports, EAGER, plan_of(world, "web-1 a b"))
    assert (no.result, no.reason) == (Result.REFUSED, "web-1: a backup runs")
    assert barred(journal, 0.0) == {}
