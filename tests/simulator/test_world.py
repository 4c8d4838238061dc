"""The simulated world keeps its laws: one guest, one host, and time that jumps but loses nothing."""

from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.simulator.physics import HANDOVER, SETUP
from balancer.simulator.world import DEFAULT_LINK_KIB_S, Move, SimulatedHost, World
from tests.drawing import draw, uuid_of
from tests.worlds import world_of

TWO = """
    a 16c/64g link=100 : web-1 2v/4g | web-2 2v/4g | db-1 4v/32g dirty=20
    b 16c/64g link=100 : web-3 2v/4g
    c 16c/16g link=100 :
"""
WIRE = 95.0
"""MiB/s that a link of 100 carries."""


def begin(world: World, name: str, target: str, at_most: float = 1e6) -> Move:
    """Start a move."""
    return world.begin(uuid_of(name), target, at_most, 0.3)


def test_a_guest_changes_host_at_the_instant_it_arrives() -> None:
    """Until then it runs on its source; the moment is memory over rate."""
    world = world_of(TWO)
    start = world.now
    move = begin(world, "web-1", "b")
    takes = SETUP + 4096 / WIRE + HANDOVER
    world.advance(start + takes - 0.01)
    assert (move.ended, world.placement[uuid_of("web-1")]) == (None, "a")
    world.advance(start + takes + 0.01)
    assert world.placement[uuid_of("web-1")] == "b"
    assert move.ended == pytest.approx(start + takes)
    assert world.moves == []


def test_moves_that_share_a_link_take_turns_in_it() -> None:
    """Two out of one host get half each, and the second speeds up once the first is done."""
    world = world_of(TWO)
    start = world.now
    first, second = begin(world, "web-1", "b"), begin(world, "web-2", "c")
    world.advance(start + 1)
    assert world.rate(first) == world.rate(second) == pytest.approx(WIRE / 2)
    third = begin(world, "web-3", "a")
    world.advance(start + 2)
    assert world.rate(third) == pytest.approx(WIRE)
    world.advance(start + 200)
    assert world.rate(first) == 0
    assert first.ended == second.ended == pytest.approx(start + SETUP + 8192 / WIRE + HANDOVER)


def test_a_move_keeps_to_its_allowed_rate() -> None:
    """A stream held to 10 MiB/s leaves the rest to others."""
    world = world_of(TWO)
    slow, fast = begin(world, "web-1", "b", at_most=10), begin(world, "web-2", "b")
    world.advance(world.now + 1)
    assert world.rate(slow) == pytest.approx(10)
    assert world.rate(fast) == pytest.approx(WIRE - 10)


@pytest.mark.parametrize(
    ("name", "target", "fault"),
    [
        ("web-9", "b", "Domain not found"),
        ("web-1", "x", "unable to connect to x"),
        ("web-1", "a", "web-1 runs on a already"),
        ("db-1", "c", "c has 16384 MiB of memory left, db-1 uses 32768"),
    ],
)
def test_what_hypervisors_would_refuse_does_not_begin(name: str, target: str, fault: str) -> None:
    """The move ends at once with the reason, and nothing has changed."""
    world = world_of(TWO)
    move = begin(world, name, target)
    assert (move.fault, move.ended, world.moves) == (fault, world.now, [])


def test_a_second_job_for_a_guest_is_refused() -> None:
    """The first goes on unaffected."""
    world = world_of(TWO)
    first = begin(world, "web-1", "b")
    second = begin(world, "web-1", "c")
    assert second.fault == "another migration job is already running for web-1"
    assert first.under_way


def test_guests_on_their_way_take_room_already() -> None:
    """Two of 32 GiB do not both fit into 48."""
    world = world_of("a 16c/64g : x 2v/32g | y 2v/32g\nb 16c/48g :")
    assert begin(world, "x", "b").under_way
    assert "b has 16384 MiB of memory left" in begin(world, "y", "b").fault


def test_a_dead_host_takes_its_guests_and_breaks_its_moves() -> None:
    """Guests that were coming stay where they were; its own fall, those just leaving too."""
    world = world_of(TWO)
    coming, leaving = begin(world, "web-1", "b"), begin(world, "web-3", "a")
    world.advance(world.now + 1)
    world.die("b")
    assert coming.fault == leaving.fault == "lost the connection to b"
    assert world.placement[uuid_of("web-1")] == "a"
    assert world.lost == {uuid_of("web-3"): "web-3 fell with b"}
    assert begin(world, "web-2", "b").fault == "unable to connect to b"
    world.revive("b")
    assert uuid_of("web-3") not in world.placement
    assert begin(world, "web-2", "b").under_way


