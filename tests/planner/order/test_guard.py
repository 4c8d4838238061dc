"""What may be held where, asked about one change at a time."""

import pytest

from balancer.planner.order.guard import Guard
from tests.drawing import problem, uuid_of


@pytest.mark.parametrize("first", [("a",), ("a", "b")])
def test_what_a_guest_holds_decides_whatever_was_asked_before(first: tuple[str, ...]) -> None:
    """The same guest, the same host looked at: once it is there and once it is not."""
    guard = Guard(problem("a 9c/9g : x 1v/1g\nb 9c/9g state=down :\nc 9c/9g :"))
    x, ledger = uuid_of("x"), guard.ledger()
    for held in (first, ("a",), ("a", "b"), ("a", "c"), ("a",)):
        faults = guard.faults(ledger, x, held, ("b",))
        assert bool(faults) == ("b" in held), held
    assert ledger[x] == ("a",)
