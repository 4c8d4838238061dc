"""Fair division of a host's CPU: what must hold of it, and a slow reference in exact fractions."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.division import Claims, Division, divide

NEAR = 1e-6
Case = tuple[Claims, float]
AMOUNT = st.integers(0, 8000)


def claims_of(rows: Sequence[tuple[float, float, float, float]]) -> Claims:
    """Return claims of (wanted, shares, reserved, limit) each."""
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Claims(*columns)


ROWS = st.lists(
    st.tuples(
        AMOUNT,
        st.integers(1, 4096),
        st.one_of(st.just(0), AMOUNT),
        st.one_of(st.just(float("inf")), AMOUNT),
    ),
    min_size=1,
    max_size=8,
)
CASES = st.tuples(ROWS.map(claims_of), st.integers(0, 20_000).map(float))


def alone(claims: Claims, room: float) -> Division:
    """Divide one site's room among all of them."""
    return divide(claims, np.zeros(len(claims.wanted), dtype=np.int64), np.array([room]))


def reference(claims: Claims, room: float) -> list[Fraction]:
    """Return what everybody gets by filling slowly, in fractions, from corner to corner."""
    most = [Fraction(min(w, u)) for w, u in zip(claims.wanted, claims.limit, strict=True)]
    least = [min(Fraction(r), m) for r, m in zip(claims.reserved.tolist(), most, strict=True)]
    if sum(least) > room:
        most, least = least, [Fraction(0)] * len(least)
    shares = [Fraction(s) for s in claims.shares.tolist()]
    target = min(Fraction(room), sum(most))

    def at(level: Fraction) -> list[Fraction]:
        return [min(max(level * s, a), b) for s, a, b in zip(shares, least, most, strict=True)]

    corners = sorted(
        {
            Fraction(0),
            *(x / s for side in (least, most) for x, s in zip(side, shares, strict=True)),
        }
    )
    for low, high in pairwise(corners):
        below, above = sum(at(low)), sum(at(high))
        if below <= target <= above and above > below:
            return at(low + (high - low) * (target - below) / (above - below))
    return at(corners[-1] if sum(at(corners[0])) < target else corners[0])


@given(CASES)
def test_it_equals_the_slow_reference(case: Case) -> None:
    """To the rounding of binary fractions."""
    claims, room = case
    assert alone(claims, room).got == pytest.approx(
        [float(x) for x in reference(claims, room)], abs=NEAR
    )


@given(CASES)
def test_all_is_given_out_that_anybody_can_take(case: Case) -> None:
    """Never more than there is, never more than somebody wants, and nothing left while one lacks."""
    claims, room = case
    got = alone(claims, room).got
    most = np.minimum(claims.wanted, claims.limit)
    assert (got <= most + NEAR).all()
    assert (got >= 0).all()
    assert got.sum() == pytest.approx(min(room, most.sum()), abs=NEAR)


@given(CASES)
def test_reservations_are_kept_where_they_can_be(case: Case) -> None:
    """As far as they are wanted; where they are too many nobody gets more than its own."""
    claims, room = case
    got = alone(claims, room).got
    owed = np.minimum(claims.reserved, np.minimum(claims.wanted, claims.limit))
    if owed.sum() <= room:
        assert (got >= owed - NEAR).all()
    else:
        assert (got <= owed + NEAR).all()


@given(CASES)
def test_no_share_gets_less_than_another_but_by_its_own_bound(case: Case) -> None:
    """Who could take more has at least as much for each share as anybody beyond its reservation."""
    claims, room = case
    got = alone(claims, room).got
    most = np.minimum(claims.wanted, claims.limit)
    least = np.minimum(claims.reserved, most)
    if least.sum() > room:
        most, least = least, np.zeros_like(least)
    each = got / claims.shares
    hungry = got < most - 1e-3
    yielding = got > least + 1e-3
    if hungry.any() and yielding.any():
        assert each[hungry].min() >= each[yielding].max() - NEAR


