"""Few steps aside: every way is safe one move at a time, and known cases take no more than they must."""

import numpy as np
from hypothesis import given, settings

from balancer.planner.order.arrange import PLAIN
from balancer.planner.order.aside import Searching, fewest_steps_aside
from balancer.planner.order.kernels import settling
from balancer.planner.order.roamers import ground_of, movers_of
from tests.planner.order.yards import played, yard, yards


def ways(posed, search=PLAIN.aside):
    """Return the ways home that are found, trying movers in the order of their numbers and back."""
    n = np.arange(len(posed.source))
    return fewest_steps_aside(movers_of(posed), ground_of(posed), [n, n[::-1].copy()], search)


def steps(posed, search=PLAIN.aside):
    """Return how many steps aside the ways have."""
    found = ways(posed, search)
    return {len(way) - len(posed.source) for way in found}


@settings(max_examples=80, deadline=None)
@given(yards())
def test_every_way_is_safe_one_move_at_a_time(posed):
    """Each trip starts where its mover is, finds its room, and all end at their targets."""
    for way in ways(posed):
        assert played(posed, way).tolist() == posed.target.tolist()


def test_who_can_leave_in_turn_does():
    """A chain into free room needs nobody to step aside."""
    assert steps(yard([(0, 1, 10), (1, 2, 10), (2, 3, 10)], [0, 0, 0, 10])) == {0}


def test_each_circle_takes_one():
    """Two circles, of two and of four, through one spare host: two steps aside."""
    two, four = [(0, 1, 10), (1, 0, 10)], [(2, 3, 10), (3, 4, 10), (4, 5, 10), (5, 2, 10)]
    assert steps(yard(two + four, [0, 0, 0, 0, 0, 0, 10])) == {2}


def test_one_big_guest_steps_aside_rather_than_two_small_ones():
    """The least is sought in steps, not in what is sent."""
    assert steps(yard([(0, 1, 20), (1, 0, 10), (1, 0, 10)], [0, 0, 20])) == {1}


def test_who_waits_for_a_full_cluster_finds_no_way():
    """No hole, no way."""
    assert ways(yard([(0, 1, 10), (1, 0, 10)], [0, 0, 5])) == []


def test_hosts_that_are_barred_take_nobody():
    """The spare host may be closed to guests on their way."""
    swap, shut = [(0, 1, 10), (1, 0, 10)], np.ones((2, 3), dtype=np.bool_)
    shut[:, 2] = False
    assert ways(yard(swap, [0, 0, 10], allowed=shut)) == []


def test_a_link_too_slow_for_a_guest_is_no_way_aside():
    """What would dirty faster than it is sent does not go there."""
    swap = [(0, 1, 10), (1, 0, 10)]
    assert ways(yard(swap, [0, 0, 10], dirty=np.array([7.0, 7.0]))) == []


def test_a_search_without_means_gives_up():
    """Work that is over ends the search without a way."""
    poor = Searching(settling.settle, settling.outlook, visits=0, orders=0)
    swaps = [(0, 1, 10), (1, 0, 10), (2, 3, 10), (3, 2, 10)]
    assert ways(yard(swaps, [0, 0, 0, 0, 10]), poor) == []
