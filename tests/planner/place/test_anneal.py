"""Annealing: lawful, never worse, accounted for to the last unit, the same every time."""

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.together import Together
from balancer.planner.formulation import Formulation, formulate
from balancer.planner.model.policy import Limits
from balancer.planner.model.request import Effort
from balancer.planner.objectives import all_goals
from balancer.planner.objectives.even import Even
from balancer.planner.objectives.overload import Overload
from balancer.planner.place.anneal import _Walk, anneal, taking_part
from balancer.planner.place.answer import key
from balancer.planner.place.arrays import Arrays
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.solve import solve
from balancer.planner.place.state import State
from tests.drawing import problem, select, uuid_of
from tests.planner.place.formulations import formulations


def on() -> bool:
    return True


@given(formulations())
@settings(max_examples=40, deadline=None)
def test_a_walk_is_lawful_never_worse_and_accounted_for(given_: Formulation) -> None:
    """The compiled sums are those of the plain reference, for any primitives."""
    given_.site_cost[:] = 0
    state = State(given_)
    anneal(state, Effort.QUICK, 1, on, proposals=2_000)
    assert permitted(given_, state.site)
    assert state.score() == score(given_, state.site)
    assert key(state.score()) <= key(score(given_, given_.start))


@given(formulations())
@settings(max_examples=40, deadline=None)
def test_every_accepted_change_is_priced_as_the_reference_prices_it(given_: Formulation) -> None:
    """Also where the walk is hot and goes uphill: arrays and reference never part."""
    given_.site_cost[:] = 0
    walk = _Walk(State(given_), 7)
    if len(walk.arrays.movers):
        walk.walker.walk(500, 1e9, walk.arrays.budget)
        walk.walker.force(200, 1e9, walk.arrays.budget)
        walk.walker.walk(50, 1e9, walk.arrays.budget)
    placement = walk.arrays.placement(walk.arrays.site)
    total = score(given_, placement)
    assert tuple(walk.arrays.total.tolist()) == key(total)
    assert permitted(given_, placement)


def crowd(hosts: int, guests: int) -> str:
    """Everything on two hosts of many."""
    lines = []
    for host in range(hosts):
        here = [f"g{n} 2v/4g cpu=1" for n in range(guests) if n % 2 == host]
        lines.append(f"h{host} 16c/64g : {' | '.join(here)}")
    return "\n".join(lines)


def test_a_large_guest_is_forced_in_and_many_small_ones_go_back() -> None:
    """No shift fits and no swap gains: ten small guests have to make room at once."""
    small = " | ".join(f"s{n} 1v/6g cpu=1" for n in range(10))
    text = f"small 12c/64g : big 8v/40g cpu=11\nlarge 40c/70g : {small}"
    question = problem(text, objectives=[Even(cpu=1)], limits=Limits())
    given_ = formulate(question, all_rules(question), all_goals(question))
    alone = _Walk(State(given_), 1)
    alone.walker.walk(100_000, 0.0, alone.arrays.budget)
    assert (alone.arrays.site == given_.start).all()
    forced = _Walk(State(given_), 1)
    assert forced.walker.force(50, 0.0, forced.arrays.budget)
    assert key(score(given_, forced.arrays.site)) < key(score(given_, given_.start))
    assert permitted(given_, forced.arrays.site)


def evenly(moves: int, hosts: int = 40) -> Formulation:
    question = problem(
        crowd(hosts, 24),
        objectives=[Overload(), Even(cpu=1, memory=1)],
        limits=Limits(moves_per_hour=moves),
    )
    return formulate(question, all_rules(question), all_goals(question))


def test_guests_kept_together_move_as_one() -> None:
    """Four pairs on one host of four: a pair for each host, though no guest can go alone."""
    pairs = " | ".join(f"p{n}-{side} 2v/4g cpu=2" for n in range(4) for side in "ab")
    text = "\n".join([f"h0 16c/64g : {pairs}", *(f"h{n} 16c/64g : z{n} 1v/1g" for n in (1, 2, 3))])
    rules = [Together(guests=select(f"p{n}-*")) for n in range(4)]
    question = problem(text, *rules, objectives=[Even(cpu=1)])
    given_ = formulate(question, all_rules(question), all_goals(question))
    state = State(given_)
    anneal(state, Effort.QUICK, 1, on, proposals=20_000)
    assert permitted(given_, state.site)
    assert sorted(np.bincount(state.site, minlength=4).tolist()) == [2, 3, 3, 3]


