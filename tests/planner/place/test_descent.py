"""Descent by single shifts: what it remembers is true, and it stops only where nothing gains."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.formulation import Formulation, formulate
from balancer.planner.model.policy import Limits
from balancer.planner.place.descent import Descent, negative
from balancer.planner.place.state import State, lexicographic_least
from tests.drawing import problem, select
from tests.planner.place.formulations import formulations

TWO_APART = """
    a 8c/8g state=draining : x 1v/1g networks=n1
    b 8c/8g state=draining : y 1v/1g networks=n2
    c 8c/8g networks=n1    :
    d 8c/8g networks=n2    :
    """


def on() -> bool:
    return True


def no_less(a: list[int], b: list[int]) -> bool:
    return a >= b


@given(formulations(), st.data())
@settings(max_examples=150)
def test_what_is_remembered_stays_true(given_: Formulation, data: st.DataObject) -> None:
    """After any walk, exact memories are the best shift, and the others bound it from below."""
    state = State(given_)
    descent = Descent(state)
    guests, sites = given_.allowed.shape
    for _ in range(data.draw(st.integers(0, 4))):
        descent.run(descent.steps + data.draw(st.integers(0, 3)), on)
        guest = data.draw(st.integers(0, guests - 1))
        _, may = state.deltas(np.array([guest]), np.arange(sites))
        if may.any():
            target = data.draw(st.sampled_from(np.flatnonzero(may[0]).tolist()))
            descent.move(guest, int(target))
    least, _ = lexicographic_least(*state.deltas(np.arange(guests), np.arange(sites)))
    for guest in range(guests):
        if negative(descent.bound[:, [guest]])[0] or negative(least[:, [guest]])[0]:
            assert no_less(least[:, guest].tolist(), descent.bound[:, guest].tolist())
            if descent.exact[guest] and descent._affordable(guest):
                assert least[:, guest].tolist() == descent.bound[:, guest].tolist()


@given(formulations())
@settings(max_examples=100)
def test_it_stops_only_where_no_shift_gains(given_: Formulation) -> None:
    """Where descent ends by itself, no lawful shift of anybody improves the score."""
    state = State(given_)
    Descent(state).run(10**6, on)
    guests, sites = given_.allowed.shape
    least, _ = lexicographic_least(*state.deltas(np.arange(guests), np.arange(sites)))
    assert not negative(least).any()


@given(formulations())
def test_it_stops_when_told(given_: Formulation) -> None:
    """Without steps, or without anybody who wants to wait, nothing moves."""
    state = State(given_)
    Descent(state).run(0, on)
    Descent(state).run(10**6, lambda: False)
    assert (state.site == given_.start).all()


def test_what_a_budget_no_longer_allows_is_looked_at_again() -> None:
    """Two would move, one may: the second is remembered as if it could."""
    question = problem(TWO_APART, limits=Limits(moves_per_hour=1))
    state = State(formulate(question, all_rules(question), []))
    Descent(state).run(10**6, on)
    assert (state.site != state.home).sum() == 1


def test_a_budget_that_is_freed_is_offered_again() -> None:
    """Who was kept by it may move once another went home."""
    question = problem(TWO_APART, limits=Limits(moves_per_hour=1))
    state = State(formulate(question, all_rules(question), []))
    descent = Descent(state)
    descent.run(10**6, on)
    gone = int(np.flatnonzero(state.site != state.home)[0])
    assert not negative(descent.bound)[1 - gone]
    descent.move(gone, int(state.home[gone]))
    assert negative(descent.bound).all()


def test_room_that_is_freed_is_offered_to_all() -> None:
    """Who found every host full looks again when somebody leaves one."""
    text = """
        a 8c/8g state=draining : big 1v/8g
        b 8c/8g : x 1v/8g
        c 8c/4g : y 1v/4g
        d 8c/16g :
        """
    question = problem(
        text,
        OnlyOn(guests=select("x"), hosts=select("d")),
        Avoid(guests=select("big"), hosts=select("d")),
    )
    state = State(formulate(question, all_rules(question), []))
    Descent(state).run(10**6, on)
    assert state.site.tolist() == [1, 3, 2]
