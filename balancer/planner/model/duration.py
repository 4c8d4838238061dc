"""How long a live migration takes: pre-copy, round by round.

Round k sends V_k MiB at b MiB/s and takes t_k = V_k / b. Meanwhile the guest dirties pages of its
hot set H at D MiB/s, each counted once, so V_(k+1) = min(H, D * t_k). When V_k fits into the
longest pause allowed, the guest is paused and the last round sent. The closed form V / (b - D)
holds only while the hot set never saturates.

Local disks that are copied along go first: S MiB while the guest writes w MiB/s to them take
S / (b - w). Holes are not sent and yet take their time, as QEMU holds them to the rate, too: S is
the whole size. k disks are copied side by side, each at b / k, so that S is k times the largest.
The mirror then keeps up, and w is missing from the rate at which memory is sent.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from balancer.planner.model.copying import copied
from balancer.planner.model.plan import Action, Prediction
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import DISK, MEMORY

SETUP_SECONDS: Final = 1.0
"""Connecting, starting the receiving emulator and switching over; independent of size."""
P90_RATIO: Final = 1.6
"""Transfer time at the 90th percentile over the median, before anything is learned."""
CATCH_UP: Final = 0.7
"""A guest that dirties faster than this share of the rate is not expected to converge."""
KIB: Final = 1024
MOST_ROUNDS: Final = 200


@dataclass(frozen=True, slots=True)
class WillNotConverge:
    """At this rate the guest dirties memory as fast as it is sent."""

    sentence: str


def predict(
    volume_mib: int, dirty_mib_s: float, hot_set_mib: int, rate_kib_s: int, downtime_ms: int
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
            f"it dirties {dirty_mib_s:g} MiB/s of {hot_set_mib} MiB, "
            f"too fast to be sent at {rate:.0f} MiB/s"
        )
    sent = rounds(volume_mib, dirty_mib_s, hot_set_mib, rate, pause)
    seconds = sum(sent) / rate
    return Prediction(
        seconds=round(SETUP_SECONDS + seconds, 3),
        seconds_p90=round(P90_RATIO * (SETUP_SECONDS + seconds), 3),
        mib=ceil(sum(sent)),
        downtime_ms=min(downtime_ms, ceil(1000 * sent[-1] / rate)),
        rounds=len(sent),
    )


def rounds(volume: float, dirty: float, hot: float, rate: float, pause: float) -> list[float]:
    """Return the MiB of each round; the last is sent while the guest is paused.

    Where rounds do not shrink, MOST_ROUNDS of them.
    """
    sent = [float(volume)]
    while sent[-1] > pause and len(sent) < MOST_ROUNDS:
        sent.append(min(hot, dirty * sent[-1] / rate))
    return sent


def in_use(problem: Problem, guest: str) -> int:
    """Return the guest's memory in use, MiB: at most what is allocated."""
    allocated = problem.needs[guest].get(MEMORY, 0)
    used = problem.demand.mean.get(guest, {}).get(MEMORY, allocated)
    return min(used, allocated) if allocated else used


@dataclass(frozen=True, slots=True)
class Load:
    """What has to be sent of a guest, and what of it again."""

    volume_mib: int
    dirty_mib_s: float
    hot_mib: int
    disk_mib: int = 0
    """Of local disks, before any memory is sent."""
    longest_mib: int = 0
    """They take as long as sending so much: holes, too, and side by side the largest is the last."""
    written_mib_s: float = 0.0
    """What the guest writes to them meanwhile, at most."""

    @property
    def mib(self) -> int:
        """Memory and disks."""
        return self.volume_mib + self.disk_mib


def behind_a_mirror(sent: Load, rate_kib_s: int) -> int | WillNotConverge:
    """Return the rate that is left for memory while disks are mirrored, KiB/s."""
    written = sent.written_mib_s
    if written > CATCH_UP * rate_kib_s / KIB:
        return WillNotConverge(
            f"it reads and writes {written:.0f} MiB/s of its local disks, too much for "
            f"copying them at {rate_kib_s / KIB:.0f} MiB/s to keep up"
        )
    return max(1, int(rate_kib_s - written * KIB))


