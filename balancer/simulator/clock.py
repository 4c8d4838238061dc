"""Virtual time: sleeping lets the simulated world move on, at once."""

from collections.abc import Callable

from balancer.simulator.world import World


class VirtualClock:
    """Implements the port Clock. `pace` is told of each stretch slept, for those who watch."""

    def __init__(self, world: World, pace: Callable[[float], None]) -> None:
        self._world = world
        self._pace = pace

    def now(self) -> float:
        """Return the world's time, seconds since the epoch."""
        return self._world.now

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass in the world; a negative number passes at once."""
        passing = max(0.0, seconds)
        self._world.advance(self._world.now + passing)
        self._pace(passing)
