"""How far up the ladder a migration is expected to have to go, and what that takes.

Plain pre-copy, more bandwidth, a longer downtime, auto-converge, post-copy: the mildest that is
expected to do is where a migration begins, what comes after it may be tried while it runs. The
last two only where the policy consents for that guest.

Auto-converge takes a share of the guest's processors: 20 % at first, 10 % more in every round in
which it still does not converge, 99 % at most (QEMU's own steps); what it dirties falls with it.
Post-copy sends each page once more at most: what was dirtied while the first pass and one more
round were sent follows the guest.
"""

from dataclasses import dataclass
from math import ceil, log2
from typing import Final

from balancer.planner.model.plan import Prediction, Rung, RungKind
from balancer.planner.order.cost import (
    CATCH_UP,
    KIB,
    P90_RATIO,
    SETUP_SECONDS,
    WillNotConverge,
    predict,
)

FIRST_PAUSE: Final = 300
"""Milliseconds: the pause to begin with (QEMU's own default), where the guest may pause longer."""
MOST_PAUSES: Final = 3
"""Steps from the first pause to the longest."""
THROTTLE_FIRST: Final = 0.2
THROTTLE_STEP: Final = 0.1
THROTTLE_MOST: Final = 0.99
RISKS: Final = {
    RungKind.BANDWIDTH: "",
    RungKind.DOWNTIME: "",
    RungKind.AUTO_CONVERGE: "slows the guest down, to a hundredth of its speed at worst",
    RungKind.POST_COPY: "if the link or a host fails before all memory has followed, the guest is lost",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What is allowed for one guest on one way."""

    top_kib_s: int
    """The highest rate its links allow, KiB/s."""
    effective: float
    """Effective rate as a share of the rate allowed."""
    pause_at_most: int
    """Milliseconds."""
    auto_converge: bool = False
    post_copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """How a migration begins, and what is expected of it."""

    predicted: Prediction
    downtime_ms: int
    auto_converge: bool = False
    post_copy: bool = False
    """True if it is expected to take that."""
    cold: str = ""
    """Why it has to be cold; empty where it is live."""


def pauses(most: int) -> tuple[int, ...]:
    """Return the pauses to go through, shortest first, up to `most`; milliseconds, each positive."""
    first = max(1, min(FIRST_PAUSE, most))
    if most <= first:
        return (first,)
    steps = min(MOST_PAUSES, ceil(log2(most / first)))
    return tuple(round(first * (most / first) ** (k / steps)) for k in range(steps + 1))


def stance(
    volume: int, dirty: float, hot: int, rate_kib_s: int, means: Means
) -> Stance | WillNotConverge:
    """Return how to begin at `rate_kib_s`: the mildest way that is expected to do.

    `volume` MiB are sent, `hot` MiB of them dirtied over and over at `dirty` MiB/s. Below the
    links' top rate only mild ways are looked at where one of them would do at the top rate: more
    bandwidth comes first.
    """
    found = _mild(volume, dirty, hot, effective(rate_kib_s, means), means)
    if isinstance(found, Stance):
        return found
    top = effective(max(means.top_kib_s, rate_kib_s), means)
    if isinstance(_mild(volume, dirty, hot, top, means), Stance):
        return found
    rate, longest = effective(rate_kib_s, means), pauses(means.pause_at_most)[-1]
    if means.auto_converge and (slowed := _slowed(volume, dirty, hot, rate, longest)):
        return Stance(predicted=slowed, downtime_ms=longest, auto_converge=True)
    if means.post_copy:
        sent = _followed(volume, dirty, hot, rate, longest)
        return Stance(predicted=sent, downtime_ms=longest, post_copy=True)
    return WillNotConverge(f"{found.sentence}; {remedy(means)}")


def remedy(means: Means) -> str:
    """Return what would let such a guest move all the same."""
    barred = [
        name
        for name, allowed in (
            ("auto_converge", means.auto_converge),
            ("post_copy", means.post_copy),
        )
        if not allowed
    ]
    allow = f"allow it {' or '.join(barred)} ([allow]), or " if barred else ""
    return f"{allow}a longer pause_at_most, or move it at a quieter hour"


def ladder(begun: Stance, rate_kib_s: int, means: Means) -> tuple[Rung, ...]:
    """Return what may be tried while it runs, in this order."""
    found = []
    if means.top_kib_s > rate_kib_s:
        found.append(_rung(RungKind.BANDWIDTH, rate_kib_s=means.top_kib_s))
    longer = (pause for pause in pauses(means.pause_at_most) if pause > begun.downtime_ms)
    found += [_rung(RungKind.DOWNTIME, downtime_ms=pause) for pause in longer]
    if means.auto_converge and not begun.auto_converge:
        found.append(_rung(RungKind.AUTO_CONVERGE))
    if means.post_copy:
        found.append(_rung(RungKind.POST_COPY))
    return tuple(found)


def _rung(kind: RungKind, *, rate_kib_s: int = 0, downtime_ms: int = 0) -> Rung:
    return Rung(kind=kind, rate_kib_s=rate_kib_s, downtime_ms=downtime_ms, risk=RISKS[kind])


def effective(rate_kib_s: int, means: Means) -> int:
    """Return what of an allowed rate is expected to be reached, KiB/s; at least 1."""
    return max(1, int(rate_kib_s * means.effective))


def _mild(
    volume: int, dirty: float, hot: int, rate_kib_s: int, means: Means
) -> Stance | WillNotConverge:
    """Return the shortest pause that plain pre-copy is expected to end with."""
    *shorter, longest = pauses(means.pause_at_most)
    for pause in shorter:
        answer = predict(volume, dirty, hot, rate_kib_s, pause)
        if isinstance(answer, Prediction):
            return Stance(predicted=answer, downtime_ms=pause)
    answer = predict(volume, dirty, hot, rate_kib_s, longest)
    if isinstance(answer, Prediction):
        return Stance(predicted=answer, downtime_ms=longest)
    return answer


def _slowed(
    volume: int, dirty: float, hot: int, rate_kib_s: int, pause_ms: int
) -> Prediction | None:
    """Return what auto-converge is expected to take; None where even that does not do."""
    rate = rate_kib_s / KIB
    if dirty * (1 - THROTTLE_MOST) > CATCH_UP * rate:
        return None
    rounds, throttle = [float(volume)], 0.0
    while rounds[-1] > rate * pause_ms / 1000:
        left = min(hot, dirty * (1 - throttle) * rounds[-1] / rate)
        if left > CATCH_UP * rounds[-1]:
            throttle = min(THROTTLE_MOST, throttle + THROTTLE_STEP if throttle else THROTTLE_FIRST)
        rounds.append(left)
    return _prediction(rounds, rate, pause_ms)


def _followed(volume: int, dirty: float, hot: int, rate_kib_s: int, pause_ms: int) -> Prediction:
    """Return what post-copy is expected to take: two rounds before it, what is left after it."""
    rate = rate_kib_s / KIB
    second = min(hot, dirty * volume / rate)
    third = min(hot, dirty * second / rate)
    return _prediction([float(volume), second, third], rate, pause_ms)


def _prediction(rounds: list[float], rate: float, pause_ms: int) -> Prediction:
    seconds = SETUP_SECONDS + sum(rounds) / rate
    return Prediction(
        seconds=round(seconds, 3),
        seconds_p90=round(P90_RATIO * seconds, 3),
        mib=ceil(sum(rounds)),
        downtime_ms=min(pause_ms, ceil(1000 * rounds[-1] / rate)),
        rounds=len(rounds),
    )
