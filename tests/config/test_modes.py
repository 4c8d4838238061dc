"""What a mode makes of a policy, and what comes of it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.config import default_policy
from balancer.config.modes import PlanMode, Wish, in_mode
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Policy
from balancer.planner.pipeline import plan
from balancer.ports import UsageError
from tests.drawing import observation

BASE = replace(default_policy(), aggressiveness=4)
WISHES = {
    PlanMode.REPAIR: Wish(),
    PlanMode.BALANCE: Wish(gib=100),
    PlanMode.CONSOLIDATE: Wish(),
    PlanMode.SPREAD: Wish(),
    PlanMode.EVACUATE: Wish(hosts=("a",)),
    PlanMode.HOLE: Wish(hole="8c/24g"),
}
UNEVEN = """
    a 16c/64g : x1 2v/8g cpu=1 | x2 2v/8g cpu=1 | x3 2v/8g cpu=1 | x4 2v/8g cpu=1 | x5 2v/8g cpu=1
    b 16c/64g : y1 2v/8g cpu=1
    c 16c/64g : z1 2v/8g cpu=1 | z2 2v/8g cpu=1
"""


def made(text: str, mode: PlanMode, wish: Wish, base: Policy = BASE) -> Plan:
    found = plan(observation(text), in_mode(base, mode, wish))
    assert isinstance(found, Plan)
    return found


def ends(text: str, found: Plan) -> dict[str, int]:
    """Return how many guests each host ends with."""
    seen = observation(text).cluster
    where = {**seen.placement, **{a.guest: a.target for a in found.actions}}
    return {h.name: sum(host == h.name for host in where.values()) for h in seen.hosts}


def test_repair_moves_nothing_for_load() -> None:
    """However uneven hosts are."""
    assert not made(UNEVEN, PlanMode.REPAIR, Wish()).actions


def test_spread_evens_out_numbers() -> None:
    """Eight guests on three hosts."""
    found = made(UNEVEN, PlanMode.SPREAD, Wish())
    assert sorted(ends(UNEVEN, found).values()) == [2, 3, 3]


def test_consolidate_empties_hosts_and_says_so() -> None:
    """As many as the rest can take without being hot: one, as memory would be full on another."""
    found = made(UNEVEN, PlanMode.CONSOLIDATE, Wish())
    assert sorted(ends(UNEVEN, found).values()) == [0, 2, 6]
    assert found.quality.proven
    assert found.actions[0].reason.startswith(("empties b", "empties c"))


def test_balance_keeps_to_its_budget_and_its_least_gain() -> None:
    """A budget of one guest moves one; a gain that nothing reaches moves none."""
    assert len(made(UNEVEN, PlanMode.BALANCE, Wish(gib=300)).actions) >= 2
    assert len(made(UNEVEN, PlanMode.BALANCE, Wish(gib=8)).actions) == 1
    assert not made(UNEVEN, PlanMode.BALANCE, Wish(gib=300, gain_per_gib=10**6)).actions


def test_evacuate_empties_the_hosts_named() -> None:
    """Whatever stays of the policy."""
    found = made(UNEVEN, PlanMode.EVACUATE, Wish(hosts=("a", "c")))
    assert ends(UNEVEN, found) == {"a": 0, "b": 8, "c": 0}


def test_a_hole_is_made_where_it_takes_least() -> None:
    """And left alone where there is one."""
    assert not made(UNEVEN, PlanMode.HOLE, Wish(hole="8c/40g")).actions
    found = made(UNEVEN, PlanMode.HOLE, Wish(hole="60c/60g"))
    assert ends(UNEVEN, found)["b"] == 0
    assert len(found.actions) == 1
    crowded = UNEVEN.replace("y1 2v/8g cpu=1", "y1 2v/8g cpu=1 | y2 2v/8g cpu=1")
    found = made(crowded, PlanMode.HOLE, Wish(hole="8c/52g"))
    assert found.actions[0].reason.startswith("makes room in one piece on b")


@pytest.mark.parametrize(
    ("mode", "wish", "said"),
    [
        (PlanMode.REPAIR, Wish(gib=3), "--gib belongs to --mode balance, not to --mode repair"),
        (PlanMode.SPREAD, Wish(hosts=("a",)), "--host belongs to --mode evacuate"),
        (PlanMode.EVACUATE, Wish(), "name the hosts to be emptied"),
        (PlanMode.HOLE, Wish(hole="large"), 'as "16c/64g", not "large"'),
        (PlanMode.CONSOLIDATE, Wish(gain_per_gib=3), "--gain-per-gib belongs to --mode balance"),
    ],
)
def test_what_does_not_fit_a_mode_is_refused(mode: PlanMode, wish: Wish, said: str) -> None:
    """In one sentence with the remedy."""
    with pytest.raises(UsageError) as caught:
        in_mode(BASE, mode, wish)
    assert said in str(caught.value)


def test_a_policy_without_goals_gets_those_of_the_mode() -> None:
    """And is told apart by its digest."""
    bare = replace(BASE, objectives=(), aggressiveness=1)
    policy = in_mode(bare, PlanMode.CONSOLIDATE, Wish())
    assert policy.digest != bare.digest
    assert policy.aggressiveness == 2


def again(text: str, mode: PlanMode, base: Policy) -> None:
    """Plan, carry out, plan once more: nothing moves."""
    policy = in_mode(base, mode, WISHES[mode])
    if mode is PlanMode.BALANCE:
        policy = in_mode(base, mode, Wish(gib=10**6))
    policy = replace(
        policy, limits=replace(policy.limits, moves_per_hour=10**6, data_per_hour=10**9)
    )
    seen = observation(text)
    first = plan(seen, policy)
    if isinstance(first, Plan) and not first.left:  # what no way led to may be tried by another
        second = plan(carried_out(seen, first), policy)
        assert not isinstance(second, Plan) or not second.actions


def carried_out(seen: Observation, done: Plan) -> Observation:
    where = {**seen.cluster.placement, **{a.guest: a.target for a in done.actions}}
    return replace(seen, cluster=replace(seen.cluster, placement=where))


@st.composite
def crowds(draw: st.DrawFn) -> str:
    """Draw four unequal hosts with up to five guests each."""
    lines, number = [], 0
    for host in "abcd":
        guests = []
        for _ in range(draw(st.integers(0, 5))):
            vcpus, cpu = draw(st.sampled_from([1, 2, 4])), draw(st.integers(0, 4)) / 4
            guests.append(
                f"g{number} {vcpus}v/{draw(st.sampled_from([2, 4, 8]))}g cpu={cpu * vcpus}"
            )
            number += 1
        lines.append(f"{host} {draw(st.sampled_from([8, 16]))}c/64g : {' | '.join(guests)}")
    return "\n".join(lines)


@pytest.mark.parametrize("mode", PlanMode)
@given(text=crowds())
@settings(max_examples=4)
def test_planning_again_in_any_mode_moves_nothing(mode: PlanMode, text: str) -> None:
    """What was decided is still right when looked at again."""
    again(text, mode, BASE)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", PlanMode)
@given(text=crowds())
@settings(max_examples=150)
def test_planning_again_in_any_mode_moves_nothing_at_length(mode: PlanMode, text: str) -> None:
    """The same, at length."""
    again(text, mode, BASE)
