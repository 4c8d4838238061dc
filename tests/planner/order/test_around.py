"""Looks around who steps aside: every answer is an order of all moves, with no more steps aside."""

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.order import around
from balancer.planner.order import arrange as arranging
from balancer.planner.order.around import fewer_around
from balancer.planner.order.arrange import PLAIN, Effort, Work, arrange
from balancer.planner.order.aside import fewest_steps_aside
from balancer.planner.order.deadlocks import Deadlocks
from balancer.planner.order.roamers import ground_of, movers_of
from balancer.planner.order.yard import Trip
from tests.planner.order.test_fewest import LATTICE, SWAP, SWAPS, fits
from tests.planner.order.yards import faults, yard, yards

WORK = 0.1
CLUMSY = (Trip(0, 0, 2), Trip(1, 1, 3), Trip(0, 2, 1), Trip(1, 3, 0))
"""Both guests of a swap step aside, where one is enough."""


def check(posed, trips):
    """Assert that trips find room one at a time and end at all targets."""
    free, at = tuple(posed.free.tolist()), posed.source.copy()
    for trip in trips:
        assert trip.source == at[trip.mover]
        free = fits(posed, free, trip.mover, trip.source, trip.target)
        assert free is not None
        at[trip.mover] = trip.target
    assert at.tolist() == posed.target.tolist()


@settings(max_examples=25, deadline=None)
@given(yards())
def test_what_comes_of_looking_is_safe_and_has_no_more_steps(posed):
    """Any order may be mended, never below what is proven."""
    n = np.arange(len(posed.source))
    for known in fewest_steps_aside(movers_of(posed), ground_of(posed), [n], PLAIN.aside)[:1]:
        found = fewer_around(posed, known, WORK, 0)
        check(posed, found)
        assert len(n) + len(Deadlocks(posed).apart()) <= len(found) <= len(known)


@pytest.mark.parametrize("turns", [(0, 1, 2, 3), (1, 0, 3, 2)])
def test_whoever_need_not_step_aside_goes_straight(turns):
    """Of a swap only one has to make room, whoever is looked at first."""
    posed = yard(SWAP, [0, 0, 10, 10])
    found = fewer_around(posed, [CLUMSY[turn] for turn in turns], WORK, 0)
    check(posed, found)
    assert len(found) == 3


def test_others_keep_their_turns():
    """A swap far away is not looked at, and what it holds of the spare host counts."""
    others = (Trip(2, 2, 4), Trip(3, 3, 2), Trip(2, 4, 3))
    posed = yard(SWAPS, [0, 0, 0, 0, 10, 10])
    clumsy = (Trip(0, 0, 4), Trip(1, 1, 5), Trip(0, 4, 1), Trip(1, 5, 0))
    found = fewer_around(posed, (*clumsy, *others), WORK, 0)
    check(posed, found)
    assert len(found) == 6
    assert tuple(trip for trip in found if trip.mover > 1) == others


def test_enough_is_enough():
    """Nothing is looked for once the steps aside are as few as asked for."""
    assert fewer_around(yard(SWAP, [0, 0, 10, 10]), CLUMSY, WORK, 2) == CLUMSY


def test_without_work_nothing_changes():
    """A solver that is given no time has no answer."""
    assert fewer_around(yard(SWAP, [0, 0, 10, 10]), CLUMSY, 0.0, 0) == CLUMSY


def test_a_knot_larger_than_a_look_is_mended_in_parts(monkeypatch):
    """With looks at two guests of four that share a host, each look still gives an order."""
    monkeypatch.setattr(around, "SIZE", 2)
    posed = yard(LATTICE, [0, 0, 0, 10, 10])
    first = (Trip(0, 0, 3), Trip(1, 1, 4), Trip(0, 3, 1), Trip(1, 4, 0))
    found = fewer_around(posed, (*first, Trip(2, 1, 3), Trip(3, 2, 1), Trip(2, 3, 2)), WORK, 0)
    check(posed, found)
    assert len(found) < 7


@pytest.mark.parametrize("work", [0.0, 0.3])
def test_many_moves_are_mended_as_few_are(monkeypatch, work):
    """More moves than CP-SAT is asked about at once: one step aside a circle, a safe schedule."""
    monkeypatch.setattr(arranging, "EXACT", 2)
    monkeypatch.setattr(arranging, "LARGE", 3)
    posed = yard(SWAPS, [0, 0, 0, 0, 10])
    effort = Effort(rounds=2, roams=1, aside=0.0, fewest=work, compiled_from=10**9)
    made = arrange(posed, effort).schedule
    assert made is not None
    assert faults(posed, made) == []
    assert made.steps_aside == 2


def test_an_order_of_many_moves_is_mended_down_to_what_is_allowed():
    """Looks end at the share of steps aside that is allowed."""
    posed = yard(SWAP, [0, 0, 10, 10])
    assert len(Work(posed, Effort(aside=0.5, fewest=0.3)).around(CLUMSY)) == 3
    assert Work(posed, Effort(aside=1.0, fewest=0.3)).around(CLUMSY) == CLUMSY
