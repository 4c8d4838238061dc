"""Problem to placement: the greedy always, the exact model where it is small enough."""

from collections.abc import Callable

from balancer.planner.formulation import Formulation
from balancer.planner.model.plan import Score
from balancer.planner.model.request import Effort
from balancer.planner.place.answer import Answer, key
from balancer.planner.place.exact import MOST_BOOLEANS, booleans, exact
from balancer.planner.place.greedy import greedy

__all__ = ["Answer", "solve"]

PERFECT = Score(repair=0, overload=0, cost=0)


def solve(
    formulation: Formulation, effort: Effort, seed: int, keep_going: Callable[[], bool]
) -> Answer:
    """Return the best placement found within `effort`: permitted, and never worse than the start.

    `keep_going` is asked between chunks of work; once it says no, the best so far is returned.
    The same formulation, effort and seed give the same answer, as long as it keeps saying yes.
    """
    state, steps = greedy(formulation, effort, keep_going)
    found = Answer(
        placement=state.site,
        score=state.score(),
        bound=0 if state.score() == PERFECT else None,
        engine="greedy",
        steps=steps,
        proven=state.score() == PERFECT,
    )
    if effort is Effort.INSTANT or found.proven or not keep_going():
        return found
    if not 0 < booleans(formulation) <= MOST_BOOLEANS:
        return found
    return _sharper(found, exact(formulation, found.placement, effort, seed, keep_going))


def _sharper(found: Answer, proof: Answer) -> Answer:
    """Return the exact answer, credited to the greedy where it was that good already."""
    better = key(proof.score) < key(found.score)
    return Answer(
        placement=proof.placement,
        score=proof.score,
        bound=proof.bound,
        engine="exact" if better else "greedy",
        steps=found.steps + proof.steps,
        proven=proof.proven,
    )
