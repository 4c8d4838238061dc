"""The best order by CP-SAT: safe, never longer, and the best where the best is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.order.arrange import Effort, Schedule, Work, arrange
from balancer.planner.order.exact import Answer, Known, Means, best_starts, measure
from balancer.planner.order.windows import Windows
from balancer.planner.order.yard import Trip, compile_trips
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
    assert best_starts(c, Known(best.start, best.rate, best.seconds, 0.35), Means(1.0)) == Answer(
        None, True, 0.0
    )


def test_a_better_order_is_found_from_a_poor_one():
    """From starts one after the other the solver finds what goes side by side."""
    work = Work(yard([(0, 1, 10), (2, 3, 20), (0, 3, 10)], [0, 10, 0, 30]), WALK)
    c = work.direct
    start, rate = np.array([0.0, 1.0, 3.0]), np.full(3, 10.0)
    answer = best_starts(c, Known(start, rate, 4.0, 3.0), Means(1.0))
    assert answer.proven
    assert max(answer.start + np.array([1, 2, 1])) == pytest.approx(3.0)


def test_without_means_nothing_is_found_nor_proven():
    """No work, no answer."""
    work = Work(yard([(0, 1, 10), (0, 2, 20), (1, 2, 5)], [0, 10, 20]), WALK)
    start = np.array([0.0, 1.0, 3.0])
    assert (
        best_starts(work.direct, Known(start, np.full(3, 10.0), 3.5, 0.5), Means(0.0)).proven
        is False
    )


class Small:
    """Windows of a few trips, so that small yards have them, too."""

    def __enter__(self):
        """Let CP-SAT never see a whole schedule."""
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("balancer.planner.order.arrange.EXACT", 0)
        self.patch.setattr("balancer.planner.order.windows.FIRST", 3)
        self.patch.setattr("balancer.planner.order.windows.LEAST", 2)

    def __exit__(self, *_):
        """Let all be as before."""
        self.patch.undo()


@settings(max_examples=25, deadline=None)
@given(yards())
def test_windows_keep_a_schedule_safe_and_never_make_it_longer(posed):
    """From the same schedule on, each window leaves it as it is or makes it shorter."""
    work = Work(posed, EXACT)
    work.find_direct()
    if work.best is None:
        return
    with Small():
        windows = Windows(work, 0.05)
        for _ in range(6):
            before = work.best.seconds
            better = windows.look()
            assert bool(work.best.seconds < before) == better
            assert work.best.seconds >= work.bound.seconds - 1e-6
            assert faults(posed, work.best) == []


@settings(max_examples=10, deadline=None)
@given(yards(max_moves=9))
def test_the_same_seed_and_work_give_the_same_schedule(posed):
    """Work is counted, not timed."""
    with Small():
        one, two = arrange(posed, EXACT).schedule, arrange(posed, EXACT).schedule
    assert (one is None) == (two is None)
    if one is not None and two is not None:
        assert list(one.trips) == list(two.trips)
        assert one.start.tolist() == two.start.tolist()


def poor(sizes: list[int]) -> tuple[Work, float]:
    """Return a search that holds the moves of one host over its link one after the other."""
    posed = yard(
        [(0, 1 + k, s) for k, s in enumerate(sizes)], [0, *sizes], top=np.full(len(sizes), 10.0)
    )
    posed.rate[1] = 20.0
    work = Work(posed, EXACT)
    length = np.array(sizes) / 10.0
    end = np.cumsum(length)
    rate = np.full(len(sizes), 10.0)
    work.keep(work.direct, Schedule(work.direct.trips, end - length, end, rate, end[-1], rate))
    return work, float(end[-1])


def test_windows_at_either_end_shorten_a_poor_schedule():
    """What only stands in a row is put side by side: from the end, and from the beginning."""
    for backwards in (False, True):
        work, before = poor([4, 3, 3, 4, 2, 4])
        with Small():
            windows = Windows(work, 1.0)
            windows.backwards = backwards
            assert windows.look()
        assert work.best.seconds < before - 0.1
        assert faults(work.yard, work.best) == []


def test_what_windows_gained_is_walked_on_from(monkeypatch):
    """After a window that was better the walk sets out from the best anew; it stays safe."""
    looked = []
    monkeypatch.setattr(Windows, "look", lambda self: bool(looked.append(self) or True))
    sizes = [3, 2, 2]
    posed = yard([(0, 1 + k, s) for k, s in enumerate(sizes)], [0, *sizes], top=np.full(3, 10.0))
    posed.rate[1] = 20.0
    found = arrange(posed, replace(WALK, rounds=40))
    assert looked
    assert found.schedule.seconds == pytest.approx(0.4)
    assert faults(posed, found.schedule) == []


def test_windows_grow_while_they_are_proven_and_end_with_the_whole():
    """Three trips, then more, until all of them are the window: none of it can be better."""
    work, _ = poor([4, 4, 4, 4])
    work.run()
    assert work.best.seconds == pytest.approx(0.8)
    work.bound = replace(work.bound, seconds=0.7)
    with Small():
        windows = Windows(work, 1.0)
        sizes = []
        while windows.left > 0:
            sizes.append(windows.size)
            assert not windows.look()
    assert sizes == [3, 3, 5, 5]


def test_windows_shrink_without_an_answer_and_end():
    """A solver that may do nothing proves nothing: smaller ones are tried, then none."""
    work, _ = poor([31, 29, 23, 19, 17, 13, 11, 5])
    with Small():
        windows = Windows(work, 1e-12)
        windows.size, windows.left = 4, 1.0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("balancer.planner.order.windows.LONGEST", 0.0)
            sizes = []
            while windows.left > 0:
                sizes.append(windows.size)
                windows.look()
    assert sizes == [4, 2]


def test_who_is_in_flight_before_a_window_goes_on_once_there():
    """The second leg of a step aside waits for the first, which the window leaves as it is."""
    posed = yard([(0, 1, 20), (3, 4, 10)], [0, 20, 20, 0, 10])
    c = compile_trips(posed, [Trip(0, 0, 2), Trip(0, 2, 1), Trip(1, 3, 4)])
    known = Known(np.array([0.0, 5.0, 1.0]), np.full(3, 10.0), 7.0, 1.0)
    answer = best_starts(c, known, Means(1.0), 2)
    assert answer.proven
    assert answer.start[:2] == pytest.approx([0.0, 2.0])


def test_no_window_is_opened_without_time_nor_for_too_many():
    """The clock holds them, and so does the number of trips."""
    work, before = poor([4, 3, 3, 4])
    work.effort = replace(work.effort, seconds=0.1)
    windows = Windows(work, 1.0)
    assert not windows.look()
    assert work.best.seconds == before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("balancer.planner.order.windows.MANY", 3)
        assert Windows(work, 1.0).left == 0.0


@pytest.mark.parametrize(
    ("length", "tick"),
    [([6.0, 9.0, 15.0], 3.0), ([1 / 550, 7 / 550], 1 / 550), ([1.0, 2**0.5], 1e-4)],
)
def test_durations_have_a_common_measure_or_none(length, tick):
    """Whole multiples are counted in their measure, all else in small parts."""
    assert measure(np.array(length), 10.0) == pytest.approx(tick, rel=1e-12)
