"""The engine that always answers: descent by shifts, then by swaps and whole groups."""

from collections.abc import Callable
from typing import Final

from balancer.planner.formulation import Formulation
from balancer.planner.model.request import Effort
from balancer.planner.place.descent import Descent
from balancer.planner.place.exchange import attempt, block_changes, blocks, needy, partners
from balancer.planner.place.state import State

STEPS: Final = {
    Effort.INSTANT: 60_000,
    Effort.QUICK: 60_000,
    Effort.NORMAL: 600_000,
    Effort.THOROUGH: 6_000_000,
}
"""Guests whose shifts, or swaps, are all evaluated."""
SWAPS: Final = {
    Effort.INSTANT: 100,
    Effort.QUICK: 600,
    Effort.NORMAL: 6_000,
    Effort.THOROUGH: 60_000,
}


def greedy(
    formulation: Formulation,
    effort: Effort,
    keep_going: Callable[[], bool],
    state: State | None = None,
) -> tuple[State, int]:
    """Return the state reached from `state`, or the start, by changes that each gain; and steps."""
    state = State(formulation) if state is None else state
    descent = Descent(state)
    most = STEPS[effort]
    swaps_left = SWAPS[effort]
    descent.run(most, keep_going)
    while descent.steps < most and keep_going():
        tried, changed = _improve(state, descent, swaps_left)
        swaps_left -= tried
        descent.steps += tried
        if not changed:
            break
        descent.run(most, keep_going)
    return state, descent.steps


def _improve(state: State, descent: Descent, most: int) -> tuple[int, bool]:
    """Make the first change of several guests that gains; return (changes looked at, made one)."""
    tight = state.tight()
    tried = 0
    for members in blocks(state):
        before = state.site[members].tolist()
        for change in block_changes(state, members):
            tried += 1
            if attempt(state, change):
                descent.noted(members.tolist(), [*before, change[0][1]], tight=tight)
                return tried, True
    for guest in needy(state).tolist()[: max(0, most - tried)]:
        tried += 1
        for other in partners(state, guest).tolist():
            here, there = int(state.site[guest]), int(state.site[other])
            if attempt(state, [(guest, there), (other, here)]):
                descent.noted([guest, other], [here, there], tight=tight)
                return tried, True
    return tried, False
