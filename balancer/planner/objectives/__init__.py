"""Goals: one per file, and this table. What is asked first counts infinitely more than the rest.

1. hard rules are repaired (their own business, see `formulation`);
2. `overload`, an order to `relieve`, and a `hole` that is asked for;
3. `balance`, `even` or `consolidate`, `traffic`, soft rules, and the price of moves (`stability`), weighed in points.
"""

from collections.abc import Mapping
from typing import Final

from balancer.planner.model.policy import Objective
from balancer.planner.model.problem import Problem
from balancer.planner.objectives.balance import Balance
from balancer.planner.objectives.consolidate import Consolidate
from balancer.planner.objectives.even import Even
from balancer.planner.objectives.hole import Hole
from balancer.planner.objectives.overload import Overload
from balancer.planner.objectives.relieve import Relieve
from balancer.planner.objectives.stability import Stability
from balancer.planner.objectives.traffic import Traffic

OBJECTIVES: Final[Mapping[str, type]] = {
    "overload": Overload,
    "balance": Balance,
    "even": Even,
    "consolidate": Consolidate,
    "hole": Hole,
    "stability": Stability,
    "relieve": Relieve,
}
"""What a policy can ask for, by the name of its TOML table."""

REPEATED: Final[Mapping[str, type]] = {"traffic": Traffic}
"""What it can ask for any number of times, each a table in double brackets."""

ALWAYS: Final[tuple[Objective, ...]] = (Relieve(), Stability())
"""In force whatever the policy says, unless it holds one of the same class."""


def all_goals(problem: Problem) -> tuple[Objective, ...]:
    """Return every goal in force: those always there, then the policy's own in order."""
    own = problem.policy.objectives
    replaced = {type(goal) for goal in own}
    return (*(goal for goal in ALWAYS if type(goal) not in replaced), *own)
