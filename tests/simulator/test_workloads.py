"""Demand over time is what its shape says, and the same each time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.simulator.workloads import Burst, Constant, Diurnal, Noisy, Step, chance

MIDNIGHT = 20_000 * 86_400.0


def test_constant_and_step() -> None:
    """A constant never changes; a step changes at its moment."""
    assert Constant(cpu=500).at(MIDNIGHT) == 500
    step = Step(before=500, after=3000, moment=MIDNIGHT)
    assert (step.at(MIDNIGHT - 0.1), step.at(MIDNIGHT)) == (500, 3000)


def test_a_day_is_highest_at_its_peak_and_lowest_twelve_hours_from_it() -> None:
    """Peak at 14:00, half-way at 08:00 and 20:00."""
    day = Diurnal(low=1000, high=3000, peak=14 * 3600)
    hours = [day.at(MIDNIGHT + hour * 3600) for hour in range(24)]
    assert hours[14] == max(hours) == 3000
    assert hours[2] == min(hours) == 1000
    assert hours[8] == hours[20] == 2000


@given(st.integers(0, 10_000))
def test_each_period_has_one_burst_of_its_length(seed: int) -> None:
    """Sampled every second, a burst of 60 s takes 60 samples of each period of 600."""
    burst = Burst(low=1, high=9, every=600, lasting=60, seed=seed)
    levels = [burst.at(MIDNIGHT + second) for second in range(600)]
    assert levels.count(9) == pytest.approx(60, abs=1)
    changes = sum(a != b for a, b in pairwise(levels))
    assert changes <= 2


@given(st.integers(0, 10**9), st.floats(0, 1e9))
def test_noise_stays_within_its_band_and_repeats(seed: int, seconds: float) -> None:
    """5 % of 2,000 is at most 100 either way; the same moment gives the same value."""
    noisy = Noisy(calm=Constant(cpu=2000), noise=0.05, seed=seed)
    assert 1900 <= noisy.at(seconds) <= 2100
    assert noisy.at(seconds) == noisy.at(seconds)


def test_noise_moves_from_minute_to_minute() -> None:
    """It is noise, not an offset."""
    noisy = Noisy(calm=Constant(cpu=2000), noise=0.05, seed=7)
    values = [noisy.at(MIDNIGHT + 60 * minute) for minute in range(200)]
    assert len(set(values)) > 100
    assert sum(values) / 200 == pytest.approx(2000, rel=0.01)


def test_chance_fills_its_interval_evenly() -> None:
    """Ten bins of 10,000 draws are filled within four standard deviations; seeds differ."""
    draws = [chance(3, number) for number in range(10_000)]
    bins = [sum(low / 10 <= d < (low + 1) / 10 for d in draws) for low in range(10)]
    assert all(abs(count - 1000) < 120 for count in bins)
    assert draws[:5] != [chance(4, number) for number in range(5)]
