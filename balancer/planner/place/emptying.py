"""Whole sites emptied, where a site in use has a price: no single shift gains anything until the last."""

from collections.abc import Callable

import numpy as np

from balancer.planner.formulation import Ints, Level
from balancer.planner.place.exchange import attempt
from balancer.planner.place.state import State, lexicographic_least


def empty(state: State, keep_going: Callable[[], bool]) -> int:
    """Empty sites as long as that gains, those with least to move first; return guests looked at."""
    looked = 0
    gained = True
    while gained and keep_going():
        gained = False
        for site in _candidates(state):
            guests = np.flatnonzero(state.site == site)
            looked += len(guests)
            if keep_going() and _one(state, site, guests):
                gained = True
                break
    return looked


def _candidates(state: State) -> list[int]:
    """Return the priced sites that can be emptied, by what moving their guests costs."""
    given = state.formulation
    costs = np.where(state.site == state.home, given.move_cost, 0)
    total = np.zeros(state.sites, dtype=np.int64)
    np.add.at(total, state.site, costs)
    stuck = np.zeros(state.sites, dtype=np.bool_)
    stuck[state.site[given.held]] = True
    able = (state.guests_at > 0) & (given.site_cost > 0) & ~stuck
    found: list[int] = np.flatnonzero(able)[np.argsort(total[able], kind="stable")].tolist()
    return found


def _one(state: State, site: int, guests: Ints) -> bool:
    """Empty one site onto others in use, largest guests first; False, and nothing done, if no gain."""
    largest = np.argsort(-state.use[:, guests].sum(axis=0), kind="stable")
    change: list[tuple[int, int]] = []
    for guest in guests[largest].tolist():
        others = np.flatnonzero(state.guests_at > 0)
        others = others[others != site]
        added, may = state.deltas(np.array([guest]), others)
        may &= (added[: Level.COST] <= 0).all(axis=0)
        if not may.any():
            break
        _, index = lexicographic_least(added, may)
        change.append((guest, int(others[index[0]])))
        state.shift(guest, change[-1][1])
    for guest, _ in change:
        state.shift(guest, site)
    return len(change) == len(guests) and attempt(state, change)
