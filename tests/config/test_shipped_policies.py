"""The policies that ship work on any cluster."""

import tomllib
from pathlib import Path

import pytest

from balancer.config import check_selectors, default_policy, open_policy
from balancer.planner.objectives import OBJECTIVES
from tests.drawing import draw

FILES = sorted((Path(__file__).parents[2] / "policies").glob("*.toml"))
BALANCE = next(path for path in FILES if path.name == "balance.toml")
CLUSTER = draw("a 16c/64g : web-1 4v/8g\nb 16c/64g :")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_policy_that_ships_loads_and_suits_any_cluster(path: Path) -> None:
    """No warnings, and no selector that must match something."""
    loaded = open_policy(path)
    assert loaded.warnings == ()
    assert loaded.policy.name == path.stem
    assert check_selectors(loaded.policy, CLUSTER) == ()


def test_balance_is_the_policy_that_is_built_in() -> None:
    """To the digest: what one reads is what one gets without a file."""
    assert open_policy(BALANCE).policy == default_policy()


def test_balance_writes_out_what_is_in_force() -> None:
    """Each limit and each consent stands in the file, so that operators see them all."""
    written = tomllib.loads(BALANCE.read_text())
    assert set(written["limits"]) >= {"moves_per_hour", "data_per_hour", "pause_at_most"}
    assert all(
        name in written
        for name in ("hot", "capacity", "allow", *OBJECTIVES)
        if name not in {"stability", "relieve", "even", "consolidate", "hole"}
    )
