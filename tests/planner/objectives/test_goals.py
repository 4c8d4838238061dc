"""What makes one placement better than another."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.config import default_policy
from balancer.planner.constraints import all_rules
from balancer.planner.formulation import formulate
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.plan import Plan, Score
from balancer.planner.model.policy import Hot, Objective
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.model.rollups import STEP, Block, Rollups
from balancer.planner.objectives import OBJECTIVES, all_goals
from balancer.planner.objectives.balance import Balance
from balancer.planner.objectives.even import Even
from balancer.planner.objectives.overload import Overload
from balancer.planner.objectives.relieve import Relieve
from balancer.planner.objectives.stability import POINTS_PER_GIB, Stability
from balancer.planner.pipeline import plan
from balancer.planner.place.answer import Answer
from balancer.planner.place.evaluate import score
from balancer.planner.place.solve import solve
from tests.drawing import observation, problem

GOALS = [goal() for goal in OBJECTIVES.values()]

HOT = """
    a 16c/64g : w-1 4v/8g cpu=4 | w-2 4v/8g cpu=4 | w-3 4v/8g cpu=4 | w-4 4v/8g cpu=3.5
    b 16c/64g : w-5 4v/8g cpu=3
    """
EVEN = """
    a 16c/64g : w-1 4v/8g cpu=4 | w-2 4v/8g cpu=1
    b 16c/64g : w-3 4v/8g cpu=3 | w-4 4v/8g cpu=1
    """


def now(text: str, *goals: Objective, **fields: object) -> Score:
    """Return the score of the cluster as it is drawn."""
    given_ = formulate(problem(text, objectives=goals, **fields))
    return score(given_, given_.start)


def answer(question: Problem) -> tuple[Answer, int]:
    """Return the answer to a question with everything in force, and how many guests move."""
    given_ = formulate(question, all_rules(question), all_goals(question))
    found = solve(given_, Effort.QUICK, 1, lambda: True)
    return found, int((found.placement != given_.start).sum())


def test_a_hot_host_is_brought_below_the_limit_with_a_margin() -> None:
    """96.9 % in use where 85 % is hot: 168.75 per mille above 80 %, rounded up, each priced 20."""
    assert now(HOT, Overload()).overload == 20 * 169
    found, moves = answer(problem(HOT, objectives=GOALS))
    assert found.score.overload == 0
    assert moves == 1


def test_a_warm_host_is_left_alone_but_not_filled() -> None:
    """Between margin and limit it owes nothing, and takes nothing."""
    text = "a 10c/64g : x 8v/8g cpu=8.3\nb 10c/64g : y 1v/1g cpu=0.1"
    given_ = formulate(problem(text, objectives=[Overload()]))
    assert score(given_, given_.start).overload == 0
    assert score(given_, np.array([0, 0])).overload == 20 * 10


def test_memory_counts_as_it_is_used() -> None:
    """Not as allocated."""
    assert now("a 16c/10g : x 1v/10g used=8\nb 16c/10g :", Overload()).overload == 0
    assert now("a 16c/10g : x 1v/10g used=9.5\nb 16c/10g :", Overload()).overload > 0


def test_a_cluster_that_is_fine_gives_no_moves() -> None:
    """Within the band balance costs nothing, so nothing can be gained."""
    assert now(EVEN, *GOALS) == Score(repair=0, overload=0, cost=0)
    assert answer(problem(EVEN, objectives=GOALS, aggressiveness=5))[1] == 0


def test_hosts_are_compared_by_their_own_size() -> None:
    """A large host may carry more: the price is the same at the same share."""
    text = "a 10c/64g : x 9v/1g cpu=9\nb 20c/64g : y 9v/1g cpu=0\nc 40c/64g :"
    given_ = formulate(problem(text, objectives=[Balance(memory=False)]))
    larger = formulate(
        problem(
            "a 20c/64g : x 18v/1g cpu=18\nb 40c/64g : y 9v/1g cpu=0\nc 80c/64g :",
            objectives=[Balance(memory=False)],
        )
    )
    assert score(given_, given_.start).cost == score(larger, larger.start).cost > 0


def test_balance_may_look_at_one_resource_only() -> None:
    """What is not wanted is not written."""
    assert formulate(problem(EVEN, objectives=[Balance(cpu=False, memory=False)])).primitives == []


def test_guests_that_have_to_leave_count_for_those_who_take_them() -> None:
    """The mean is that of the hosts that stay, with what comes to them."""
    text = """
        a 10c/64g state=draining : x 4v/1g cpu=4 | y 1v/1g cpu=1 tie=pinned
        b 10c/64g : z 1v/1g cpu=1
        c 10c/64g :
        """
    question = problem(text, objectives=[Balance(memory=False)])
    given_ = formulate(question, all_rules(question), question.policy.objectives)
    (row,) = [p for p in given_.primitives if p.label == "balance: cpu"]
    assert row.limit.tolist() == [6000, 3000, 3000]


def test_a_cluster_without_a_host_to_receive_is_not_balanced() -> None:
    """No division by what is not there."""
    assert now("a 1c/1g state=down : x 1v/1g", Balance()).cost == 0


@pytest.mark.parametrize(("level", "points"), POINTS_PER_GIB.items())
def test_a_move_costs_by_what_it_sends(level: int, points: int) -> None:
    """The fixed part of 5.5 GiB and the memory in use, by aggressiveness."""
    text = "a 8c/64g : x 1v/8g used=2.5\nb 8c/64g :"
    given_ = formulate(problem(text, objectives=[Stability()], aggressiveness=level))
    assert score(given_, np.array([1])).cost == points * 8


def test_the_lowest_aggressiveness_only_repairs() -> None:
    """Hot hosts and imbalance are not looked at; orders are."""
    assert now(HOT, *GOALS, aggressiveness=1) == Score(repair=0, overload=0, cost=0)
    assert answer(problem(HOT, objectives=GOALS, aggressiveness=1, relieve=["a"]))[1] > 0


def test_an_order_brings_a_host_down_to_the_mean() -> None:
    """Within the margin, by CPU and by memory."""
    text = "a 10c/64g : x 4v/1g cpu=4 | y 2v/1g cpu=2\nb 10c/64g :"
    assert now(text, Relieve(), relieve=["a"]).overload == 600 - 350
    assert now(text, Relieve()).overload == 0
    found, moves = answer(problem(text, objectives=GOALS, relieve=["a"]))
    assert moves == 1
    assert found.score.overload < 600 - 350


def test_an_order_makes_no_other_host_hot() -> None:
    """Heat is not carried around to obey."""
    text = "a 10c/64g : x 9v/1g cpu=9\nb 10c/64g : y 1v/1g cpu=0.1"
    assert answer(problem(text, objectives=GOALS, relieve=["a"]))[1] == 0
    assert answer(problem(text, objectives=GOALS, relieve=["a"], aggressiveness=1))[1] == 0


def test_the_heat_of_a_host_to_relieve_does_not_weigh_twice() -> None:
    """Else a large host would be filled into its margin for a small one."""
    text = "a 10c/64g : x 9v/1g cpu=9\nb 100c/64g : y 80v/1g cpu=75"
    assert answer(problem(text, objectives=GOALS, relieve=["a"]))[1] == 0


def test_a_policy_s_own_goal_takes_the_place_of_the_one_always_there() -> None:
    """Each goal is in force once."""
    own = Relieve(within=0.2)
    goals = all_goals(problem("a 1c/1g :", objectives=[own]))
    assert goals == (Stability(), own)


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.label)
def test_a_goal_is_named_as_in_the_table(goal: Objective) -> None:
    """Reports use the words of policies."""
    assert OBJECTIVES[goal.label] is type(goal)


@given(st.floats(0, 1), st.floats(0, 1))
def test_any_threshold_can_be_written(cpu: float, memory: float) -> None:
    """Also those that make every host hot."""
    hot = Hot(cpu_used=cpu, memory_used=memory)
    assert now(HOT, *GOALS, hot=hot).overload >= 0


def test_the_fewest_moves_may_be_asked_for() -> None:
    """One move then counts more than all memory; a word that means nothing is refused."""
    goal = Stability(minimise="moves", points_per_gib=1024)
    formulation = formulate(problem(HOT, objectives=[goal]))
    cost = formulation.move_cost
    assert 2 * cost.min() > cost.max()
    with pytest.raises(ValueError, match=r'write "data" or "moves"'):
        Stability(minimise="cost")


def test_even_use_costs_nothing_and_any_other_costs_its_square() -> None:
    """Above and below alike; without a weight nothing is said, and repairs do without."""
    text = "a 10c/64g : x 9v/1g cpu=4\nb 10c/64g : y 9v/1g cpu=2"
    assert now(text, Even(cpu=1)).cost == 100**2 * 2
    assert now(text.replace("cpu=2", "cpu=4"), Even(cpu=1, memory=3)).cost == 0
    assert now(text, Even()).cost == 0
    repairs = problem(text, objectives=[Even(cpu=1)], aggressiveness=1)
    assert not formulate(repairs).primitives


UNDER_PRESSURE = """
    a 16c/64g : x 8v/8g cpu=5 | y 8v/8g cpu=4
    b 16c/64g : z 8v/8g cpu=2
