"""Plans come to rest: no move follows from a plan's own result, from what passes, or from noise."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.config import default_policy
from balancer.config.modes import PlanMode, Wish, in_mode
from balancer.planner import pipeline
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import History, Observation
from balancer.planner.model.plan import Action, Outcome, Plan, Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.rollups import STEP, Block
from balancer.planner.pipeline import assess, plan
from tests.drawing import uuid_of
from tests.past import as_cells, with_past

SEEDS, DAYS = 20, 20
"""Of the soak."""
POLICY = replace(default_policy(), forecaster="automatic")
EAGER = replace(POLICY, aggressiveness=5)
HOT = """
    a 16c/64g : x 8v/8g cpu=7.5 | y 8v/8g cpu=7
    b 16c/64g : z 8v/8g cpu=1
"""


def drawn(seed: int) -> str:
    """Return four unequal hosts, often too full."""
    chance, number, lines = Random(seed), 0, []
    for host in range(4):
        guests = []
        for _ in range(chance.randint(1, 5)):
            vcpus, number = chance.choice([2, 4, 8]), number + 1
            cpu = round(chance.uniform(0.05, 0.95) * vcpus, 1)
            guests.append(f"g-{number} {vcpus}v/{chance.choice([4, 8, 12])}g cpu={cpu} used=3")
        size = f"{chance.choice([8, 16, 32])}c/{chance.choice([64, 96])}g"
        lines.append(f"h{host} {size} : " + " | ".join(guests))
    return "\n".join(lines)


def moves(seen: Observation, policy: Policy) -> tuple[Action, ...]:
    made = plan(seen, policy)
    return made.actions if isinstance(made, Plan) else ()


def carried_out(seen: Observation, done: tuple[Action, ...], later: float = 1.0) -> Observation:
    """Return the cluster once everything is done: the same guests, elsewhere."""
    where = {**seen.cluster.placement, **{a.guest: a.target for a in done}}
    ended = tuple(
        Outcome(action=a, result=Result.DONE, started=seen.at, ended=seen.at) for a in done
    )
    return replace(
        seen,
        at=seen.at + later,
        cluster=replace(seen.cluster, placement=where),
        history=History(seen.history.guests),
        outcomes=ended,
    )


def at_rest_after(seed: int, policy: Policy) -> None:
    seen = with_past(drawn(seed), steps=24, seed=seed)
    done = moves(seen, policy)
    assert not done or not moves(carried_out(seen, done), policy)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**20), policy=st.sampled_from([POLICY, EAGER]), must_pay=st.booleans())
def test_replanning_on_a_plan_s_own_result_moves_nothing(
    *, seed: int, policy: Policy, must_pay: bool
) -> None:
    """Once a plan is carried out, the very same knowledge gives no reason for another."""
    with pytest.MonkeyPatch.context() as patch:
        if not must_pay:
            patch.setattr(pipeline, "paying", lambda _, __, target: target)
        at_rest_after(seed, policy)


WISHES = {
    PlanMode.EVACUATE: Wish(hosts=frozenset({"h0"})),
    PlanMode.HOLE: Wish(hosts=frozenset(), hole="8c/24g"),
}


@settings(max_examples=20)
@given(seed=st.integers(0, 2**20), mode=st.sampled_from(PlanMode))
def test_no_mode_moves_anybody_on_its_own_result(*, seed: int, mode: PlanMode) -> None:
    """Nothing follows a plan that went all the way; one that left something over said so."""
    policy = in_mode(POLICY, mode, WISHES.get(mode, Wish(hosts=frozenset())))
    seen = with_past(drawn(seed), steps=24, seed=seed)
    made = plan(seen, policy)
    if isinstance(made, Plan) and made.actions and not made.left:
        assert not moves(carried_out(seen, made.actions), policy)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("must_pay", [True, False])
def test_replanning_moves_nothing_in_ten_thousand_clusters(
    *, must_pay: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, ten thousand times: as it is, and where moves need not pay and are many more."""
    if not must_pay:
        monkeypatch.setattr(pipeline, "paying", lambda _, __, target: target)
    for seed in range(10_000):
        at_rest_after(seed, EAGER)


def with_cpu(seen: Observation, name: str, *latest: float) -> Observation:
    """Return the observation with other latest means of one guest's CPU, in millicores."""
    block = seen.rollups.guests["cpu"]
    cells = seen.rollups.matrix(block).copy()
    cells[block.names.index(uuid_of(name)), -len(latest) :] = latest
    table = {**seen.rollups.guests, "cpu": Block.of(block.names, cells)}
    return replace(seen, rollups=replace(seen.rollups, guests=table))


