"""A guest that moves pays for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.formulation import Formulation
from balancer.planner.model.copying import copied_mib
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import MEMORY

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

    def post(self, formulation: Formulation) -> None:
        """Write the price of moving each guest."""
        problem = formulation.problem
        points = self.points_per_gib or POINTS_PER_GIB[problem.policy.aggressiveness]
        mib = np.array([_mib(problem, g.uuid) for g in problem.cluster.guests], dtype=np.int64)
        fixed = int(mib.sum()) + 1 if self.minimise == "moves" else FIXED_MIB
        formulation.move_cost += points * (mib + fixed) // MIB_PER_GIB


def _mib(problem: Problem, uuid: str) -> int:
    allocated = problem.cluster.guest[uuid].allocation.get(MEMORY, 0)
    memory = problem.demand.mean.get(uuid, {}).get(MEMORY, allocated)
    return memory + copied_mib(problem, uuid)
