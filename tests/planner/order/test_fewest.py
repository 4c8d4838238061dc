"""Fewest steps aside: bounds hold for every order there is, and what is found is safe."""

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.order.arrange import Effort, Work, arrange
from balancer.planner.order.deadlocks import Deadlocks
from balancer.planner.order.fewest import Fewest, fewest
from balancer.planner.order.yard import Trip, rows_of
from tests.planner.order.yards import yard, yards

SWAP = [(0, 1, 10), (1, 0, 10)]
SWAPS = [*SWAP, (2, 3, 10), (3, 2, 10)]
LATTICE = [(0, 1, 10), (1, 0, 10), (1, 2, 10), (2, 1, 10)]
"""One guest on 0, two on 1, one on 2, who change places across the middle."""


def fits(posed, free, mover, here, there):
    """Return whether there is room on `there`, and then what is free after the move."""
    take, give = rows_of(posed, mover, there), rows_of(posed, mover, here)
    if any(free[r] < amount for r, amount in take.items() if r not in give):
        return None
    after = list(free)
    for r, amount in take.items():
        after[r] -= amount
    for r, amount in give.items():
        after[r] += amount
    return tuple(after)


def fewest_by_trying(posed):
    """Return the least number of moves beyond one for each mover, by trying everything; or None."""
    goal = tuple(posed.target.tolist())
    seen, layer, depth = set(), {tuple(posed.source.tolist()): tuple(posed.free.tolist())}, 0
    while layer:
        if goal in layer:
            return depth - len(goal)
        seen |= layer.keys()
        following = {}
        for at, free in layer.items():
            for m, here in enumerate(at):
                for there in range(len(posed.zone)):
                    after = fits(posed, free, m, here, there) if there != here else None
                    if after is not None:
                        following[(*at[:m], there, *at[m + 1 :])] = after
        layer = {at: free for at, free in following.items() if at not in seen}
        depth += 1
    return None


@settings(max_examples=60, deadline=None)
@given(yards(max_hosts=4, max_moves=5))
def test_no_order_undercuts_the_bounds(posed):
    """By trying everything: never fewer than either bound says, and what is found is an order."""
    known = fewest_by_trying(posed)
    found = fewest(posed, 1.0)
    if known is not None:
        assert len(Deadlocks(posed).apart()) <= known
        assert found.least <= known
    if found.trips:
        assert known is not None
        assert len(found.trips) - len(posed.source) >= known
        free, at = tuple(posed.free.tolist()), posed.source.copy()
        for trip in found.trips:
            assert trip.source == at[trip.mover]
            free = fits(posed, free, trip.mover, trip.source, trip.target)
            assert free is not None
            at[trip.mover] = trip.target
        assert at.tolist() == posed.target.tolist()


@pytest.mark.parametrize(
    ("moves", "free", "least"),
    [
        ([(0, 1, 10), (1, 2, 10)], [0, 0, 10], 0),
        (SWAP, [0, 0, 10], 1),
        (SWAPS, [0, 0, 0, 0, 10], 2),
        (LATTICE, [0, 0, 0, 10], 1),
        ([(0, 1, 20), (1, 0, 10), (1, 0, 10)], [0, 0, 20], 1),
    ],
)
def test_known_cases_take_what_they_must(moves, free, least):
    """Chains none, circles one each, and one big guest rather than two small ones."""
    posed = yard(moves, free)
    found = fewest(posed, 1.0)
    assert found.least == len(found.trips) - len(moves) == least == fewest_by_trying(posed)


def test_deadlocks_are_as_small_as_can_be():
    """Two swaps and a guest that waits for one of them: two sets of two."""
    posed = yard([*SWAPS, (4, 0, 10)], [0, 0, 0, 0, 0, 10])
    assert set(Deadlocks(posed).apart()) == {frozenset({0, 1}), frozenset({2, 3})}


def test_who_brings_another_way_is_not_in_a_deadlock():
    """Either of two guests may leave first: nobody has to step aside for a third."""
    posed = yard([(0, 1, 10), (1, 0, 10), (1, 2, 10)], [0, 0, 10])
    assert Deadlocks(posed).apart() == ()
    assert fewest(posed, 1.0).least == 0


def test_what_is_overfull_bounds_nothing():
    """A host that holds too much may take as much as leaves it."""
    posed = yard([(0, 1, 10), (1, 0, 10)], [-5, 10, 10])
    assert Deadlocks(posed).apart() == ()
    assert fewest(posed, 1.0).least == 0


def test_of_equally_few_the_light_step_aside():
    """A swap is opened by the guest that sends least."""
    found = fewest(yard(SWAP, [0, 0, 10], volume=np.array([9.0, 1.0])), 1.0)
    assert [trip.mover for trip in found.trips].count(1) == 2


def test_an_order_as_good_as_the_known_one_is_not_sought():
    """Only the bound is told where nothing would be better."""
    known = (Trip(0, 0, 2), Trip(1, 1, 0), Trip(0, 2, 1))
    assert fewest(yard(SWAP, [0, 0, 10]), 1.0, known) == Fewest(1, ())


def test_nowhere_to_go_is_no_order():
    """Where hosts are barred, or too slow, only the bound is known."""
    shut = np.ones((2, 3), dtype=np.bool_)
    shut[:, 2] = False
    assert fewest(yard(SWAP, [0, 0, 10], allowed=shut), 1.0) == Fewest(1, ())
    assert fewest(yard(SWAP, [0, 0, 10], dirty=np.array([7.0, 7.0])), 1.0) == Fewest(1, ())


def test_without_work_nothing_is_known():
    """A budget of nothing gives the weakest bound."""
    assert fewest(yard(LATTICE, [0, 0, 0, 10]), 0.0) == Fewest(0, ())


def test_the_engine_asks_where_its_search_is_above_the_bound(monkeypatch):
    """An order with fewer steps is taken, its bound told; and nothing is asked for too many."""
    posed = yard(SWAPS, [0, 0, 0, 0, 10])
    work = Work(posed, Effort(compiled_from=99, fewest=1.0))
    assert len(work.asked(())[0]) == 6
    assert work.least == 2
    assert work.asked(work.asked(())[0]) == []
    assert Work(posed, Effort(compiled_from=99)).asked(()) == []
    monkeypatch.setattr("balancer.planner.order.arrange.EXACT", 3)
    assert Work(posed, Effort(compiled_from=99, fewest=1.0)).asked(()) == []


def test_no_more_steps_than_allowed_are_made_for_a_shorter_schedule():
    """Cheap steps aside are made, but no more than the share of movers that is given."""
    ring = [(k, (k + 1) % 6, 10) for k in range(6)]
    posed = yard(ring, [0] * 6 + [10, 10, 10])
    effort = Effort(
        compiled_from=99, fewest=1.0, price_of_a_step_aside=0.021, roams=300, rounds=60
    )
    free = arrange(posed, effort).schedule.steps_aside
    held = arrange(posed, Effort(**{**_fields(effort), "aside": 0.05}))
    assert held.schedule.steps_aside == held.least == 1 < free


def _fields(effort):
    return {name: getattr(effort, name) for name in Effort.__slots__}
