"""What an observation asks: demand forecast, guests that rest, what the hour has spent already.

Apart from the pipeline so that a plan can be checked where no solver is loaded.
"""

from typing import Final

from balancer.planner.forecast import FORECASTERS
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Request

NOTHING_ASKED: Final = Request()
HOUR: Final = 3600.0


def assess(observation: Observation, policy: Policy, request: Request = NOTHING_ASKED) -> Problem:
    """Return the problem that `observation` poses: its demand forecast, its guests that rest."""
    resting = policy.limits.same_guest_again_after
    lately = [
        outcome
        for outcome in observation.outcomes
        if outcome.result is not Result.REFUSED and observation.at - outcome.started < HOUR
    ]
    return Problem(
        cluster=observation.cluster,
        demand=FORECASTERS[policy.forecaster](observation),
        policy=policy,
        cooling=frozenset(
            outcome.action.guest
            for outcome in observation.outcomes
            if outcome.result is Result.DONE and observation.at - outcome.ended < resting
        ),
        relieve=request.relieve,
        held=request.held,
        spent_moves=len(lately),
        spent_mib=sum(outcome.mib for outcome in lately),
        at=observation.at,
    )
