"""Means of the past, as bytes and as arrays."""

import numpy as np
import pytest

from balancer.planner.model.rollups import STEP, Block, Rollups

CELLS = np.array([[1, -1, 3], [4, 5, 6]], dtype=np.int32)
SOME = Rollups(STEP, 3, {"cpu": Block.of(["a", "b"], CELLS)}, {"cpu": Block.of(["h"], CELLS[:1])})


def test_rows_are_what_was_put_in() -> None:
    """In the order asked for; what is unknown is not a number, and so is who is unknown."""
    rows = SOME.guest_rows("cpu", ["b", "nobody", "a"])
    assert rows[0].tolist() == [4, 5, 6]
    assert np.isnan(rows[1]).all()
    assert np.isnan(rows[2]).tolist() == [False, True, False]
    assert SOME.host_rows("cpu", ["h"])[0, 2] == 3
    assert np.isnan(SOME.guest_rows("network", ["a"])).all()


def test_deflated_and_back() -> None:
    """Nothing is lost, twice is once, and a deflated block can be read as it is."""
    small = SOME.deflated()
    assert (small.packed, small.deflated(), small.inflated()) == (True, small, SOME)
    assert SOME.inflated() is SOME
    assert small.guest_rows("cpu", ["b"])[0].tolist() == [4, 5, 6]


@pytest.mark.parametrize("cells", [b"", b"12345", b"x" * 25])
@pytest.mark.parametrize("packed", [True, False])
def test_damage_is_noticed(cells: bytes, packed: bool) -> None:  # noqa: FBT001
    """Too few bytes, too many, or none that can be inflated."""
    with pytest.raises(ValueError, match=r"inflated|belong"):
        Rollups(0, 3, {"cpu": Block(("a", "b"), cells)}, packed=packed).guest_rows("cpu", ["a"])
