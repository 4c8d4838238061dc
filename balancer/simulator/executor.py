"""Moves guests in the simulated world, and notices what goes wrong there."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from balancer.planner import ladder
from balancer.planner.ladder import Patience
from balancer.planner.model.plan import Action, Outcome, Passed, Result, Rung, RungKind
from balancer.planner.model.resize import Resize, Resized, What
from balancer.ports import ABANDONED, Begun, Passing, Progress
from balancer.simulator.physics import HANDOVER, SETUP
from balancer.simulator.world import Move, World

USUAL_PATIENCE = Patience()
BALLOON_MIB_S = 512.0
"""How fast a balloon takes memory and gives it back."""
WATCH = 5.0
"""Seconds between two looks at a guest from which memory was taken."""


class SimulatedExecutor:
    """Implements the port Executor."""

    def __init__(self, world: World, patience: Patience = USUAL_PATIENCE) -> None:
        self._world = world
        self._patience = patience
        self._taken: dict[str, Resize] = {}
        self._given: list[Resized] = []

    def look_again(self, action: Action) -> str:
        """Return why `action` must not start at this moment, or an empty string."""
        where = self._world.placement.get(action.guest)
        if where is None:
            return Passing(f"{action.name} runs no more")
        if where != action.source:
            return Passing(f"{action.name} runs on {where} now, not on {action.source}")
        return self._world.objection(action.guest, action.target, action.copies)

    def start(self, action: Action) -> "SimulatedExecution":
        """Begin `action` and return at once."""
        move = self._world.begin(
            action.guest,
            action.target,
            action.rate_kib_s / 1024,
            action.downtime_ms / 1000,
            slowed=action.auto_converge,
            copies=action.copies,
            cold=action.cold,
        )
        return SimulatedExecution(self._world, action, move, self._patience)

    def follow(self, begun: Begun) -> "SimulatedExecution":
        """Watch the move that the world knows of, or one that is over already."""
        action, world = begun.action, self._world
        found = [m for m in world.moves if (m.guest, m.target) == (action.guest, action.target)]
        move = found[0] if found else world.ended_long_ago(action.guest, action.target, begun.at)
        return SimulatedExecution(world, action, move, self._patience, followed=True)

    def resize(self, resize: Resize) -> str:
        """Change one setting of a guest; empty once it is as wanted."""
        if self._world.placement.get(resize.guest) != resize.host:
            return f"{resize.name} does not run on {resize.host}"
        if not resize.of_memory:
            return self._world.resize(resize.guest, resize.what, resize.after)
        self._world.advance(self._world.now + abs(resize.after - resize.before) / BALLOON_MIB_S)
        if resize.shrinks and (why := self._short(resize)):
            return f"{why}: put back to {resize.before} MiB"
        fault = self._world.resize(resize.guest, resize.what, resize.after)
        if resize.shrinks and not fault:
            self.watch((resize,))
        elif not fault:
            self._taken.pop(resize.guest, None)
        return fault

    def watch(self, taken: Sequence[Resize]) -> None:
        """Look at these guests now and then: under pressure they get back what was taken."""
        for one in taken:
            if one.guest not in self._taken:
                self._taken[one.guest] = one
                self._world.plan_to(self._world.now + WATCH, partial(self._look, one))

    def given_back(self) -> tuple[Resized, ...]:
        """Return what was given back since last asked."""
        given, self._given = tuple(self._given), []
        return given

    def _short(self, taken: Resize) -> str:
        """Return that a guest has not left what it is to keep; empty where it has."""
        guest = self._world.guests.get(taken.guest)
        knobs = guest.spec.knobs if guest is not None else None
        if guest is None or knobs is None:
            return ""
        stands = knobs.plugged if taken.what is What.PLUGGED else knobs.balloon
        left = guest.may_fill_mib - stands + taken.after - guest.works_mib
        return "" if left >= taken.keep / 2 else f"the guest has {left} MiB unused"

    def _look(self, taken: Resize, world: World) -> None:
        if self._taken.get(taken.guest) != taken or taken.guest not in world.guests:
            return
        why = self._short(taken)
        if not why:
            world.plan_to(world.now + WATCH, partial(self._look, taken))
            return
        world.resize(taken.guest, taken.what, taken.before)
        del self._taken[taken.guest]
        back = replace(taken, before=taken.after, after=taken.before, waits_for=(), reason=why)
        self._given.append(
            Resized(resize=back, result=Result.DONE, started=world.now, ended=world.now,
                    reason=f"given back: {why}")
        )  # fmt: skip

    def shut_down(self, guest: str, host: str) -> str:
        """Have a guest end, if it runs there."""
        if self._world.placement.get(guest) != host:
            return f"it does not run on {host}"
        self._world.shut_down(guest)
        return ""


class SimulatedExecution:
    """Implements the port Execution: one move, watched and led up the ladder."""

    def __init__(
        self,
        world: World,
        action: Action,
        move: Move,
        patience: Patience,
        *,
        followed: bool = False,
    ) -> None:
        self._world = world
        self._action = action
        self._move = move
        self._began = move.started
        self._patience = patience
        anew = (RungKind.AUTO_CONVERGE,) if followed else ()
        self._climb = ladder.set_out(action, patience, world.now - move.started, anew)
        self._room = action.rate_kib_s
        self._hastened = False
        self._before = 0.0
        """MiB sent by moves that were ended so as to begin anew."""
        self._diverged = False
        self._torn = False
        self._stopped: tuple[Result, str] | None = None

    @property
    def action(self) -> Action:
        """What is being done."""
        return self._action

    def progress(self) -> Progress:
        """Return how far it is."""
        transfer = self._move.transfer
        total = transfer.sent_mib + transfer.left_mib
        quiet = self._elapsed() - self._climb.moved_on
        return Progress(
            action=self._action.id,
            fraction=transfer.sent_mib / total if total else 0.0,
            mib_sent=round(transfer.sent_mib),
            mib_left=round(transfer.left_mib),
            seconds=self._elapsed(),
            note=f"no data for {quiet:.0f} s" if quiet >= self._patience.stalled_after / 4 else "",
            steps=self._climb.steps,
            wants_kib_s=self._climb.wants_kib_s,
        )

    def outcome(self) -> Outcome | None:
        """Return how it ended, as the world has it, or None while it runs."""
        if self._move.under_way and not self._torn and not self._action.cold:
            self._watch()
        if self._move.ended is None and not self._torn:
            return None
        result, reason = self._verdict()
        transfer = self._move.transfer
        return Outcome(
            action=self._action,
            result=result,
            started=self._began,
            ended=self._world.now if self._move.ended is None else self._move.ended,
            reason=reason,
            mib=round(self._before + transfer.sent_mib),
            downtime_ms=round(1000 * transfer.paused) if result is Result.DONE else None,
            passed=self._passed() if result is Result.DONE else None,
            steps=self._climb.steps,
            diverged=self._diverged and result is Result.ABORTED,
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
            teaches=not (self._climb.steps or self._action.auto_converge or self._hastened),
            disk_mib=min(transfer.disk_mib, transfer.sent_mib),
        )

    def room(self, rate_kib_s: int) -> None:
        """Let it go at up to this rate, KiB/s, where it needs that."""
        self._room = rate_kib_s

    def hasten(self, rate_kib_s: int) -> None:
        """Let it go at this rate from now on."""
        self._room = max(self._room, rate_kib_s)
        self._hastened = True
        self._climb = ladder.given(self._climb, rate_kib_s)
        self._move.at_most = rate_kib_s / 1024

    def abort(self, reason: str) -> None:
        """Stop it; the guest stays where it was. Harmless once it has ended."""
        self._give_up(Result.ABORTED, reason)

    def _elapsed(self) -> float:
        return self._world.now - self._began

    def _watch(self) -> None:
        """Ask the ladder what to do now, and do it."""
        transfer = self._move.transfer
        seen = ladder.Reading(
            at=self._elapsed(),
            sent=self._before + transfer.sent_mib,
            rounds=transfer.rounds + 1,
            rate=self._world.rate(self._move),
            dirty=transfer.dirtied_mib_s,
            room_kib_s=self._room,
            switched=self._move.switched,
        )
        self._climb, decision = ladder.watch(self._climb, seen)
        match decision:
            case ladder.Raise(rung):
                self._raise(rung)
            case ladder.GiveUp(result, reason, diverged):
                self._diverged = diverged
                self._give_up(result, reason)
            case ladder.Torn():
                self._torn = True
            case None:
                pass

    def _raise(self, rung: Rung) -> None:
        """Take one step up; what the world does not allow is noted."""
        at, rate = self._elapsed(), min(rung.rate_kib_s, self._room)
        if why := self._step(rung, rate):
            self._climb = ladder.refused(self._climb, rung, at, why)
        else:
            self._climb = ladder.taken(self._climb, rung, at, rate)

    def _step(self, rung: Rung, rate: int) -> str:
        match rung.kind:
            case RungKind.BANDWIDTH:
                self._move.at_most = rate / 1024
            case RungKind.DOWNTIME:
                self._move.transfer.pause_allowed = rung.downtime_ms / 1000
            case RungKind.AUTO_CONVERGE:
                self._begin_anew()
            case RungKind.POST_COPY:
                return "" if self._world.switch(self._move) else "its memory is not being copied"
        return ""

    def _begin_anew(self) -> None:
        """End the move and begin it again, slowed."""
        old = self._move
        self._before += old.transfer.sent_mib
        self._world.stop(old, "begun anew")
        pause = old.transfer.pause_allowed
        self._move = self._world.begin(
            old.guest, old.target, old.at_most, pause, slowed=True, copies=self._action.copies
        )

    def _give_up(self, result: Result, reason: str) -> None:
        if self._move.under_way and not self._move.switched:
            self._stopped = (result, reason)
            self._world.stop(self._move, reason)

    def _verdict(self) -> tuple[Result, str]:
        gone = {**self._world.lost, **self._world.stopped}
        if self._action.guest in gone:
            return Result.LOST, gone[self._action.guest]
        if self._torn:
            return (
                Result.LOST,
                "post-copy stands still: touch neither copy until the link is mended",
            )
        if self._stopped:
            return self._stopped
        if self._move.fault == ABANDONED:
            return Result.ABORTED, ABANDONED
        if self._move.fault:
            return Result.FAILED, self._move.fault
        return Result.DONE, ""
