"""How far up the ladder a migration is expected to go: the mildest way that does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.plan import RungKind
from balancer.planner.order.cost import WillNotConverge, predict
from balancer.planner.order.rungs import Means, Stance, ladder, pauses, stance

MIB = 1024
PLAIN = Means(top_kib_s=100 * MIB, effective=1.0, pause_at_most=300)


def able(**others: object) -> Means:
    """Return what is allowed, with others in the place of some."""
    given_ = {"top_kib_s": 100 * MIB, "effective": 1.0, "pause_at_most": 300}
    return Means(**(given_ | others))  # type: ignore[arg-type]


def sure(*args: int, means: Means) -> Stance:
    """Return the stance of a guest that converges."""
    found = stance(*args, means)
    assert isinstance(found, Stance), found
    return found


@pytest.mark.parametrize(
    ("most", "steps"),
    [(0, (1,)), (100, (100,)), (300, (300,)), (600, (300, 600)), (2400, (300, 600, 1200, 2400))],
)
def test_pauses_double_up_to_the_guests_limit(most: int, steps: tuple[int, ...]) -> None:
    """Three steps at most; never longer than the guest may pause."""
    assert pauses(most) == steps


def test_a_calm_guest_begins_plainly() -> None:
    """As the rounds model says; nothing may be tried where nothing is left to allow."""
    found = sure(1000, 10, 500, 100 * MIB, means=PLAIN)
    assert found == Stance(predicted=predict(1000, 10, 500, 100 * MIB, 300), downtime_ms=300)  # type: ignore[arg-type]
    assert ladder(found, 100 * MIB, PLAIN) == ()


def test_the_shortest_pause_that_does() -> None:
    """40 MiB of a hot set fit 600 ms at 100 MiB/s, not 300 ms."""
    means = able(pause_at_most=2400)
    found = sure(1000, 90, 40, 100 * MIB, means=means)
    assert found.downtime_ms == 600
    rungs = ladder(found, 50 * MIB, means)
    assert [(r.kind, r.rate_kib_s, r.downtime_ms) for r in rungs] == [
        (RungKind.BANDWIDTH, 100 * MIB, 0),
        (RungKind.DOWNTIME, 0, 1200),
        (RungKind.DOWNTIME, 0, 2400),
    ]


def test_more_bandwidth_goes_before_anything_that_costs_the_guest() -> None:
    """At half the rate it would need to be slowed down, at the full rate not: the full rate it is."""
    means = able(auto_converge=True, post_copy=True)
    assert isinstance(stance(1000, 50, 1000, 50 * MIB, means), WillNotConverge)
    assert not sure(1000, 50, 1000, 100 * MIB, means=means).auto_converge


def test_auto_converge_then_post_copy_where_they_are_allowed() -> None:
    """Nothing milder does; each with its risk named."""
    busy = (1000, 300, 1000, 100 * MIB)
    refused = stance(*busy, PLAIN)
    assert isinstance(refused, WillNotConverge)
    assert "allow it auto_converge or post_copy ([allow])" in refused.sentence
    means = able(auto_converge=True, post_copy=True, pause_at_most=600)
    slowed = sure(*busy, means=means)
    assert (slowed.auto_converge, slowed.downtime_ms) == (True, 600)
    assert slowed.predicted.mib > 2000
    (last,) = ladder(slowed, 100 * MIB, means)
    assert last.kind is RungKind.POST_COPY
    assert "the guest is lost" in last.risk
    followed = sure(*busy, means=able(post_copy=True))
    assert (followed.post_copy, followed.predicted.mib) == (True, 3000)
    calm = sure(1000, 10, 500, 100 * MIB, means=means)
    kinds = [rung.kind for rung in ladder(calm, 100 * MIB, means)]
    assert kinds == [RungKind.DOWNTIME, RungKind.AUTO_CONVERGE, RungKind.POST_COPY]


def test_what_even_a_hundredth_dirties_too_fast() -> None:
    """Auto-converge is no help then; what would be is said."""
    answer = stance(1000, 10_000, 1000, 100 * MIB, able(auto_converge=True))
    assert isinstance(answer, WillNotConverge)
    assert "; allow it post_copy ([allow]), or a longer" in answer.sentence
    assert "auto_converge" not in answer.sentence
    both = able(auto_converge=True, post_copy=True)
    assert sure(1000, 10_000, 1000, 100 * MIB, means=both).post_copy


@st.composite
def means_drawn(draw: st.DrawFn) -> tuple[int, Means]:
    """Draw a rate and what is allowed."""
    rate = draw(st.integers(1, 1 << 22))
    return rate, Means(
        top_kib_s=rate + draw(st.integers(0, 1 << 22)),
        effective=0.9,
        pause_at_most=draw(st.integers(1, 10_000)),
        auto_converge=draw(st.booleans()),
        post_copy=draw(st.booleans()),
    )


@given(
    volume=st.integers(0, 100_000),
    dirty=st.integers(0, 5000),
    hot=st.integers(0, 100_000),
    given_=means_drawn(),
)
def test_what_is_always_true(volume, dirty, hot, given_) -> None:
    """All memory is sent, the guest's pause is kept, nothing is used that is not allowed."""
    rate, means = given_
    found = stance(volume, dirty, hot, rate, means)
    if isinstance(found, WillNotConverge):
        return
    assert found.predicted.mib >= volume
    assert found.predicted.downtime_ms <= found.downtime_ms <= means.pause_at_most
    assert not found.auto_converge or means.auto_converge
    assert not found.post_copy or means.post_copy
    for rung in ladder(found, rate, means):
        assert rung.downtime_ms <= means.pause_at_most
        assert rung.rate_kib_s <= means.top_kib_s
        assert rung.kind is not RungKind.POST_COPY or means.post_copy
        assert rung.kind is not RungKind.AUTO_CONVERGE or means.auto_converge
