"""The state that is changed step by step, held equal to the plain reference."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.formulation import Budget, Formulation
from balancer.planner.place.answer import key
from balancer.planner.place.descent import negative
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.state import UNBOUNDED, State, lexicographic_least
from tests.drawing import problem
from tests.planner.place.formulations import formulations


def walk(draw: st.DataObject, given_: Formulation) -> State:
    """Return a state after some lawful shifts."""
    state = State(given_)
    guests, sites = given_.allowed.shape
    for _ in range(draw.draw(st.integers(0, 4))):
        guest = draw.draw(st.integers(0, guests - 1))
        _, may = state.deltas(np.array([guest]), np.arange(sites))
        if may.any():
            state.shift(guest, int(draw.draw(st.sampled_from(np.flatnonzero(may[0]).tolist()))))
    return state


@given(formulations(), st.data())
@settings(max_examples=150)
def test_each_delta_is_what_the_reference_says(given_: Formulation, data: st.DataObject) -> None:
    """For every guest and site: the delta is the difference of scores, and the law is the law."""
    state = walk(data, given_)
    guests, sites = given_.allowed.shape
    now = np.array(key(score(given_, state.site)))
    added, may = state.deltas(np.arange(guests), np.arange(sites))
    for guest in range(guests):
        for site in range(sites):
            then = state.site.copy()
            then[guest] = site
            lawful = permitted(given_, then) and site != state.site[guest]
            assert may[guest, site] == lawful
            if lawful:
                reference = np.array(key(score(given_, then))) - now
                assert added[:, guest, site].tolist() == reference.tolist()


@given(formulations(), st.data())
def test_the_running_score_is_the_reference_score(
    given_: Formulation, data: st.DataObject
) -> None:
    """After any lawful walk the sums are those of a fresh look."""
    state = walk(data, given_)
    assert state.score() == score(given_, state.site)
    assert state.lawful(range(len(state.site)))


@given(formulations(), st.data())
def test_any_walk_is_accounted_for_and_judged(given_: Formulation, data: st.DataObject) -> None:
    """Unlawful shifts are counted rightly too, and known to be unlawful."""
    state = State(given_)
    guests, sites = given_.allowed.shape
    target = data.draw(st.lists(st.integers(0, sites - 1), min_size=guests, max_size=guests))
    for guest, site in enumerate(target):
        state.shift(guest, site)
    reference = score(given_, state.site)
    assert state.lawful(range(guests)) == permitted(given_, state.site)
    assert (state.score().overload, state.score().cost) == (reference.overload, reference.cost)


@given(formulations(), st.data())
def test_potential_is_a_bound_from_below(given_: Formulation, data: st.DataObject) -> None:
    """No lawful shift of a guest adds less than its potential, level by level."""
    state = walk(data, given_)
    guests, sites = given_.allowed.shape
    bound = state.potential(np.arange(guests))
    added, may = state.deltas(np.arange(guests), np.arange(sites))
    assert (np.where(may, added, UNBOUNDED) >= bound[:, :, None]).all()


@given(formulations(), st.data())
def test_tight_means_that_somebody_may_be_kept(given_: Formulation, data: st.DataObject) -> None:
    """Where no budget is tight no budget forbids any shift."""
    state = walk(data, given_)
    home = state.home == state.site
    kept = any(
        ((s + b.weight > b.limit) & home).any()
        for s, b in zip(state.spent, state.budgets, strict=True)
    )
    assert state.tight() or not kept


def test_least_is_lexicographic() -> None:
    """The first level decides, then the second; what may not be taken is not looked at."""
    vectors = np.array([[[1, 0, 0, -9]], [[0, 5, 4, 0]]])
    least, index = lexicographic_least(vectors, np.array([[True, True, True, False]]))
    assert least[:, 0].tolist() == [0, 4]
    assert index.tolist() == [2]


def test_nothing_that_may_be_taken_is_worth_nothing() -> None:
    """Without a choice the least is unbounded."""
    least, _ = lexicographic_least(np.zeros((2, 1, 1), dtype=np.int64), np.array([[False]]))
    assert (least == UNBOUNDED).all()


def test_negative_compares_level_by_level() -> None:
    """A gain at a first level outweighs any loss at a later one."""
    assert negative(np.array([[-1, 0, 0, 1], [9, -1, 0, -1]])).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_who_moved_already_may_go_on_within_its_budget() -> None:
    """A budget counts guests that end elsewhere, not steps."""
    question = problem("a 1c/1g : x 1v/1g | y 1v/1g\nb 1c/1g :\nc 1c/1g :")
    given_ = Formulation(question)
    given_.add(Budget("moves", np.ones(2, dtype=np.int64), 1))
    state = State(given_)
    state.shift(0, 1)
    _, may = state.deltas(np.arange(2), np.arange(3))
    assert may.tolist() == [[True, False, True], [False, False, False]]
