"""Memory crosses the simulated wire as physics says, however time is sliced."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.simulator.physics import (
    HANDOVER,
    LEAST_MIB,
    SETUP,
    Phase,
    Stream,
    Transfer,
    share,
    touched,
)


def transfer(
    memory: float = 1000, dirty: float = 0, hot: float = 0, pause: float = 0.3
) -> Transfer:
    """Return a transfer about to begin."""
    return Transfer(memory_mib=memory, dirty_mib_s=dirty, hot_set_mib=hot, pause_allowed=pause)


def run(moving: Transfer, rate: float, at_most: float = 10_000) -> float:
    """Advance from change to change until it arrives or `at_most` seconds passed."""
    passed = 0.0
    while moving.phase is not Phase.ARRIVED and passed < at_most:
        step = min(moving.next_change(rate), at_most - passed)
        moving.advance(step, rate)
        passed += step
    return passed


def test_an_idle_guest_takes_its_memory_over_the_rate() -> None:
    """Nothing is written meanwhile: one round, and a pause of the hand-over only."""
    moving = transfer(memory=1000)
    assert run(moving, rate=100) == pytest.approx(SETUP + 10 + HANDOVER)
    assert moving.sent_mib == pytest.approx(1000)
    assert moving.rounds == 1
    assert moving.paused == pytest.approx(HANDOVER)


def test_later_rounds_send_what_was_written_meanwhile() -> None:
    """Two rounds and a last piece, each computed by hand from the coverage formula."""
    moving = transfer(memory=1000, dirty=50, hot=200, pause=0.3)
    first = 1000 / 100
    second = touched(50, 200, first) / 100
    third = touched(50, 200, second) / 100
    expected = SETUP + first + second + third
    assert touched(50, 200, second) > 100 * 0.3
    passed = run(moving, rate=100)
    assert passed > expected
    assert moving.sent_mib > 1000 + touched(50, 200, first) + touched(50, 200, second)
    assert moving.paused <= 0.3 + HANDOVER + 1e-9


def test_a_guest_that_writes_faster_than_the_wire_never_arrives() -> None:
    """With a large hot set written at twice the rate, rounds go on for as long as one watches."""
    moving = transfer(memory=4000, dirty=200, hot=4000)
    run(moving, rate=100, at_most=1000)
    assert moving.phase is Phase.COPYING
    assert moving.rounds > 10
    assert moving.sent_mib == pytest.approx((1000 - SETUP) * 100)


def test_a_small_hot_set_saturates_and_lets_the_guest_go() -> None:
    """However fast it is written, a hot set that fits into the pause does not hold a guest."""
    moving = transfer(memory=1000, dirty=10_000, hot=20, pause=0.3)
    assert run(moving, rate=100) < 11
    assert moving.paused == pytest.approx(0.2 + HANDOVER, rel=0.05)


def test_nothing_moves_over_a_cut_link() -> None:
    """At rate zero a copy stays where it is, for ever."""
    moving = transfer()
    moving.advance(SETUP, 0.0)
    assert moving.phase is Phase.COPYING
    assert moving.next_change(0.0) == math.inf
    moving.advance(1000, 0.0)
    assert (moving.sent_mib, moving.left_mib) == (0, 1000)


def test_a_guest_without_a_hot_set_writes_nothing() -> None:
    """No division by an empty set."""
    assert touched(50, 0, 10) == 0


@given(st.floats(0, 1000), st.floats(0.1, 5000), st.floats(0, 100), st.floats(0, 100))
def test_coverage_grows_and_stays_within_hot_set_and_writes(
    dirty: float, hot: float, one: float, other: float
) -> None:
    """More time never touches fewer pages, nor more than exist or were written."""
    short, long = sorted((one, other))
    assert 0 <= touched(dirty, hot, short) <= touched(dirty, hot, long) + 1e-9
    assert touched(dirty, hot, long) <= min(hot, dirty * long) * (1 + 1e-9) + 1e-9


@given(
    st.floats(1, 5000),
    st.floats(0, 90),
    st.floats(0, 3000),
    st.lists(st.floats(0.01, 30), min_size=1, max_size=8),
)
def test_slicing_time_changes_nothing(
    memory: float, dirty: float, hot: float, cuts: list[float]
) -> None:
    """Advancing in pieces ends at the same moment, with the same bytes, as in one go."""
    whole, sliced = transfer(memory, dirty, hot), transfer(memory, dirty, hot)
    expected = run(whole, rate=100)
    passed = 0.0
    pieces = iter(cuts * 10_000)
    while sliced.phase is not Phase.ARRIVED:
        step = min(sliced.next_change(100), next(pieces))
        sliced.advance(step, 100)
        passed += step
    assert passed == pytest.approx(expected)
    assert sliced.sent_mib == pytest.approx(whole.sent_mib)
    assert sliced.rounds == whole.rounds


def test_the_last_piece_is_small_even_where_no_pause_is_allowed() -> None:
    """A pause of zero still ends, once less than the least piece is left."""
    moving = transfer(memory=100, dirty=10, hot=100, pause=0.0)
    assert run(moving, rate=100) < 10
    assert moving.paused <= LEAST_MIB / 100 + HANDOVER


LINKS = ("out a", "out b", "in c", "in d")


@given(
    st.lists(
        st.builds(
            Stream,
            st.tuples(st.sampled_from(LINKS[:2]), st.sampled_from(LINKS[2:])),
            st.floats(0, 200),
        ),
        min_size=1,
        max_size=8,
    ),
    st.fixed_dictionaries(dict.fromkeys(LINKS, st.floats(0, 150))),
)
def test_shares_are_fair(streams: list[Stream], room: dict[str, float]) -> None:
    """No link is overfull; whoever wants more is on a full link where nobody has more than he."""
    rates = share(streams, room)
    used = {
        link: sum(r for s, r in zip(streams, rates, strict=True) if link in s.links)
        for link in LINKS
    }
    assert all(used[link] <= room[link] + 1e-6 for link in LINKS)
    for stream, rate in zip(streams, rates, strict=True):
        assert rate <= stream.at_most + 1e-6
        satisfied = rate >= stream.at_most - 1e-6
        bottlenecks = [
            link
            for link in stream.links
            if used[link] >= room[link] - 1e-6
            and all(
                other <= rate + 1e-6
                for s, other in zip(streams, rates, strict=True)
                if link in s.links
            )
        ]
        assert satisfied or bottlenecks


def test_two_streams_into_one_card_halve_it() -> None:
    """And a stream that is held back leaves its part to the other."""
    both = Stream(("out a", "in c"), 1000), Stream(("out b", "in c"), 1000)
    room = dict.fromkeys(LINKS, 100.0)
    assert share(both, room) == (50, 50)
    assert share((both[0], Stream(("out b", "in c"), 20)), room) == (80, 20)


def test_what_has_arrived_changes_no_more() -> None:
    """Time may pass over it; nothing more is sent."""
    moving = transfer(memory=100)
    run(moving, rate=100)
    assert moving.next_change(100) == math.inf
    moving.advance(1000, 100)
    assert (moving.phase, moving.sent_mib) == (Phase.ARRIVED, pytest.approx(100))


def test_a_guest_that_is_slowed_down_arrives_where_it_would_not() -> None:
    """Round by round it writes less, a fifth at first, until what is left fits the pause."""
    busy = {"memory": 1000, "dirty": 300, "hot": 800}
    stuck, slowed = transfer(**busy), transfer(**busy)
    slowed.slowed = True
    assert run(stuck, rate=100, at_most=1000) == 1000
    assert run(slowed, rate=100, at_most=1000) < 1000
    assert 0.2 < slowed.throttle <= 0.99


def test_post_copy_sends_what_is_left_once_more() -> None:
    """What was written in the round goes too; the guest runs on meanwhile, whatever it writes."""
    moving = transfer(memory=1000, dirty=300, hot=800)
    assert not moving.switch(), "too early: nothing is copied yet"
    moving.advance(SETUP, 100)
    moving.advance(4, 100)
    left = 600 + touched(300, 800, 4)
    assert moving.switch()
    assert moving.left_mib == pytest.approx(left)
    assert run(moving, rate=100) == pytest.approx(left / 100)
    assert moving.paused == pytest.approx(HANDOVER)
    assert not moving.switch(), "too late"
