"""Moves guests in the simulated world, and notices what goes wrong there."""

from typing import Final

from balancer.planner.model.plan import Action, Outcome, Passed, Result
from balancer.ports import ABANDONED, Begun, Progress
from balancer.simulator.physics import HANDOVER, SETUP
from balancer.simulator.world import Move, World

STALLED_AFTER: Final = 60.0
"""Seconds without a byte after which a transfer is given up."""
PATIENCE: Final = 4.0
"""A move may take this many times its predicted p90, and LEAST_LIMIT seconds in any case."""
LEAST_LIMIT: Final = 60.0


class SimulatedExecutor:
    """Implements the port Executor."""

    def __init__(self, world: World, stalled_after: float = STALLED_AFTER) -> None:
        self._world = world
        self._stalled_after = stalled_after

    def look_again(self, action: Action) -> str:
        """Return why `action` must not start at this moment, or an empty string."""
        where = self._world.placement.get(action.guest)
        if where is None:
            return f"{action.name} runs no more"
        if where != action.source:
            return f"{action.name} runs on {where} now, not on {action.source}"
        return self._world.objection(action.guest, action.target)

    def start(self, action: Action) -> "SimulatedExecution":
        """Begin `action` and return at once."""
        move = self._world.begin(
            action.guest, action.target, action.rate_kib_s / 1024, action.downtime_ms / 1000
        )
        return SimulatedExecution(self._world, action, move, self._stalled_after)

    def follow(self, begun: Begun) -> "SimulatedExecution":
        """Watch the move that the world knows of, or one that is over already."""
        action, world = begun.action, self._world
        found = [m for m in world.moves if (m.guest, m.target) == (action.guest, action.target)]
        move = found[0] if found else world.ended_long_ago(action.guest, action.target, begun.at)
        return SimulatedExecution(world, action, move, self._stalled_after)


class SimulatedExecution:
    """Implements the port Execution: one move, watched for stalls and for its time limit."""

    def __init__(self, world: World, action: Action, move: Move, stalled_after: float) -> None:
        self._world = world
        self._action = action
        self._move = move
        self._stalled_after = stalled_after
        self._limit = max(LEAST_LIMIT, PATIENCE * action.predicted.seconds_p90)
        self._last_byte = (0.0, move.started)
        self._stopped: tuple[Result, str] | None = None

    @property
    def action(self) -> Action:
        """What is being done."""
        return self._action

    def progress(self) -> Progress:
        """Return how far it is."""
        transfer = self._move.transfer
        total = transfer.sent_mib + transfer.left_mib
        quiet = self._quiet()
        return Progress(
            action=self._action.id,
            fraction=transfer.sent_mib / total if total else 0.0,
            mib_sent=round(transfer.sent_mib),
            mib_left=round(transfer.left_mib),
            seconds=self._world.now - self._move.started,
            note=f"no data for {quiet:.0f} s" if quiet >= self._stalled_after / 4 else "",
        )

    def outcome(self) -> Outcome | None:
        """Return how it ended, as the world has it, or None while it runs."""
        if self._move.under_way:
            self._watch()
        if self._move.ended is None:
            return None
        result, reason = self._verdict()
        transfer = self._move.transfer
        return Outcome(
            action=self._action,
            result=result,
            started=self._move.started,
            ended=self._move.ended,
            reason=reason,
            mib=round(transfer.sent_mib),
            downtime_ms=round(1000 * transfer.paused) if result is Result.DONE else None,
            passed=self._passed() if result is Result.DONE else None,
        )

    def _passed(self) -> Passed | None:
        move, transfer = self._move, self._move.transfer
        seconds = (move.ended or move.started) - move.started - SETUP - HANDOVER
        if seconds <= 0 or transfer.sent_mib <= 0:
            return None
        return Passed(
            seconds=seconds,
            sent_mib=transfer.sent_mib,
            first_mib=min(transfer.memory_mib, transfer.sent_mib),
            rounds=max(1, transfer.rounds),
            downtime_ms=round(1000 * transfer.paused),
        )

    def abort(self, reason: str) -> None:
        """Stop it; the guest stays where it was. Harmless once it has ended."""
        self._give_up(Result.ABORTED, reason)

    def _watch(self) -> None:
        quiet = self._quiet()
        took = self._world.now - self._move.started
        if quiet >= self._stalled_after:
            self._give_up(Result.STALLED, f"no data for {quiet:.0f} s: aborted")
        elif took >= self._limit:
            self._give_up(Result.ABORTED, f"not done in {took:.0f} s: does not converge, aborted")

    def _give_up(self, result: Result, reason: str) -> None:
        if self._move.under_way:
            self._stopped = (result, reason)
            self._world.stop(self._move, reason)

    def _quiet(self) -> float:
        """Return the seconds since the last byte was seen to pass."""
        sent = self._move.transfer.sent_mib
        if sent > self._last_byte[0]:
            self._last_byte = (sent, self._world.now)
        return self._world.now - self._last_byte[1]

    def _verdict(self) -> tuple[Result, str]:
        gone = {**self._world.lost, **self._world.stopped}
        if self._action.guest in gone:
            return Result.LOST, gone[self._action.guest]
        if self._stopped:
            return self._stopped
        if self._move.fault == ABANDONED:
            return Result.ABORTED, ABANDONED
        if self._move.fault:
            return Result.FAILED, self._move.fault
        return Result.DONE, ""
