"""The scheduling engine on small yards: safe always, best where the best is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.order.arrange import Effort, Work, arrange
from balancer.planner.order.certificate import nobody_can_start
from balancer.planner.order.kernels import passes
from balancer.planner.order.kernels.roaming import roam
from balancer.planner.order.roamers import (
    Habits,
    drawn_settings,
    first_settings,
    ground_of,
    movers_of,
    near_habits,
)
from balancer.planner.order.yard import Trip, compile_trips
from tests.planner.order.yards import faults, yard, yards

PLAIN = Effort(rounds=12, roams=4, compiled_from=10**9)
IDLE = np.zeros((0, 1), dtype=np.int64)


def go(posed, effort=PLAIN):
    """Return the schedule found, which has no fault."""
    found = arrange(posed, effort).schedule
    assert found is not None
    assert faults(posed, found) == []
    return found


@settings(max_examples=60, deadline=None)
@given(yards())
def test_whatever_is_found_is_safe_and_no_shorter_than_the_bound(posed):
    """Room, rates and numbers hold at every instant; the bound is one."""
    found = arrange(posed, PLAIN)
    if found.schedule is not None:
        assert faults(posed, found.schedule) == []
        assert found.schedule.seconds >= found.bound.seconds - 1e-6


@settings(max_examples=40, deadline=None)
@given(yards())
def test_what_cannot_start_is_never_scheduled(posed):
    """A certificate of impossibility is never given where a live schedule exists."""
    if nobody_can_start(posed, IDLE) and not posed.cold.any():
        assert arrange(posed, PLAIN).schedule is None


def test_nothing_to_do_takes_no_time():
    """No moves, no schedule to speak of."""
    empty = yard([], [1, 1])
    assert arrange(empty, PLAIN).schedule.seconds == 0
    assert nobody_can_start(empty, IDLE) == ""


def test_disjoint_pairs_go_at_once():
    """What shares nothing waits for nothing: the longest move is the bound, and reached."""
    assert go(yard([(0, 1, 30), (2, 3, 20)], [0, 30, 0, 20])).seconds == 3


def test_a_swap_goes_through_the_spare_host():
    """Three moves, one after the other: there is one hole."""
    made = go(yard([(0, 1, 10), (1, 0, 10)], [0, 0, 10]))
    assert made.seconds == 3
    assert made.steps_aside == 1


def test_no_step_aside_is_left_that_nobody_needs():
    """Where guests can simply leave in turn, nobody steps aside."""
    made = go(yard([(0, 1, 10), (1, 2, 10), (2, 3, 10)], [0, 0, 0, 10]))
    assert made.steps_aside == 0


def test_a_swap_without_temporary_moves_is_not_scheduled():
    """The policy may forbid steps aside."""
    posed = yard([(0, 1, 10), (1, 0, 10)], [0, 0, 10], temporary=False)
    assert arrange(posed, PLAIN).schedule is None
    assert nobody_can_start(posed, IDLE) == ""


def test_full_hosts_that_swap_need_storing():
    """Where there is no hole, only a guest that may be stored opens the circle."""
    moves, free = [(0, 1, 10), (1, 0, 10)], [0, 0]
    full = yard(moves, free)
    assert arrange(full, PLAIN).schedule is None
    assert "no guest has room" in nobody_can_start(full, IDLE)
    assert nobody_can_start(full, np.zeros((1, 1), dtype=np.int64)) == ""
    assert "no guest has room" in nobody_can_start(full, np.full((1, 1), 5))
    stored = yard(moves, free, cold=np.array([True, True]), store=np.array([2.0, 2.0]))
    made = go(stored)
    assert made.seconds == 5
    assert [trip.kind for trip in made.trips] == [1, 0, 2]


def test_a_link_that_holds_one_and_a_half_is_used_up():
    """Rates are decisions: the second stream takes what the first leaves."""
    posed = yard([(0, 1, 100), (0, 2, 50)], [0, 100, 50], top=np.array([10.0, 10.0]))
    posed.rate[1] = 15.0
    posed.leaving[0, 1] = 1
    assert go(posed, Effort(rounds=60, compiled_from=10**9)).seconds == pytest.approx(10.0)


def test_slow_ratios_lengthen_moves():
    """An effective rate of half takes twice as long; rounds over a hot set take longer still."""
    half = np.full((2, 2), 0.5)
    moves = [(0, 1, 100)]
    assert go_seconds(moves, ratio=half, hot=np.array([0.0])) == 20
    assert go_seconds(moves, ratio=half, hot=np.array([50.0]), dirty=np.array([1.0])) > 21
    fast = {"hot": np.array([50.0]), "dirty": np.array([9.0]), "ratio": half}
    assert arrange(yard(moves, [0, 100], **fast), PLAIN).schedule is None


def go_seconds(moves, **more):
    """Return how long the best takes."""
    return arrange(yard(moves, [0, 100], **more), PLAIN).schedule.seconds


def test_a_swap_within_a_zone_uses_no_uplink():
    """Links between zones count only between zones."""
    uplink = np.full((3, 1), 7, dtype=np.int64)
    rates = np.array([1e18, 10, 10, 10, 10, 10, 10, 5.0])
    fields = {"rate": rates, "number": np.full(8, 99), "leaving_zone": uplink}
    near = yard([(0, 1, 10)], [0, 10, 0], zone=np.array([1, 1, 2]), **fields)
    far = yard([(0, 2, 10)], [0, 0, 10], zone=np.array([1, 1, 2]), **fields)
    assert (go(near).seconds, go(far).seconds) == (1, 2)


def test_time_over_ends_the_search_with_what_there_is():
    """A budget that is spent from the start still gives the first answer."""
    spent = Effort(rounds=10**6, roams=10**6, compiled_from=10**9, spent=lambda: 1.0)
    made = go(yard([(0, 1, 10), (1, 0, 10), (2, 0, 3)], [3, 0, 0, 10]), spent)
    assert made.steps_aside >= 1
    assert arrange(yard([(0, 1, 1), (1, 0, 1)], [0, 0]), spent).schedule is None


def test_dear_steps_aside_are_few():
    """Three swaps through one spare host take two: one host is in two of them."""
    dear = Effort(rounds=12, roams=30, compiled_from=10**9, price_of_a_step_aside=50.0)
    moves = [(0, 1, 2), (1, 0, 2), (2, 3, 3), (3, 2, 3), (0, 3, 1), (3, 0, 1)]
    assert go(yard(moves, [0, 0, 0, 0, 9]), dear).steps_aside <= 2


def test_cheap_steps_aside_are_sought_where_they_shorten():
    """Four swaps with four holes go side by side, in thrice the time of one move."""
    cheap = Effort(rounds=40, roams=60, compiled_from=10**9, price_of_a_step_aside=0.0)
    moves = [(a, b, 5) for k in range(4) for a, b in ((2 * k, 2 * k + 1), (2 * k + 1, 2 * k))]
    assert go(yard(moves, [0] * 8 + [5] * 4), cheap).seconds == pytest.approx(1.5)


def test_far_from_the_bound_more_steps_aside_are_tried():
    """One hole among many: what few steps aside make of it takes long, but they are kept few."""
    work = Effort(rounds=12, roams=300, compiled_from=10**9, price_of_a_step_aside=0.1)
    moves = [(k, (k + 1) % 12, 5) for k in range(12)]
    assert go(yard(moves, [0] * 12 + [5] * 3), work).seconds <= 5.0


def test_what_cannot_be_better_is_dropped_unseen():
    """Roaming whose outcome is far longer than the best is not timed."""
    work = Work(yard([(0, 1, 10), (1, 0, 10)], [0, 0, 10]), PLAIN)
    best = go(work.yard)
    work.best = replace(best, seconds=0.1)
    movers, ground = movers_of(work.yard), ground_of(work.yard)
    habits = Habits(first_settings(0, aside=True), np.zeros((2, 2)))
    assert work.roamed(movers, ground, habits) > 0.1
    assert work.best.seconds == 0.1


def test_what_roams_but_never_converges_is_no_schedule():
    """Roaming takes a simpler view of durations than what times the trips."""
    hot, dirty = np.full(2, 99.0), np.full(2, 7.5)
    posed = yard([(0, 1, 10), (1, 0, 10)], [0, 0, 10], hot=hot, dirty=dirty)
    assert arrange(posed, PLAIN).schedule is None


def test_a_needless_step_aside_is_straightened():
    """A detour that nobody needs becomes a direct move."""
    work = Work(yard([(0, 1, 10)], [0, 10, 10]), PLAIN)
    detour = compile_trips(work.yard, [Trip(0, 0, 2), Trip(0, 2, 1)])
    work.best, work.compiled = work.tightened(detour, np.arange(2.0)), detour
    assert work.best.steps_aside == 1
    work.straighten()
    assert work.best.steps_aside == 0
    assert faults(work.yard, work.best) == []


def test_many_trips_are_walked_from_the_best_alone(monkeypatch):
    """Where one pass takes long, it is spent on the best."""
    monkeypatch.setattr("balancer.planner.order.arrange.MANY_TRIPS", 0)
    assert go(yard([(0, 1, 3), (0, 2, 4), (1, 2, 5)], [0, 2, 9])).seconds > 0


def test_many_settings_are_drawn():
    """Both ways of weighing steps aside draw settings in range."""
    rng = np.random.default_rng(1)
    for few in (True, False):
        for _ in range(20):
            drawn = drawn_settings(rng, 900, aside=True, few=few)
            assert 0 <= drawn[0] <= 0.65
            assert drawn[10] in {0, 1, 2, 3, 4}


def test_near_habits_are_near_and_leave_the_known_as_they_are():
    """Most of what chance had for movers stays, settings never get below zero."""
    rng = np.random.default_rng(1)
    known = Habits(drawn_settings(rng, 50, aside=True, few=False), rng.random((2, 50)))
    before = known.luck.copy()
    tried = [near_habits(rng, known) for _ in range(40)]
    assert np.array_equal(known.luck, before)
    assert all(np.mean(one.luck != before) <= 0.5 for one in tried)
    assert any(np.any(one.luck != before) for one in tried)
    assert any(np.any(one.knobs != known.knobs) for one in tried)
    assert all(np.all(one.knobs >= 0) for one in tried)


@settings(max_examples=25, deadline=None)
@given(yards(), st.integers(0, 10**6))
def test_compiled_kernels_answer_as_plain_ones_do(posed, seed):
    """The same schedule to the last bit: a compiler changes no answer."""
    plain = arrange(posed, Effort(rounds=12, roams=4, seed=seed, compiled_from=10**9))
    fast = arrange(posed, Effort(rounds=12, roams=4, seed=seed, compiled_from=0))
    assert (plain.schedule is None) == (fast.schedule is None)
    if plain.schedule is not None and fast.schedule is not None:
        assert plain.schedule.trips == fast.schedule.trips
        assert plain.schedule.start.tolist() == fast.schedule.start.tolist()


@settings(max_examples=40, deadline=None)
@given(yards(), st.integers(0, 10**6))
def test_a_schedule_placed_again_in_its_own_order_gets_no_longer(posed, seed):
    """Forwards and backwards, leg by leg: nothing gets stuck, nothing ends later."""
    moves = range(len(posed.source))
    c = compile_trips(posed, [Trip(m, int(posed.source[m]), int(posed.target[m])) for m in moves])
    n = len(moves)
    start, end, rate = np.zeros(n), np.zeros(n), np.zeros(n)
    key = np.random.default_rng(seed).random(n)
    first = passes.step(c.legs, c.stock, c.flow, key, 1.0, 0.0, start, end, rate)
    if first >= passes.NEVER:
        return
    back, mirror = passes.mirrored(c.legs, c.stock)
    later = passes.generate(back, mirror, c.flow, c.book, first - end, 1.0, 0.0, start, end, rate)
    assert later <= first + 1e-9
    again = passes.generate(
        c.legs, c.stock, c.flow, c.book, later - end, 1.0, 0.0, start, end, rate
    )
    assert again <= later + 1e-9


@settings(max_examples=60, deadline=None)
@given(yards(), st.integers(0, 10**6), st.integers(1, 3))
def test_nobody_waits_who_might_start(posed, seed, places):
    """By events: whenever something ends, each that has not started yet still lacks something."""
    moves = range(len(posed.source))
    c = compile_trips(posed, [Trip(m, int(posed.source[m]), int(posed.target[m])) for m in moves])
    flow = c.flow._replace(number=np.minimum(c.flow.number, places))
    n = len(moves)
    start, end, rate = np.zeros(n), np.zeros(n), np.zeros(n)
    key = np.random.default_rng(seed).random(n)
    passes.step(c.legs, c.stock, flow, key, 1.0, 0.0, start, end, rate)
    started = start < passes.NEVER
    for now in {0.0, *end[started].tolist()}:
        room, left, free = c.stock.room - c.stock.level, flow.rate.copy(), flow.number.copy()
        for j in np.flatnonzero(started & (start <= now + 1e-6)).tolist():
            _shift(room, c.legs.take[j], -c.legs.take_amount[j])
            if end[j] <= now + 1e-6:
                _shift(room, c.legs.give[j], c.legs.give_amount[j])
                continue
            _shift(left, c.legs.channel[j], np.full(len(c.legs.channel[j]), -rate[j]))
            _shift(free, c.legs.channel[j], np.full(len(c.legs.channel[j]), -1))
        for j in np.flatnonzero(start > now + 1e-6).tolist():
            why, speed = passes.blocker(c.legs, room, left, free, j, 1.0)
            assert why >= 0 or passes.duration(c.legs, j, speed, 0.0) >= passes.NEVER


def _shift(amounts, numbers, by):
    """Add `by` to those of `amounts` that are meant: -1 is none."""
    for number, change in zip(numbers.tolist(), by.tolist(), strict=True):
        if number >= 0:
            amounts[number] += change


@pytest.mark.parametrize(("homewards", "trips"), [(0.0, 5), (1.0, 6)])
def test_who_stepped_aside_comes_first_while_so_many_are_not_home(homewards, trips):
    """Two swaps at one host, one hole: who lets the others use it first steps aside once for both."""
    moves = [(0, 1, 5), (1, 0, 5), (3, 1, 5), (1, 3, 5)]
    posed = yard(moves, [0, 0, 5, 0], volume=np.array([1.0, 5.0, 5.0, 5.0]))
    knobs = first_settings(0, aside=True)
    knobs[1] = homewards
    room = [np.zeros(24, dtype=np.int64) for _ in range(4)]
    luck = np.zeros((2, 4))
    made = roam(movers_of(posed), ground_of(posed), knobs, luck, *room, np.zeros(24))
    assert made[:2] == (trips, 0)
