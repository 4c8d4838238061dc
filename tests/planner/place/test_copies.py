"""Copies of a guest, counted by site."""

import numpy as np

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.spread import Spread
from balancer.planner.formulation import Formulation, formulate
from balancer.planner.place.copies import Copies, most_copies
from tests.drawing import problem, select, uuid_of

TEXT = "w 1c/4g : new 1v/4g\na 8c/16g : x 1v/4g\nb 8c/16g :"


def posed(*rules: Spread) -> Formulation:
    question = problem(TEXT, Capacity(), *rules)
    given = formulate(question, all_rules(question), ())
    given.held[:] = True
    return given


def counted(given: Formulation, **more: object) -> Copies:
    return most_copies(given, given.guest_number[uuid_of("new")], 9, **more)  # type: ignore[arg-type]


def test_a_rule_bounds_the_copies_and_a_wish_does_not() -> None:
    """While nobody moves three fit beside x and four on the empty host; one on each, once a rule keeps them apart.

    Where the guest itself waits none is counted, though it may be there.
    """
    alone = Spread(guests=select("new"))
    wished = Spread(guests=select("new"), hard=False)
    assert counted(posed()).at.tolist() == [0, 3, 4]
    assert counted(posed(wished)).at.tolist() == [0, 3, 4]
    assert counted(posed(alone)).at.tolist() == [0, 1, 1]


def test_where_no_other_placement_is_left_none_fit() -> None:
    """Nobody may move, and as they are is not meant: no copy is promised, nothing is proven."""
    given = posed()
    found = counted(given, unlike=[given.start])
    assert (found.count, found.bound) == (0, 9)
    assert np.array_equal(found.placement, given.start)
