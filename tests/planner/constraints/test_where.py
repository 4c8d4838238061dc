"""Guests that belong on certain hosts, or are kept off them."""

from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import Constraint
from tests.drawing import problem, select

TEXT = "a 1c/1g class=old : x 1v/1g\nb 1c/1g class=new : y 1v/1g"


def sentences(rule: Constraint) -> list[str]:
    question = problem(TEXT, rule)
    return [v.sentence for v in rule.violations(question, at_rest(question.cluster.placement))]


def test_only_on_names_guest_host_and_where_it_belongs() -> None:
    """In one sentence."""
    rule = OnlyOn(guests=select("*"), hosts=select("label:class=new"))
    assert sentences(rule) == ["x is on a, but may run only on label:class=new"]


def test_avoid_names_guest_host_and_what_to_keep_off() -> None:
    """In one sentence."""
    rule = Avoid(guests=select("*"), hosts=select("label:class=new"))
    assert sentences(rule) == ["y is on b, but must keep off label:class=new"]
