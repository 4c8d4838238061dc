"""The simulated world deals CPU as the planner expects it to, by code of its own."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.division import Claims, divide
from balancer.planner.model.resize import What
from balancer.simulator.dealing import Ask, dealt
from tests.drawing import uuid_of
from tests.worlds import world_of

ASKS = st.lists(
    st.builds(
        Ask,
        wanted=st.integers(0, 8000),
        weight=st.integers(2, 4000),
        quota=st.sampled_from((0, 500, 3000)),
    ),
    min_size=1,
    max_size=8,
)


@given(asks=ASKS, has=st.integers(0, 32_000))
def test_rounds_come_to_what_the_formula_says(asks: Sequence[Ask], has: int) -> None:
    """Dealt in rounds or read off between two corners: the same, but for rounding."""
    claims = Claims(
        np.array([float(a.wanted) for a in asks]),
        np.array([float(a.weight) for a in asks]),
        np.zeros(len(asks)),
        np.array([float(a.quota or np.inf) for a in asks]),
    )
    level = divide(claims, np.zeros(len(asks), dtype=np.int64), np.array([float(has)]))
    got = dealt(asks, has, by_shares=True)
    assert got == pytest.approx(level.got.tolist(), abs=3)
    assert sum(got) <= has + len(asks)


def test_all_alike_share_by_what_they_want() -> None:
    """Unless the scenario says by shares: then the small one gets all it wants."""
    asks = [Ask(1000), Ask(7000)]
    assert dealt(asks, 4000) == [500, 3500]
    assert dealt(asks, 4000, by_shares=True) == [1000, 3000]


def test_a_world_refuses_what_cannot_be_set() -> None:
    """Unknown guests and guests without knobs say why; the others are as they were told."""
    world = world_of("a 8c/64g : x 4v/4g cpu=4 knobs | y 4v/4g cpu=4")
    assert world.resize("nobody", What.SHARES, 1) == "Domain not found"
    assert "y has no quota" in world.resize(uuid_of("y"), What.QUOTA, 1000)
    assert world.resize(uuid_of("x"), What.QUOTA, 1000) == ""
    assert "cannot be brought from 4 vCPUs to 5" in world.resize(uuid_of("x"), What.VCPUS, 5)
    assert world.granted() == {uuid_of("x"): (4000, 1000), uuid_of("y"): (4000, 4000)}


def test_more_vcpus_show_more_of_what_a_guest_wants() -> None:
    """Where some can be plugged, only what its vCPUs ask for is seen; they can be taken again."""
    world = world_of("a 8c/64g : x 1v/4g cpu=4 most-vcpus=3 | y 1v/4g cpu=4")
    x, y = uuid_of("x"), uuid_of("y")
    assert {u: wanted for u, (wanted, _) in world.granted().items()} == {x: 1000, y: 4000}
    assert world.resize(x, What.VCPUS, 3) == ""
    assert world.granted()[x] == (3000, 3000)
    assert world.guests[x].spec.allocation["vcpus"] == 3
    assert "from 3 vCPUs to 4" in world.resize(x, What.VCPUS, 4)
    assert "from 3 vCPUs to 0" in world.resize(x, What.VCPUS, 0)
    assert world.resize(x, What.VCPUS, 1) == ""
    assert world.guests[x].spec.knobs.plugged_vcpus == 0  # type: ignore[union-attr]
