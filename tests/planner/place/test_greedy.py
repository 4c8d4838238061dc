"""The engine that always answers, at the edges of what it may spend."""

import pytest

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.together import Together
from balancer.planner.formulation import formulate
from balancer.planner.model.request import Effort
from balancer.planner.objectives import all_goals
from balancer.planner.place.greedy import greedy
from balancer.planner.place.solve import solve
from tests.drawing import problem, select

SWAP = """
    a 8c/16g : zk-1 1v/8g | zk-2 1v/8g
    b 8c/16g : web-1 1v/8g | web-2 1v/8g
    """


def test_swaps_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any, what only a swap mends stays broken, and the start is the answer."""
    monkeypatch.setattr("balancer.planner.place.greedy.SWAPS", dict.fromkeys(Effort, 0))
    question = problem(SWAP, Spread(guests=select("zk-*")))
    formulation = formulate(question, all_rules(question), all_goals(question))
    state, _ = greedy(formulation, Effort.QUICK, lambda: True)
    assert (state.site == formulation.start).all()
    assert state.score().repair == 1


def test_larger_problems_are_at_last_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which proves what the bound of repairs alone does not: what a crowd costs to mend."""
    monkeypatch.setattr("balancer.planner.place.solve.MOST_BOOLEANS", dict.fromkeys(Effort, 1))
    question = problem(SWAP, Spread(guests=select("zk-*")))
    formulation = formulate(question, all_rules(question), all_goals(question))
    answer = solve(formulation, Effort.QUICK, 1, lambda: True)
    assert (answer.engine, answer.bound, answer.proven) == ("greedy", answer.score.cost, True)
    assert answer.score.repair == 0


def test_a_group_without_a_home_stays_as_it_is() -> None:
    """Trying to move it as one is given up where nothing takes it."""
    text = "a 8c/8g state=draining : app-1 1v/4g | app-2 1v/4g\nb 8c/6g :"
    question = problem(text, Together(guests=select("app-*")))
    formulation = formulate(question, all_rules(question), all_goals(question))
    state, _ = greedy(formulation, Effort.QUICK, lambda: True)
    assert (state.site == formulation.start).all()
