"""Small problems with every rule: the answer is the best there is, by others who read the rules."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.constraints import CONSTRAINTS, all_rules
from balancer.planner.formulation import formulate
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.model.selector import NOBODY
from balancer.planner.objectives import all_goals
from balancer.planner.objectives.overload import Overload
from balancer.planner.place.answer import Answer, key
from balancer.planner.place.solve import solve
from tests.drawing import RULES, problems
from tests.planner.place.oracle import exhaustive, modelled
from tests.planner.place.oracle.reading import read

SMALL = {"max_hosts": 4, "max_guests": 6, "min_guests": 4}
LARGE = {"max_hosts": 7, "max_guests": 14, "min_guests": 9, "min_rules": 1}


def plainly(question: Problem) -> Problem:
    """Return the question with the goals that the oracle reads, without orders and cold moves."""
    allow = replace(question.policy.allow, cold_moves=NOBODY)
    policy = replace(question.policy, objectives=(Overload(),), allow=allow)
    return replace(question, policy=policy, relieve=frozenset(), left={})


def answer(question: Problem, effort: Effort = Effort.NORMAL) -> Answer:
    given_ = formulate(question, all_rules(question), all_goals(question))
    return solve(given_, effort, 1, lambda: True)


def check(question: Problem) -> None:
    """Hold the answer to the oracle."""
    question = plainly(question)
    facts, found = read(question), answer(question)
    oracle = exhaustive if exhaustive.size(facts) <= exhaustive.MOST else modelled
    assert key(found.score) == oracle.best(facts)
    assert found.proven
    assert found.bound == found.score.cost


def one_rule(kind: type) -> st.SearchStrategy[Problem]:
    return problems(RULES[kind], most_rules=1, **SMALL)


@pytest.mark.parametrize("kind", CONSTRAINTS.values(), ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=6)
def test_every_rule_is_answered_best(kind: type, data: st.DataObject) -> None:
    """Each alone, beside those always in force."""
    check(data.draw(one_rule(kind)))


@given(problems(**SMALL))
@settings(max_examples=25)
def test_small_problems_are_answered_best(question: Problem) -> None:
    """Up to four rules of any kind: as by trying every placement."""
    check(question)


@given(problems(**LARGE))
@settings(max_examples=8)
def test_larger_problems_are_answered_best(question: Problem) -> None:
    """As by a model of the rules that shares nothing with the product's."""
    check(question)


@given(problems(**SMALL))
@settings(max_examples=5)
def test_the_two_oracles_agree(question: Problem) -> None:
    """What is tried and what is modelled is the same reading."""
    facts = read(plainly(question))
    assert exhaustive.best(facts) == modelled.best(facts)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@given(problems(**SMALL))
@settings(max_examples=700)
def test_seven_hundred_small_problems(question: Problem) -> None:
    """The same, at length."""
    check(question)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@given(problems(**LARGE))
@settings(max_examples=300)
def test_three_hundred_larger_problems(question: Problem) -> None:
    """The same, at length."""
    check(question)
