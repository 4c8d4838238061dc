"""Sleeping is what makes the simulated world move on."""

from balancer.simulator.clock import VirtualClock
from tests.worlds import world_of


def test_sleep_moves_the_world_on_and_tells_those_who_watch() -> None:
    """At once, however long; a negative sleep passes no time."""
    world, told = world_of("a 16c/64g :"), list[float]()
    clock = VirtualClock(world, told.append)
    before = clock.now()
    clock.sleep(86_400)
    clock.sleep(-5)
    assert clock.now() == world.now == before + 86_400
    assert told == [86_400, 0]
