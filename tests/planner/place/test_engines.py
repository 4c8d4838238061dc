"""What every engine owes: a lawful answer, never worse than the start, the same every time."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.constraints import CONSTRAINTS, all_rules
from balancer.planner.formulation import Budget, Formulation, formulate
from balancer.planner.model.placement import at_rest
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.model.violation import baseline, worsened
from balancer.planner.objectives import all_goals
from balancer.planner.place.answer import key
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.exact import exact
from balancer.planner.place.greedy import greedy
from balancer.planner.place.solve import solve
from tests.drawing import RULES, problem, problems
from tests.planner.place.formulations import formulations


def on() -> bool:
    return True


def full(question: Problem) -> Formulation:
    """Everything in force, as the pipeline writes it."""
    return formulate(question, all_rules(question), all_goals(question))


def best_of_all(given: Formulation) -> tuple[int, int, int]:
    """Try every placement there is."""
    guests, sites = given.allowed.shape
    every = (np.array(p, dtype=np.int64) for p in product(range(sites), repeat=guests))
    return min(key(score(given, p)) for p in every if permitted(given, p))


@given(formulations(max_hosts=3, max_guests=5))
@settings(max_examples=60)
def test_exact_equals_trying_everything(given: Formulation) -> None:
    """The complete model proves exactly what exhaustive search finds, for any primitives."""
    answer = exact(given, given.start, Effort.QUICK, 1, on)
    assert answer.proven
    assert key(answer.score) == best_of_all(given)
    assert answer.bound == answer.score.cost


@given(formulations())
def test_greedy_is_lawful_and_no_better_than_exact(given: Formulation) -> None:
    """Greedy obeys the law, never worsens the start, and never beats the proven best."""
    state, _ = greedy(given, Effort.QUICK, on)
    found = key(score(given, state.site))
    assert permitted(given, state.site)
    assert found <= key(score(given, given.start))
    assert found == key(state.score())


@given(formulations(max_hosts=3, max_guests=5))
@settings(max_examples=40)
def test_solve_never_falls_behind_greedy(given: Formulation) -> None:
    """The answer is the better of both engines and its bound is below it."""
    state, _ = greedy(given, Effort.QUICK, on)
    answer = solve(given, Effort.QUICK, 1, on)
    assert key(answer.score) <= key(state.score())
    assert answer.score == score(given, answer.placement)
    assert answer.bound is None or answer.bound <= answer.score.cost


@given(problems())
@settings(max_examples=40)
def test_no_answer_worsens_a_broken_rule(question: Problem) -> None:
    """The judge finds nothing new and nothing worse where the answer puts guests."""
    given = full(question)
    placed = solve(given, Effort.QUICK, 1, on).placement.tolist()
    hosts = [host.name for host in question.cluster.hosts]
    reached = {u: hosts[s] for u, s in zip(given.guest_number, placed, strict=True)}
    rules = all_rules(question)
    now = at_rest(question.cluster.placement)
    before = baseline(v for rule in rules for v in rule.violations(question, now))
    after = [v for rule in rules for v in rule.violations(question, at_rest(reached))]
    assert worsened(before, after) == ()


@given(problems())
@settings(max_examples=40)
def test_planning_again_on_the_answer_moves_nothing(question: Problem) -> None:
    """Stability: what was decided is still right when looked at again."""
    nothing_moves_again(question)


@pytest.mark.parametrize("kind", CONSTRAINTS.values(), ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=3)
def test_planning_again_under_any_rule_moves_nothing(kind: type, data: st.DataObject) -> None:
    """For each rule by itself."""
    nothing_moves_again(data.draw(problems(RULES[kind], most_rules=1, min_guests=5, min_rules=1)))


@pytest.mark.soak
@pytest.mark.timeout(7200)
@given(problems(min_guests=5, min_rules=1))
@settings(max_examples=1000)
def test_planning_again_moves_nothing_a_thousand_times(question: Problem) -> None:
    """Under up to four rules of any kind."""
    nothing_moves_again(question)


def nothing_moves_again(question: Problem) -> None:
    given = full(question)
    answer = solve(given, Effort.QUICK, 1, on)
    hosts = [host.name for host in question.cluster.hosts]
    moved = {
        u: hosts[s] for u, s in zip(given.guest_number, answer.placement.tolist(), strict=True)
    }
    cluster = question.cluster
    after = replace(question, cluster=type(cluster)(cluster.hosts, cluster.guests, moved))
    budgets = [p for p in given.primitives if isinstance(p, Budget)]
    away = answer.placement != given.start
    again = solve(full(after), Effort.QUICK, 1, on)
    more = again.placement != answer.placement
    if any(b.weight[away].sum() + b.weight[more].sum() > b.limit for b in budgets):
        return  # what one hour may not do, the next one may
    assert not more.any()


@given(problems())
@settings(max_examples=20)
def test_the_same_question_gets_the_same_answer(question: Problem) -> None:
    """Nothing depends on chance or on the order of sets."""
    first = solve(full(question), Effort.QUICK, 1, on)
    second = solve(full(question), Effort.QUICK, 1, on)
    assert (first.placement == second.placement).all()
    assert (first.score, first.bound, first.engine, first.steps, first.proven) == (
        second.score,
        second.bound,
        second.engine,
        second.steps,
        second.proven,
    )


@given(problems())
@settings(max_examples=20)
def test_an_answer_can_be_had_at_any_moment(question: Problem) -> None:
    """Where nobody wants to wait the start itself is the answer, and nothing is claimed.

    But where there is nothing to be better at, or nobody can move: then the bound says so.
    """
    given = full(question)
    answer = solve(given, Effort.QUICK, 1, lambda: False)
    assert (answer.placement == given.start).all()
    perfect = key(answer.score) == (0, 0, 0)
    assert answer.proven is (perfect or answer.bound == answer.score.cost)


@pytest.mark.parametrize("effort", Effort)
def test_every_effort_has_a_budget(effort: Effort) -> None:
    """Each effort answers."""
    given = full(problem("a 4c/8g : x 1v/1g\nb 4c/8g :"))
    assert solve(given, effort, 1, on).proven
