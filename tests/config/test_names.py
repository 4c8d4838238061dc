"""Host names by range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.config.names import MOST, expand


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("kvm1", ("kvm1",)),
        ("kvm[08-11]", ("kvm08", "kvm09", "kvm10", "kvm11")),
        ("kvm[8-11]", ("kvm8", "kvm9", "kvm10", "kvm11")),
        ("kvm[1,3,5-7]", ("kvm1", "kvm3", "kvm5", "kvm6", "kvm7")),
        ("r[1-2]-kvm[01-02]", ("r1-kvm01", "r1-kvm02", "r2-kvm01", "r2-kvm02")),
        ("[1-2].example.org", ("1.example.org", "2.example.org")),
    ],
)
def test_ranges_expand_in_order(pattern: str, names: tuple[str, ...]) -> None:
    """Leading zeros are kept, lists and several ranges work."""
    assert expand(pattern) == names


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("kvm[3-1]", "runs backwards"),
        ("kvm[01-100]", "as many digits"),
        ("kvm[a-c]", "is no range"),
        ("kvm[]", "is no range"),
        ("kvm[1-2", "is no host name"),
        ("", "is no host name"),
        ("-oProxyCommand=x", "is no host name"),
        ("kvm 1", "is no host name"),
        ("kvm[1-99999]", f"more than {MOST}"),
        ("[1-999][1-999]", f"more than {MOST}"),
    ],
)
def test_a_slip_is_told(pattern: str, said: str) -> None:
    """What is wrong with the range, and how one looks."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        expand(pattern)
    assert said in str(caught.value)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 4))
def test_a_range_has_every_number_once(first: int, more: int, zeros: int) -> None:
    """From the first to the last, none twice."""
    last = first + more
    width = len(str(last)) + zeros
    names = expand(f"h[{first:0{width}}-{last:0{width}}]")
    assert [int(name[1:]) for name in names] == list(range(first, last + 1))
    assert len({len(name) for name in names}) == 1


@given(st.text(max_size=20))
def test_anything_expands_or_is_refused(pattern: str) -> None:
    """Nothing but ValueError comes out."""
    try:
        assert expand(pattern)
    except ValueError as error:
        assert str(error)  # noqa: PT017
