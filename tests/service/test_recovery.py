"""What a planner that died left behind is followed to its end, and never begun again."""

from dataclasses import replace

import pytest

from balancer.adapters.stand_in import MemoryJournal
from balancer.codec import load_outcome_data
from balancer.planner.model.plan import Result
from balancer.ports import ABANDONED, Event, Ports, Refused, UsageError
from balancer.service import abort, execute, resume
from balancer.service.recovery import left_open
from balancer.simulator.world import World
from tests.drawing import uuid_of
from tests.service.test_turn import THREE, Fatal, Killed
from tests.worlds import EAGER, Diary, plan_of, ports_of, world_of


def left_behind(last: int, *, begun: bool = True) -> tuple[World, Ports, Diary]:
    """Return a world in which a planner died after its event `last`, and what comes after it."""
    world, diary, journal = world_of(THREE), Diary(), Fatal(last=last)
    plan = plan_of(world, "db-1 a c", "web-1 a b")
    with pytest.raises(Killed):
        execute(ports_of(world, journal=journal), EAGER, plan)
    if begun:
        world.begin(uuid_of("db-1"), "c", 1000.0, 0.3)
    journal.last = 0
    return world, ports_of(world, journal=journal, telemetry=diary), diary


def test_what_goes_on_by_itself_is_followed_to_its_end() -> None:
    """The guest arrives, the journal says so, and a second look finds nothing open."""
    world, ports, diary = left_behind(2)
    (begun,) = left_open(ports)
    assert (begun.plan, begun.action.name, begun.persistent) == ("P-1", "db-1", True)
    (outcome,) = resume(ports)
    assert outcome.result is Result.DONE
    assert world.placement[uuid_of("db-1")] == "c"
    ended = ports.journal.read()[-1]
    assert (ended.kind, ended.plan) == ("ended", "P-1")
    assert ended.text.startswith("db-1 to c: done in ")
    assert load_outcome_data(ended.data["outcome"]) == outcome
    assert diary.notes == ["db-1 from a to c was begun, and not seen to its end: followed"]
    assert resume(ports) == ()


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_was_far_off_hides_nothing(days: int) -> None:
    """What was begun long ago by the clock, or is yet to come by it, is followed all the same."""
    world, ports, _ = left_behind(2)
    first, started = ports.journal.read()
    journal = MemoryJournal()
    journal.write(first)
    journal.write(replace(started, at=started.at + 86_400.0 * days))
    (outcome,) = resume(replace(ports, journal=journal))
    assert outcome.result is Result.DONE
    assert world.placement[uuid_of("db-1")] == "c"


def test_what_was_only_announced_never_left() -> None:
    """It is journalled as abandoned: nobody's failure, and free to be planned again."""
    world, ports, _ = left_behind(2, begun=False)
    (outcome,) = resume(ports)
    assert (outcome.result, outcome.reason) == (Result.ABORTED, ABANDONED)
    assert world.placement[uuid_of("db-1")] == "a"


def test_the_next_plan_waits_for_what_is_open() -> None:
    """Execute follows first; then it judges by where the guest is now."""
    world, ports, _ = left_behind(2)
    (done,) = execute(ports, EAGER, plan_of(world, "web-1 a b"))
    assert done.result is Result.DONE
    told = [e.guest for e in ports.journal.read(kinds=["ended"])]
    assert told == [uuid_of("db-1"), uuid_of("web-1")]


def test_a_guest_lost_meanwhile_stops_the_next_plan() -> None:
    """Nothing is started once it is known; the journal then knows, and the plan after that may."""
    world, ports, _ = left_behind(2, begun=False)
    world.die("a")
    with pytest.raises(Refused, match=r"db-1 is lost: .*; nothing was started"):
        execute(ports, EAGER, plan_of(world, "web-3 b c"))
    (done,) = execute(ports, EAGER, plan_of(world, "web-3 b c"))
    assert done.result is Result.DONE


def test_abort_stops_what_is_in_flight_and_leaves_the_journal_to_its_planner() -> None:
    """The guest stays; nothing is written."""
    world, ports, _ = left_behind(2)
    written = len(ports.journal.read())
    (outcome,) = abort(ports, "the operator stopped it")
    assert (outcome.result, outcome.reason) == (Result.ABORTED, "the operator stopped it")
    assert world.placement[uuid_of("db-1")] == "a"
    assert len(ports.journal.read()) == written


def test_nothing_is_followed_where_nothing_may_be_done() -> None:
    """A dry run leaves what is open to whoever may act."""
    _, ports, _ = left_behind(2)
    dry = replace(ports, executor=None)
    assert resume(dry) == abort(dry, "so") == ()
    assert len(left_open(dry)) == 1


def test_a_line_that_cannot_be_read_is_one_sentence() -> None:
    """A damaged journal stops the planner; it is not guessed what was begun."""
    journal = MemoryJournal()
    world = world_of(THREE)
    journal.write(Event(world.now, "started", "P-1", "m1", data={"action": {"id": 1}}))
    with pytest.raises(UsageError, match="journal"):
        resume(ports_of(world, journal=journal))
