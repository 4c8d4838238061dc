"""Who gets how much of a host's CPU in the simulated world: its own account, minute by minute.

Nobody gets more than it wants or its quota allows. Where all are of the usual weight, none has a
quota, and the scenario does not say `cpu_by_shares`, a host that is asked for more than it has gives
everybody the same share of what it wants; else CPU is dealt in rounds: what is left goes to those who still want some, by weight, until nothing
is left or nobody wants more. That is what a scheduler of weighted fair queues comes to; the planner
solves the same in one step, with code of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

USUAL: Final = 1000
"""Weight of a guest that nobody gave another."""
NEGLIGIBLE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Ask:
    """What one guest wants, millicores, and on what terms."""

    wanted: int
    weight: int = USUAL
    quota: int = 0
    """No limit where it is 0."""


def dealt(asks: Sequence[Ask], has: int, *, by_shares: bool = False) -> list[int]:
    """Return what each gets of the `has` millicores of a host."""
    asked = sum(ask.wanted for ask in asks)
    if not by_shares and all(ask.weight == USUAL and not ask.quota for ask in asks):
        return [ask.wanted * min(asked, has) // max(1, asked) for ask in asks]
    most = [min(ask.wanted, ask.quota) if ask.quota else ask.wanted for ask in asks]
    got = [0.0] * len(asks)
    left = float(has)
    hungry = [i for i, amount in enumerate(most) if amount > 0]
    while hungry and left > 1:
        weight = sum(asks[i].weight for i in hungry)
        nearest = min((most[i] - got[i]) / asks[i].weight for i in hungry)
        each = min(nearest, left / weight)
        for i in hungry:
            got[i] += each * asks[i].weight
        left -= each * weight
        hungry = [i for i in hungry if most[i] - got[i] > NEGLIGIBLE]
    return [round(amount) for amount in got]