def test_a_block_pays_for_all_of_it_and_goes_only_where_all_may() -> None:
    """Each of the pair is barred from one host and dislikes another: as the reference counts it."""
    hosts = [f"h{n} 16c/64g :" for n in range(1, 5)]
    text = "\n".join(["h0 16c/64g : a 2v/4g | b 2v/4g", *hosts])
    rules = [
        Together(guests=select("a", "b")),
        Avoid(guests=select("a"), hosts=select("h1")),
        Avoid(guests=select("b"), hosts=select("h2")),
        Avoid(guests=select("a"), hosts=select("h3"), hard=False),
        Avoid(guests=select("b"), hosts=select("h4"), hard=False),
    ]
    question = problem(text, *rules, objectives=[Even(memory=1)])
    given_ = formulate(question, all_rules(question), all_goals(question))
    assert taking_part(State(given_)).all()
    reached = set[int]()
    for seed in range(20):
        walk = _Walk(State(given_), seed)
        walk.walker.walk(20, 1e9, walk.arrays.budget)
        placement = walk.arrays.placement(walk.arrays.site)
        assert permitted(given_, placement)
        assert tuple(walk.arrays.total.tolist()) == key(score(given_, placement))
        reached.add(int(placement[given_.guest_number[uuid_of("b")]]))
    assert reached == {0, 3, 4}


EMPTY = [f"h{n} 16c/64g : z{n} 1v/1g" for n in (2, 3)]


def test_guests_kept_apart_take_part_in_balance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Annealing does not count their rule; descent shifts them, and it holds."""
    monkeypatch.setattr("balancer.planner.place.solve.COMPILED", 0)
    sides = [" | ".join(f"{side}{n} 2v/4g cpu=2" for n in range(6)) for side in "ab"]
    text = "\n".join([*(f"h{n} 16c/64g : {side}" for n, side in enumerate(sides)), *EMPTY])
    rule = Apart(guests=select("a*"), others=select("b*"))
    question = problem(text, rule, objectives=[Even(cpu=1)])
    given_ = formulate(question, all_rules(question), all_goals(question))
    answer = solve(given_, Effort.QUICK, 1, on)
    assert permitted(given_, answer.placement)
    assert answer.score == score(given_, answer.placement)
    assert np.count_nonzero(answer.placement != given_.start) == 6


def test_a_budget_is_spent_and_never_exceeded() -> None:
    """Of 24 guests 10 may move: 10 hosts take one each."""
    given_ = evenly(10)
    answer = solve(given_, Effort.QUICK, 1, on)
    assert answer.engine == "anneal"
    assert answer.score == score(given_, answer.placement)
    assert permitted(given_, answer.placement)
    assert np.count_nonzero(answer.placement != given_.start) == 10


def test_the_same_seed_walks_the_same_way() -> None:
    """Chance is the seed's alone."""
    first, second = (solve(evenly(10), Effort.QUICK, 3, on) for _ in range(2))
    assert (first.placement == second.placement).all()


def test_a_walk_can_be_cut_short() -> None:
    """The best so far is what is given back."""
    asked = iter([True] * 40)
    answer = solve(evenly(10), Effort.QUICK, 1, lambda: next(asked, False))
    assert permitted(evenly(10), answer.placement)
    nobody = solve(evenly(10), Effort.QUICK, 1, lambda: False)
    assert (nobody.placement == evenly(10).start).all()


def test_sites_that_cost_while_in_use_are_left_to_other_engines() -> None:
    """The kernels do not write them, so nobody moves."""
    given_ = evenly(10)
    given_.site_cost[:] = 5
    assert not len(Arrays(State(given_)).movers)
    assert anneal(State(given_), Effort.QUICK, 1, on) == 0
