"""Trades of up to four guests: lawful, and their sums are the reference's."""

from itertools import count, product
from unittest.mock import patch

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
from balancer.planner.model.demand import Demand
from balancer.planner.model.problem import Problem
from balancer.planner.place.answer import key
from balancer.planner.place.arrays import Arrays
from balancer.planner.place.calibrated import Calibrated
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.polish import polish
from balancer.planner.place.region import Region
from balancer.planner.place.state import State
from balancer.planner.place.trader import STRICT, Trader, suits
from tests.drawing import clusters, draw, policy
from tests.planner.place.formulations import domains, formulations, members, vectors


@st.composite
def straight(pick: st.DrawFn, hosts: int = 4, guests: int = 6) -> Formulation:
    """Draw a formulation of what a trader knows: straight prices of cost, hard rules obeyed."""
    given_ = Formulation(Problem(pick(clusters(hosts, guests, 2)), Demand({}, {}), policy()))
    guests, sites = given_.allowed.shape
    pairs = guests * sites
    given_.allowed[:] = pick(vectors(pairs, st.integers(0, 5))).reshape(guests, sites) > 0
    given_.allowed[np.arange(guests), given_.start] = True
    given_.move_cost[:] = pick(vectors(guests))
    for number in range(pick(st.integers(1, 3))):
        use, limit = pick(vectors(guests)), 2 * pick(vectors(sites))
        price = Penalty(Level.COST, ((0, pick(st.integers(1, 9))),))
        given_.add(Row(f"soft {number}", use, limit, price, hard=False))
        held = np.zeros(sites, dtype=np.int64)
        np.add.at(held, given_.start, use)
        cap = np.maximum(held, limit) + pick(vectors(sites))
        given_.add(Row(f"hard {number}", use, cap, HARD, hard=True))
    who, where = pick(members(guests)), pick(domains(sites))
    now = np.bincount(where[given_.start[who]])
    most, least = (
        int(now.max()) + pick(st.integers(0, 1)),
        pick(st.integers(0, int(np.count_nonzero(now)))),
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


@given(straight(), st.integers(0, 1000), st.floats(0, 1e6))
@settings(max_examples=60, deadline=None)
def test_whoever_is_forced_in_the_law_holds_and_the_sums_are_the_reference_s(
    given_: Formulation, seed: int, heat: float
) -> None:
    """Others give way, or nothing happens; with a pull home, too. Without heat nothing is lost."""
    trader = Trader(Arrays(State(given_)), seed)
    arrays = trader.arrays
    assume(len(arrays.movers))
    trader.pull(heat / 2)
    for _ in range(4):
        trader.evict(100, heat)
        assert permitted(given_, arrays.site)
        assert key(score(given_, arrays.site)) == tuple(arrays.total.tolist())
    trader.pull(0.0)
    before = int(arrays.total[Level.COST])
    trader.evict(100, 0.0)
    assert permitted(given_, arrays.site)
    assert arrays.total[Level.COST] <= before


@given(straight(4, 8), st.integers(0, 1000), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_a_confined_walk_leaves_everybody_else_where_he_is(
    given_: Formulation, seed: int, size: int
) -> None:
    """Who is not at the sites told stays, nobody comes or leaves, and the sums are true."""
    trader = Trader(Arrays(State(given_)), seed)
    arrays = trader.arrays
    sites = trader.drawn(np.random.default_rng(seed), size)
    assert len(set(sites.tolist())) == len(sites) == min(size, len(arrays.load))
    inside = np.isin(given_.start, sites)
    trader.confine(sites)
    assume(len(trader.movers))
    for _ in range(4):
        trader.walk(100, 1e6, arrays.budget)
        trader.evict(50, 1e6)
        assert (arrays.site[~inside] == given_.start[~inside]).all()
        assert np.isin(arrays.site[inside], sites).all()
        assert permitted(given_, arrays.site)
        assert key(score(given_, arrays.site)) == tuple(arrays.total.tolist())


@given(formulations())
@settings(max_examples=60, deadline=None)
def test_what_suits_has_straight_prices_and_nothing_broken(given_: Formulation) -> None:
    """Whatever else the algebra can say is left to the walk that knows it."""
    arrays = Arrays(State(given_))
    if suits(arrays):
        start = score(given_, given_.start)
        assert (start.repair, start.overload) == (0, 0)
        assert not given_.soft_pairs.any()


def test_where_nothing_is_priced_a_unit_beyond_a_limit_costs_one() -> None:
    """The measure for prices exists also without any price, and a search gains nothing."""
    cluster = draw("a 16c/64g : v 1v/1g\nb 16c/64g :")
    given_ = Formulation(Problem(cluster, Demand({}, {}), policy()))
    trader = Trader(Arrays(State(given_)), 1)
    assert trader.slope == 1
    assert trader.strict == STRICT
    assert not trader.paid.any()
    search = Calibrated(trader)
    search.run(lambda steps: steps / 2_000_000)
    assert (search.best == given_.start).all()


@given(straight(3, 4), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_region_of_all_sites_is_what_trying_everything_finds(
    given_: Formulation, seed: int
) -> None:
    """Proven, lawful, and no placement costs less; settling elsewhere keeps the sums."""
    trader = Trader(Arrays(State(given_)), seed)
    arrays = trader.arrays
    assume(len(arrays.movers))
    trader.walk(50, 1e6, arrays.budget)
    walked = arrays.site.copy()
    changes, _, proven = Region(trader, range(len(arrays.load))).solve(10.0, 1)
    trader.bring(changes)
    ways = [
        np.flatnonzero(given_.allowed[g]) if g in arrays.movers else [given_.start[g]]
        for g in range(len(given_.start))
    ]
    lawful = (np.array(p) for p in product(*ways) if permitted(given_, np.array(p)))
    assert proven
    assert permitted(given_, arrays.site)
    reached = tuple(arrays.total.tolist())
    assert reached == key(score(given_, arrays.site)) == min(key(score(given_, p)) for p in lawful)
    trader.settle(walked)
    assert (arrays.site == walked).all()
    assert tuple(arrays.total.tolist()) == key(score(given_, walked))


@given(straight())
@settings(max_examples=10, deadline=None)
def test_with_no_work_to_spend_a_region_changes_nothing(given_: Formulation) -> None:
    """What is not proven is no smaller than two sites, and stays as it is."""
    trader = Trader(Arrays(State(given_)), 1)
    regions = count()
    with patch("balancer.planner.place.polish.WORK", 0.0):
        polish(trader, 1, lambda _: next(regions) / 3)
    assert permitted(given_, trader.arrays.site)
    assert key(score(given_, trader.arrays.site)) == tuple(trader.arrays.total.tolist())
