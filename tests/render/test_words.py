"""Words and quantities as people read them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from balancer.render.words import (
    HIDDEN,
    clean,
    count,
    duration,
    listed,
    pad,
    percent,
    shorten,
    size,
)


@given(st.text())
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
    """Whatever a name holds, what is shown is visible, and as long as it was."""
    shown = clean(text)
    assert len(shown) == len(text)
    assert not any(unicodedata.category(char) in HIDDEN - {"Co"} for char in shown)


@given(st.text(), st.integers(3, 30))
def test_a_shortened_name_fits_and_keeps_its_ends(text: str, width: int) -> None:
    """Names fit the cells there are; a padded one fills them."""
    short = shorten(text, width)
    assert cell_len(short) <= width
    assert cell_len(pad(text, width)) == width
    if cell_len(clean(text)) <= width:
        assert short == clean(text)
    else:
        assert "…" in short


def test_the_middle_goes() -> None:
    """Names of guests differ at their ends."""
    assert shorten("customer-4711-webserver-03", 14) == "custom…rver-03"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.26, "0.3 s"),
        (12.4, "12 s"),
        (119, "119 s"),
        (240, "4 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    """Two units at most, none that is nothing."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("mib", "words"), [(0, "0 MiB"), (256, "256 MiB"), (1536, "1.5 GiB"), (24 * 1024, "24 GiB")]
)
def test_amounts_of_data(mib: int, words: str) -> None:
    """Three digits at most."""
    assert size(mib) == words


def test_numbers_and_nouns() -> None:
    """One move, two moves, many."""
    assert [count(n, "move") for n in (0, 1, 2, 4871)] == [
        "0 moves",
        "1 move",
        "2 moves",
        "4,871 moves",
    ]
    assert percent(0.957) == "96 %"


def test_long_lists_are_counted() -> None:
    """Only the first few names of many are spelt out."""
    assert listed("abc") == "a, b, c"
    assert listed("abcdefgh", 2) == "a, b and 6 more"