@given(CASES, st.integers(0, 5000))
def test_more_room_harms_nobody(case: Case, more: int) -> None:
    """Whoever shares a host with others gets as much or more of a larger one."""
    claims, room = case
    owed = np.minimum(claims.reserved, np.minimum(claims.wanted, claims.limit))
    if owed.sum() > room:  # broken reservations are divided by another rule
        return
    before, after = alone(claims, room).got, alone(claims, room + more).got
    assert (after >= before - NEAR).all()


@given(CASES, st.integers(2, 9), st.data())
def test_more_shares_never_bring_less(case: Case, times: int, data: st.DataObject) -> None:
    """And all shares times anything change nothing."""
    claims, room = case
    who = data.draw(st.integers(0, len(claims.wanted) - 1))
    shares = claims.shares.copy()
    shares[who] *= times
    richer = Claims(claims.wanted, shares, claims.reserved, claims.limit)
    before = alone(claims, room).got
    assert alone(richer, room).got[who] >= before[who] - NEAR
    scaled = Claims(claims.wanted, claims.shares * times, claims.reserved, claims.limit)
    assert alone(scaled, room).got == pytest.approx(before, abs=NEAR)


@given(CASES)
def test_it_is_the_division_of_least_squares(case: Case) -> None:
    """No transfer between two guests makes the sum of got^2 / shares smaller."""
    claims, room = case
    got = alone(claims, room).got
    most = np.minimum(claims.wanted, claims.limit)
    least = np.minimum(claims.reserved, most)
    if least.sum() > room:
        most, least = least, np.zeros_like(least)
    best = (got**2 / claims.shares).sum()
    for taker in np.flatnonzero(got < most - 1).tolist():
        for giver in np.flatnonzero(got > least + 1).tolist():
            moved = got.copy()
            moved[taker] += 0.5
            moved[giver] -= 0.5
            assert taker == giver or (moved**2 / claims.shares).sum() >= best - 1e-3


@given(st.lists(CASES, min_size=1, max_size=4))
def test_many_hosts_at_once_are_each_alone(cases: list[Case]) -> None:
    """Guests in any order, on any number of hosts; a host without guests is no fault."""
    rows = [np.stack([c.wanted, c.shares, c.reserved, c.limit], axis=1) for c, _ in cases]
    site = np.concatenate([np.full(len(row), 2 * n) for n, row in enumerate(rows)])
    room = np.zeros(2 * len(cases))
    room[::2] = [room for _, room in cases]
    mixed = np.random.default_rng(1).permutation(len(site))
    claims = claims_of([tuple(row) for row in np.concatenate(rows)[mixed]])
    got = np.empty(len(site))
    got[mixed] = divide(claims, site[mixed].astype(np.int64), room).got
    one_by_one = np.concatenate([alone(c, r).got for c, r in cases])
    assert got == pytest.approx(one_by_one, abs=NEAR)


def test_an_example_to_read() -> None:
    """Four cores: one reserves two, one may have half of one, two divide the rest 3 to 1."""
    claims = claims_of(
        [
            (4000, 1, 2000, np.inf),
            (4000, 4, 0, 500),
            (4000, 3, 0, np.inf),
            (4000, 1, 0, np.inf),
        ]
    )
    division = alone(claims, 4000)
    assert division.got.tolist() == [2000, 500, 1125, 375]
    assert division.level.tolist() == [375]
    assert division.waiting(claims.wanted).tolist() == [2000, 3500, 2875, 3625]


def test_who_has_enough_has_no_level() -> None:
    """Where all is given that is wanted nobody is held to a share."""
    division = alone(claims_of([(100, 1, 0, np.inf)]), 1000)
    assert division.level.tolist() == [np.inf]
    assert division.waiting(np.array([100.0])).tolist() == [0]


@pytest.mark.parametrize("row", [(1, 0, 0, 1), (-1, 1, 0, 1), (1, 1, -1, 1), (1, 1, 0, -1)])
def test_what_cannot_be_divided_is_refused(row: tuple[float, float, float, float]) -> None:
    """Shares of nought, and less than nothing."""
    with pytest.raises(ValueError, match="nought"):
        claims_of([row])
