"""What a move is worth: waiting saved against waiting spent."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.config import default_policy
from balancer.planner.forecast.recent import delays
from balancer.planner.model.observation import History
from balancer.planner.model.plan import Plan, Prediction
from balancer.planner.model.policy import Allow
from balancer.planner.model.problem import Problem
from balancer.planner.model.rollups import STEP, UNKNOWN, Block, Rollups
from balancer.planner.model.selector import EVERYTHING
from balancer.planner.pipeline import plan
from balancer.planner.worth import Currency, priced
from tests.drawing import observation, placed, policy, problem, uuid_of

BUSY = """
    a 16c/64g : x 16v/8g cpu=9 | y 16v/8g cpu=5
    b 16c/64g : z 16v/8g cpu=1
"""
TAKES = Prediction(seconds=20.0, seconds_p90=30.0, mib=8192, downtime_ms=300)


def moved(told: Problem, name: str, host: str) -> tuple[Currency, float]:
    """Return what leaving the move out of a plan of nothing else would cost, and the currency."""
    currency = Currency(told)
    reached = currency.sums(placed(told.cluster, **{name: host}))
    uuid = uuid_of(name)
    return currency, currency.saved(reached, uuid, told.cluster.placement[uuid], host)


@given(
    name=st.sampled_from("xyz"),
    one=st.floats(0.1, 16),
    other=st.floats(0.1, 16),
    futures=st.booleans(),
)
def test_what_a_move_saves_is_what_the_cluster_waits_less(
    *, name: str, one: float, other: float, futures: bool
) -> None:
    """Reckoned from two hosts, it is the difference of the whole cluster with and without it."""
    told = problem(
        f"a 16c/8g : x 16v/8g cpu={one} | y 8v/2g cpu={other} peak=16\nb 8c/64g : z 1v/1g"
    )
    if futures:
        peak = told.demand.peak
        told = replace(told, demand=replace(told.demand, scenarios=(told.demand.mean, peak)))
    home = told.cluster.placement[uuid_of(name)]
    there = "b" if home == "a" else "a"
    currency, saved = moved(told, name, there)
    before = currency.total(currency.sums(told.cluster.placement))
    after = currency.total(currency.sums(placed(told.cluster, **{name: there})))
    assert saved == pytest.approx(currency.horizon * (before - after), abs=1e-6)


def test_relief_saves_and_crowding_costs() -> None:
    """Away from the busier host saves waiting, towards it causes some."""
    told = problem(BUSY)
    assert moved(told, "y", "b")[1] > 100
    assert moved(told, "z", "a")[1] < 0
    delayed = replace(told, demand=replace(told.demand, delay={uuid_of("x"): 3000}))
    assert moved(delayed, "y", "b")[1] > moved(told, "y", "b")[1]


def test_a_move_costs_by_copy_pause_and_throttling() -> None:
    """Longer copies, longer pauses and throttled guests cost more; a busy guest more than an idle one."""
    told = problem(BUSY)

    def spent(takes: Prediction, name: str = "x", asked: Problem = told) -> float:
        currency = Currency(asked)
        now = currency.sums(asked.cluster.placement)
        then = currency.sums(placed(asked.cluster, **{name: "b"}))
        return currency.spent(now, then, uuid_of(name), ("a", "b"), takes)

    plain = spent(TAKES)
    assert spent(replace(TAKES, seconds=40.0)) > 1.8 * plain
    assert spent(replace(TAKES, downtime_ms=1300)) == pytest.approx(plain + 9.0)
    assert spent(TAKES, "y") < plain
    throttled = problem(BUSY, rules=policy(allow=Allow(auto_converge=EVERYTHING)))
    assert spent(TAKES, asked=throttled) == pytest.approx(plain + 0.1 * 20 * 9)


def test_a_plan_shows_both_numbers_for_each_move() -> None:
    """Each action is priced, the plan as a whole too; a step aside saves nothing by itself."""
    made = plan(observation(BUSY), default_policy())
    assert isinstance(made, Plan)
    assert made.horizon == 3600.0
    assert made.trust == 1.0
    (action,) = made.actions
    assert action.name == "y"
    told = problem(BUSY)
    there = placed(told.cluster, y="b")
    (shown,), whole = priced(told, (action,), there)
    assert shown == action
    assert made.worth == whole
    assert shown.worth is not None
    assert shown.worth == whole
    assert whole.saved == pytest.approx(moved(told, "y", "b")[1], abs=0.1)
    (aside,), _ = priced(told, (replace(action, temporary=True),), there)
    assert aside.worth is not None
    assert aside.worth.saved == 0.0
    assert aside.worth.spent == shown.worth.spent


def test_delay_is_that_of_the_latest_hour() -> None:
    """Means of the hour before, with what was measured just now; unknown where there is neither."""
    seen = observation(BUSY)
    x, y, z = (uuid_of(name) for name in "xyz")
    sample = seen.history.guests[x][-1]
    newest = replace(sample, values={**sample.values, "cpu.delay": 900})
    start = (int(seen.at) // STEP - 13) * STEP
    cells = np.full((2, 13), UNKNOWN, dtype=np.int32)
    cells[:, 0] = 5000
    cells[0, 1:3] = 600
    past = Rollups(start, 13, {"cpu.delay": Block.of((x, y), cells)})
    guests = {**seen.history.guests, x: (newest,)}
    told = delays(replace(seen, history=History(guests), rollups=past))
    assert told == {x: 700}
    assert delays(replace(seen, history=History({z: seen.history.guests[z]}))) == {}
