"""What is asked only of the guests that a plan would move, for it costs: how fast they dirty memory."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from balancer.planner.model.observation import History, Observation
from balancer.planner.model.plan import Infeasible, Plan
from balancer.ports import DirtyMeter

DIRTY: Final = "dirty"
ROUNDS: Final = 2
"""How often a plan is made anew because more is known of its guests."""
Decision = Plan | Infeasible


def informed(
    seen: Observation,
    decision: Decision,
    meter: DirtyMeter | None,
    again: Callable[[Observation], Decision],
) -> tuple[Observation, Decision]:
    """Return the observation with the dirty rates of the plan's guests, and the plan made by it.

    `again` plans by what is given to it. Where nothing is measured, or nobody dirties anything,
    the plan stays as it is: it was made as if so.
    """
    for _ in range(ROUNDS):
        if meter is None or isinstance(decision, Infeasible):
            break
        known, fast = _measured(seen, decision, meter)
        seen = known
        if not fast:
            break
        decision = again(seen)
    return seen, decision


def _measured(seen: Observation, plan: Plan, meter: DirtyMeter) -> tuple[Observation, bool]:
    """Return the observation with what the plan's guests dirty, and whether any does that is new."""
    taken = seen.history.guests
    asked = {
        action.guest: seen.cluster.placement[action.guest]
        for action in plan.actions
        if taken.get(action.guest) and DIRTY not in taken[action.guest][-1].values
    }
    rates = meter.rates(asked) if asked else {}
    if not rates:
        return seen, False
    guests = dict(taken)
    for uuid, rate in rates.items():
        *before, last = taken[uuid]
        guests[uuid] = (*before, replace(last, values={**last.values, DIRTY: rate}))
    history = History(guests, seen.history.hosts)
    return replace(seen, history=history), any(rates.values())
