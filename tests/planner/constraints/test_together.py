"""Guests that share one host, or one value of a label."""

from balancer.planner.constraints.together import Together
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import throughout
from tests.drawing import problem, select


def test_a_parted_group_is_named_with_its_hosts() -> None:
    """Where they are, and what they should share."""
    rule = Together(guests=select("app-*"))
    question = problem("a 1c/1g : app-1 1v/1g\nb 1c/1g : app-2 1v/1g", rule)
    (violation,) = rule.violations(question, at_rest(question.cluster.placement))
    assert violation.sentence == "app-* should share one host, but are on a, b"


def test_it_holds_where_a_plan_ends_not_on_the_way() -> None:
    """Guests cannot all move in one instant."""
    assert not throughout(Together(guests=select("*")))
