"""Moves in a replay: what was done then ends as it ended then; what is new follows the physics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.planner.model.plan import Action, Outcome, Result
from balancer.planner.model.resize import Resize, Resized
from balancer.ports import Begun, Execution, Progress
from balancer.simulator.executor import SimulatedExecutor
from balancer.simulator.replaying.track import Record
from balancer.simulator.world import World

NEAR = 900.0
"""Seconds between a move then and in the replay within which it is the same move."""


class ReplayedExecutor:
    """Implements the port Executor."""

    def __init__(self, world: World, record: Record | None) -> None:
        self._world = world
        self._record = record
        self._simulated = SimulatedExecutor(world)

    def look_again(self, action: Action) -> str:
        """Return why `action` must not start: as it was then, or as the world has it."""
        if self._record and (then := _then(self._record.barred, action, self._world.now)):
            return then.reason
        if self._record and _then(self._record.outcomes, action, self._world.now):
            return ""
        return self._simulated.look_again(action)

    def start(self, action: Action) -> Execution:
        """Begin `action` and return at once."""
        then = _then(self._record.outcomes, action, self._world.now) if self._record else None
        if then is None:
            return self._simulated.start(action)
        return _Repeated(self._world, action, then)

    def follow(self, begun: Begun) -> Execution:
        """Watch what another planner began."""
        return self._simulated.follow(begun)

    def resize(self, resize: Resize) -> str:
        """Change one setting of a guest."""
        return self._simulated.resize(resize)

    def watch(self, taken: Sequence[Resize]) -> None:
        """Hand on."""
        self._simulated.watch(taken)

    def given_back(self) -> tuple[Resized, ...]:
        """Hand on."""
        return self._simulated.given_back()

    def shut_down(self, guest: str, host: str) -> str:
        """Nobody is shut down in a replay."""
        del guest, host
        return "guests are not shut down in a replay"


def _then(
    outcomes: Mapping[tuple[str, str, str], tuple[Outcome, ...]], action: Action, now: float
) -> Outcome | None:
    known = outcomes.get((action.guest, action.source, action.target), ())
    near = [o for o in known if abs(o.started - now) <= NEAR]
    return min(near, key=lambda o: abs(o.started - now)) if near else None


@dataclass
class _Repeated:
    """Implements the port Execution: one move as it went when it happened."""

    world: World
    action: Action
    then: Outcome

    def progress(self) -> Progress:
        """Return how far it is, by time alone."""
        gone = self.world.now - self.then.started
        share = min(1.0, max(0.0, gone / max(1.0, self.then.ended - self.then.started)))
        sent = round(share * self.then.mib)
        return Progress(self.action.id, share, sent, self.then.mib - sent, max(0.0, gone))

    def outcome(self) -> Outcome | None:
        """Return how it ended then, once that time has come."""
        if self.world.now < self.then.ended:
            return None
        if self.then.result is Result.DONE:
            self.world.put(self.action.guest, self.action.target)
        return replace(self.then, action=self.action)

    def hasten(self, rate_kib_s: int) -> None:
        """It went as fast as it went."""

    def room(self, rate_kib_s: int) -> None:
        """It went at the rate it went."""

    def abort(self, reason: str) -> None:
        """It ended as it ended."""
