"""How long a live migration takes: pre-copy, round by round.

Round k sends V_k MiB at b MiB/s and takes t_k = V_k / b. Meanwhile the guest dirties pages of its
hot set H at D MiB/s, each counted once, so V_(k+1) = min(H, D * t_k). When V_k fits into the
longest pause allowed, the guest is paused and the last round sent. The closed form V / (b - D)
holds only while the hot set never saturates.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

from balancer.planner.model.plan import Action, Prediction
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import MEMORY

SETUP_SECONDS: Final = 1.0
"""Connecting, starting the receiving emulator and switching over; independent of size."""
P90_RATIO: Final = 1.6
"""Transfer time at the 90th percentile over the median, before anything is learned."""
CATCH_UP: Final = 0.7
"""A guest that dirties faster than this share of the rate is not expected to converge."""
KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class WillNotConverge:
    """At this rate the guest dirties memory as fast as it is sent."""

    sentence: str


def predict(
    volume_mib: int, dirty_mib_s: int, hot_set_mib: int, rate_kib_s: int, downtime_ms: int
) -> Prediction | WillNotConverge:
    """Return what sending `volume_mib` at an effective `rate_kib_s` takes, or why it never ends.

    `hot_set_mib` is the memory that is dirtied over and over, `dirty_mib_s` how fast;
    `downtime_ms` is the longest pause allowed. Raises ValueError unless rate and downtime are
    positive.
    """
    if rate_kib_s <= 0 or downtime_ms <= 0:
        raise ValueError(f"rate {rate_kib_s} KiB/s and downtime {downtime_ms} ms must be positive")
    rate = rate_kib_s / KIB
    pause = rate * downtime_ms / 1000
    if hot_set_mib > pause and dirty_mib_s > CATCH_UP * rate:
        return WillNotConverge(
            f"it dirties {dirty_mib_s} MiB/s of {hot_set_mib} MiB, "
            f"too fast to be sent at {rate:.0f} MiB/s"
        )
    rounds = _rounds(volume_mib, dirty_mib_s, hot_set_mib, rate, pause)
    seconds = sum(rounds) / rate
    return Prediction(
        seconds=round(SETUP_SECONDS + seconds, 3),
        seconds_p90=round(P90_RATIO * (SETUP_SECONDS + seconds), 3),
        mib=ceil(sum(rounds)),
        downtime_ms=min(downtime_ms, ceil(1000 * rounds[-1] / rate)),
        rounds=len(rounds),
    )


def _rounds(volume: float, dirty: float, hot: float, rate: float, pause: float) -> list[float]:
    """Return the MiB of each round; the last is sent while the guest is paused."""
    rounds = [float(volume)]
    while rounds[-1] > pause:
        rounds.append(min(hot, dirty * rounds[-1] / rate))
    return rounds


def volume(problem: Problem, guest: str) -> int:
    """Return the MiB to send at least once: memory in use, at most what is allocated."""
    allocated = problem.needs[guest].get(MEMORY, 0)
    used = problem.demand.mean.get(guest, {}).get(MEMORY, allocated)
    return min(used, allocated) if allocated else used


def expect(problem: Problem, action: Action) -> Prediction | WillNotConverge | None:
    """Return what `action`, of a known guest between known hosts, takes at its rate.

    None where it has no rate or pause to speak of.
    """
    if action.rate_kib_s <= 0 or action.downtime_ms <= 0:
        return None
    limits, cluster = problem.policy.limits, problem.cluster
    links = (cluster.host[h].link_kib_s for h in (action.source, action.target))
    link = min(known or limits.default_link_kib_s for known in links)
    ratio = problem.calibration.ratio(action.source, action.target, link)
    mib = volume(problem, action.guest)
    dirty = problem.demand.dirty_mib_s.get(action.guest, 0)
    return predict(mib, dirty, mib, max(1, int(action.rate_kib_s * ratio)), action.downtime_ms)
