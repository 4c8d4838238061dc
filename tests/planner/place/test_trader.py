"""Trades of up to four guests: lawful, and their sums are the reference's."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from balancer.planner.formulation import (
    HARD,
    AtMostPerDomain,
    DomainCount,
    Formulation,
    Level,
    Penalty,
    Row,
)
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.demand import Demand
from balancer.planner.model.problem import Problem
from balancer.planner.place.answer import key
from balancer.planner.place.arrays import Arrays
from balancer.planner.place.calibrated import Calibrated
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.state import State
from balancer.planner.place.trader import STRICT, Trader, suits
from tests.drawing import clusters, policy
from tests.planner.place.formulations import domains, formulations, members, vectors


@st.composite
def straight(draw: st.DrawFn) -> Formulation:
    """Draw a formulation of what a trader knows: straight prices of cost, hard rules obeyed."""
    given_ = Formulation(Problem(draw(clusters(4, 6, 3)), Demand({}, {}), policy()))
    guests, sites = given_.allowed.shape
    pairs = guests * sites
    given_.allowed[:] = draw(vectors(pairs, st.integers(0, 5))).reshape(guests, sites) > 0
    given_.allowed[np.arange(guests), given_.start] = True
    given_.move_cost[:] = draw(vectors(guests))
    for number in range(draw(st.integers(1, 3))):
        use, limit = draw(vectors(guests)), 2 * draw(vectors(sites))
        price = Penalty(Level.COST, ((0, draw(st.integers(1, 9))),))
        given_.add(Row(f"soft {number}", use, limit, price, hard=False))
        held = np.zeros(sites, dtype=np.int64)
        np.add.at(held, given_.start, use)
        cap = np.maximum(held, limit) + draw(vectors(sites))
        given_.add(Row(f"hard {number}", use, cap, HARD, hard=True))
    who, where = draw(members(guests)), draw(domains(sites))
    now = np.bincount(where[given_.start[who]])
    most, least = (
        int(now.max()) + draw(st.integers(0, 1)),
        draw(st.integers(0, int(np.count_nonzero(now)))),
    )
    given_.add(AtMostPerDomain("crowd", who, where, most, HARD, hard=True))
    given_.add(DomainCount("count", who, where, least, 9, HARD, hard=True))
    return given_


@given(straight(), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_a_hot_walk_is_lawful_and_sums_up_what_the_reference_says(
    given_: Formulation, seed: int
) -> None:
    """Whatever is traded, the law holds and the sums are those of counting anew."""
    arrays = Arrays(State(given_))
    assert suits(arrays)
    assume(len(arrays.movers))
    trader = Trader(arrays, seed)
    for _ in range(4):
        trader.walk(100, 1e6, arrays.budget)
        assert permitted(given_, arrays.site)
        assert key(score(given_, arrays.site)) == tuple(arrays.total.tolist())


@given(straight(), st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_beyond_caps_only_rows_are_broken_and_the_search_keeps_none_of_it(
    given_: Formulation, seed: int
) -> None:
    """A price on the excess opens ways, and never changes what an answer must be."""
    arrays = Arrays(State(given_))
    assert suits(arrays)
    assume(len(arrays.movers))
    trader = Trader(arrays, seed)
    trader.press(2)
    trader.walk(200, 1e6, arrays.budget)
    assert permitted(given_, arrays.site) or trader.exceeded()
    search = Calibrated(Trader(Arrays(State(given_)), seed))
    search.run(lambda steps: steps / 1_000_000)
    assert permitted(given_, search.best)
    assert key(score(given_, search.best)) == search.reached <= key(score(given_, given_.start))


@given(formulations())
@settings(max_examples=60, deadline=None)
def test_what_suits_has_straight_prices_and_nothing_broken(given_: Formulation) -> None:
    """Whatever else the algebra can say is left to the walk that knows it."""
    arrays = Arrays(State(given_))
    if suits(arrays):
        start = score(given_, given_.start)
        assert (start.repair, start.overload) == (0, 0)
        assert not given_.soft_pairs.any()


@given(clusters(3, 4, 2))
@settings(max_examples=5, deadline=None)
def test_where_nothing_is_priced_a_unit_beyond_a_limit_costs_one(cluster: Cluster) -> None:
    """The measure for prices exists also without any price."""
    trader = Trader(Arrays(State(Formulation(Problem(cluster, Demand({}, {}), policy())))), 1)
    assert trader.slope == 1
    assert trader.strict == STRICT
    assert not trader.paid.any()
