"""Every method copes with anything, and is good at what it is for."""

from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from balancer.planner.forecast import METHODS
from balancer.planner.forecast.automatic import Automatic
from balancer.planner.model.backtest import backtest
from balancer.planner.model.outlook import PER_DAY, PER_WEEK, Method, hours
from balancer.planner.model.rollups import Floats

AUTOMATIC = Automatic(METHODS, "percentile")
EVERY: dict[str, Method] = {**METHODS, "automatic": AUTOMATIC}
FIRST = 5_833_333
"""Number of the first column: an odd place within its hour, day and week."""

pasts = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=40),
    elements=st.floats(0, 2**20, width=32) | st.just(np.nan),
)


def rows(*values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Floats:
    return np.stack(values).astype(np.float32)


def daily(steps: int, low: float = 500, high: float = 2500, noise: float = 100) -> Floats:
    """Return a guest that works by day, from FIRST on."""
    at = (FIRST + np.arange(steps)) % PER_DAY / PER_DAY
    wave = low + (high - low) * (1 - np.cos(2 * np.pi * at)) / 2
    return (wave + np.random.default_rng(3).normal(0, noise, steps)).astype(np.float32)


@pytest.mark.parametrize("name", EVERY)
@given(past=pasts, horizon=st.integers(1, 30), quantile=st.sampled_from([0.5, 0.95, 0.999]))
def test_any_past_has_a_future(name: str, past: Floats, horizon: int, quantile: float) -> None:
    """Low is under the mean and the mean under high where anything is known, and never else."""
    path = EVERY[name](past, FIRST, horizon, quantile)
    known = ~np.isnan(past).all(axis=1)
    for line in (path.mean, path.low, path.high):
        assert line.shape == (len(past), horizon)
        assert line.dtype == np.float32
        assert (line[known] >= 0).all()
        assert np.isnan(line[~known]).all()
    if name not in ("percentile", "automatic"):  # a mean may lie outside of quantiles
        assert (path.low[known] <= path.mean[known] + 1e-3).all()
        assert (path.mean[known] <= path.high[known] + 1e-3).all()
    assert (path.low[known] <= path.high[known] + 1e-3).all()


@pytest.mark.parametrize("name", EVERY)
def test_what_never_changes_never_will(name: str) -> None:
    """A constant past has a constant future without a band."""
    path = EVERY[name](np.full((2, 400), 700, np.float32), FIRST, 12, 0.95)
    for line in (path.mean, path.low, path.high):
        assert np.allclose(line, 700, atol=1)


@pytest.mark.parametrize("name", EVERY)
def test_guests_do_not_know_each_other(name: str) -> None:
    """What is said of one guest does not depend on the others that are asked for with it."""
    past = rows(daily(600), daily(600, 100, 200), np.full(600, np.nan), np.arange(600.0))
    together = EVERY[name](past, FIRST, 12, 0.95)
    for number in range(len(past)):
        alone = EVERY[name](past[number : number + 1], FIRST, 12, 0.95)
        assert np.allclose(alone.mean[0], together.mean[number], rtol=1e-4, equal_nan=True)
        assert np.allclose(alone.high[0], together.high[number], rtol=1e-4, equal_nan=True)


@pytest.mark.parametrize("name", EVERY)
def test_amounts_scale(name: str) -> None:
    """Ten times the past is ten times the future."""
    past = rows(daily(700))
    once, tenfold = (EVERY[name](past * k, FIRST, 12, 0.95) for k in (1, 10))
    assert np.allclose(once.mean * 10, tenfold.mean, rtol=1e-3)
    assert np.allclose(once.high * 10, tenfold.high, rtol=1e-3)


@pytest.mark.parametrize("name", ["hour_of_week", "holt_winters", "automatic"])
def test_the_time_of_day_is_learnt(name: str) -> None:
    """After a week, the next day's course is foretold to within a fifth of its swing."""
    whole = daily(PER_WEEK + PER_DAY)
    path = EVERY[name](whole[None, :PER_WEEK], FIRST, PER_DAY, 0.95)
    assert np.abs(path.mean[0] - whole[PER_WEEK:]).mean() < 400
    inside = (whole[PER_WEEK:] <= path.high[0]).mean()
    assert inside > 0.85


def test_the_hour_of_the_week_knows_weekends() -> None:
    """After three weeks, a weekend is told from a working day."""
    steps = np.arange(3 * PER_WEEK)
    working = (steps // PER_DAY) % 7 < 5
    past = rows(np.where(working, 2000.0, 100.0))
    path = METHODS["hour_of_week"](past, 0, 6 * PER_DAY, 0.95)
    assert path.mean[0, : 4 * PER_DAY].min() > 1500
    assert path.mean[0, -PER_DAY // 2 :].max() < 700


def test_the_latest_counts_most() -> None:
    """An exponentially weighted mean follows a step that a percentile still averages out."""
    past = rows(np.concatenate([np.full(1000, 100.0), np.full(72, 900.0)]))
    assert METHODS["ewma"](past, FIRST, 1, 0.95).mean[0, 0] > 800
    assert METHODS["percentile"](past, FIRST, 1, 0.95).mean[0, 0] < 200


def test_a_percentile_is_what_it_says() -> None:
    """Of a hundred values, the 95th in order; gaps do not count."""
    values = np.full(200, np.nan)
    values[::2] = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
    path = METHODS["percentile"](rows(values), FIRST, 1, 0.95)
    assert path.high[0, 0] == 95
    assert path.mean[0, 0] == 50.5


def test_a_trend_is_carried_on() -> None:
    """Holt-Winters goes on from where the past came to, not from its mean."""
    past = rows(np.arange(1000.0))
    path = METHODS["holt_winters"](past, FIRST, 24, 0.95)
    assert path.mean[0].min() > 900
    assert path.high[0].max() > 1000


def test_each_guest_gets_what_would_have_been_best() -> None:
    """By back-test: a habit for one, the latest for another, the usual where nothing is known."""
    stepped = np.concatenate([np.full(PER_WEEK - 400, 100.0), np.full(400, 900.0)])
    new = np.full(PER_WEEK, np.nan)
    new[-30:] = 5
    past = rows(daily(PER_WEEK), stepped, new)
    tested = backtest(METHODS, past, FIRST, 0.95)
    best = [tested.methods[n] for n in tested.best("percentile")]
    assert best[0] in ("hour_of_week", "holt_winters")
    assert best[1] in ("ewma", "holt_winters")
    assert best[2] == "percentile"
    assert np.isnan(backtest(METHODS, past[:, :100], FIRST, 0.95).scores).all()


def test_hours_are_means_of_their_steps() -> None:
    """The first and the last hour may be known in part; a gap is no zero."""
    values = np.arange(30.0)
    values[5:7] = np.nan
    seen = hours(rows(values), 6)
    assert seen.first == 0
    assert seen.mean[0].tolist() == [2.0, 12.0, 23.5]
    assert seen.spread[0] > 0


@pytest.mark.soak
@pytest.mark.parametrize("name", EVERY)
def test_ten_thousand_guests_in_a_second(name: str) -> None:
    """A week of ten thousand guests takes at most one second of processor time."""
    past = np.random.default_rng(1).gamma(2, 300, (10_000, PER_WEEK)).astype(np.float32)
    began = process_time()
    for start in range(0, len(past), 1024):
        EVERY[name](past[start : start + 1024], FIRST, 12, 0.95)
    assert process_time() - began <= 1.0
