"""Declared traffic as a term of the objective: weighed, paid for, told of, and priced by every engine."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from balancer.config import default_policy
from balancer.planner.formulation import Flow, Formulation, Ints, formulate
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Effort
from balancer.planner.objectives.even import Even
from balancer.planner.objectives.traffic import Traffic
from balancer.planner.paying import paying
from balancer.planner.pipeline import assess, consider, plan
from balancer.planner.place import parts
from balancer.planner.place.answer import key
from balancer.planner.place.evaluate import excesses, permitted, score
from balancer.planner.place.neighbourhood import Neighbourhood
from balancer.planner.place.solve import solve
from balancer.planner.place.state import State
from tests.drawing import observation, select, uuid_of

RACKS = """
    a 16c/64g rack=r1 : s-1 4v/8g cpu=1 | d-1 4v/8g cpu=1
    b 16c/64g rack=r1 : d-2 4v/8g cpu=1
    c 16c/64g rack=r2 : s-2 4v/8g cpu=1
"""
SPARK = Traffic(guests=select("s-*"), others=select("d-*"), rate=200 * 1024)


def wanting(*goals: Traffic, base: Policy | None = None) -> Policy:
    base = base or default_policy()
    return replace(base, objectives=(*base.objectives, *goals))


def planned(seen: Observation, policy: Policy) -> Plan:
    made = plan(seen, policy)
    assert isinstance(made, Plan)
    return made


def test_guests_are_brought_nearer_and_it_is_told() -> None:
    """One move, its reason, and what it saves: all of it traffic, none of it load."""
    made = planned(observation(RACKS), wanting(SPARK))
    (action,) = made.actions
    assert (action.name, action.source) == ("s-2", "c")
    assert action.reason.startswith("brings it nearer to whom it talks to: traffic s-* and d-*")
    assert action.worth is not None
    assert action.worth.saved == pytest.approx(action.worth.nearer)
    assert action.worth.nearer > 10 * action.worth.spent
    assert made.worth is not None
    assert made.worth.nearer == pytest.approx(action.worth.nearer, rel=0.01)


def test_what_it_saves_must_pay_the_move() -> None:
    """A trickle moves nobody, however far it goes, nor does what is not believed."""
    trickle = replace(SPARK, rate=64)
    eager = replace(default_policy(), aggressiveness=5)
    assert planned(observation(RACKS), wanting(trickle, base=eager)).actions == ()
    assert planned(observation(RACKS), default_policy()).actions == ()


def test_what_is_not_believed_is_not_moved_for() -> None:
    """Where nothing came of promises a thousandth of this one does not pay the move."""
    problem = assess(observation(RACKS), wanting(SPARK))
    formulation = formulate(problem, [], [SPARK])
    nearer = formulation.start.copy()
    nearer[formulation.guest_number[uuid_of("s-2")]] = formulation.site_number["a"]
    assert (paying(problem, formulation, nearer) == nearer).all()
    doubted = replace(problem, trust=0.001)
    assert (paying(doubted, formulation, nearer) == formulation.start).all()


def test_a_rule_goes_before() -> None:
    """Whoever must stay stays, and the others come to it where that pays."""
    held = observation(RACKS.replace("s-2 4v/8g", "s-2 4v/8g tie=local-disk"))
    made = planned(held, wanting(SPARK))
    assert "s-2" not in {action.name for action in made.actions}


def test_why_names_the_hosts_that_are_further() -> None:
    """A guest that stays: what speaks against the other hosts is who it talks to."""
    told = consider(observation(RACKS), wanting(SPARK), uuid_of("s-1"))
    assert told.rejected == {"further from whom it talks to: traffic s-* and d-*": 1}


def many(groups: int, wide: int) -> str:
    """Racks of two hosts; each group's four guests are scattered over all of them."""
    hosts = [f"h{n} 64c/256g rack=r{n // 2}" for n in range(wide)]
    here: list[list[str]] = [[] for _ in range(wide)]
    for group in range(groups):
        for member in range(4):
            here[(group + member * 3) % wide].append(f"g{group}-{member} 2v/4g cpu=0.1")
    return "\n".join(f"{h} : {' | '.join(g)}" for h, g in zip(hosts, here, strict=True))


