"""Annealing that finds its own heats: lawful, never worse than the start, any-time."""

from itertools import count, pairwise

import numpy as np
from hypothesis import given, settings

from balancer.planner.formulation import Formulation, Level, Penalty, Row
from balancer.planner.model.demand import Demand
from balancer.planner.model.problem import Problem
from balancer.planner.place.answer import key
from balancer.planner.place.arrays import Arrays
from balancer.planner.place.calibrated import Calibrated, Course
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.state import State
from balancer.planner.place.trader import Trader
from balancer.planner.place.walker import Walker
from tests.drawing import draw, policy
from tests.planner.place.formulations import formulations


@given(formulations())
@settings(max_examples=30, deadline=None)
def test_what_it_reaches_is_lawful_and_never_worse(given_: Formulation) -> None:
    """The score it reports is the reference's, for any primitives."""
    given_.site_cost[:] = 0
    search = Calibrated(Walker(Arrays(State(given_)), 1))
    search.run(lambda steps: steps / 400_000)
    assert permitted(given_, search.best)
    assert key(score(given_, search.best)) == search.reached
    assert search.reached <= key(score(given_, given_.start))


@given(formulations())
@settings(max_examples=10, deadline=None)
def test_with_nothing_to_spend_the_start_is_the_answer(given_: Formulation) -> None:
    """The present placement is always a candidate."""
    search = Calibrated(Walker(Arrays(State(given_)), 1))
    search.run(lambda _: 1.0)
    assert (search.best == given_.start).all()


def test_a_course_cools_and_ends_frozen() -> None:
    """Heat falls from the first to the last and is nought at the end."""
    course = Course(hot=100.0, cold=1.0)
    heats = [course.heat(done) for done in np.linspace(0, 1, 50)]
    assert abs(heats[0] - 100) < 1e-6
    assert all(a >= b for a, b in pairwise(heats))
    assert heats[-1] == 0


def test_a_part_that_ends_worse_is_not_kept() -> None:
    """Cut off while it is hot, it is forgotten; whole, it spreads what is too much at one site."""
    cluster = draw("a 16c/64g : v 1v/1g | w 1v/1g | x 1v/1g\nb 16c/64g :\nc 16c/64g :")
    given_ = Formulation(Problem(cluster, Demand({}, {}), policy()))
    price = Penalty(Level.COST, ((0, 10**6),))
    given_.move_cost[:] = 1
    given_.add(Row("crowded", np.ones(3, np.int64), np.ones(3, np.int64), price, hard=False))
    search = Calibrated(Trader(Arrays(State(given_)), 1))
    calls = count()
    search.run(lambda steps: steps / 1_000_000)
    assert search.reached[-1] == 2
    trader = search.walker
    assert isinstance(trader, Trader)
    for _ in range(20):
        search._part(trader, Course(1e9, 1e6), 3, lambda: next(calls) % 3 == 2)
        assert tuple(search.stand[1].tolist()) == search.reached == (0, 0, 2)


def test_a_part_without_guests_is_left_alone() -> None:
    """There is nobody to be moved."""
    cluster = draw("a 16c/64g : v 1v/1g\n" + "\n".join(f"b{n} 16c/64g :" for n in range(30)))
    given_ = Formulation(Problem(cluster, Demand({}, {}), policy()))
    search = Calibrated(Trader(Arrays(State(given_)), 1))
    search.run(lambda steps: steps / 2_000_000)
    assert (search.best == given_.start).all()


def test_what_varies_a_way_stays_near_it_and_half_of_them_cool_further() -> None:
    """Each is another way, and none is one that nobody could walk."""
    cluster = draw("a 16c/64g : v 1v/1g\nb 16c/64g :")
    search = Calibrated(
        Trader(Arrays(State(Formulation(Problem(cluster, Demand({}, {}), policy())))), 1)
    )
    way = Course(hot=1e6, cold=1e4, pull=2.0, lenient=True)
    ways = [search._varied(way) for _ in range(200)]
    spans = [one.hot / one.cold for one in ways]
    assert len({one.hot for one in ways}) == len(ways)
    assert 60 < sum(abs(span - 100) < 1 for span in spans) < 140
    assert all(span < 300_001 for span in spans)
