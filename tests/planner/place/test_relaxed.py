"""The bound of the linear program: below every placement that repairs and relieves as much."""

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.formulation import Budget, Formulation, Level, Penalty, Row
from balancer.planner.model.demand import Demand
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.place.exact import exact
from balancer.planner.place.relaxed import relaxed
from balancer.planner.place.state import State
from tests.drawing import draw, policy
from tests.planner.place.formulations import formulations


def on() -> bool:
    return True


@given(formulations(max_hosts=3, max_guests=5))
@settings(max_examples=150, deadline=None)
def test_no_placement_as_good_costs_less(given_: Formulation) -> None:
    """Whatever the primitives, of the best placement and of the start alike."""
    best = exact(given_, given_.start, Effort.QUICK, 1, on)
    if not best.proven:
        return
    state = State(given_)
    assert relaxed(state, lambda: True) <= max(best.score.cost, state.score().cost)
    for guest, site in enumerate(best.placement.tolist()):
        state.shift(guest, site)
    assert relaxed(state, lambda: True) <= best.score.cost


def shared(limit: int) -> Formulation:
    """Eight on one of two sites, ten a guest, a price above ten, and moves bounded by `limit`."""
    many = " | ".join(f"g{n} 1v/1g" for n in range(8))
    text = f"a 8c/64g : {many}\nb 8c/64g : z 1v/1g"
    given_ = Formulation(Problem(draw(text), Demand({}, {}), policy()))
    use = np.array([10] * 8 + [0])
    even = Penalty(Level.COST, ((0, 1), (20, 3)))
    scale = np.array([1000, 1000])
    given_.add(Row("even", use, np.array([10, 10]), even, hard=False, scale=scale))
    given_.add(Budget("limit", np.ones(9, dtype=np.int64), limit))
    return given_


def test_it_is_reached_where_splitting_helps_nobody() -> None:
    """Of 70 too much, 40 can go: 30 stay at each site, each 30 + 3 * 10; with 2 moves 50 and 10."""
    assert relaxed(State(shared(4)), lambda: True) == 120
    assert relaxed(State(shared(2)), lambda: True) == 50 + 3 * 30 + 10


def test_nothing_is_claimed_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time: no bound."""
    monkeypatch.setattr("balancer.planner.place.relaxed.SECONDS", 0.0)
    assert relaxed(State(shared(4)), lambda: True) == 0
