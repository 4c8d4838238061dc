"""Moves before they have a time: from where, to where, and what they would take alone."""

from dataclasses import dataclass, field, replace
from math import inf

from balancer.planner.model.cold import down, why_not_live
from balancer.planner.model.copying import copied
from balancer.planner.model.duration import load, ratio, refined
from balancer.planner.model.fitting import as_live, as_restarted, may_be_cold
from balancer.planner.model.law import link_share
from balancer.planner.model.plan import Prediction
from balancer.planner.model.problem import Problem
from balancer.planner.order.cost import KIB, WillNotConverge, behind_a_mirror, with_disks
from balancer.planner.order.rungs import Means, Stance, effective, stance


@dataclass(frozen=True, slots=True)
class Move:
    """One guest from one host to another."""

    guest: str
    source: str
    target: str
    temporary: bool = False
    """True if the guest moves on later."""
    opens: str = ""
    """For a temporary move: the uuid of the guest that it makes room for."""


@dataclass(frozen=True)
class Travel:
    """What moving takes in this cluster: links, their share for migrations, predictions."""

    problem: Problem
    _known: dict[tuple[str, str, str, int], Stance | WillNotConverge] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    _cold: dict[tuple[str, str, str], str] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def link(self, host: str) -> int:
        """Return the rate of the host's migration link each way, KiB/s."""
        return self.problem.host(host).link_kib_s or self.problem.policy.limits.default_link_kib_s

    def top_rate(self, source: str, target: str) -> int:
        """Return the rate of a migration that has both links' shares to itself, KiB/s."""
        return whole(min(link_share(self.problem, source), link_share(self.problem, target)))

    def volume(self, guest: str) -> int:
        """Return the MiB to send at least once."""
        return load(self.problem, guest).mib

    def predict(
        self, guest: str, source: str, target: str, rate_kib_s: int
    ) -> Prediction | WillNotConverge:
        """Return what this migration takes at `rate_kib_s`, begun as mildly as is expected to do."""
        answer = self.stance(guest, source, target, rate_kib_s)
        return answer.predicted if isinstance(answer, Stance) else answer

    def stance(
        self, guest: str, source: str, target: str, rate_kib_s: int
    ) -> Stance | WillNotConverge:
        """Return how this migration begins at `rate_kib_s`."""
        key = (guest, source, target, rate_kib_s)
        if key not in self._known:
            if why := self.cold(guest, source, target):
                self._known[key] = Stance(
                    predicted=down(self.problem, guest), downtime_ms=1, cold=why
                )
            else:
                self._known[key] = self._live(guest, source, target, rate_kib_s)
        return self._known[key]

    def cold(self, guest: str, source: str, target: str) -> str:
        """Return why this migration has to be cold, and may be; empty where it is live, or neither."""
        key = (guest, source, target)
        if key not in self._cold:
            self._cold[key] = self._why_cold(guest, source, target)
        return self._cold[key]

    def _why_cold(self, guest: str, source: str, target: str) -> str:
        problem = self.problem
        known = problem.cluster.guest[guest]
        if not may_be_cold(problem, known) or as_restarted(problem, known, target):
            return ""
        why = why_not_live(problem, guest, source, target)
        slowed = why and problem.consented(problem.policy.allow.auto_converge, guest)
        if (
            slowed
            and not as_live(problem, known, source, target)
            and guest not in problem.diverged
        ):
            at_best = self._live(guest, source, target, self.top_rate(source, target))
            return "" if isinstance(at_best, Stance) else why
        return why

    def _live(
        self, guest: str, source: str, target: str, rate_kib_s: int
    ) -> Stance | WillNotConverge:
        sent, means = load(self.problem, guest), self.means(guest, source, target)
        left = effective(rate_kib_s, means)
        if sent.disk_mib:
            behind = behind_a_mirror(sent, left)
            if isinstance(behind, WillNotConverge):
                return behind
            left = behind
            means = replace(means, effective=(left + 0.5) / rate_kib_s)  # rounded down to `left`
        answer = stance(sent.volume_mib, sent.dirty_mib_s, sent.hot_mib, rate_kib_s, means)
        if isinstance(answer, WillNotConverge):
            return answer
        whole_way = with_disks(answer.predicted, sent, left, self.problem.calibration.disks.value)
        return replace(answer, predicted=refined(self.problem, guest, whole_way))

    def means(self, guest: str, source: str, target: str) -> Means:
        """Return what the policy and the links allow for this migration.

        Hypervisors do not let memory follow a guest whose disks are copied.
        """
        allow = self.problem.policy.allow
        following = not copied(self.problem, guest)
        return Means(
            top_kib_s=self.top_rate(source, target),
            effective=ratio(self.problem, source, target),
            pause_at_most=max(1, self.problem.pause_at_most(guest)),
            auto_converge=self.problem.consented(allow.auto_converge, guest),
            post_copy=following and self.problem.consented(allow.post_copy, guest),
        )

    def pressing(self, move: Move) -> float:
        """Return the MiB/s the guest dirties as a schedule has to reckon with it.

        One that is slowed down, or followed by its memory, keeps a schedule waiting no longer
        than one that dirties half as fast as it is sent.
        """
        if self.cold(move.guest, move.source, move.target):
            return 0.0
        dirty = load(self.problem, move.guest).dirty_mib_s
        top = self.top_rate(move.source, move.target)
        answer = self.stance(move.guest, move.source, move.target, top)
        helped = isinstance(answer, Stance) and (answer.auto_converge or answer.post_copy)
        return min(dirty, top / KIB / 2) if helped else dirty

    def at_best(self, guest: str, source: str, target: str) -> Prediction | WillNotConverge:
        """Return what this migration takes with both links' shares to itself."""
        return self.predict(guest, source, target, self.top_rate(source, target))

    def seconds(self, guest: str, source: str, target: str) -> float:
        """Return how long it takes at best; infinite if it will not converge."""
        answer = self.at_best(guest, source, target)
        return answer.seconds if isinstance(answer, Prediction) else inf


def whole(rate_kib_s: int) -> int:
    """Return the rate in whole MiB/s, as hypervisors take it, unless it is below one."""
    return rate_kib_s // KIB * KIB or rate_kib_s
