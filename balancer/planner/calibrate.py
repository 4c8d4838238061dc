"""What one more finished migration teaches: rate, set-up, and how its guest uses memory.

Only plain pre-copy teaches: a guest that was slowed down, or followed by its memory, shows
neither its own pace nor the link's.
"""

from dataclasses import replace
from typing import Final

from balancer.planner.model.calibration import UNCALIBRATED, Calibration, Habit, Learned
from balancer.planner.model.duration import CATCH_UP, KIB, rounds
from balancer.planner.model.plan import Outcome, Passed, Result

KEPT: Final = 60
"""Errors that are kept."""
QUIET: Final = 0.02
"""Memory sent again, as a share of the first pass, below which a guest counts as quiet."""
ALIKE: Final = 0.03
"""How much worse an explanation may be and still count as as good."""
LEAST_RATIO: Final = 0.1
MOST_RATIO: Final = 100.0
"""What is believed of how much more CPU a guest uses on another architecture."""
USUAL_PAUSE: Final = 300
"""Milliseconds that a migration may pause: QEMU's own default."""
STEPS: Final = 18
"""Hot sets and rates that are tried, each."""
SLOWEST: Final = 0.05
FASTEST: Final = 1.2
"""What is believed of an effective rate, as a share of the rate allowed."""

QUICKEST_COPY: Final = 0.1
SLOWEST_COPY: Final = 10.0
"""What is believed of how many times as long as by the model copies of disks take."""
SHORTEST_COPY: Final = 5.0
"""Seconds: of shorter copies set-up and rounding are too large a part."""


def learned(before: Calibration, outcome: Outcome) -> Calibration:
    """Return what is known once `outcome` is: unchanged where it teaches nothing."""
    passed, action = outcome.passed, outcome.action
    if outcome.result is not Result.DONE or passed is None or not passed.teaches:
        return before
    if action.copies:
        return _copies(before, outcome, passed)
    ratio = passed.mib_s / (action.rate_kib_s / KIB) if action.rate_kib_s else 0.0
    beside = max(0.0, outcome.ended - outcome.started - passed.seconds)
    after = replace(
        before,
        setup=before.setup.after(beside),
        guests={**before.guests, action.guest: _habit(before, outcome, passed)},
        errors=_off(before, outcome),
    )
    if not SLOWEST <= ratio <= FASTEST:
        return after
    known = before.by_pair.get(action.source, {})
    pair = known.get(action.target, Learned(value=ratio)).after(ratio)
    return replace(
        after,
        everywhere=before.everywhere.after(ratio),
        by_pair={**before.by_pair, action.source: {**known, action.target: pair}},
    )


def _off(before: Calibration, outcome: Outcome) -> tuple[float, ...]:
    """Return how far off predictions were, this one's too."""
    took = outcome.ended - outcome.started
    return (*before.errors, took / max(0.1, outcome.action.predicted.seconds))[-KEPT:]


def _copies(before: Calibration, outcome: Outcome, passed: Passed) -> Calibration:
    """Return what is known of copies of disks: what is left of the time but for set-up and memory.

    Memory goes behind the mirror of the disks, so that of rates and of the guest's habits nothing
    is learned. Hypervisors do not say at the end how long the copy took.
    """
    action, after = outcome.action, replace(before, errors=_off(before, outcome))
    allowed, by_model = action.rate_kib_s / KIB, action.predicted.disk_seconds
    if allowed <= 0 or by_model < SHORTEST_COPY:
        return after
    pair = before.by_pair.get(action.source, {}).get(action.target, before.everywhere)
    memory = (passed.sent_mib - passed.disk_mib) / (allowed * pair.value)
    times = (outcome.ended - outcome.started - before.setup.value - memory) / by_model
    if not QUICKEST_COPY <= times <= SLOWEST_COPY:
        return after
    return replace(after, disks=before.disks.after(times))


def slower(before: Calibration, guest: str, host: str, ratio: float) -> Calibration:
    """Return what is known once a guest of one architecture showed what another's hosts make of it.

    `ratio`: its use of CPU where it is translated to the other, over that where it is to its own.
    """
    if not LEAST_RATIO <= ratio <= MOST_RATIO:
        return before
    known = before.slowdowns.get(guest, {})
    one = known.get(host, Learned(value=ratio)).after(ratio)
    return replace(before, slowdowns={**before.slowdowns, guest: {**known, host: one}})


def _habit(before: Calibration, outcome: Outcome, passed: Passed) -> Habit:
    known = before.guests.get(outcome.action.guest, Habit(volume=Learned(value=1.0)))
    first = min(passed.first_mib, passed.sent_mib)
    share = (
        first / outcome.action.predicted.in_use_mib if outcome.action.predicted.in_use_mib else 1
    )
    again = max(0.0, passed.sent_mib - first)
    dirty, hot = _fit(first, again, passed)
    return Habit(volume=known.volume.after(share), dirty_mib_s=dirty, hot_mib=hot)


def _fit(first: float, again: float, passed: Passed) -> tuple[float, float]:
    """Return the rate (MiB/s) and the hot set (MiB) that explain what was sent again best.

    Of many rates and sets, those whose rounds sum up to that, and end as dirty as was seen last;
    of those that explain it about as well, the slowest.
    """
    if again < max(1.0, QUIET * first) or passed.mib_s <= 0:
        return 0.0, 0.0
    pause = passed.mib_s * max(passed.downtime_ms, USUAL_PAUSE) / 1000
    tried: list[tuple[float, float, float]] = []
    most = CATCH_UP * passed.mib_s  # it did converge
    for i in range(STEPS):
        dirty = most * 2 ** (-6 * i / STEPS)
        for k in range(STEPS):
            hot = min(first, max(1.0, 2 * again * 2 ** (-6 * k / STEPS)))
            sent = rounds(first, dirty, hot, passed.mib_s, pause)
            off = abs(sum(sent[1:]) - again) / again
            if passed.dirty_mib_s and len(sent) > 1:
                last = min(dirty, hot * passed.mib_s / max(1e-6, sent[-2]))
                off += 0.3 * abs(last - passed.dirty_mib_s) / passed.dirty_mib_s
            off += 0.05 * abs(len(sent) - passed.rounds)
            tried.append((off, dirty, hot))
    best = min(off for off, _, _ in tried)
    _, dirty, hot = min((x for x in tried if x[0] <= best + ALIKE), key=lambda x: (x[1], x[0]))
    return dirty, hot


__all__ = ["UNCALIBRATED", "learned"]
