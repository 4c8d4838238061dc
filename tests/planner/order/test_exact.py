"""The best order by CP-SAT: safe, never longer, and the best where the best is known."""

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.order.arrange import Effort, Work, arrange
from balancer.planner.order.exact import Answer, best_starts, measure
from tests.planner.order.yards import faults, yard, yards

WALK = Effort(rounds=6, roams=4, compiled_from=10**9)
EXACT = Effort(rounds=6, roams=4, compiled_from=10**9, exact=0.05)


@settings(max_examples=25, deadline=None)
@given(yards())
def test_what_the_solver_finds_is_safe_and_no_longer(posed):
    """Its starts are placed anew, so that no rounding of its own is left."""
    walked, solved = arrange(posed, WALK).schedule, arrange(posed, EXACT)
    if walked is not None and solved.schedule is not None:
        assert faults(posed, solved.schedule) == []
        assert solved.schedule.seconds >= solved.bound.seconds - 1e-6


def test_two_streams_are_filled_evenly():
    """Eight moves over a link that holds two: halves of equal length exist, and are found."""
    sizes = [31, 29, 23, 19, 17, 13, 11, 5]
    posed = yard([(0, 1 + k, s) for k, s in enumerate(sizes)], [0, *sizes], top=np.full(8, 10.0))
    posed.rate[1] = 20.0
    found = arrange(posed, EXACT)
    assert found.schedule.seconds == pytest.approx(sum(sizes) / 20)
    assert faults(posed, found.schedule) == []


def test_an_odd_sum_cannot_be_halved_and_that_is_proven():
    """Whole measures bound more tightly than their sum: the search ends there."""
    sizes = [3, 2, 2]
    posed = yard([(0, 1 + k, s) for k, s in enumerate(sizes)], [0, *sizes], top=np.full(3, 10.0))
    posed.rate[1] = 20.0
    work = Work(posed, EXACT)
    found = work.run()
    assert found.schedule.seconds == pytest.approx(0.4)
    c, best = work.compiled, work.best
    assert best_starts(c, best.start, best.rate, 0.35, best.seconds, 1.0) == Answer(
        None, True, 0.0
    )


def test_a_better_order_is_found_from_a_poor_one():
    """From starts one after the other the solver finds what goes side by side."""
    work = Work(yard([(0, 1, 10), (2, 3, 20), (0, 3, 10)], [0, 10, 0, 30]), WALK)
    c = work.direct
    start, rate = np.array([0.0, 1.0, 3.0]), np.full(3, 10.0)
    answer = best_starts(c, start, rate, 3.0, 4.0, 1.0)
    assert answer.proven
    assert max(answer.start + np.array([1, 2, 1])) == pytest.approx(3.0)


def test_without_means_nothing_is_found_nor_proven():
    """No work, no answer."""
    work = Work(yard([(0, 1, 10), (0, 2, 20), (1, 2, 5)], [0, 10, 20]), WALK)
    start = np.array([0.0, 1.0, 3.0])
    assert best_starts(work.direct, start, np.full(3, 10.0), 0.5, 3.5, 0.0).proven is False


@pytest.mark.parametrize(
    ("length", "tick"),
    [([6.0, 9.0, 15.0], 3.0), ([1 / 550, 7 / 550], 1 / 550), ([1.0, 2**0.5], 1e-4)],
)
def test_durations_have_a_common_measure_or_none(length, tick):
    """Whole multiples are counted in their measure, all else in small parts."""
    assert measure(np.array(length), 10.0) == pytest.approx(tick, rel=1e-12)
