"""How large a part to search anew: learnt from what each size gained lately for its work."""

from typing import Final

import numpy as np

CURIOUS: Final = 0.3
"""Share of the work for parts of all sizes alike; the rest is for what gained most."""
MEMORY: Final = 3e7
"""Steps after which a third is left of what a size is known for."""


class Sizes:
    """How many sites to warm up at once: powers of two, and all; most often what gains most."""

    def __init__(self, sites: int) -> None:
        self.sites = sites
        self.sizes: list[int] = [
            *(2**n for n in range(1, sites.bit_length()) if 2**n < sites),
            sites,
        ]
        self.gained = dict.fromkeys(self.sizes, 0.0)
        self.lately = dict.fromkeys(self.sizes, 0.0)
        self.work = dict.fromkeys(self.sizes, 0)

    def next(self) -> int:
        """Return the size that gained most lately for its work; now and then the least tried."""
        least = min(self.sizes, key=lambda size: self.work[size])
        if self.work[least] * len(self.sizes) <= CURIOUS * sum(self.work.values()):
            return least
        best = max(self.sizes, key=lambda size: self.gained[size] / self.lately[size])
        return best if self.gained[best] > 0 else least

    def learn(self, size: int, gained: int, steps: int) -> None:
        """Remember what so many steps gained."""
        kept = float(np.exp(-steps / MEMORY))
        self.gained[size] = kept * self.gained[size] + max(0, gained)
        self.lately[size] = kept * self.lately[size] + max(1, steps)
        self.work[size] += max(1, steps)
