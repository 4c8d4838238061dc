"""Holes that are kept for lost hosts: how many are tried, where, and for which rule."""

from dataclasses import replace

import numpy as np
import pytest

from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.survive import Survive
from balancer.planner.formulation import Formulation, Row, formulate
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
    a 16c/32g : a1 1v/12g
    b 16c/32g : b1 1v/12g
    c 16c/32g : c1 1v/12g
    d 16c/40g : d1 1v/24g | d2 1v/12g
    """


@pytest.fixture(autouse=True)
def _by_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelter, "EXACT", 0)


def attempts(
    formulation: Formulation, effort: Effort = Effort.QUICK
) -> tuple[Answer, list[Formulation]]:
    """Return the answer, and what the solver was asked."""
    asked = []

    def solver(bare: Formulation) -> Answer:
        asked.append(bare)
        return solve(bare, effort, 1, lambda: True)

    return sheltered(formulation, effort, 1, lambda: True, solver), asked


def test_no_hole_helps_where_nothing_can() -> None:
    """Each site but the lost is tried once; then the start is the answer, and unproven."""
    formulation = formulate(problem(HOPELESS), [Capacity(), Survive()], ())
    answer, asked = attempts(formulation)
    assert np.array_equal(answer.placement, formulation.start)
    assert not answer.proven
    assert len(asked) == 1 + 2


def test_holes_are_cut_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rounds are bounded, however many sites are left to try."""
    monkeypatch.setattr(shelter, "ROUNDS", 1)
    formulation = formulate(problem(HOPELESS), [Capacity(), Survive()], ())
    assert len(attempts(formulation)[1]) == 1 + 1


def test_each_rule_has_holes_of_its_own() -> None:
    """Where one has to be cut for the one rule, the other reserves nothing."""
    formulation = formulate(problem(MENDABLE), [Capacity(), Survive()], ())
    (rule,) = refuges(formulation)
    formulation.add(replace(rule, label="content", lost=()))
    assert excesses(formulation, rule, formulation.start).any()
    answer, asked = attempts(formulation)
    assert not excesses(formulation, rule, answer.placement).any()
    rows = [row for row in asked[1].primitives if isinstance(row, Row)]
    cut = {row.label for row in rows if (row.limit < row.use.sum()).any()}
    assert f"{rule.label}: reserve" in cut
    assert "content: reserve" in {row.label for row in rows} - cut


def test_in_a_hurry_no_hole_is_tried() -> None:
    """What one run of the solver leaves stranded stays so, and nothing is claimed."""
    formulation = formulate(problem(MENDABLE), [Capacity(), Survive()], ())
    answer, asked = attempts(formulation, Effort.INSTANT)
    assert (len(asked), answer.bound, answer.proven) == (1, None, False)