"""


def pressed_for(steps: int, pressure: int = 300, delay: int = 100) -> Observation:
    """Return a cluster whose host a is under pressure now and in so many steps before."""
    seen = observation(UNDER_PRESSURE)
    sample = Sample(seen.at, 30.0, {"cpu.pressure": pressure})
    guests = {
        uuid: (replace(taken[-1], values={**taken[-1].values, "cpu.delay": delay}),)
        for uuid, taken in seen.history.guests.items()
    }
    cells = np.full((1, 6), 10, dtype=np.int32)
    if steps:
        cells[0, -steps:] = pressure
    start = int(seen.at) // STEP * STEP - 6 * STEP
    past = Rollups(start, 6, {}, {"cpu.pressure": Block.of(["a"], cells)})
    return replace(seen, history=History(guests, {"a": (sample,)}), rollups=past)


def moved_by(seen: Observation, **hot: float) -> list[str]:
    wanted = default_policy()
    made = plan(seen, replace(wanted, hot=replace(wanted.hot, **hot)))  # type: ignore[arg-type]
    assert isinstance(made, Plan)
    return [action.reason for action in made.actions]


def test_pressure_that_lasts_is_heat() -> None:
    """However little is used, a host whose tasks wait is relieved; what passes is not."""
    (reason,) = moved_by(pressed_for(3))
    assert reason.startswith("hot: a is under cpu pressure; b CPU")
    assert moved_by(pressed_for(1)) == []
    assert moved_by(pressed_for(3), cpu_pressure=0.4) == []
    assert moved_by(pressed_for(3, 3000)) == []
    assert moved_by(pressed_for(0), lasting=0.0)
    assert moved_by(pressed_for(3, delay=20)) == []


def test_pressure_that_guests_do_not_cause_moves_none() -> None:
    """Where they use less than half of what may be used something else presses."""
    seen = pressed_for(3)
    idle = {
        uuid: (
            replace(taken[-1], values={**taken[-1].values, "cpu": taken[-1].values["cpu"] // 2}),
        )
        for uuid, taken in seen.history.guests.items()
    }
    assert moved_by(replace(seen, history=History(idle, seen.history.hosts))) == []


def test_old_pressure_is_none() -> None:
    """A stale sample says nothing of now."""
    seen = pressed_for(3)
    old = {"a": (replace(seen.history.hosts["a"][-1], at=seen.at - 3600),)}
    assert moved_by(replace(seen, history=History(seen.history.guests, old))) == []
