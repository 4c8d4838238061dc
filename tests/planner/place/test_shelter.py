"""Holes that are kept for lost hosts: how many are tried, where, and for which rule."""

import numpy as np
import pytest

from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.survive import Survive
from balancer.planner.formulation import Formulation, formulate
from balancer.planner.model.request import Effort
from balancer.planner.place import shelter
from balancer.planner.place.answer import Answer
from balancer.planner.place.evaluate import excesses
from balancer.planner.place.shelter import refuges, sheltered
from balancer.planner.place.solve import solve
from tests.drawing import problem

HOPELESS = """
    a 8c/16g : x 1v/10g
    b 8c/16g : y 1v/10g
    c 8c/16g : z 1v/10g
    """
MENDABLE = """
    a 16c/32g rack=r1 : a1 1v/12g
    b 16c/32g rack=r2 : b1 1v/12g
    c 16c/32g rack=r3 : c1 1v/12g
    d 16c/40g rack=r4 : d1 1v/24g | d2 1v/12g
    e 16c/8g rack=r4 :
    """


@pytest.fixture(autouse=True)
def _by_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelter, "EXACT", 0)


def attempts(formulation: Formulation) -> tuple[Answer, int]:
    """Return the answer, and how often the solver was asked."""
    asked = []

    def solver(bare: Formulation) -> Answer:
        asked.append(bare)
        return solve(bare, Effort.QUICK, 1, lambda: True)

    return sheltered(formulation, Effort.QUICK, 1, lambda: True, solver), len(asked)


def test_no_hole_helps_where_nothing_can() -> None:
    """Each site but the lost is tried once; then the start is the answer, and unproven."""
    formulation = formulate(problem(HOPELESS), [Capacity(), Survive()], ())
    answer, asked = attempts(formulation)
    assert np.array_equal(answer.placement, formulation.start)
    assert not answer.proven
    assert asked == 1 + 2


def test_holes_are_cut_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rounds are bounded, however many sites are left to try."""
    monkeypatch.setattr(shelter, "ROUNDS", 1)
    formulation = formulate(problem(HOPELESS), [Capacity(), Survive()], ())
    assert attempts(formulation)[1] == 1 + 1


def test_each_rule_has_holes_of_its_own() -> None:
    """The loss of a host and the loss of a rack are both survived in the end."""
    rules = [Capacity(), Survive(), Survive(across="rack")]
    formulation = formulate(problem(MENDABLE), rules, ())
    answer, asked = attempts(formulation)
    broken = [
        excesses(formulation, rule, formulation.start).any() for rule in refuges(formulation)
    ]
    left = [excesses(formulation, rule, answer.placement).any() for rule in refuges(formulation)]
    assert (broken, left) == ([True, True], [False, False])
    assert asked > 1


def test_in_a_hurry_no_hole_is_tried() -> None:
    """What one run of the solver leaves stranded stays so, and nothing is claimed."""
    formulation = formulate(problem(MENDABLE), [Capacity(), Survive()], ())
    asked = []

    def solver(bare: Formulation) -> Answer:
        asked.append(bare)
        return solve(bare, Effort.INSTANT, 1, lambda: True)

    answer = sheltered(formulation, Effort.INSTANT, 1, lambda: True, solver)
    assert (len(asked), answer.bound, answer.proven) == (1, None, False)
