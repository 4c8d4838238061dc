"""What finished migrations taught about how long the next ones will take."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final

WEIGHT: Final = 0.3
"""Of the latest job, once there are a few: older ones fade."""
ENOUGH: Final = 10
"""Finished jobs from which their errors say how far to trust a prediction."""
USUAL_P90: Final = 1.6
"""The 90th percentile over the median, before anything is learned."""
NARROWEST: Final = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A quantity, averaged over jobs with weights that fade."""

    value: float
    jobs: int = 0

    def after(self, seen: float) -> "Learned":
        """Return it once one more job has shown `seen`: a plain mean at first."""
        weight = max(WEIGHT, 1 / (self.jobs + 1))
        return Learned(value=self.value + weight * (seen - self.value), jobs=self.jobs + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How one guest uses its memory, as its migrations showed."""

    volume: Learned
    """Memory sent in the first pass, as a share of what is in use: empty pages cost nothing."""
    dirty_mib_s: float = 0.0
    hot_mib: float = 0.0
    """Memory dirtied over and over; of the latest job that told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Effective rate as a share of the rate allowed, set-up, and guests' habits; else defaults.

    Rate is learned apart from bytes: total time mixes both and predicts neither.
    """

    by_pair: Mapping[str, Mapping[str, Learned]] = field(default_factory=dict)
    """By source, then target."""
    by_link: Mapping[int, float] = field(default_factory=dict)
    """By the rate of the slower of the two migration links, KiB/s: what pairs of that kind showed."""
    everywhere: Learned = Learned(value=0.95)
    """What is left of a TCP link once headers are paid for, while nothing is learned."""
    setup: Learned = Learned(value=1.0)
    """Seconds beside the transfer: connecting, starting the receiving emulator, switching over."""
    guests: Mapping[str, Habit] = field(default_factory=dict)
    """By uuid."""
    disks: Learned = Learned(value=1.0)
    """How many times as long copies of local disks take as by the model."""
    slowdowns: Mapping[str, Mapping[str, Learned]] = field(default_factory=dict)
    """How many times the CPU that guests use where their code is translated from one architecture
    to itself they use where it is to another: by the guest's, then the host's architecture."""
    errors: tuple[float, ...] = ()
    """Time taken over time predicted, of the latest jobs."""

    def ratio(self, source: str, target: str, link_kib_s: int) -> float:
        """Return the share of an allowed rate to expect from `source` to `target`."""
        known = self.by_pair.get(source, {}).get(target)
        if known is not None:
            return known.value
        return self.by_link.get(link_kib_s, self.everywhere.value)

    @property
    def p90(self) -> float:
        """Return the 90th percentile of the time taken over the time predicted."""
        if len(self.errors) < ENOUGH:
            return USUAL_P90
        ranked = sorted(self.errors)
        return max(NARROWEST, ranked[ceil(0.9 * len(ranked)) - 1])

    def classed(self, link_kib_s: Mapping[str, int]) -> "Calibration":
        """Return the same with `by_link` worked out, given each host's link."""
        seen: dict[int, list[Learned]] = defaultdict(list)
        for source, targets in self.by_pair.items():
            for target, learned in targets.items():
                if source in link_kib_s and target in link_kib_s:
                    seen[min(link_kib_s[source], link_kib_s[target])].append(learned)
        return replace(
            self,
            by_link={
                link: sum(x.value * x.jobs for x in all_) / sum(x.jobs for x in all_)
                for link, all_ in seen.items()
                if any(x.jobs for x in all_)
            },
        )


UNCALIBRATED = Calibration()
