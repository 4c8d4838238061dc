"""What speaks against a host, reckoned the slow way: everything anew with the guest there."""

import numpy as np

from balancer.planner.formulation import Budget, Flow, Formulation, Ints, Level
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
    return _further(formulation, placed, guest, site)


def _further(formulation: Formulation, placed: Ints, guest: int, site: int) -> str:
    """Return the first conversation that is dearer from there than from where the guest is."""
    there = placed.copy()
    there[guest] = site
    more: dict[str, int] = {}
    for flow in (p for p in formulation.primitives if isinstance(p, Flow)):
        if guest in flow.members:
            rise = int(
                (excesses(formulation, flow, there) - excesses(formulation, flow, placed)).sum()
            )
            more[flow.label] = more.get(flow.label, 0) + rise
    label = next((label for label, rise in more.items() if rise > 0), "")
    return f"further from whom it talks to: {label}" if label else ""
