"""Which rung comes next while a migration runs: an immutable state machine without clock or world.

It is fed with readings, looks at a migration in order of time, and answers with what to do, if
anything. Whoever carries migrations out asks it, on real hypervisors and in simulations.

A step up is due when its share of the time limit is over, or earlier when in two rounds in a row
memory was dirtied (nearly) as fast as it was sent. What costs the guest something waits until all
of its memory was sent once: a slow link is no reason for it. More bandwidth needs room on the links, which
others know of: it is wished for, and after a moment without it the next rung is taken; it comes
when room is given. The time limit scales with the prediction. A transfer from which no byte
passes is a stall, whatever rung it is on: nothing is raised then, and it is given up. After a
switch to post-copy nothing is given up any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.model.plan import Action, Result, Rung, RungKind

CATCH_UP: Final = 0.7
"""Memory dirtied faster than this share of the rate is not expected to be caught up with."""
ROUNDS: Final = 2
"""Rounds in a row in which that must be seen."""
FIRST_ROUNDS: Final = 1
"""Rounds that say nothing: the first sends everything."""
GRACE: Final = 3.0
"""Seconds to wait for room on the links."""
QUIET: Final = 0.25
"""Without a byte for this share of the time to a stall, nothing is raised."""
HOPELESS: Final = 8
"""Rounds in a row after which waiting for the time limit only fills the link."""
WORTH: Final = 1.1
"""More bandwidth must be so many times what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a migration may take; seconds, but for `factor`."""

    stalled_after: float = 60.0
    """Without a byte passing, it is given up."""
    factor: float = 4.0
    """It may take so many times its predicted p90."""
    least: float = 60.0
    """It may take this long in any case."""

    def limit(self, action: Action) -> float:
        """Return how long `action` may take."""
        return max(self.least, self.factor * action.predicted.seconds_p90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at a migration that runs."""

    at: float
    """Seconds since it began."""
    sent: float
    """Bytes, or any other measure of what has passed in all."""
    rounds: int = 0
    """Passes over memory begun; 0 where that is not known."""
    rate: float = 0.0
    """MiB/s sent."""
    dirty: float = 0.0
    """MiB/s dirtied, each page counted once a round."""
    room_kib_s: int = 0
    """The rate that links allow it at this moment, KiB/s."""
    switched: bool = False
    """Its guest goes on at the target already."""


