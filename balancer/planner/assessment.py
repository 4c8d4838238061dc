"""What an observation asks: demand forecast, guests that rest, what the hour has spent already.

Apart from the pipeline so that a plan can be checked where no solver is loaded.
"""

from dataclasses import replace
from typing import Final

from balancer.planner.forecast import FORECASTERS
from balancer.planner.forecast.recent import delays, recent
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Plan, Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Request
from balancer.planner.model.rollups import STEP
from balancer.planner.model.trust import trust
from balancer.planner.quality import gate

NOTHING_ASKED: Final = Request()
HOUR: Final = 3600.0


def assess(observation: Observation, policy: Policy, request: Request = NOTHING_ASKED) -> Problem:
    """Return the problem that `observation` poses.

    What is not believed is left out, demand is forecast from the rest, and guests rest.
    """
    resting = policy.limits.same_guest_again_after
    trusted = gate(observation)
    demand = FORECASTERS[policy.forecaster](trusted.observation, policy.forecast)
    lately = [
        outcome
        for outcome in observation.outcomes
        if outcome.result is not Result.REFUSED and observation.at - outcome.started < HOUR
    ]
    return Problem(
        cluster=trusted.observation.cluster,
        demand=replace(
            demand,
            blind=demand.blind | trusted.blind,
            partial=trusted.partial,
            recent=recent(trusted.observation, demand, policy.hot.lasting),
            delay=delays(trusted.observation),
        ),
        policy=policy,
        cooling=frozenset(
            outcome.action.guest
            for outcome in observation.outcomes
            if outcome.result is Result.DONE and observation.at - outcome.ended < resting
        ),
        settling=any(
            outcome.result is Result.DONE and 0 <= observation.at - outcome.ended < STEP
            for outcome in observation.outcomes
        ),
        relieve=request.relieve,
        held=request.held,
        ordered=request.ordered,
        barred=request.barred,
        before=request.before,
        spent_moves=len(lately),
        spent_mib=sum(outcome.mib for outcome in lately),
        at=observation.at,
        trust=trust(observation.promises),
    )


def asked(problem: Problem, request: Request) -> Problem:
    """Return the problem that the same observation and policy pose where `request` is asked."""
    return replace(
        problem,
        relieve=request.relieve,
        held=request.held,
        ordered=request.ordered,
        barred=request.barred,
    )


def orders_of(made: Plan) -> Request:
    """Return the operator's orders that `made` was made by: it is judged again by the same."""
    return Request(
        relieve=frozenset(made.relieve), ordered=frozenset(made.ordered), before=made.undoes
    )
