"""The small algebra: what a rule may write, and what it then means."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.formulation import HARD, SOFT, Formulation, Level, Penalty, formulate
from balancer.planner.model.policy import Constraint, Objective
from balancer.planner.objectives.stability import Stability
from balancer.planner.place.evaluate import price, score
from tests.drawing import problem, select

TEXT = "a 4c/8g rack=r1 : x 1v/1g cpu=1 | y 1v/2g\nb 4c/8g rack=r2 :\nc 4c/8g rack=r1 :"


def empty() -> Formulation:
    return Formulation(problem(TEXT))


@given(st.integers(0, 500), st.lists(st.tuples(st.integers(0, 200), st.integers(1, 9))))
def test_a_price_is_the_sum_of_its_pieces(excess: int, pieces: list[tuple[int, int]]) -> None:
    """One by one or all at once, and never falling."""
    penalty = Penalty(Level.COST, tuple(sorted(pieces)))
    assert price(penalty, np.array([excess])).tolist() == [penalty.price(excess)]
    assert penalty.price(excess + 1) >= penalty.price(excess)


def test_hard_is_plain_and_soft_has_one_price() -> None:
    """A breach of a hard rule counts in its own unit, one of a soft rule in points."""
    assert (HARD.level, HARD.price(3)) == (Level.REPAIR, 3)
    assert (SOFT.level, SOFT.price(2)) == (Level.COST, 40_000)


def test_who_is_forbidden_where_it_is_may_stay_at_a_price() -> None:
    """It is a fault that waits to be mended."""
    given_ = empty()
    given_.forbid([0], [0, 1], "rule")
    assert given_.allowed.tolist() == [[False, False, True], [True, True, True]]
    assert score(given_, given_.start).repair == 1
    assert [label for label, _, _ in given_.bans] == ["rule"]


def test_who_is_spared_stays_for_nothing() -> None:
    """What was forbidden before stays so."""
    given_ = empty()
    given_.forbid([0], np.array([True, True, False]), spare_start=True)
    assert score(given_, given_.start).repair == 0
    given_.forbid([1], [0])
    given_.forbid([1], [0, 1], spare_start=True)
    assert score(given_, given_.start).repair == 1


def test_nobody_and_nowhere_can_be_forbidden_or_priced() -> None:
    """Selectors that match nothing do nothing."""
    given_ = empty()
    given_.forbid([], [0])
    given_.forbid([0], [])
    given_.price([], [0], 5)
    given_.price([0], [], 5)
    assert given_.allowed.all()
    assert not given_.bans
    assert not given_.soft_pairs.any()


def test_who_is_held_is_no_fault_and_knows_why() -> None:
    """Every rule that holds a guest is remembered."""
    given_ = empty()
    given_.forbid([0], [0])
    given_.hold([0], "one")
    given_.hold([0], "two")
    assert score(given_, given_.start).repair == 0
    assert given_.holds == {0: ["one", "two"]}


def test_resting_on_a_priced_pair_costs() -> None:
    """For each guest there."""
    given_ = empty()
    given_.price([0, 1], [0], 7)
    assert score(given_, given_.start).cost == 14


def test_domains_are_numbered_by_first_appearance() -> None:
    """Racks by label, hosts by themselves."""
    assert empty().domains("rack").tolist() == [0, 1, 0]
    assert empty().domains("host").tolist() == [0, 1, 2]


def test_demand_and_room_are_laid_out_by_number() -> None:
    """In the cluster's order, in their units."""
    given_ = empty()
    assert given_.mean("cpu").tolist() == given_.peak("cpu").tolist() == [1000, 0]
    assert given_.usable("memory").tolist() == [8192] * 3
    assert given_.load(given_.mean("memory")).tolist() == [3072, 0, 0]
    assert given_.sites(["c", "a"]).tolist() == [0, 2]


def test_without_lists_the_policy_speaks_alone() -> None:
    """With them, they do."""
    rule: Constraint = OnlyOn(guests=select("x"), hosts=select("b"))
    goal: Objective = Stability()
    question = problem(TEXT, rule, objectives=[goal])
    assert not formulate(question).allowed.all()
    assert formulate(question).move_cost.any()
    assert formulate(question, [], []).allowed.all()
    assert not formulate(question, [], []).move_cost.any()
