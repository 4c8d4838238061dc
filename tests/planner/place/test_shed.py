"""What sites must shed: a bound that holds, a start that is lawful."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.formulation import Formulation, Level, Penalty, Row
from balancer.planner.model.demand import Demand
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.place import shed
from balancer.planner.place.answer import key
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.exact import exact
from balancer.planner.place.shed import carry_out, hopeless, sheds
from balancer.planner.place.solve import solve
from balancer.planner.place.state import State
from tests.drawing import draw, policy
from tests.planner.place.formulations import formulations


def on() -> bool:
    return True


@given(formulations(max_hosts=3, max_guests=6))
@settings(max_examples=120)
def test_no_clean_placement_costs_less_than_what_must_be_shed(given_: Formulation) -> None:
    """Whatever the primitives: if all is repaired, and as cool as it can be, the bound is paid."""
    best = exact(given_, given_.start, Effort.QUICK, 1, on)
    heat = hopeless(State(given_)).overload
    assert not best.proven or heat <= best.score.overload or best.score.repair
    if key(best.score)[:2] == (0, heat):
        assert sum(bound for _, bound in sheds(State(given_)).values()) <= best.score.cost


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_heat_that_must_stay_is_known_and_what_clearing_the_rest_costs(
    data: st.DataObject,
) -> None:
    """Some guests are too large for every site: the bounds hold of what is proven the best."""
    guests, sites = data.draw(st.integers(2, 5)), data.draw(st.integers(2, 3))
    drawn = [f"g{n} 1v/1g" for n in range(guests)]
    lines = [f"h{s} 8c/64g : {' | '.join(drawn[s::sites])}" for s in range(sites)]
    given_ = Formulation(Problem(draw("\n".join(lines)), Demand({}, {}), policy()))
    some = st.lists(st.integers(1, 30), min_size=guests, max_size=guests)
    given_.move_cost[:] = data.draw(some)
    given_.allowed[:] = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=guests * sites, max_size=guests * sites))
    ).reshape(guests, sites)
    limits = data.draw(st.lists(st.integers(8, 24), min_size=sites, max_size=sites))
    scale = np.array(limits) * data.draw(st.sampled_from([100, 200, 700]))
    given_.add(
        Row(
            "heat",
            np.array(data.draw(some)),
            np.array(limits, dtype=np.int64),
            Penalty(Level.OVERLOAD, ((0, 20),)),
            hard=False,
            scale=scale,
        )
    )
    best = exact(given_, given_.start, Effort.QUICK, 1, on)
    stuck = hopeless(State(given_))
    assert not best.proven or best.score.repair or stuck.overload <= best.score.overload
    if best.proven and key(best.score)[:2] == (0, stuck.overload):
        assert sum(bound for _, bound in sheds(State(given_)).values()) <= best.score.cost


def test_who_is_too_large_for_every_site_may_leave_for_where_it_is_no_better_off() -> None:
    """Twelve on sites of ten: it goes for 1 where its neighbours would have to go for 50 each."""
    text = "a 8c/64g : big 1v/1g | x 1v/1g | y 1v/1g\nb 8c/64g : z 1v/1g"
    given_ = Formulation(Problem(draw(text), Demand({}, {}), policy()))
    given_.move_cost[:] = 1, 50, 50, 50
    heat = Penalty(Level.OVERLOAD, ((0, 20),))
    given_.add(Row("heat", np.array([12, 2, 2, 0]), np.array([10, 10]), heat, hard=False))
    best = exact(given_, given_.start, Effort.QUICK, 1, on)
    assert best.proven
    assert (best.score.overload, best.score.cost) == (hopeless(State(given_)).overload, 1)
    ((_, bound),) = sheds(State(given_)).values()
    assert bound <= 1


@given(formulations())
@settings(max_examples=60)
def test_shedding_is_lawful_and_accounted_for(given_: Formulation) -> None:
    """It obeys the law, and the state knows its score; the set may be carried out in part."""
    state = State(given_)
    moved = carry_out(state, sheds(state), on)
    assert permitted(given_, state.site)
    assert state.score() == score(given_, state.site)
    assert moved == np.count_nonzero(state.site != given_.start)
    assert carry_out(State(given_), sheds(State(given_)), lambda: False) == 0


@given(st.data())
@settings(max_examples=80)
def test_branches_find_what_looking_at_all_subsets_finds(data: st.DataObject) -> None:
    """Two solvers of one knapsack agree on its price."""
    guests, rows = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 2))
    numbers = st.lists(st.integers(0, 30), min_size=guests, max_size=guests)
    use = np.array([data.draw(numbers) for _ in range(rows)], dtype=np.int64)
    cost = np.array(data.draw(numbers), dtype=np.int64)
    need = np.array([data.draw(st.integers(1, max(1, total))) for total in use.sum(axis=1)])
    if (use.sum(axis=1) < need).any():
        return
    chosen, price = shed._branched(use, need, cost)
    assert (use[:, chosen].sum(axis=1) >= need).all()
    assert cost[chosen].sum() == price == shed._enumerated(use, need, cost)[1]


def crowded(guests: int) -> Formulation:
    """One host that is over by half, one that has room for all."""
    here = " | ".join(f"g{n} 1v/1g" for n in range(guests))
    given_ = Formulation(Problem(draw(f"a 8c/99g : {here}\nb 8c/99g :"), Demand({}, {}), policy()))
    use = np.arange(10, 10 + guests, dtype=np.int64)
    limit = np.array([int(use.sum()) // 2, int(use.sum())])
    given_.add(Row("row", use, limit, Penalty(Level.OVERLOAD), hard=False))
    given_.move_cost[:] = 7 + 3 * np.arange(guests) % 5
    return given_


def test_many_guests_are_branched_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the branches cut off what is claimed is still a bound, and the set still suffices."""
    state = State(crowded(shed.ENUMERATED + 2))
    ((guests, price),) = sheds(state).values()
    monkeypatch.setattr(shed, "NODES", 3)
    ((rough, least),) = sheds(state).values()
    assert least <= price == state.formulation.move_cost[guests].sum()
    carry_out(state, {0: (rough, least)}, on)
    assert state.score().overload == 0


def test_a_site_that_nothing_clears_promises_nothing() -> None:
    """Its guests are held: no bound is made of it."""
    given_ = crowded(3)
    given_.hold([0, 1, 2])
    assert sheds(State(given_)) == {}


def test_what_fits_nowhere_stays() -> None:
    """Without harm elsewhere, or not at all."""
    given_ = crowded(3)
    (row,) = given_.primitives
    assert isinstance(row, Row)
    row.limit[1] = 5
    state = State(given_)
    assert carry_out(state, sheds(state), on) == 0


def test_two_cheap_guests_leave_where_the_greedy_sends_a_dear_one() -> None:
    """One shift that clears all at once costs 9, two that do it together 7: and that is proven."""
    given_ = crowded(4)
    (row,) = given_.primitives
    assert isinstance(row, Row)
    row.use[:] = [5, 3, 2, 1]
    row.limit[:] = [6, 50]
    given_.move_cost[:] = [9, 4, 3, 8]
    answer = solve(given_, Effort.QUICK, 1, on)
    assert (answer.engine, answer.score.cost, answer.proven) == ("shed", 7, True)
    assert sorted(np.flatnonzero(answer.placement != given_.start)) == [1, 2]
