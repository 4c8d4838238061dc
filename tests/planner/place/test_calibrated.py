"""Annealing that finds its own heats: lawful, never worse than the start, any-time."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings

from balancer.planner.formulation import Formulation
from balancer.planner.place.answer import key
from balancer.planner.place.arrays import Arrays
from balancer.planner.place.calibrated import Calibrated, Course
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.state import State
from balancer.planner.place.walker import Walker
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
