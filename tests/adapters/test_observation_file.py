"""A saved observation stands in for the cluster it was taken of."""

from pathlib import Path

import pytest

from balancer.adapters.observation_file import ObservationFile
from balancer.codec import dump_observation
from balancer.ports import UsageError
from tests.drawing import observation


def test_a_saved_observation_is_observed_as_it_was(tmp_path: Path) -> None:
    """What was saved is what the planner sees, each time."""
    seen = observation("a 16c/64g : web-1 4v/8g cpu=3.5\nb 16c/64g :")
    path = tmp_path / "case.json"
    path.write_text(dump_observation(seen))
    inventory = ObservationFile(path)
    assert inventory.observe() == seen
    assert inventory.observe() == seen


def test_a_file_that_holds_none_is_one_sentence(tmp_path: Path) -> None:
    """A missing file and a wrong one are named."""
    with pytest.raises(UsageError, match=r"case\.json"):
        ObservationFile(tmp_path / "case.json").observe()
    (tmp_path / "case.json").write_text("[]")
    with pytest.raises(UsageError, match=r"case\.json"):
        ObservationFile(tmp_path / "case.json").observe()
