"""How much one plan may move."""

from dataclasses import replace

from balancer.planner.constraints.budget import Budget
from balancer.planner.formulation import Budget as AtMostSpent
from balancer.planner.formulation import formulate
from balancer.planner.model.copying import sent_mib
from balancer.planner.model.demand import Demand
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import Limits
from balancer.planner.model.problem import Problem
from tests.drawing import placed, problem, uuid_of

TEXT = "a 8c/64g : x 1v/8g used=6 | y 1v/8g used=6\nb 8c/64g :"


def test_moves_and_data_are_counted_apart() -> None:
    """Each limit in its own sentence."""
    limits = Limits(moves_per_hour=1, data_per_hour=10 * 1024)
    question = problem(TEXT, limits=limits)
    both = at_rest(placed(question.cluster, x="b", y="b"))
    assert [v.sentence for v in Budget().violations(question, both)] == [
        "2 moves, more than the limit moves_per_hour allows",
        "12.0 GiB moved, more than the limit data_per_hour allows",
    ]


def test_it_is_asked_of_the_whole_plan_only() -> None:
    """No host is involved in it, so looking at some hosts finds nothing."""
    question = problem(TEXT, limits=Limits(moves_per_hour=0))
    moved = at_rest(placed(question.cluster, x="b"))
    assert Budget().violations(question, moved, ["a", "b"]) == ()
    assert len(Budget().violations(question, moved)) == 1


def test_without_data_a_guest_counts_as_allocated() -> None:
    """Never as nothing."""
    question = problem(TEXT)
    blind = Problem(question.cluster, Demand({}, {}), question.policy)
    assert sent_mib(question, uuid_of("x")) == 6 * 1024
    assert sent_mib(blind, uuid_of("x")) == 8 * 1024


def test_what_was_moved_within_the_hour_counts() -> None:
    """Solver and judge leave only what is left of the limits."""
    text = "a 16c/64g : web-1 2v/4g | web-2 2v/4g\nb 16c/64g :"
    question = replace(
        problem(text, limits=Limits(moves_per_hour=3)), spent_moves=2, spent_mib=1024
    )
    moved = at_rest(dict.fromkeys(question.cluster.placement, "b"))
    (found,) = Budget().violations(question, moved)
    assert "2 moves, more than the limit moves_per_hour allows after 2 in the" in found.sentence
    formulation = formulate(question, [Budget()], [])
    assert [p.limit for p in formulation.primitives if isinstance(p, AtMostSpent)] == [
        1,
        300 * 1024 - 1024,
    ]
