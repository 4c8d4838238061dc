"""The simulated executor keeps its side of the port."""

from dataclasses import replace

import pytest

from balancer.planner.model.plan import Result
from balancer.simulator.executor import SimulatedExecutor
from tests.drawing import uuid_of
from tests.worlds import plan_of, world_of

TWO = "a 16c/64g : x 1v/4g | y 1v/8g\nb 16c/64g :"


def test_an_action_runs_shows_how_far_it_is_and_ends() -> None:
    """Progress grows from nothing to all; the outcome comes when it has arrived, and stays."""
    world = world_of(TWO)
    (action,) = plan_of(world, "x a b").actions
    execution = SimulatedExecutor(world).start(action)
    assert execution.action is action
    assert execution.progress().fraction == 0
    fractions = []
    while execution.outcome() is None:
        world.advance(world.now + 5)
        fractions.append(execution.progress().fraction)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    outcome = execution.outcome()
    assert outcome is not None
    assert (outcome.result, outcome.mib) == (Result.DONE, 4096)
    assert outcome.downtime_ms == 30
    execution.abort("too late to matter")
    assert execution.outcome() == outcome


def test_an_abort_leaves_the_guest_where_it_was() -> None:
    """The outcome carries the reason given, and no downtime: nothing was handed over."""
    world = world_of(TWO)
    (action,) = plan_of(world, "x a b").actions
    execution = SimulatedExecutor(world).start(action)
    world.advance(world.now + 2)
    execution.abort("the operator said so")
    outcome = execution.outcome()
    assert outcome is not None
    assert (outcome.result, outcome.reason) == (Result.ABORTED, "the operator said so")
    assert outcome.downtime_ms is None
    assert world.placement[uuid_of("x")] == "a"


def test_a_start_that_fails_is_an_outcome() -> None:
    """Not an exception."""
    world = world_of(TWO)
    (action,) = plan_of(world, "x a b").actions
    world.die("b")
    outcome = SimulatedExecutor(world).start(action).outcome()
    assert outcome is not None
    assert (outcome.result, outcome.reason) == (Result.FAILED, "unable to connect to b")


@pytest.mark.parametrize(
    ("befallen", "objection"),
    [
        (lambda w: w.advance(w.now + 60), ""),
        (lambda w: w.put(uuid_of("x"), "b"), "x runs on b now, not on a"),
        (lambda w: w.shut_down(uuid_of("x")), "x runs no more"),
        (lambda w: w.die("b"), "unable to connect to b"),
        (
            lambda w: w.begin(uuid_of("x"), "b", 1.0, 0.3),
            "another migration job is already running for x",
        ),
    ],
)
def test_the_look_just_before_a_start_sees_what_has_changed(befallen, objection: str) -> None:
    """One sentence, or nothing to say."""
    world = world_of(TWO)
    (action,) = plan_of(world, "x a b").actions
    befallen(world)
    assert SimulatedExecutor(world).look_again(action) == objection


def test_local_disks_go_first_and_take_their_room_along() -> None:
    """The world refuses a guest without its disk, and a second one for which there is no room."""
    world = world_of("a 9c/9g images=0 : x 1v/1g disk=2 | y 1v/1g disk=2\nb 9c/9g images=3 :")
    (action,) = plan_of(world, "x a b").actions
    executor = SimulatedExecutor(world)
    assert executor.look_again(action) == "Cannot access storage file of vda on b"
    along = replace(action, copies=("vda",))
    assert executor.look_again(along) == ""
    execution = executor.start(along)
    other = replace(along, guest=uuid_of("y"), name="y")
    assert executor.look_again(other) == "b has no room for its disks at /local"
    world.advance(world.now + 1)
    assert execution.progress().mib_sent > 0
    world.advance(world.now + 600)
    outcome = execution.outcome()
    assert outcome is not None
    assert (outcome.result, outcome.mib >= 3 * 1024) == (Result.DONE, True)
    assert outcome.passed is not None
    assert (outcome.passed.teaches, outcome.passed.disk_mib) == (True, 2 * 1024)
    free = {name: host.spec.images["/local"] for name, host in world.hosts.items()}
    assert free == {"a": 2 * 1024, "b": 1024}
    assert "no room" in executor.look_again(other)


def test_a_cold_move_takes_its_guest_down_and_no_byte() -> None:
    """It runs where it was until it runs there; if its target dies meanwhile it never left."""
    world = world_of(TWO)
    (action,) = plan_of(world, "x a b").actions
    cold = replace(action, cold=True)
    execution = SimulatedExecutor(world).start(cold)
    world.advance(world.now + 30)
    assert execution.outcome() is None
    assert world.placement[uuid_of("x")] == "a"
    world.advance(world.now + 30)
    outcome = execution.outcome()
    assert outcome is not None
    assert (outcome.result, outcome.mib, outcome.passed) == (Result.DONE, 0, None)
    assert outcome.downtime_ms == 38_000
    back = SimulatedExecutor(world).start(replace(cold, source="b", target="a"))
    world.advance(world.now + 5)
    world.die("a")
    ended = back.outcome()
    assert ended is not None
    assert (ended.result, world.placement[uuid_of("x")]) == (Result.FAILED, "b")
