"""The rounds model: held to rounds worked out by hand, and to what must always be true of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.plan import Prediction
from balancer.planner.order.cost import P90_RATIO, SETUP_SECONDS, WillNotConverge, predict

MIB = 1024


def sure(volume, dirty, hot, rate, downtime=300) -> Prediction:
    """Return the prediction of a guest that converges."""
    answer = predict(volume, dirty, hot, rate, downtime)
    assert isinstance(answer, Prediction)
    return answer


def test_a_quiet_guest_is_sent_once_and_pauses_for_nothing():
    """1000 MiB at 100 MiB/s: one full round, then an empty last one."""
    answer = sure(1000, 0, 0, 100 * MIB)
    assert answer.seconds == SETUP_SECONDS + 10
    assert (answer.mib, answer.rounds, answer.downtime_ms) == (1000, 2, 0)


def test_rounds_shrink_by_the_ratio_of_dirty_rate_to_rate():
    """1000, 500, 250, 125, 62.5, 31.25, then 15.625 fits the 30 MiB of a 300 ms pause."""
    answer = sure(1000, 50, 1000, 100 * MIB)
    sent = 1000 + 500 + 250 + 125 + 62.5 + 31.25 + 15.625
    assert answer.seconds == pytest.approx(SETUP_SECONDS + sent / 100, abs=1e-3)
    assert (answer.mib, answer.rounds, answer.downtime_ms) == (1985, 7, 157)


def test_a_hot_set_saturates():
    """A hot set of 40 MiB dirtied at 60 MiB/s: 1000, then 40, then 24 in the pause of 30."""
    answer = sure(1000, 60, 40, 100 * MIB)
    assert (answer.mib, answer.rounds, answer.downtime_ms) == (1064, 3, 240)


def test_a_hot_set_within_the_pause_always_converges():
    """Dirtying ten times faster than the link is no obstacle when 2 MiB are dirtied."""
    answer = sure(1000, 1000, 2, 100 * MIB)
    assert (answer.rounds, answer.downtime_ms) == (2, 20)


def test_a_guest_small_enough_is_sent_in_the_pause():
    """20 MiB fit into 300 ms at 100 MiB/s."""
    answer = sure(20, 50, 20, 100 * MIB)
    assert (answer.rounds, answer.downtime_ms, answer.mib) == (1, 200, 20)


def test_a_guest_that_dirties_too_fast_is_said_not_to_converge():
    """71 MiB/s of 1000 MiB against 100 MiB/s is beyond the share that can be caught up with."""
    answer = predict(1000, 71, 1000, 100 * MIB, 300)
    assert answer == WillNotConverge(
        "it dirties 71 MiB/s of 1000 MiB, too fast to be sent at 100 MiB/s"
    )
    assert isinstance(predict(1000, 70, 1000, 100 * MIB, 300), Prediction)


@pytest.mark.parametrize(("rate", "downtime"), [(0, 300), (1024, 0), (-1, 300)])
def test_no_rate_or_no_pause_is_an_error(rate, downtime):
    """Without a rate or a pause there is nothing to predict."""
    with pytest.raises(ValueError, match="must be positive"):
        predict(1000, 0, 0, rate, downtime)


@given(
    volume=st.integers(0, 1 << 20),
    dirty=st.integers(0, 2000),
    hot=st.integers(0, 1 << 20),
    rate=st.integers(1, 1 << 22),
    downtime=st.integers(1, 5000),
)
def test_what_is_always_true(volume, dirty, hot, rate, downtime):
    """All memory is sent, the pause is kept, the band is ordered, and more rate never takes longer."""
    answer = predict(volume, dirty, hot, rate, downtime)
    if isinstance(answer, WillNotConverge):
        assert dirty * MIB > 0.7 * rate
        return
    assert answer.mib >= volume
    assert 0 <= answer.downtime_ms <= downtime
    assert SETUP_SECONDS <= answer.seconds <= answer.seconds_p90
    assert answer.seconds_p90 == pytest.approx(P90_RATIO * answer.seconds, abs=2e-3)
    faster = sure(volume, dirty, hot, 2 * rate, downtime)
    assert faster.seconds <= answer.seconds + 1e-3
