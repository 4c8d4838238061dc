"""Things into boxes: as many as can be, and the answer can be checked."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.model.packing import NOWHERE, Packed, holds, pack

AMOUNTS = st.tuples(st.integers(0, 9), st.integers(0, 9))


def most(things, boxes, allowed) -> int:
    """Try every way there is; return the fewest that are left over."""
    best = len(things)
    for ways in product(range(NOWHERE, len(boxes)), repeat=len(things)):
        fits = all(b == NOWHERE or allowed[i][b] for i, b in enumerate(ways))
        if fits and holds(Packed(ways), things, boxes):
            best = min(best, ways.count(NOWHERE))
    return best


@given(st.data())
@settings(max_examples=100)
def test_as_many_are_packed_as_by_trying_everything(data: st.DataObject) -> None:
    """With and without things that may not go everywhere."""
    things = data.draw(st.lists(AMOUNTS, max_size=5))
    boxes = data.draw(st.lists(AMOUNTS.map(lambda a: (a[0] + 3, a[1] + 3)), max_size=3))
    row = st.lists(st.booleans(), min_size=len(boxes), max_size=len(boxes))
    allowed = data.draw(st.lists(row, min_size=len(things), max_size=len(things)))
    every = [[True] * len(boxes) for _ in things]
    for may in (allowed, every):
        found = pack(things, boxes, lambda thing, box, may=may: may[thing][box])
        assert found.proven
        assert holds(found, things, boxes)
        assert all(b == NOWHERE or may[i][b] for i, b in enumerate(found.box))
        assert found.left == most(things, boxes, may)


def test_a_packing_that_does_not_hold_is_told() -> None:
    """Two halves and a bit."""
    assert not holds(Packed((0, 0)), [(3,), (3,)], [(5,)])
    assert holds(Packed((0, NOWHERE)), [(3,), (3,)], [(5,)])


def test_a_search_that_was_cut_short_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has found holds nevertheless."""
    things, boxes = [(4,), (3,), (3,), (2,), (2,), (2,)], [(8,), (7,)]
    assert pack(things, boxes).left == 1
    monkeypatch.setattr("balancer.planner.model.packing.NODES", 2)
    found = pack(things, boxes)
    assert not found.proven
    assert holds(found, things, boxes)
