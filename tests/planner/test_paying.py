"""Moves for evenness alone must pay in waiting; whatever else moves are made for comes before."""

from dataclasses import replace

import pytest

from balancer.config import default_policy
from balancer.planner import pipeline
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.formulation import formulate
from balancer.planner.model.observation import Observation, Promise
from balancer.planner.model.plan import Infeasible, Plan
from balancer.planner.model.policy import Policy
from balancer.planner.objectives.balance import Balance
from balancer.planner.paying import paying
from balancer.planner.pipeline import plan
from tests.drawing import observation, problem, select, uuid_of

EAGER = replace(default_policy(), aggressiveness=5)
LUKEWARM = """
    a 16c/64g : p 4v/8g cpu=2 | q 4v/8g cpu=2 | r 4v/8g cpu=2
    b 16c/64g :
"""
"""Uneven, but nobody waits for a processor."""
BUSY = """
    a 16c/64g : x 16v/8g cpu=8 | y 16v/8g cpu=4.5
    b 16c/64g : z 16v/8g cpu=1
"""


def moved(seen: Observation, policy: Policy) -> dict[str, str]:
    made = plan(seen, policy)
    assert not isinstance(made, Infeasible)
    return {action.name: action.target for action in made.actions}


def unpaid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "paying", lambda _, __, target: target)


def test_evenness_for_its_own_sake_moves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points alone would move guests between hosts on which nobody waits; the currency does not."""
    seen = observation(LUKEWARM)
    assert moved(seen, EAGER) == {}
    unpaid(monkeypatch)
    assert moved(seen, EAGER)


def test_every_move_left_saves_more_than_it_costs() -> None:
    """Where guests do wait, moves are made, and each of them pays."""
    made = plan(observation(BUSY), EAGER)
    assert isinstance(made, Plan)
    assert made.actions
    assert all(a.worth and a.worth.saved > a.worth.spent for a in made.actions)


def test_a_model_whose_promises_failed_is_not_believed() -> None:
    """What just pays moves nobody any more once nothing came of the latest promises."""
    seen = observation(BUSY.replace("cpu=8", "cpu=6").replace("4.5", "4.2"))
    made = plan(seen, EAGER)
    assert isinstance(made, Plan)
    assert made.worth is not None
    (action,) = made.actions
    assert action.worth is not None
    assert action.worth.saved < 8 * action.worth.spent
    failed = tuple(Promise(at=0.0, plan="P", promised=100.0, realised=-1.0) for _ in range(21))
    doubted = plan(replace(seen, promises=failed), EAGER)
    assert isinstance(doubted, Plan)
    assert doubted.actions == ()
    assert doubted.trust == 0.13


def test_repairs_and_rules_need_not_pay() -> None:
    """A guest that must be, or would rather be, elsewhere goes there whatever it saves."""
    for hard in (True, False):
        rule = OnlyOn(guests=select("p"), hosts=select("b"), hard=hard)
        wanted = replace(EAGER, constraints=(*EAGER.constraints, rule))
        assert moved(observation(LUKEWARM), wanted) == {"p": "b"}


def test_who_makes_room_for_a_repair_need_not_pay() -> None:
    """It saves nothing, but without it the repair would not fit."""
    text = "a 16c/24g : p 4v/8g | q 4v/4g\nb 16c/16g : z 4v/10g"
    rule = OnlyOn(guests=select("p"), hosts=select("b"))
    wanted = replace(EAGER, constraints=(*EAGER.constraints, rule))
    assert moved(observation(text), wanted) == {"p": "b", "z": "a"}


def test_relief_need_not_pay() -> None:
    """What is over the limit is relieved, with no trust in the model left at all."""
    hot = "a 16c/64g : x 8v/8g cpu=7.9 | y 8v/8g cpu=7\nb 16c/64g :"
    failed = tuple(Promise(at=0.0, plan="P", promised=100.0, realised=-1.0) for _ in range(21))
    assert moved(replace(observation(hot), promises=failed), EAGER)


def test_what_hangs_together_is_left_out_together_or_asked_one_by_one() -> None:
    """One of the moves repairs a rule: the others, which do not pay, are left out without it."""
    rule = OnlyOn(guests=select("p"), hosts=select("b"))
    wanted = replace(EAGER, constraints=(*EAGER.constraints, rule))
    text = LUKEWARM.replace("r 4v/8g cpu=2", "r 4v/8g cpu=4 | s 4v/8g cpu=3")
    with pytest.MonkeyPatch.context() as patch:
        unpaid(patch)
        assert len(moved(observation(text), wanted)) > 1
    assert moved(observation(text), wanted) == {"p": "b"}


def test_a_move_that_cannot_be_made_is_left_to_the_orderer() -> None:
    """It does not converge: it is not said to be too dear, the orderer tells why it stays."""
    for dirty, asked in ((9000, True), (0, False)):
        told = problem(
            f"a 16c/64g : p 4v/8g cpu=2 dirty={dirty} | q 4v/8g cpu=2\nb 16c/64g :",
            objectives=[Balance()],
        )
        given = formulate(told)
        target = given.start.copy()
        target[given.guest_number[uuid_of("p")]] = given.site_number["b"]
        assert (paying(told, given, target) == target).all() == asked
