"""Amounts are read as operators write them, and a slip is told how to write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.config.reference import as_written
from balancer.config.units import (
    COUNT,
    FACTOR,
    KIB_S,
    MIB,
    MILLICORES,
    MILLISECONDS,
    RATIO,
    SECONDS,
    Unit,
)

UNITS = (MILLISECONDS, SECONDS, MIB, KIB_S, RATIO, FACTOR, MILLICORES, COUNT)


@pytest.mark.parametrize(
    ("unit", "written", "meant"),
    [
        (MILLISECONDS, "300ms", 300),
        (MILLISECONDS, "0.3 s", 300),
        (SECONDS, "10min", 600.0),
        (SECONDS, "24h", 86_400.0),
        (SECONDS, "1.5d", 129_600.0),
        (MIB, "8GiB", 8192),
        (MIB, "1.5GiB", 1536),
        (MIB, "1GB", 953),
        (MIB, "0GiB", 0),
        (KIB_S, "10Gbit", 1_220_703),
        (KIB_S, "100Mbit/s", 12_207),
        (KIB_S, "200MiB/s", 204_800),
        (RATIO, "40%", 0.4),
        (RATIO, 0.4, 0.4),
        (FACTOR, 4, 4.0),
        (MILLICORES, 2.5, 2500),
        (MILLICORES, "48 cores", 48_000),
        (COUNT, 8, 8),
    ],
)
def test_amounts_become_our_units(unit: Unit, written: object, meant: float) -> None:
    """Milliseconds, MiB, KiB/s, millicores and plain ratios."""
    read = unit.read(written)
    assert read == pytest.approx(meant)
    assert isinstance(read, int) is unit.whole


@pytest.mark.parametrize(
    ("unit", "written", "said"),
    [
        (MILLISECONDS, 300, 'give a unit, for example "300ms"'),
        (MILLISECONDS, "300", 'give a unit, for example "300ms"'),
        (MILLISECONDS, "300m", 'unknown unit "m", did you mean "ms"?'),
        (SECONDS, "10mins", 'did you mean "min"?'),
        (SECONDS, "8GiB", 'unknown unit "GiB" (units: ms, s, min, h, d)'),
        (MIB, "8gib", 'did you mean "GiB"?'),
        (MIB, "1KiB", "is less than one MiB"),
        (MIB, "99999999999TiB", "is too large"),
        (MIB, f"{2**33}TiB", "is too large"),
        (MIB, "-8GiB", "must be a size"),
        (MIB, "", "must be a size"),
        (MIB, True, "must be a size"),
        (MIB, ["8GiB"], "must be a size"),
        (RATIO, float("nan"), "must be a number from 0 on"),
        (RATIO, -0.1, "must be a number from 0 on"),
        (COUNT, "8GiB", "is a whole number: a bare number, for example 8"),
    ],
)
def test_a_slip_is_told_how_to_write_it(unit: Unit, written: object, said: str) -> None:
    """The unit that is missing, wrong or nearly right is named."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        unit.read(written)
    assert said in str(caught.value)


@given(
    st.sampled_from(UNITS),
    st.text(max_size=8) | st.integers() | st.floats() | st.from_regex(r"\d{1,20}[a-zA-Z%/]{0,5}"),
)
def test_anything_is_an_amount_or_told_why_not(unit: Unit, written: object) -> None:
    """Nothing but ValueError comes out, and no amount below nought."""
    try:
        amount = unit.read(written)
    except ValueError:
        return
    assert 0 <= amount < 2**53


@given(st.sampled_from([MILLISECONDS, MIB, KIB_S]), st.integers(0, 10_000))
def test_what_is_shown_can_be_written(unit: Unit, number: int) -> None:
    """An amount as the reference shows it is read back as the same amount."""
    for name in unit.factors:
        try:
            amount = unit.read(f"{number}{name}")
        except ValueError:
            continue
        shown = as_written(amount, unit)
        assert not shown.startswith('"') or unit.read(shown.strip('"')) == amount
