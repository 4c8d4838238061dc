"""A budget too small for every site goes where it relieves most: a start that is lawful, a bound that holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.formulation import Budget, Formulation, Level, Penalty, Row
from balancer.planner.model.demand import Demand
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.place import ration
from balancer.planner.place import solve as solving
from balancer.planner.place.answer import key
from balancer.planner.place.evaluate import permitted
from balancer.planner.place.exact import exact
from balancer.planner.place.ration import rationed
from balancer.planner.place.shed import carry_out
from balancer.planner.place.solve import _annealed, solve
from balancer.planner.place.state import State
from tests.drawing import draw, policy
from tests.planner.place.formulations import formulations


def on() -> bool:
    return True


def hot(data: st.DataObject, *, guests: int, room: int = 100) -> Formulation:
    """Return two hot sites and a roomy one, a budget beside them."""
    names = [f"g{n} 1v/1g" for n in range(guests)]
    lines = [f"h{s} 8c/64g : {' | '.join(names[s::2])}" for s in range(2)]
    made = Formulation(Problem(draw("\n".join([*lines, "h2 8c/64g :"])), Demand({}, {}), policy()))
    some = st.lists(st.integers(1, 9), min_size=guests, max_size=guests)
    heat = Penalty(Level.OVERLOAD, ((0, 20), (3, 40)))
    limit = np.array([*data.draw(st.tuples(st.integers(2, 9), st.integers(2, 9))), room])
    made.add(Row("heat", np.array(data.draw(some)), limit, heat, hard=False))
    made.move_cost[:] = data.draw(some)
    made.add(Budget("data", np.array(data.draw(some)), data.draw(st.integers(0, 20))))
    return made


@given(formulations(max_hosts=3, max_guests=6), st.integers(0, 12))
@settings(max_examples=50, deadline=None)
def test_no_placement_leaves_less_than_the_bound(given_: Formulation, limit: int) -> None:
    """Whatever the primitives: nothing within the budget is better, and the start keeps the law."""
    weight = 1 + np.arange(len(given_.start)) % 5
    given_.add(Budget("data", weight.astype(np.int64), limit))
    state = State(given_)
    found = rationed(state)
    best = exact(given_, given_.start, Effort.QUICK, 1, on)
    if found is None:
        assert state.score().repair + state.score().overload == 0 or not _rows_pay(state)
        return
    carry_out(state, found.wanted, on)
    assert permitted(given_, state.site)
    assert not (found.exact and best.proven) or found.left <= key(best.score)[:2]


def _rows_pay(state: State) -> bool:
    below = [n for n, row in enumerate(state.rows) if row.penalty.level is not Level.COST]
    return bool(state.priced[below].any() or state.fault_at_home.any())


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_with_room_elsewhere_the_least_heat_is_left_by_every_way_of_solving(
    data: st.DataObject,
) -> None:
    """Two hot sites, one with room: the start and the answer leave what is proven the least."""
    given_ = hot(data, guests=data.draw(st.integers(2, 8)))
    best = exact(given_, given_.start, Effort.QUICK, 1, on)
    assert best.proven
    state = State(given_)
    found = rationed(state)
    if found is not None:
        assert found.exact
        assert found.left == key(best.score)[:2]
        carry_out(state, found.wanted, on)
    assert key(state.score())[:2] == key(best.score)[:2]
    assert key(solve(given_, Effort.INSTANT, 1, on).score)[:2] == key(best.score)[:2]


def test_more_choices_than_are_kept_still_give_a_start_but_no_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of every so many-th choice the last is always kept; what was dropped might have been better."""
    text = "a 8c/64g : x 1v/1g | y 1v/1g | z 1v/1g\nb 8c/64g :"
    made = Formulation(Problem(draw(text), Demand({}, {}), policy()))
    heat = Penalty(Level.OVERLOAD, ((0, 20),))
    made.add(Row("heat", np.array([1, 2, 4]), np.array([0, 9]), heat, hard=False))
    made.add(Budget("data", np.array([1, 2, 4]), 5))
    monkeypatch.setattr(ration, "FRONT", 2)
    found = rationed(State(made))
    assert found is not None
    assert (found.left, found.exact) == ((0, 40), False)


def test_what_relieves_most_at_once_may_not_be_what_relieves_most_for_the_budget() -> None:
    """One guest of four for all there is, or two of three each for less: the two are moved."""
    text = "a 8c/64g : x 1v/1g\nb 8c/64g : y 1v/1g | z 1v/1g\nc 8c/64g :"
    made = Formulation(Problem(draw(text), Demand({}, {}), policy()))
    heat = Penalty(Level.OVERLOAD, ((0, 20),))
    made.add(Row("heat", np.array([4, 3, 3]), np.array([0, 0, 90]), heat, hard=False))
    made.add(Budget("data", np.array([5, 2, 2]), 5))
    found = solve(made, Effort.INSTANT, 1, on)
    assert (found.engine, found.placement.tolist()) == ("ration", [0, 2, 2])
    best = exact(made, made.start, Effort.QUICK, 1, on)
    assert (key(found.score), best.proven) == (key(best.score), True)
    walked, _ = _annealed(made, Effort.INSTANT, 1, on)
    assert key(walked.score())[:2] == key(best.score)[:2]


def test_heat_that_must_stay_is_not_rationed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest too hot for every site takes no second attempt."""
    text = "a 8c/64g : x 1v/1g | y 1v/1g\nb 8c/64g :"
    made = Formulation(Problem(draw(text), Demand({}, {}), policy()))
    heat = Penalty(Level.OVERLOAD, ((0, 20),))
    made.add(Row("heat", np.array([9, 1]), np.array([2, 2]), heat, hard=False))
    made.add(Budget("data", np.array([1, 1]), 9))
    monkeypatch.setattr(solving, "rationed", lambda _: pytest.fail("rationed all the same"))
    found = solve(made, Effort.INSTANT, 1, on)
    assert found.score.overload == 20 * 7
