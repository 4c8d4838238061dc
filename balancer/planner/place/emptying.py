"""Whole sites emptied, where a site in use has a price: no single shift gains anything until the last."""

from collections.abc import Callable
from typing import Final

import numpy as np

from balancer.planner.formulation import Ints, Level
from balancer.planner.place.consolidate import Crowd, Fleet, consolidate
from balancer.planner.place.exchange import attempt
from balancer.planner.place.state import State, lexicographic_least

HALF: Final = 0.5
"""Certainty that adds nothing to what is expected: demand in rows is with its margin already."""


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


def thin_out(state: State, keep_going: Callable[[], bool]) -> int:
    """Empty sites as the engine on arrays proposes, each as far as that gains; return guests looked at.

    It sees rows and pairs; whatever else is asked is looked at here, and a site is emptied or not.
    """
    given = state.formulation
    strict = [n for n, row in enumerate(state.rows) if row.penalty.level is not Level.COST]
    if not strict:
        return 0
    cap = np.minimum(state.cap, np.maximum(state.limit, state.load))[strict].astype(np.float64)
    use = state.use[strict].astype(np.float64)
    first = max(range(len(strict)), key=lambda n: state.rows[strict[n]].penalty.level)
    others = [n for n in range(len(strict)) if n != first]
    nothing = np.zeros(len(state.site))
    size = np.maximum(1.0, cap[first])
    moves = consolidate(
        Fleet(
            cpu=size,
            widest=size,
            idle=given.site_cost.astype(np.float64),
            busy=np.ones(state.sites),
            room=(cap - state.load[strict])[others].T.copy(),
        ),
        Crowd(
            where=state.site,
            expected=use[first],
            deviation=nothing,
            now=nothing,
            weight=given.move_cost.astype(np.float64),
            price=given.move_cost.astype(np.float64),
            held=use[others].T.copy(),
            may=state.allowed & ~given.held[:, None],
        ),
        HALF,
        len(state.site),
    )
    groups: dict[int, list[tuple[int, int]]] = {}
    for guest, site in moves.tolist():
        groups.setdefault(int(state.site[guest]), []).append((guest, site))
    for change in groups.values():
        if keep_going():
            attempt(state, change)
    return len(moves)


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
