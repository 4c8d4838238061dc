"""What finished migrations taught about how fast the next ones will be."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Effective rate as a share of the rate allowed: learned where known, else a default.

    Rate is learned apart from bytes: total time mixes both and predicts neither.
    """

    by_pair: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By (source, target)."""
    by_link: Mapping[int, float] = field(default_factory=dict)
    """By the rate of the slower of the two migration links, KiB/s."""
    everywhere: float = 0.95
    """What is left of a TCP link once headers are paid for, while nothing is learned."""

    def ratio(self, source: str, target: str, link_kib_s: int) -> float:
        """Return the share of an allowed rate to expect from `source` to `target`."""
        pair = (source, target)
        return self.by_pair.get(pair, self.by_link.get(link_kib_s, self.everywhere))


UNCALIBRATED = Calibration()