def test_large_clusters_are_improved_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what a complete model bears, parts bring those who talk together, and sums stay right."""
    monkeypatch.setattr("balancer.planner.place.solve.MOST_BOOLEANS", dict.fromkeys(Effort, 1))
    monkeypatch.setattr("balancer.planner.place.solve.WHOLE", 0)
    monkeypatch.setattr(parts, "FIRST_SIZE", 60)
    goals = [Traffic(guests=select(f"g{n}-*"), rate=50 * 1024) for n in range(6)]
    problem = assess(observation(many(6, 8)), wanting(*goals))
    formulation = formulate(problem, [], problem.policy.objectives)
    formulation.move_cost[:] = 10
    before = score(formulation, formulation.start)
    answer = solve(formulation, Effort.QUICK, 1, lambda: True)
    assert permitted(formulation, answer.placement)
    assert answer.score == score(formulation, answer.placement)
    assert answer.score.cost < before.cost / 10


def test_where_loads_are_evened_out_they_follow() -> None:
    """The compiled walk leaves them alone; a descent after it brings them together."""
    goals = [Traffic(guests=select(f"g{n}-*"), rate=50 * 1024) for n in range(4)]
    text = many(4, 8)
    lone = " | ".join(f"lone-{n} 2v/4g cpu=2" for n in range(80))
    text = text.replace("h0 64c/256g rack=r0 : ", f"h0 64c/256g rack=r0 : {lone} | ")
    problem = assess(observation(text), wanting(*goals))
    formulation = formulate(problem, [], [*goals, Even(cpu=1)])
    before, far = score(formulation, formulation.start), _far(formulation, formulation.start)
    answer = solve(formulation, Effort.INSTANT, 1, lambda: True)
    assert answer.engine == "anneal"
    assert key(answer.score) < key(before)
    assert _far(formulation, answer.placement) < far / 4


def _far(formulation: Formulation, placement: Ints) -> int:
    flows = (p for p in formulation.primitives if isinstance(p, Flow))
    return sum(int(excesses(formulation, flow, placement).sum()) for flow in flows)


@pytest.mark.parametrize(
    ("names", "barred"),
    [
        ("s-2", []),
        ("d-2", []),
        ("s-1 s-2 d-1", []),
        ("s-2 d-1 d-2", []),
        ("s-1 d-1", []),
        ("s-2 d-1 d-2", ["d-1", "d-2"]),
    ],
)
def test_a_part_counts_those_who_stay_outside_it(names: str, barred: list[str]) -> None:
    """With some guests free, of either side or both, its answer is the best of all their ways.

    Also where of one side nobody but those who stay may be: on c, that `barred` are kept off.
    """
    apart = RACKS.replace("| d-1 4v/8g cpu=1", "").replace(
        "d-2 4v", "d-1 4v/8g | d-3 4v/8g | d-2 4v"
    )
    problem = assess(observation(apart), wanting(SPARK))
    formulation = formulate(problem, [], [SPARK])
    formulation.soft_pairs[:] = [[0, 90, 20], [70, 0, 50], [10, 80, 0], [30, 0, 60], [40, 5, 0]]
    formulation.allowed[formulation.numbers(list(map(uuid_of, barred))), 2] = False
    state = State(formulation)
    free = np.array([formulation.guest_number[uuid_of(name)] for name in names.split()])
    part = Neighbourhood(state, free, np.arange(3))
    changes, _, closed = part.solve(5.0, 1, lambda: True)
    ways = []
    for sites in product(range(3), repeat=len(free)):
        there = formulation.start.copy()
        there[free] = sites
        if permitted(formulation, there):
            ways.append(key(score(formulation, there)))
    for one, site in changes:
        state.shift(one, site)
    assert closed
    assert key(state.score()) == min(ways)


def test_a_flow_of_nobody_costs_nothing() -> None:
    """A pattern may match nobody: no engine divides by nought."""
    nobody = replace(SPARK, others=select("nobody"))
    formulation = formulate(assess(observation(RACKS), wanting(nobody)), [], [nobody])
    assert [type(p) for p in formulation.primitives] == [Flow] * 3
    assert score(formulation, formulation.start).cost == 0
    assert solve(formulation, Effort.QUICK, 1, lambda: True).proven