def test_heat_must_last() -> None:
    """A host that was within its limit a moment ago is left alone; lasting heat is relieved."""
    policy = replace(default_policy(), forecaster="latest")
    steady = with_past(HOT)
    assert moves(steady, policy)
    assert not moves(with_cpu(steady, "x", 1000.0), policy)
    assert not moves(with_cpu(steady, "x", 1000.0, 7500.0), policy)
    assert moves(with_cpu(steady, "x", 1000.0, 7490.0, 7510.0), policy)
    impatient = replace(policy, hot=replace(policy.hot, lasting=0.0))
    assert moves(with_cpu(steady, "x", 1000.0), impatient)


def test_what_is_not_known_of_recent_steps_is_as_expected() -> None:
    """Gaps do not make heat pass; steps of which nothing is known do not count."""
    seen = with_past(HOT)
    policy = replace(default_policy(), forecaster="latest")
    gap = with_cpu(seen, "x", -1.0)
    demand = assess(gap, policy).demand
    assert demand.recent[-1][uuid_of("x")]["cpu"] == demand.mean[uuid_of("x")]["cpu"]
    nothing = gap
    for name in ("y", "z"):
        nothing = with_cpu(nothing, name, -1.0)
    assert len(assess(nothing, policy).demand.recent) == len(demand.recent) - 1


def test_fresh_moves_settle_first() -> None:
    """For five minutes after a move load is no reason for another; then it is again."""
    seen = with_past(HOT)
    done = moves(with_past("a 16c/64g : q 8v/8g cpu=7 | r 8v/8g cpu=7\nb 16c/64g :"), EAGER)
    fresh = tuple(
        Outcome(action=a, result=Result.DONE, started=0, ended=seen.at - 60) for a in done
    )
    assert moves(seen, EAGER)
    assert not moves(replace(seen, outcomes=fresh), EAGER)
    old = tuple(replace(outcome, ended=seen.at - 301) for outcome in fresh)
    assert moves(replace(seen, outcomes=old), EAGER)


def live(text: str, days: int, seed: int, policy: Policy) -> tuple[int, int, int]:
    """Live through days of ±10 % noise; return (moves, returns to a former host, guests)."""
    seen = with_past(text, steps=288, noise=0.1, seed=seed)
    chance = np.random.default_rng(seed)
    block = seen.rollups.guests["cpu"]
    base = {u: taken[-1].values["cpu"] for u, taken in seen.history.guests.items()}
    outcomes: tuple[Outcome, ...] = ()
    been: dict[str, set[str]] = {u: {h} for u, h in seen.cluster.placement.items()}
    moved = returned = 0
    for _ in range(days * 24):
        at = seen.at + 3600
        cells = seen.rollups.matrix(seen.rollups.guests["cpu"])
        noise = 1 + chance.uniform(-0.1, 0.1, (len(block.names), 12))
        usual = np.array([base[name] for name in block.names]).reshape(-1, 1)
        grown = np.concatenate([cells[:, 12:], as_cells(usual * noise)], axis=1)
        newest = dict(zip(block.names, grown[:, -1].tolist(), strict=True))
        guests = {
            u: (replace(taken[-1], at=at, values={**taken[-1].values, "cpu": newest[u]}),)
            for u, taken in seen.history.guests.items()
        }
        seen = replace(
            seen,
            at=at,
            history=History(guests),
            rollups=replace(
                seen.rollups,
                start=seen.rollups.start + 12 * STEP,
                guests={"cpu": Block.of(block.names, grown)},
            ),
            outcomes=outcomes,
        )
        for action in moves(seen, policy):
            moved += 1
            returned += action.target in been[action.guest]
            been[action.guest].add(action.target)
            outcomes += (Outcome(action=action, result=Result.DONE, started=at, ended=at),)
            seen = replace(seen, cluster=_moved(seen.cluster, action))
    return moved, returned, len(seen.cluster.guests)


def _moved(cluster: Cluster, action: Action) -> Cluster:
    return replace(cluster, placement={**cluster.placement, action.guest: action.target})


def test_noise_carries_nobody_back_and_forth() -> None:
    """Two days of ±10 % noise: no guest returns to a host that it left."""
    for seed in (1, 2):
        _, returned, _ = live(drawn(seed), 2, seed, POLICY)
        assert returned == 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("policy", "must_pay"), [(POLICY, True), (EAGER, True), (EAGER, False)],
    ids=["built-in", "eager", "eager, for nothing"],
)  # fmt: skip
def test_fewer_than_one_return_in_a_thousand_guest_days(
    *, policy: Policy, must_pay: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over thousands of guest-days of ±10 % noise, on clusters that are often too full."""
    if not must_pay:
        monkeypatch.setattr(pipeline, "paying", lambda _, __, target: target)
    days = moved = returns = 0
    for seed in range(SEEDS):
        moves_made, returned, guests = live(drawn(seed), DAYS, seed, policy)
        days, moved, returns = days + DAYS * guests, moved + moves_made, returns + returned
    print(f"{returns} returns among {moved} moves in {days} guest-days")  # noqa: T201 - pytest -s
    assert returns < days / 1000
