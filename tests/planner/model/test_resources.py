"""Vectors of integers over named dimensions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.resources import (
    DIMENSIONS,
    Resources,
    add,
    dimension,
    fits,
    subtract,
    total,
)

VECTORS = st.dictionaries(st.sampled_from(["cpu", "memory", "disk"]), st.integers(-9, 9))


def same(a: Resources, b: Resources) -> bool:
    """Equal where an absent dimension is zero."""
    return all(a.get(name, 0) == b.get(name, 0) for name in a.keys() | b.keys())


@given(VECTORS, VECTORS)
def test_what_is_added_can_be_taken_away(a: Resources, b: Resources) -> None:
    """In every dimension, absent ones being zero."""
    assert same(subtract(add(a, b), b), a)
    assert same(total([a, b]), add(a, b))


@given(VECTORS, VECTORS)
def test_what_fits_leaves_nothing_below_zero(need: Resources, room: Resources) -> None:
    """Dimension by dimension."""
    left = subtract(room, need)
    assert fits(need, room) == all(left[name] >= 0 for name in need)


def test_every_dimension_has_a_unit_and_huge_pages_are_made_on_demand() -> None:
    """By their size in KiB."""
    assert all(dimension(name).unit for name in DIMENSIONS)
    assert dimension("hugepages-2048").meaning == "huge pages of 2048 KiB"
    with pytest.raises(KeyError):
        dimension("luck")
