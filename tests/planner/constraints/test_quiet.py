"""Guests that would rather move in their windows than outside them."""

from dataclasses import replace

import pytest

from balancer.config import default_policy
from balancer.planner.constraints.quiet import Quiet
from balancer.planner.constraints.spread import Spread
from balancer.planner.model.placement import at_rest
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Policy
from balancer.planner.pipeline import plan
from tests.drawing import NOON, observation, problem, select, uuid_of

TWO = """
    a 16c/64g : kf-1 2v/4g | kf-2 2v/4g
    b 16c/64g :
"""
NIGHT = Quiet(guests=select("kf-*"), when=("daily 01:00-05:00",))
NOW = Quiet(guests=select("kf-*"), when=("daily 01:00-05:00", "daily 14:30-16:30"))
BUSY = """
    a 16c/64g : x 16v/8g cpu=8 | y 16v/8g cpu=4.5
    b 16c/64g : z 16v/8g cpu=1
"""


def test_it_speaks_outside_its_windows_alone() -> None:
    """While one of them is open moving is free; else each move is a soft fault with the reason."""
    question = replace(problem(TWO), at=NOON)
    moved = at_rest({**question.cluster.placement, uuid_of("kf-1"): "b"})
    assert NOW.violations(question, moved) == ()
    (found,) = NIGHT.violations(question, moved)
    assert not found.hard
    assert "should stay on a (quiet only daily 01:00-05:00)" in found.sentence


def test_hosts_that_are_emptied_are_emptied() -> None:
    """A drain does not wait for the night."""
    question = replace(problem(TWO.replace("a 16c/64g", "a 16c/64g state=draining")), at=NOON)
    assert NIGHT.concerns(question) == ()


def moves(text: str, policy: Policy, *rules: object) -> set[str]:
    made = plan(observation(text), replace(policy, constraints=(*policy.constraints, *rules)))
    assert isinstance(made, Plan)
    return {action.name for action in made.actions}


def test_repairs_do_not_wait_and_evenness_does() -> None:
    """A broken rule is mended by day; a move that only evens out is left for the window."""
    apart = Spread(guests=select("kf-*"))
    assert moves(TWO, default_policy(), NIGHT, apart)
    eager = replace(default_policy(), aggressiveness=4)
    all_day = Quiet(guests=select("*"), when=("daily 01:00-05:00",))
    assert moves(BUSY, eager)
    assert not moves(BUSY, eager, all_day)


@pytest.mark.parametrize("when", [(), ("nightly",)])
def test_what_is_no_window_is_refused(when: tuple[str, ...]) -> None:
    """With the key that is wrong."""
    with pytest.raises(ValueError, match="when"):
        Quiet(guests=select("*"), when=when)


def test_it_is_called_by_its_windows_unless_named() -> None:
    """In reports."""
    assert NIGHT.label == "quiet daily 01:00-05:00 for kf-*"
    assert replace(NIGHT, name="night").label == "night"
