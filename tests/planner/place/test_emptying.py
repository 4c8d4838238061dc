"""Whole sites emptied at once, where a site in use has a price."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.formulation import Formulation, formulate
from balancer.planner.model.request import Effort
from balancer.planner.objectives.consolidate import Consolidate
from balancer.planner.objectives.stability import Stability
from balancer.planner.place.answer import key
from balancer.planner.place.emptying import empty, thin_out
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.exact import exact
from balancer.planner.place.solve import solve
from balancer.planner.place.state import State
from tests.drawing import problem, select
from tests.planner.place.formulations import formulations

THIN = """
    a 8c/32g : x1 1v/4g | x2 1v/4g | x3 1v/4g
    b 8c/32g : y1 1v/4g | y2 1v/4g
    c 8c/32g : z1 1v/8g | z2 1v/4g
    d 8c/32g : w1 1v/4g
    """


def on() -> bool:
    return True


def used(state: State) -> int:
    return int((state.guests_at > 0).sum())


def thin(*rules: NeverMove) -> Formulation:
    question = problem(THIN, Capacity(), *rules)
    goals = [Consolidate(points_per_host=20_000), Stability()]
    return formulate(question, all_rules(question), goals)


@pytest.mark.parametrize("engine", [empty, thin_out])
@given(formulations())
@settings(max_examples=60)
def test_emptying_is_lawful_never_worse_and_accounted_for(
    engine: Callable[[State, Callable[[], bool]], int], given_: Formulation
) -> None:
    """For any primitives, and by either way of emptying."""
    given_.site_cost[:] = 50
    state = State(given_)
    before = key(state.score())
    engine(state, on)
    assert permitted(given_, state.site)
    assert state.score() == score(given_, state.site)
    assert key(state.score()) <= before


def test_hosts_are_emptied_as_far_as_the_others_have_room() -> None:
    """36 GiB need two hosts of 32."""
    for engine in (empty, thin_out):
        state = State(thin())
        assert engine(state, on) > 0
        assert used(state) == 2


def test_a_host_whose_guest_stays_is_not_emptied() -> None:
    """Its other guests stay, too, where they cost nothing."""
    state = State(thin(NeverMove(guests=select("w1", "x1"))))
    empty(state, on)
    assert {int(s) for s in np.unique(state.site)} == {0, 3}


def test_nothing_is_emptied_when_nobody_waits() -> None:
    """The best so far is what there is."""
    state = State(thin())
    thin_out(state, lambda: False)
    assert empty(state, lambda: False) == 0
    answers = iter([True])
    empty(state, lambda: next(answers, False))
    assert used(state) == 4


@pytest.mark.parametrize(
    "text",
    [
        """
        a 8c/16g : x 1v/5g
        b 8c/24g : g1 1v/2g
        c 8c/24g : g2 1v/4g | g3 1v/2g
        """,
        """
        a 8c/16g : x 1v/6g
        b 8c/24g : g1 1v/3g
        c 8c/20g : g2 1v/3g | g3 1v/4g
        d 8c/20g : g4 1v/5g | g5 1v/3g
        """,
    ],
    ids=["site after site", "as the arrays propose"],
)
def test_the_better_of_two_ways_to_empty_counts(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here only one of the two finds what is best, there only the other; x must leave a."""
    monkeypatch.setattr("balancer.planner.place.solve.COMPILED", 0)
    question = problem(text, Capacity(), Avoid(guests=select("x"), hosts=select("a")))
    goals = [Consolidate(points_per_host=20_000), Stability()]
    given_ = formulate(question, all_rules(question), goals)
    answer = solve(given_, Effort.INSTANT, 1, on)
    assert permitted(given_, answer.placement)
    assert answer.score == score(given_, answer.placement)
    assert answer.score == exact(given_, given_.start, Effort.QUICK, 1, on).score


@pytest.mark.parametrize("most", [0, 8_000])
def test_large_clusters_are_consolidated_without_a_complete_model(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as few hosts."""
    monkeypatch.setattr("balancer.planner.place.solve.MOST_BOOLEANS", dict.fromkeys(Effort, most))
    given_ = thin()
    answer = solve(given_, Effort.QUICK, 1, on)
    assert len(np.unique(answer.placement)) == 2
    assert answer.score == score(given_, answer.placement)
