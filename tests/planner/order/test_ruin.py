"""Few steps aside for many: every way is safe one move at a time, and none takes more than it must."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.order import arrange
from balancer.planner.order.arrange import PLAIN, Effort
from balancer.planner.order.aside import Searching, fewest_steps_aside
from balancer.planner.order.deadlocks import Deadlocks
from balancer.planner.order.kernels import settling
from balancer.planner.order.roamers import ground_of, movers_of
from balancer.planner.order.ruin import _Ruin, few_steps_aside
from tests.planner.order.yards import played, yard, yards

SEARCH = Searching(settling.settle, settling.outlook, visits=20_000, orders=3)
NONE = Searching(settling.settle, settling.outlook, visits=0, orders=0)


def way(posed, search=SEARCH, least=0, seed=1):
    """Return the trips that are found."""
    rng = np.random.default_rng(seed)
    return few_steps_aside(movers_of(posed), ground_of(posed), search, rng, least)


def circles(sizes):
    """Return a yard of full hosts whose guests go round in circles, with one that is free."""
    moves, host = [], 0
    for size in sizes:
        moves += [(host + i, host + (i + 1) % size, 10) for i in range(size)]
        host += size
    return yard(moves, [0] * host + [10])


@settings(max_examples=60, deadline=None)
@given(yards(6, 16), st.integers(0, 99))
def test_every_way_is_safe_one_move_at_a_time(posed, seed):
    """Each trip starts where its mover is, finds its room, and all end at their targets."""
    trips = way(posed, seed=seed)
    if trips:
        assert played(posed, trips).tolist() == posed.target.tolist()


def lattice(seed):
    """Return a yard of full hosts whose guests of each size change places, through one spare host."""
    rng = np.random.default_rng(seed)
    moves = []
    for size in (2, 3, 5):
        homes = rng.permutation(np.repeat(np.arange(8), 2))
        moves += [(g // 2, int(b), size) for g, b in enumerate(homes.tolist()) if g // 2 != b]
    return yard(moves, [1] * 8 + [7])


def test_what_is_sought_longer_takes_no_more_steps():
    """And what is found first is a way, too."""
    for seed in range(4):
        posed = lattice(seed)
        n = len(posed.source)
        trips, first = way(posed, seed=seed), way(posed, NONE, seed=seed)
        assert played(posed, trips).tolist() == posed.target.tolist()
        assert len(Deadlocks(posed).apart()) <= len(trips) - n <= len(first) - n


def test_steps_that_are_not_needed_or_find_no_room_are_left_out():
    """Who got home meanwhile stays there; a host that is full takes nobody."""
    posed = circles([2, 3])
    made = _Ruin(movers_of(posed), ground_of(posed), SEARCH, np.random.default_rng(1))
    order = np.arange(5)
    found = made._way([(0, 3), (0, 5), (0, 5)], order, 2)
    assert found is not None
    assert found.steps[0] == (0, 5)
    assert len(found.steps) == 2
    assert made._way([(0, 5)], order, 1) is None


def test_what_takes_more_steps_is_forgotten(monkeypatch):
    """The best so far is the answer, however long nothing better is found."""
    posed = circles([2, 3])
    made = _Ruin(movers_of(posed), ground_of(posed), SEARCH, np.random.default_rng(1))
    first = made._first()
    monkeypatch.setattr(made, "_first", lambda: first)
    monkeypatch.setattr(made, "_way", lambda *_: None)
    assert made.run(0) == first.trips


@settings(max_examples=40, deadline=None)
@given(yards())
def test_it_takes_no_fewer_than_are_proven(posed):
    """And finds a way wherever trying every mover at every depth finds one at once."""
    trips, n = way(posed), np.arange(len(posed.source))
    beam = fewest_steps_aside(movers_of(posed), ground_of(posed), [n], PLAIN.aside)
    assert bool(trips) >= bool(beam and len(beam[0]) == len(n))
    assert not trips or len(trips) - len(n) >= len(Deadlocks(posed).apart())


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(2, 5), min_size=1, max_size=8), st.integers(0, 99))
def test_each_circle_takes_one(sizes, seed):
    """Through one spare host, one after the other."""
    posed = circles(sizes)
    assert len(way(posed, seed=seed)) - len(posed.source) == len(sizes)


def test_one_large_guest_steps_aside_rather_than_small_ones():
    """What is begun with more steps than it takes is mended."""
    small = [(1, 0, 5)] * 4
    posed = yard([(0, 1, 20), *small], [0, 0, 20])
    assert {len(way(posed, seed=seed)) - 5 for seed in range(4)} == {1}


def test_who_is_enough_is_not_searched_on():
    """Where no order can have fewer, the first way is the answer; without means, too."""
    posed = circles([2, 3])
    assert len(way(posed, least=2)) == len(posed.source) + 2
    assert len(way(posed, NONE)) >= len(posed.source) + 2


def test_who_waits_for_a_full_cluster_finds_no_way():
    """No hole, no way."""
    assert way(yard([(0, 1, 10), (1, 0, 10)], [0, 0, 5])) == ()


def test_schedules_of_many_are_made_of_it(monkeypatch):
    """From so many movers on, unless it finds none; steps aside are not tried for speed then."""
    monkeypatch.setattr(arrange, "EXACT", 0)
    effort = Effort(rounds=20, compiled_from=10**6, aside=0.05)
    posed = circles([3, 2])
    found = arrange.arrange(posed, effort)
    assert found.schedule is not None
    assert (found.schedule.steps_aside, found.least) == (2, 2)
    full = yard([(0, 1, 10), (1, 0, 10)], [0, 0, 5])
    assert arrange.arrange(full, effort).schedule is None
