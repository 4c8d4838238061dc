"""What speaks against a host, reckoned the slow way: everything anew with the guest there."""

import numpy as np

from balancer.planner.formulation import Budget, Formulation, Ints, Level
from balancer.planner.place.evaluate import excesses


def against(formulation: Formulation, placed: Ints, guest: int, site: int) -> str:
    """Return the first thing that speaks against putting the guest on the site, or nothing."""
    for label, guests, sites in formulation.bans:
        if guest in guests and site in sites:
            return label
    without, there = placed.copy(), placed.copy()
    without[guest], there[guest] = formulation.start[guest], site
    for level, words in ((Level.REPAIR, ""), (Level.OVERLOAD, "would be hot")):
        for primitive in formulation.primitives:
            if isinstance(primitive, Budget) or primitive.penalty.level is not level:
                continue
            before = excesses(formulation, primitive, without)
            if np.any(excesses(formulation, primitive, there) > before):
                return words or primitive.label
    return ""
