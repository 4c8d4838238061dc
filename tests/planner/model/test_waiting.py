"""The currency: what load makes guests wait."""

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.waiting import Burden, Room, excess, together, waiting

ROOM = Room(processors=16.0, memory=65_536.0)
AMOUNTS = st.floats(-50, 50)
SPREADS = st.floats(0, 30)


@given(AMOUNTS, SPREADS)
def test_the_excess_is_the_mean_of_what_is_over(over: float, variance: float) -> None:
    """It is what integrating max(0, x) over the normal distribution gives."""
    told = excess(over, variance)
    assert told >= max(0.0, over)
    if variance < 0.01:
        assert told == pytest.approx(max(0.0, over), abs=0.05)
        return
    normal = NormalDist(over, variance**0.5)
    cells = 4000
    low, high = over - 9 * normal.stdev, over + 9 * normal.stdev
    step = (high - low) / cells
    middles = (low + (i + 0.5) * step for i in range(cells))
    assert told == pytest.approx(
        sum(max(0.0, x) * normal.pdf(x) * step for x in middles), abs=0.01
    )


@given(AMOUNTS, AMOUNTS, SPREADS, SPREADS)
def test_more_load_and_more_doubt_never_wait_less(
    one: float, other: float, small: float, large: float
) -> None:
    """The excess grows with what is over and with how much it varies."""
    low, high = sorted((one, other))
    narrow, wide = sorted((small, large))
    assert excess(low, narrow) <= excess(high, narrow) + 1e-9
    assert excess(low, narrow) <= excess(low, wide) + 1e-9


def test_what_cannot_be_served_waits() -> None:
    """Twenty vCPUs that always run on sixteen processors: four of them wait, always."""
    assert waiting(Burden(running=20.0), ROOM) == 4.0
    assert waiting(Burden(running=12.0), ROOM) == 0.0


def test_swapped_memory_keeps_everybody_waiting() -> None:
    """One part in ten swapped out stops all that run, one in a hundred a tenth of it."""
    full = Burden(running=8.0, memory=65_536.0 / 0.9)
    little = Burden(running=8.0, memory=65_536.0 / 0.99)
    assert waiting(full, ROOM) == pytest.approx(8.0)
    assert waiting(little, ROOM) == pytest.approx(0.8)
    assert waiting(Burden(running=8.0, memory=65_536.0), ROOM) == 0.0


def test_burdens_add_up_and_can_be_taken_away() -> None:
    """A sum less one part is the rest."""
    one, other = Burden(1.0, 0.5, 100.0, 9.0), Burden(2.0, 0.25, 50.0, 4.0)
    both = together([one, other])
    assert both == Burden(3.0, 0.75, 150.0, 13.0)
    assert both.plus(other, -1) == one
    assert together([]) == Burden()
