"""Reasons name what is wrong, not merely what is large."""

from dataclasses import replace

from balancer.config import default_policy
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.explain import hot, loads, share
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Hot
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.pipeline import plan
from tests.drawing import observation, parse

MEMORY_FULLER = """
a 16c/64g : web-1 8v/26g cpu=5 | web-2 8v/26g cpu=5
b 16c/64g :
"""


def test_the_reason_names_the_resource_that_is_over_its_limit() -> None:
    """Memory is fuller in per cent, but it is the processors that are over what is allowed."""
    policy = replace(default_policy(), hot=Hot(cpu_used=0.5, memory_used=0.9))
    made = plan(observation(MEMORY_FULLER), policy)
    assert isinstance(made, Plan)
    (action,) = made.actions
    assert action.reason == "hot: a CPU 62 %; b memory 0→41 %, the only host it may go to"


def test_a_host_that_it_must_leave_is_none_of_its_choices() -> None:
    """Two hosts are open to a guest that may not stay where it is, and both are counted."""
    kept_off = Avoid(guests=Selector(("x",)), hosts=Selector(("a",)))
    policy = replace(default_policy(), constraints=(kept_off,))
    made = plan(observation("a 8c/16g : x 1v/2g\nb 8c/16g :\nc 8c/16g :"), policy)
    assert isinstance(made, Plan)
    (action,) = made.actions
    assert action.reason.endswith("best of 2 it may go to")


def test_hosts_are_ranked_by_heat_and_unmeasured_ones_are_cold() -> None:
    """Hottest first; of equals by name; a host that has nothing usable counts as empty."""
    drawing = parse("b 2c/8g : x 2v/1g cpu=2\na 2c/8g : y 2v/1g cpu=2\nc 2c/8g :")
    problem = Problem(drawing.cluster, drawing.demand, default_policy())
    lines = loads(problem, drawing.cluster.placement)
    assert [line.host for line in hot(problem, lines)] == ["a", "b"]
    assert share(replace(lines[0], usable={}), "cpu") == 0.0
