"""The complete model of a small problem: what it claims, and when it claims nothing."""

import numpy as np
import pytest

from balancer.planner.formulation import (
    HARD,
    DomainCount,
    Formulation,
    Level,
    Refuge,
    formulate,
)
from balancer.planner.model.request import Effort
from balancer.planner.objectives import OBJECTIVES
from balancer.planner.place.exact import booleans, exact
from balancer.planner.place.model import Model
from tests.drawing import problem

TEXT = """
    a 8c/8g : x 4v/2g cpu=4 | y 4v/2g cpu=3
    b 8c/8g : z 4v/2g cpu=1
    """


def given_() -> Formulation:
    goals = [goal() for goal in OBJECTIVES.values()]
    return formulate(problem(TEXT, objectives=goals, aggressiveness=5))


def test_without_work_there_is_no_answer_and_no_proof() -> None:
    """The solver may come back empty-handed; a bound below zero says so."""
    found = Model(given_()).minimise(Level.COST, given_().start, 0.0, 1, lambda: True)
    assert found.placement is None
    assert found.bound < 0


def test_empty_handed_means_the_best_known_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The incumbent is kept outside, and nothing is claimed but what is certain."""
    monkeypatch.setattr("balancer.planner.place.exact.WORK", dict.fromkeys(Effort, 0.0))
    formulation = given_()
    answer = exact(formulation, formulation.start, Effort.QUICK, 1, lambda: True)
    assert (answer.placement == formulation.start).all()
    assert (answer.bound, answer.proven) == (0, False)


def test_it_improves_on_what_it_is_given() -> None:
    """One guest moves to where there is room."""
    formulation = given_()
    answer = exact(formulation, formulation.start, Effort.QUICK, 1, lambda: True)
    assert answer.proven
    assert (answer.placement != formulation.start).sum() == 1


def test_only_open_decisions_count() -> None:
    """What is held or forbidden is decided already."""
    formulation = given_()
    assert booleans(formulation) == 6
    formulation.hold([0])
    formulation.forbid([1], [1])
    assert booleans(formulation) == 3


def test_one_worker_one_seed_one_answer() -> None:
    """The seed is handed to the solver; the same gives the same."""
    formulation = given_()
    runs = [exact(formulation, formulation.start, Effort.QUICK, 7, lambda: True) for _ in "ab"]
    assert np.array_equal(runs[0].placement, runs[1].placement)
    assert runs[0].steps == runs[1].steps


def test_a_group_of_nobody_asks_nothing() -> None:
    """A selector may match nothing: it is neither broken nor in the way."""
    formulation = given_()
    nobody = formulation.numbers([])
    domain = formulation.domains("host")
    formulation.add(DomainCount("none", nobody, domain, 1, 1, HARD, hard=True))
    answer = exact(formulation, formulation.start, Effort.QUICK, 1, lambda: True)
    assert answer.proven
    assert answer.score.repair == 0


def test_room_that_nobody_lost_asks_for_need_not_be_there() -> None:
    """A site over its first dimension is a refuge for a guest that takes of the second alone."""
    question = problem("a 8c/8g : x 1v/1g\nb 8c/8g : y 1v/1g\nc 8c/8g : w 1v/1g")
    formulation = Formulation(question)
    formulation.hold([0, 1])
    formulation.soft_pairs[2] = [3, 0, 5]
    formulation.add(
        Refuge(
            "refuge",
            use=np.array([[0, 6], [9, 1], [0, 4]]),
            room=np.array([[9, 9], [4, 8], [0, 0]]),
            may=np.array([[False, True, False], [False] * 3, [False] * 3]),
            lost=(np.array([0]),),
            penalty=HARD,
            hard=True,
            complete=True,
        )
    )
    answer = exact(formulation, formulation.start, Effort.QUICK, 1, lambda: True)
    assert answer.proven
    assert (answer.score.repair, answer.score.cost) == (0, 3)
    assert answer.placement.tolist() == [0, 1, 0]
