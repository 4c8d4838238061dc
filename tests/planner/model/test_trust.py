"""Promises that fail lower the trust in the model."""

from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.observation import Promise
from balancer.planner.model.trust import trust


def promise(promised: float, realised: float) -> Promise:
    return Promise(at=0.0, plan="P-1", promised=promised, realised=realised)


def test_no_record_is_trusted() -> None:
    """A model that never promised anything, or nothing that shows, is believed."""
    assert trust([]) == 1.0
    assert trust([promise(9.0, 0.0)]) == 1.0


def test_broken_promises_cost_trust_and_kept_ones_restore_it() -> None:
    """One failure in three costs little; failing always leaves little; better than promised is kept."""
    assert trust([promise(100.0, 0.0)]) == 0.75
    assert trust([promise(100.0, -500.0)]) == 0.75
    assert trust([promise(100.0, 500.0)]) == 1.0
    assert trust([promise(100.0, 50.0)] * 5) == (3 + 2.5) / 8
    assert trust([promise(100.0, 0.0)] * 20) == 3 / 23
    assert trust([promise(100.0, 0.0)] * 20 + [promise(100.0, 100.0)] * 20) == 1.0


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=30))
def test_it_is_a_share(record: list[tuple[float, float]]) -> None:
    """Above 0, so that the model can earn trust again, and at most 1."""
    assert 0 < trust([promise(*pair) for pair in record]) <= 1
