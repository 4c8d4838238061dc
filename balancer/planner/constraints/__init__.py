"""Rules: one per file, and this table. A policy's `[[name]]` makes the class under that name.

Some rules are in force whatever the policy says: `all_rules` gives those and the policy's own.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.barred import Barred
from balancer.planner.constraints.blackout import Blackout
from balancer.planner.constraints.budget import Budget
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.careful import Careful
from balancer.planner.constraints.changing import Changing
from balancer.planner.constraints.compatible import Compatible
from balancer.planner.constraints.cooling import Cooling
from balancer.planner.constraints.disk_room import DiskRoom
from balancer.planner.constraints.drain import Drain
from balancer.planner.constraints.headroom import Headroom
from balancer.planner.constraints.held import Held
from balancer.planner.constraints.licence import Licence
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.numa import Numa
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.places import Places
from balancer.planner.constraints.prefer import Prefer
from balancer.planner.constraints.quiet import Quiet
from balancer.planner.constraints.reachable import Reachable
from balancer.planner.constraints.returning import Returning
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.stay import Stay
from balancer.planner.constraints.survive import Survive
from balancer.planner.constraints.tied import Tied
from balancer.planner.constraints.together import Together
from balancer.planner.constraints.unknown_data import UnknownData
from balancer.planner.model.placement import Placement
from balancer.planner.model.policy import Constraint
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import EVERYTHING
from balancer.planner.model.violation import Violation

CONSTRAINTS: Final[Mapping[str, type]] = {
    "capacity": Capacity,
    "headroom": Headroom,
    "only_on": OnlyOn,
    "avoid": Avoid,
    "prefer": Prefer,
    "spread": Spread,
    "together": Together,
    "apart": Apart,
    "places": Places,
    "licence": Licence,
    "numa": Numa,
    "survive": Survive,
    "stay": Stay,
    "never_move": NeverMove,
    "drain": Drain,
    "blackout": Blackout,
    "quiet": Quiet,
    "careful": Careful,
}
"""What an operator can write, by the name of its TOML table."""

ALWAYS: Final[tuple[Constraint, ...]] = (
    Compatible(),
    Tied(),
    Reachable(),
    Capacity(),
    DiskRoom(),
    Drain(),
    UnknownData(),
    Changing(),
    Cooling(),
    Returning(),
    Held(),
    Barred(),
    Budget(),
)
"""In force whatever the policy says. One of the same class in the policy takes its place, but
not of `drain`: the hosts that are draining are emptied beside those that a policy names; nor
where it speaks of some hosts alone."""


def all_rules(problem: Problem) -> tuple[Constraint, ...]:
    """Return every rule in force: those always there, then the policy's own in order."""
    own = problem.policy.constraints
    replaced = {type(r) for r in own if getattr(r, "hosts", EVERYTHING) == EVERYTHING} - {Drain}
    return (*(rule for rule in ALWAYS if type(rule) not in replaced), *own)


def broken(problem: Problem, placement: Placement) -> Iterator[Violation]:
    """Yield all that any rule in force finds broken when guests rest as in `placement`."""
    occupancy = problem.rest(placement)
    for rule in all_rules(problem):
        yield from rule.violations(problem, occupancy)
