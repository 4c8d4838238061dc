"""Going slowly where set-ups would hold a busy link for nothing."""

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.order.arrange import Effort, arrange
from balancer.planner.order.kernels.passes import duration
from balancer.planner.order.pacing import light_paces
from balancer.planner.order.yard import Trip, compile_trips
from tests.planner.order.yards import faults, yard, yards


def uplink(setup, dirty=0.0, moves=12):
    """Return moves of 10 MiB that leave as many hosts through one link of 10 MiB/s."""
    posed = yard(
        [(k, moves + k, 10) for k in range(moves)],
        [0] * moves + [99] * moves,
        setup=np.full(moves, setup),
        dirty=np.full(moves, dirty),
        top=np.full(moves, 10.0),
    )
    posed.leaving[:moves] = posed.leaving[0]
    return posed


def direct(posed):
    """Return the arrays of the direct moves."""
    moves = range(len(posed.source))
    return compile_trips(
        posed, [Trip(m, int(posed.source[m]), int(posed.target[m])) for m in moves]
    )


def test_moves_that_set_up_for_long_share_a_link():
    """At half the rate two set up at once: six times 1 s and 2 s of sending, not twelve times 2 s."""
    posed = uplink(1.0)
    assert light_paces(direct(posed)).tolist() == [5.0] * 12
    made = arrange(posed, Effort(rounds=60, compiled_from=10**9)).schedule
    assert made.seconds == pytest.approx(18.0)
    assert faults(posed, made) == []


def test_what_dirties_much_goes_fast():
    """At half the rate such guests would send more again than set-up costs."""
    assert light_paces(direct(uplink(0.1, dirty=4.0))) is None


def test_without_set_up_there_is_nothing_to_gain():
    """A rate is then as good as any other."""
    assert light_paces(direct(uplink(0.0))) is None


def test_no_move_is_slowed_to_last_as_long_as_the_plan():
    """Two moves are all there is: at half the rate each would take most of the time."""
    assert light_paces(direct(uplink(1.0, moves=2))) is None


@settings(max_examples=60, deadline=None)
@given(yards())
def test_slower_moves_never_load_the_busiest_link_more(posed):
    """But by what the sum descended on, of at most so many loads to the 24th, lets through."""
    c = direct(posed)
    found = light_paces(c)
    if found is None:
        return
    assert np.all((found == c.legs.top) | (found == c.legs.top / 2))

    def busiest(rate):
        seconds = np.array([duration(c.legs, j, r, c.pause) for j, r in enumerate(rate.tolist())])
        held = [
            max(
                float((seconds * rate)[on].sum() / c.flow.rate[k]),
                float(seconds[on].sum() / c.flow.number[k]),
            )
            for k in range(len(c.flow.rate))
            if (on := (c.legs.channel == k).any(axis=1)).any()
        ]
        return max(held)

    assert busiest(found) <= busiest(c.legs.top) * (2 * c.legs.channel.size) ** (1 / 24)