def with_disks(
    expected: Prediction, sent: Load, left_kib_s: int, slowness: float = 1.0
) -> Prediction:
    """Return `expected`, of memory alone, with the time and the bytes that disks take before it.

    `left_kib_s` is what their guest's own writing leaves of the rate; `slowness` how many times as
    long as that finished copies took.
    """
    if not sent.disk_mib:
        return expected
    alone = sent.longest_mib * KIB / left_kib_s
    seconds = slowness * alone
    rewritten = sent.written_mib_s * (seconds + expected.seconds)
    disk = ceil(sent.disk_mib + rewritten)
    longer = round(expected.seconds + seconds, 3)
    return replace(
        expected,
        seconds=longer,
        seconds_p90=round(P90_RATIO * longer, 3),
        mib=expected.mib + disk,
        disk_mib=disk,
        disk_seconds=round(alone, 3),
    )


def load(problem: Problem, guest: str) -> Load:
    """Return what moving the guest sends: as its finished migrations showed, else all in use.

    Of what was measured and what was learned of how fast it dirties memory, the faster counts;
    where nothing was learned of how much that is, all that is in use.
    """
    used, habit = in_use(problem, guest), problem.calibration.guests.get(guest)
    measured = problem.demand.dirty_mib_s.get(guest, 0)
    along = copied(problem, guest)
    traffic = problem.demand.mean.get(guest, {}).get(DISK, 0) / KIB if along else 0.0
    longest = len(along) * max((disk.size_mib for disk in along), default=0)
    disks = (sum(disk.used_mib for disk in along), longest, traffic)
    if habit is None:
        return Load(used, measured, used, *disks)
    volume = max(1, min(used, round(used * habit.volume.value))) if used else 0
    hot = ceil(habit.hot_mib) if habit.hot_mib else volume
    dirty = max(measured, round(habit.dirty_mib_s, 1))
    return Load(volume, dirty, min(volume, hot), *disks)


def ratio(problem: Problem, source: str, target: str) -> float:
    """Return the share of the rate allowed that is expected to be reached."""
    limits, cluster = problem.policy.limits, problem.cluster
    links = (cluster.host[h].link_kib_s for h in (source, target))
    link = min(known or limits.default_link_kib_s for known in links)
    return problem.calibration.ratio(source, target, link)


def refined(problem: Problem, guest: str, expected: Prediction) -> Prediction:
    """Return `expected` with what was learned of set-up and of how far off predictions are."""
    known = problem.calibration
    seconds = round(max(0.001, expected.seconds - SETUP_SECONDS + known.setup.value), 3)
    return replace(
        expected,
        seconds=seconds,
        seconds_p90=round(known.p90 * seconds, 3),
        in_use_mib=in_use(problem, guest),
    )


def expect(problem: Problem, action: Action) -> Prediction | WillNotConverge | None:
    """Return what `action`, of a known guest between known hosts, takes at its rate.

    None where it has no rate or pause to speak of, or is cold.
    """
    if action.cold or action.rate_kib_s <= 0 or action.downtime_ms <= 0:
        return None
    rate = max(1, int(action.rate_kib_s * ratio(problem, action.source, action.target)))
    sent = load(problem, action.guest)
    left = behind_a_mirror(sent, rate)
    if isinstance(left, WillNotConverge):
        return left
    found = predict(
        sent.volume_mib, sent.dirty_mib_s, sent.hot_mib, left, max(1, action.downtime_ms)
    )
    if isinstance(found, WillNotConverge):
        return found
    whole_way = with_disks(found, sent, left, problem.calibration.disks.value)
    return refined(problem, action.guest, whole_way)