def test_a_cut_link_freezes_and_heals() -> None:
    """No byte passes meanwhile; afterwards it goes on where it was."""
    world = world_of(TWO)
    start = world.now
    move = begin(world, "web-1", "b")
    world.plan_to(start + 10, lambda w: w.set_link("b", 0.0))
    world.plan_to(start + 110, lambda w: w.set_link("b", 1.0))
    world.advance(start + 10)
    sent = move.transfer.sent_mib
    world.advance(start + 100)
    assert move.transfer.sent_mib == sent > 0
    world.advance(start + 300)
    assert move.ended == pytest.approx(start + 100 + SETUP + 4096 / WIRE + HANDOVER)


def test_a_doomed_move_breaks_after_its_time_once() -> None:
    """The next attempt works."""
    world = world_of(TWO)
    world.dooms[uuid_of("web-1")] = (7.0, "broken pipe")
    move = begin(world, "web-1", "b")
    world.advance(world.now + 60)
    assert (move.fault, world.placement[uuid_of("web-1")]) == ("broken pipe", "a")
    assert move.ended == pytest.approx(move.started + 7)
    assert begin(world, "web-1", "b").doomed is None


def test_a_guest_that_is_shut_down_takes_its_move_with_it() -> None:
    """It is no loss: its owner wanted it. Twice is once."""
    world = world_of(TWO)
    move = begin(world, "web-1", "b")
    world.shut_down(uuid_of("web-1"))
    world.shut_down(uuid_of("web-1"))
    assert "Domain not found" in move.fault
    assert world.stopped == {uuid_of("web-1"): "web-1 was shut down by its owner"}
    assert world.lost == {}


def test_somebody_else_can_move_a_guest() -> None:
    """A planned move of it breaks off; a dead host or a gone guest cannot take part."""
    world = world_of(TWO)
    move = begin(world, "web-1", "b")
    world.put(uuid_of("web-1"), "c")
    assert move.fault == "another migration job took over"
    assert world.placement[uuid_of("web-1")] == "c"
    world.die("b")
    world.put(uuid_of("web-1"), "b")
    world.put("nobody", "a")
    assert world.placement[uuid_of("web-1")] == "c"
    assert "nobody" not in world.placement


def test_things_of_one_moment_happen_in_the_order_given() -> None:
    """And those of the present happen before time passes."""
    world, told = world_of(TWO), list[str]()
    world.plan_to(world.now + 5, lambda _: told.append("second"))
    world.plan_to(world.now + 5, lambda _: told.append("third"))
    world.plan_to(world.now, lambda _: told.append("first"))
    world.advance(world.now)
    assert told == ["first"]
    world.advance(world.now + 5)
    assert told == ["first", "second", "third"]


def test_time_never_runs_backwards() -> None:
    """Asking for the past changes nothing."""
    world = world_of(TWO)
    now = world.now
    world.advance(now - 100)
    assert world.now == now


def test_a_host_without_a_link_has_the_default() -> None:
    """10 Gbit/s."""
    (host,) = draw("a 16c/64g :").hosts
    assert SimulatedHost(host).link_mib_s == pytest.approx(DEFAULT_LINK_KIB_S / 1024 * 0.95)


@given(st.lists(st.floats(0.5, 60), min_size=1, max_size=10))
def test_slicing_time_changes_nothing(cuts: list[float]) -> None:
    """A world that is looked at often is the same world, to the microsecond."""
    ended = []
    for pieces in (cuts, [2000.0]):
        world = world_of(TWO)
        moves = [begin(world, "web-1", "b"), begin(world, "db-1", "b")]
        world.plan_to(world.now + 20, lambda w: w.set_link("b", 0.5))
        end = world.now + 1500
        for piece in cycle(pieces):
            world.advance(min(end, world.now + piece))
            if world.now >= end:
                break
        ended.append([move.ended for move in moves])
    assert None not in ended[0]
    assert ended[0] == pytest.approx(ended[1], rel=0, abs=1e-5)


def followed(world: World) -> Move:
    """Have x on its way to b with its memory following."""
    move = world.begin(uuid_of("x"), "b", 50.0, 0.3)
    world.advance(world.now + 5)
    assert world.switch(move)
    return move


def test_after_a_switch_to_post_copy_the_guest_is_at_the_target_and_holds_both() -> None:
    """Nobody can stop it or move it on; it ends by itself."""
    world = world_of("a 16c/64g : x 1v/4g\nb 16c/64g :")
    move = followed(world)
    assert world.placement[uuid_of("x")] == "b"
    assert world.free_mib("a") == world.free_mib("b") == 60 * 1024
    world.stop(move, "somebody wants to")
    world.put(uuid_of("x"), "a")
    assert move.under_way
    world.advance(world.now + 200)
    assert (move.ended is not None, move.fault, world.moves) == (True, "", [])
    assert not world.lost


@pytest.mark.parametrize("host", ["a", "b"])
def test_whichever_end_dies_in_post_copy_the_guest_is_lost(host: str) -> None:
    """Its memory is on both."""
    world = world_of("a 16c/64g : x 1v/4g\nb 16c/64g :")
    followed(world)
    world.die(host)
    assert set(world.lost) == {uuid_of("x")}
    assert not world.moves
