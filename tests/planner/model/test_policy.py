"""What the operator wants."""

import pytest

from tests.drawing import policy


@pytest.mark.parametrize(("level", "repairs"), [(1, True), (2, False), (5, False)])
def test_only_the_lowest_aggressiveness_means_repairs_only(level: int, repairs: object) -> None:
    """From two on, load counts."""
    assert policy(aggressiveness=level).repairs_only is repairs
