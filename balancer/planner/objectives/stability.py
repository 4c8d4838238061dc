"""A guest that moves pays for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.formulation import SOFT_PRICE, Formulation
from balancer.planner.model.cluster import Guest
from balancer.planner.model.cold import why_not_live
from balancer.planner.model.copying import sent_mib
from balancer.planner.model.fitting import live_misfits, may_be_cold
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import NOBODY

POINTS_PER_GIB: Final[Mapping[int, int]] = {1: 40, 2: 40, 3: 15, 4: 5, 5: 1}
"""Points by aggressiveness for each GiB a move sends. With 1 nothing but repairs is paid for."""
FIXED_MIB: Final = 5632
"""What starting a move costs, as MiB that could have been sent instead."""
MIB_PER_GIB: Final = 1024


@dataclass(frozen=True, kw_only=True)
class Stability:
    """Each move costs by what it sends: memory in use, disks copied along, a fixed 5.5 GiB.

    The price per GiB follows the policy's aggressiveness:

    | aggressiveness | points per GiB | a move of 8 GiB | pays, on a 16-core host, if it takes off |
    |---|---|---|---|
    | 1 | 40 | 540 | repairs only: nothing else is looked at |
    | 2 | 40 | 540 | 1.6 cores where its use is 25 points above the mean |
    | 3 | 15 | 202 | 1.6 cores at 15 points above the mean |
    | 4 | 5 | 67 | 1.6 cores at 10 points above the mean |
    | 5 | 1 | 13 | nearly anything outside the band |

    A cold move costs as much as breaking a soft rule, besides.

    With `points_per_gib` that price is given outright, whatever the aggressiveness. With
    `minimise = "moves"` one move counts more than all memory there is: the fewest moves, and
    among those the least memory.
    """

    points_per_gib: int = 0
    minimise: str = "data"

    def __post_init__(self) -> None:
        if self.minimise not in {"data", "moves"}:
            raise ValueError(f'minimise = "{self.minimise}": write "data" or "moves"')

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "stability"

    def _cold(self, formulation: Formulation) -> None:
        """Price the hosts to which guests would have to be moved cold: the last resort."""
        problem = formulation.problem
        if problem.policy.allow.cold_moves == NOBODY:
            return
        for members, barred in live_misfits(problem):
            able = [n for n in members if may_be_cold(problem, problem.cluster.guests[n])]
            formulation.price(able, barred, SOFT_PRICE)
            here = [n for n in able if formulation.start[n] in barred]  # runs there, so it can
            formulation.soft_pairs[here, formulation.start[here]] -= SOFT_PRICE
        for guest, hosts in _busy(problem):
            number = formulation.guest_number[guest.uuid]
            formulation.price([number], formulation.sites(hosts), SOFT_PRICE)

    def post(self, formulation: Formulation) -> None:
        """Write the price of moving each guest."""
        problem = formulation.problem
        points = self.points_per_gib or POINTS_PER_GIB[problem.policy.aggressiveness]
        mib = np.array([sent_mib(problem, g.uuid) for g in problem.cluster.guests], dtype=np.int64)
        fixed = int(mib.sum()) + 1 if self.minimise == "moves" else FIXED_MIB
        self._cold(formulation)
        formulation.move_cost += points * (mib + fixed) // MIB_PER_GIB


def _busy(problem: Problem) -> Iterator[tuple[Guest, tuple[str, ...]]]:
    """Yield guests that write faster than can be sent, or did lately, and the hosts that is so for."""
    known = {*problem.calibration.guests, *problem.demand.dirty_mib_s, *problem.diverged}
    for guest in problem.cluster.guests:
        if guest.uuid in known and may_be_cold(problem, guest):
            home = problem.home(guest.uuid)
            others = (name for name in problem.receiving if name != home)
            yield guest, tuple(n for n in others if why_not_live(problem, guest.uuid, home, n))
