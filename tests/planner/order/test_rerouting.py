"""Other ways for movers, drawn by chance."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.order.arrange import Effort, arrange
from balancer.planner.order.rerouting import rerouted
from balancer.planner.order.yard import LIVE, STORE, Trip
from tests.planner.order.yards import faults, yard, yards

RING = yard([(k, (k + 1) % 8, 5) for k in range(8)], [0] * 8 + [5, 5])
EVERYWHERE = [Trip(0, 0, 8), *(Trip(m, m, (m + 1) % 8) for m in range(7, 0, -1)), Trip(0, 8, 1)]


def drawn(posed, trips, times=300):
    """Return all that many draws give."""
    rng = np.random.default_rng(1)
    start = np.arange(float(len(trips)))
    found = [rerouted(rng, posed, trips, start) for _ in range(times)]
    return [one for one in found if one is not None]


def test_every_mover_still_gets_from_its_home_to_its_target():
    """Legs of a mover follow each other in their turns, and stop only at third hosts."""
    seen = set()
    for trips, key in drawn(RING, EVERYWHERE):
        assert len(key) == len(trips)
        ways = {}
        for trip, _ in sorted(zip(trips, key.tolist(), strict=True), key=lambda one: one[1]):
            ways.setdefault(trip.mover, []).append(trip)
        assert set(ways) == set(range(8))
        for mover, way in ways.items():
            hosts = [way[0].source, *(trip.target for trip in way)]
            assert (hosts[0], hosts[-1]) == (mover, (mover + 1) % 8)
            assert len(set(hosts)) == len(hosts)
        seen.add(tuple(sorted(m for m in ways if len(ways[m]) > 1)))
    assert () in seen  # straight home
    assert any(len(aside) > 1 for aside in seen)


def test_the_step_aside_is_handed_to_another_of_the_same_host():
    """Whoever else has to leave that host may make the room instead."""
    posed = yard([(0, 1, 5), (1, 0, 5), (0, 2, 5)], [0, 0, 5, 5])
    trips = [Trip(0, 0, 3), Trip(2, 0, 2), Trip(1, 1, 0), Trip(0, 3, 1)]
    ways = [sorted((t.mover, t.target) for t in made) for made, _ in drawn(posed, trips)]
    assert [(0, 1), (1, 0), (2, 2), (2, 3)] in ways


def test_who_may_not_stop_somewhere_does_not():
    """Hosts that are barred to a mover are no third hosts for it."""
    barred = replace(RING, allowed=np.zeros((8, 10), dtype=np.bool_))
    for trips, _ in drawn(barred, EVERYWHERE):
        assert len(trips) == len({trip.mover for trip in trips})


def test_who_is_stored_is_left_alone():
    """And where nobody else moves, there is nothing to draw."""
    assert drawn(RING, [Trip(0, 0, -1, STORE), Trip(0, -1, 1, 2)]) == []
    assert {t.kind for trips, _ in drawn(RING, EVERYWHERE) for t in trips} == {LIVE}


@settings(max_examples=30, deadline=None)
@given(yards(max_hosts=6, max_moves=9), st.integers(0, 999))
def test_what_is_found_by_other_ways_is_safe(posed, seed):
    """With time for many of them, room, rates and numbers still hold at every instant."""
    effort = Effort(rounds=300, roams=8, seed=seed, compiled_from=10**9, price_of_a_step_aside=0.0)
    made = arrange(posed, effort).schedule
    if made is not None:
        assert faults(posed, made) == []
