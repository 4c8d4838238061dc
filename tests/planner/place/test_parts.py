"""Improvement by parts: lawful, never worse, and the best where one part is everything."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.formulation import (
    HARD,
    Formulation,
    Ints,
    Level,
    Packing,
    Penalty,
    Row,
)
from balancer.planner.model.demand import Demand
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.place import parts
from balancer.planner.place.answer import key
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.neighbourhood import Neighbourhood
from balancer.planner.place.parts import Parts
from balancer.planner.place.solve import solve
from balancer.planner.place.state import State
from tests.drawing import draw, policy
from tests.planner.place.formulations import formulations
from tests.planner.place.test_engines import best_of_all


def on() -> bool:
    return True


@given(formulations())
@settings(max_examples=40, deadline=None)
def test_parts_are_lawful_never_worse_and_accounted_for(given_: Formulation) -> None:
    """For any primitives."""
    state = State(given_)
    Parts(state, Effort.QUICK, 1).run(on)
    assert permitted(given_, state.site)
    assert state.score() == score(given_, state.site)
    assert key(state.score()) <= key(score(given_, given_.start))


@given(formulations(max_hosts=3, max_guests=5))
@settings(max_examples=60, deadline=None)
def test_a_part_that_is_everything_equals_trying_everything(given_: Formulation) -> None:
    """For any primitives."""
    state = State(given_)
    part = Neighbourhood(state, np.arange(len(state.site)), np.arange(state.sites))
    changes, _, closed = part.solve(5.0, 1, lambda: True)
    for guest, site in changes:
        state.shift(guest, site)
    assert closed
    assert permitted(given_, state.site)
    assert key(state.score()) == best_of_all(given_)


@given(formulations(max_hosts=3, max_guests=5), st.lists(st.booleans(), min_size=5, max_size=5))
@settings(max_examples=150, deadline=None)
def test_a_part_reckons_with_those_that_stay(given_: Formulation, mine: list[bool]) -> None:
    """For any primitives, some guests taking part and others not: the best of trying everything."""
    state = State(given_)
    guests = np.flatnonzero(mine[: len(state.site)])
    part = Neighbourhood(state, guests, np.arange(state.sites))
    changes, _, closed = part.solve(5.0, 1, lambda: True)
    for guest, site in changes:
        state.shift(guest, site)
    best = min(
        key(score(given_, placement))
        for sites in product(range(state.sites), repeat=len(guests))
        if permitted(given_, placement := put(given_.start, guests, sites))
    )
    assert closed
    assert permitted(given_, state.site)
    assert key(state.score()) == best


def put(start: Ints, guests: Ints, sites: Sequence[int]) -> Ints:
    """Return a placement with `guests` on `sites`."""
    placement = start.copy()
    placement[guests] = sites
    return placement


def test_boxes_are_asked_for_only_where_a_member_may_be() -> None:
    """Nobody may go to c; two of three fit the box of b, though all would rather be there."""
    text = "a 8c/99g : x 1v/1g | y 1v/1g | z 1v/1g\nb 8c/99g :\nc 8c/99g :"
    given_ = Formulation(Problem(draw(text), Demand({}, {}), policy()))
    given_.allowed[:, 2] = False
    given_.soft_pairs[:, 0] = 5
    boxes = (((9,),), ((2,),), ((9,),))
    given_.add(Packing("boxes", np.arange(3), np.ones((3, 1), np.int64), boxes, HARD, hard=True))
    state = State(given_)
    changes, _, closed = Neighbourhood(state, np.arange(3), np.arange(3)).solve(
        5.0, 1, lambda: True
    )
    assert closed
    assert [site for _, site in changes] == [1, 1]


def full_houses(hosts: int) -> Formulation:
    """Hosts that are over by one guest, and as many with room only for a small one."""
    lines = [f"a{n} 8c/99g : x{n} 1v/1g | y{n} 1v/1g | z{n} 1v/1g" for n in range(hosts)]
    lines += [f"b{n} 8c/99g : w{n} 1v/1g" for n in range(hosts)]
    given_ = Formulation(Problem(draw("\n".join(lines)), Demand({}, {}), policy()))
    use = np.array([5, 6, 7] * hosts + [12] * hosts, dtype=np.int64)
    limit = np.array([13] * hosts + [17] * hosts, dtype=np.int64)
    given_.add(Row("row", use, limit, Penalty(Level.OVERLOAD), hard=False))
    given_.move_cost[:] = [9, 4, 3] * hosts + [1] * hosts
    return given_


def test_large_repairs_are_made_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cheapest guest of each fits nowhere, others are found."""
    monkeypatch.setattr("balancer.planner.place.solve.MOST_BOOLEANS", dict.fromkeys(Effort, 1))
    monkeypatch.setattr(parts, "FIRST_SIZE", 60)
    given_ = full_houses(6)
    answer = solve(given_, Effort.QUICK, 1, on)
    assert answer.score == score(given_, answer.placement)
    assert answer.score.overload == 0
    assert answer.bound is not None
    assert answer.bound <= answer.score.cost


def test_a_part_without_work_changes_nothing() -> None:
    """The solver may come back empty-handed."""
    state = State(full_houses(3))
    part = Neighbourhood(state, np.arange(len(state.site)), np.arange(state.sites))
    changes, _, closed = part.solve(0.0, 1, lambda: True)
    assert (changes, closed) == ([], False)


def test_small_parts_of_many_sites_stop_where_nothing_more_is_gained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two rounds over all sites without gain are the end, long before the work is."""
    monkeypatch.setattr(parts, "FIRST_SIZE", 40)
    monkeypatch.setattr(parts, "SIZES", (40, 60))
    state = State(full_houses(14))
    engine = Parts(state, Effort.NORMAL, 1)
    engine.run(on)
    assert engine.work < engine.most
    assert state.score() == score(state.formulation, state.site)


def test_what_is_too_large_for_one_part_stays_unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bound is what must be shed at least."""
    monkeypatch.setattr("balancer.planner.place.solve.MOST_BOOLEANS", dict.fromkeys(Effort, 1))
    monkeypatch.setattr("balancer.planner.place.solve.WHOLE", 1)
    answer = solve(full_houses(6), Effort.QUICK, 1, on)
    assert answer.score.overload == 0
    assert answer.bound is not None
    assert answer.bound <= answer.score.cost


def test_without_work_nothing_is_tried() -> None:
    """And nothing is claimed."""
    state = State(full_houses(2))
    assert Parts(state, Effort.QUICK, 1).run(lambda: False) == 0
    assert (state.site == state.home).all()


def test_sites_are_emptied_onto_one_that_is_in_use_anyway() -> None:
    """Though it is the dearest: who may not leave it keeps it in use, one of the part or not."""
    text = "a 8c/99g : x 1v/1g\nb 8c/99g : y 1v/1g\nc 8c/99g : z 1v/1g"
    for held in (False, True):
        given_ = Formulation(Problem(draw(text), Demand({}, {}), policy()))
        given_.site_cost[:] = [5, 9, 7]
        if held:
            given_.hold([1])
        else:
            given_.forbid([1], [0, 2])
        part = Neighbourhood(State(given_), np.arange(3), np.arange(3))
        changes, _, closed = part.solve(5.0, 1, lambda: True)
        assert (changes, closed) == ([(0, 1), (2, 1)], True)