@dataclass(frozen=True, slots=True)
class Raise:
    """Take this rung, and tell by `taken` or `refused` how that went."""

    rung: Rung


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Abort it."""

    result: Result
    reason: str
    diverged: bool = False


@dataclass(frozen=True, slots=True)
class Torn:
    """Post-copy stands still: leave both copies alone and tell the operator."""


Decision = Raise | GiveUp | Torn


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """How far up one migration is. Made by `set_out`, `watch`, `taken` and `refused` alone."""

    action: Action
    patience: Patience
    rungs: tuple[Rung, ...]
    """Not taken yet."""
    steps: tuple[str, ...] = ()
    """What was tried, one phrase each."""
    rate_kib_s: int
    began: float = 0.0
    """When the time limit began to run."""
    due: float = 0.0
    """When the next step is due, whatever is seen."""
    sent: float = 0.0
    moved_on: float = 0.0
    """When the last byte passed."""
    rounds: int = 0
    losing: int = 0
    """Rounds in a row in which it did not catch up."""
    asked: float | None = None
    """Since when it wishes for more bandwidth."""
    switched: bool = False

    @property
    def deadline(self) -> float:
        """When it is given up, seconds since it began."""
        return self.began + self.patience.limit(self.action)

    @property
    def wants_kib_s(self) -> int:
        """The rate it wishes for, KiB/s; 0 where it wishes for nothing."""
        wished = self.asked is not None and not self.switched
        return max((r.rate_kib_s for r in self.rungs if wished), default=0)


def set_out(
    action: Action, patience: Patience, at: float = 0.0, without: Sequence[RungKind] = ()
) -> Climb:
    """Return the state at the start, `at` seconds; rungs of the kinds `without` are left out."""
    rungs = tuple(rung for rung in action.rungs if rung.kind not in without)
    climb = Climb(
        action=action,
        patience=patience,
        rungs=rungs,
        rate_kib_s=action.rate_kib_s,
        began=at,
        moved_on=at,
    )
    return replace(climb, due=_next_due(climb, at))


def watch(climb: Climb, reading: Reading) -> tuple[Climb, Decision | None]:
    """Take in one reading; return what to do now, if anything."""
    climb = _seen(climb, reading)
    quiet, stalled = reading.at - climb.moved_on, climb.patience.stalled_after
    if climb.switched:
        return climb, Torn() if quiet >= stalled else None
    over = reading.at >= climb.deadline
    if quiet >= stalled or (over and quiet >= QUIET * stalled):
        return climb, GiveUp(Result.STALLED, f"no data for {quiet:.0f} s: aborted")
    over = over or (not climb.rungs and not _throttled(climb) and climb.losing >= HOPELESS)
    if over:
        return climb, GiveUp(
            Result.ABORTED, _too_long(climb, reading.at), diverged=_diverges(climb)
        )
    return (climb, None) if quiet >= QUIET * stalled else _risen(climb, reading)


def given(climb: Climb, rate_kib_s: int) -> Climb:
    """Return the state once it goes at `rate_kib_s`, though nothing had to be done about it."""
    return replace(climb, rate_kib_s=max(climb.rate_kib_s, rate_kib_s))


def taken(climb: Climb, rung: Rung, at: float, rate_kib_s: int = 0) -> Climb:
    """Return the state once `rung` was taken, for more bandwidth at `rate_kib_s`.

    A rung of bandwidth that links had no full room for remains to be taken.
    """
    rate = rate_kib_s or climb.rate_kib_s
    partly = rung.kind is RungKind.BANDWIDTH and rate < rung.rate_kib_s
    anew = rung.kind is RungKind.AUTO_CONVERGE
    climb = replace(
        climb,
        rungs=climb.rungs if partly else _less(climb.rungs, rung),
        steps=(*climb.steps, phrase(rung, rate)),
        rate_kib_s=rate,
        losing=0,
        rounds=0 if anew else climb.rounds,
        sent=0.0 if anew else climb.sent,
        began=at if anew else climb.began,
        moved_on=at if anew or rung.kind is RungKind.POST_COPY else climb.moved_on,
        asked=None,
        switched=rung.kind is RungKind.POST_COPY,
    )
    return replace(climb, due=_next_due(climb, at))


def refused(climb: Climb, rung: Rung, at: float, why: str) -> Climb:
    """Return the state where `rung` could not be taken; it is not tried again."""
    climb = replace(
        climb,
        rungs=_less(climb.rungs, rung),
        steps=(*climb.steps, f"{phrase(rung)} refused ({why})"),
        asked=None,
    )
    return replace(climb, due=_next_due(climb, at))


def phrase(rung: Rung, rate_kib_s: int = 0) -> str:
    """Return what taking `rung` means, for people."""
    match rung.kind:
        case RungKind.BANDWIDTH:
            return f"bandwidth up to {(rate_kib_s or rung.rate_kib_s) // 1024} MiB/s"
        case RungKind.DOWNTIME:
            return f"pause up to {rung.downtime_ms} ms"
        case RungKind.AUTO_CONVERGE:
            return "begun anew with auto-converge"
        case _:
            return "switched to post-copy"


def _seen(climb: Climb, reading: Reading) -> Climb:
    """Note what the reading says."""
    if reading.sent != climb.sent:
        climb = replace(climb, sent=reading.sent, moved_on=reading.at)
    if reading.switched and not climb.switched:
        climb = replace(climb, switched=True, moved_on=reading.at)
    if reading.rounds > climb.rounds:
        loses = reading.rate > 0 and reading.dirty >= CATCH_UP * reading.rate
        counts = reading.rounds > FIRST_ROUNDS
        climb = replace(
            climb, rounds=reading.rounds, losing=climb.losing + 1 if loses and counts else 0
        )
    return climb


def _risen(climb: Climb, reading: Reading) -> tuple[Climb, Decision | None]:
    """Return the next step up, if one is due and there is one."""
    more = next((r for r in climb.rungs if r.kind is RungKind.BANDWIDTH), None)
    room = more is not None and reading.room_kib_s >= WORTH * climb.rate_kib_s
    if more and room and climb.asked is not None:
        return climb, Raise(more)
    if reading.at < climb.due and climb.losing < ROUNDS:
        return climb, None
    if more and room:
        return climb, Raise(more)
    if more and climb.asked is None:
        climb = replace(climb, asked=reading.at)
    if more and climb.asked is not None and reading.at - climb.asked < GRACE:
        return climb, None
    first_pass = reading.rounds == FIRST_ROUNDS
    others = (r for r in climb.rungs if r is not more and not (r.risk and first_pass))
    rung = next(others, None)
    return climb, Raise(rung) if rung else None


def _next_due(climb: Climb, at: float) -> float:
    """Return when the next step is due: what time is left, shared among what is left to try."""
    return at + (climb.deadline - at) / (len(climb.rungs) + 1)


def _less(rungs: tuple[Rung, ...], rung: Rung) -> tuple[Rung, ...]:
    at = rungs.index(rung)
    return (*rungs[:at], *rungs[at + 1 :])


def _throttled(climb: Climb) -> bool:
    """True if its guest is slowed down: that takes its time, round by round."""
    return climb.action.auto_converge or climb.began > 0


def _diverges(climb: Climb) -> bool:
    """True if it was seen not to catch up, or takes far more rounds than were foreseen."""
    return climb.losing >= ROUNDS or climb.rounds > climb.action.predicted.rounds + ROUNDS


def _too_long(climb: Climb, at: float) -> str:
    worst = climb.action.predicted.seconds_p90
    tried = f", tried: {', '.join(climb.steps)}" if climb.steps else ""
    why = "does not converge, aborted" if _diverges(climb) else "aborted"
    took = at - climb.began
    return f"not done in {took:.0f} s ({worst:.0f} s predicted at worst{tried}): {why}"
