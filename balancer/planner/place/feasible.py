"""Whether all this can hold at once; and if one thing may give way, how little of it is enough."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from balancer.planner.formulation import (
    Apart,
    AtMostPerDomain,
    Budget,
    DomainCount,
    Flow,
    Formulation,
    Ints,
    Level,
    Near,
    Packing,
    Penalty,
    Primitive,
    Refuge,
    Row,
)
from balancer.planner.model.request import Effort
from balancer.planner.place.exact import booleans
from balancer.planner.place.solve import solve

MOST: Final = 8_000
"""Open decisions up to which the question is asked."""
WORK: Final = 2.0
"""Deterministic time for one question; a unit is about a second of one core."""
POOLED: Final = 0.5
"""The same where guests and sites are counted by kind."""
Priced = Row | AtMostPerDomain | DomainCount | Near | Apart | Packing | Refuge
STEP: Final = Penalty(Level.COST)


def small_enough(formulation: Formulation) -> bool:
    """True if an answer can be expected."""
    return booleans(formulation) <= MOST


def feasible(formulation: Formulation, keep_going: Callable[[], bool]) -> bool | None:
    """Return whether some placement keeps every hard rule written there; None if that stays open."""
    if _plainly_not(formulation):
        return False
    from balancer.planner.place.model import Model  # noqa: PLC0415 - OR-Tools takes a second

    return Model(formulation).possible(WORK, keep_going)


def ruled_out(formulation: Formulation, keep_going: Callable[[], bool]) -> bool:
    """True if counts alone show that no placement keeps every hard rule written there."""
    if _plainly_not(formulation):
        return True
    from balancer.planner.place.pooled import impossible  # noqa: PLC0415 - as above

    return impossible(formulation, POOLED, keep_going)


def least(
    formulation: Formulation, giving: Formulation, keep_going: Callable[[], bool]
) -> Ints | None:
    """Return a placement that keeps all of `formulation` and breaks `giving` least, as it found.

    `giving` is of the same problem. None if there is none, or none was found in time.
    """
    from balancer.planner.place.model import Model  # noqa: PLC0415 - as above

    both = Formulation(formulation.problem)
    both.allowed[:], both.held[:] = formulation.allowed, formulation.held
    both.soft_pairs[~giving.allowed] += 1
    both.move_cost[giving.held] += 1
    both.primitives = [*formulation.primitives]
    for primitive in giving.primitives:
        if isinstance(primitive, Budget):
            both.move_cost += primitive.weight
        elif not isinstance(primitive, Flow):  # never hard, so that it never gives way
            both.primitives.append(_softened(primitive))
    if _plainly_not(formulation):
        return None
    if not small_enough(both):
        found = solve(both, Effort.INSTANT, 1, keep_going)
        return None if found.score.repair else found.placement
    model = Model(both)
    model.hold(Level.REPAIR, 0)
    return model.minimise(Level.COST, both.start, WORK, 1, keep_going).placement


def _plainly_not(formulation: Formulation) -> bool:
    """True if some guest must stay where it must not be, or may be nowhere."""
    home = formulation.allowed[np.arange(len(formulation.start)), formulation.start]
    somewhere = formulation.allowed.any(axis=1)
    return bool((~home & (formulation.held | ~somewhere)).any())


def _softened(primitive: Priced) -> Primitive:
    return replace(primitive, penalty=STEP, hard=False)
