"""Ways to everybody's target with the fewest steps aside: a beam search, one move at a time.

Movers go home as far as they can. Where the rest block each other, each of them is tried as the
one that steps aside; of all those states, the ones from which fewest are still missing go on. The
first depth at which everybody is home has the fewest steps aside that this search can find.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.order.kernels.roaming import Ground, Movers
from balancer.planner.order.kernels.settling import go
from balancer.planner.order.yard import Bools, Ints, Trip

USUAL: Final = 8
"""Steps aside for which the work is laid out."""
MOST: Final = 4
"""By how much more than that a search may take before it gives up."""
WIDEST: Final = 256
"""States of each depth from which it goes on at most."""
WAYS: Final = 16
"""Ways of the same depth that are returned at most."""
GLANCE: Final = 4
"""Turns in which movers are tried at first: mostly that finds the fewest."""


@dataclass(frozen=True, slots=True)
class Searching:
    """The two kernels of the search, and how hard it looks."""

    settle: Callable[..., int]
    outlook: Callable[..., None]
    visits: int
    """Looks at a mover that a search of the usual depth may take."""
    orders: int
    """Turns, besides one by length, in which movers are tried."""


@dataclass(frozen=True, slots=True)
class State:
    """Who is where, what is free, who stepped aside, and the trips that led there."""

    rows: Ints
    at: Ints
    aside: Bools
    trips: tuple[Trip, ...]
    left: int


def fewest_steps_aside(
    movers: Movers,
    ground: Ground,
    orders: Sequence[Ints],
    search: Searching,
    *,
    most: int = 1 << 30,
) -> list[tuple[Trip, ...]]:
    """Return ways home, all with the same number of steps aside, each safe one move at a time.

    `orders` are turns in which movers are tried; with the first `most` of them steps aside are
    looked for. Empty if no way was found.
    """
    n = len(movers.source)
    nobody = np.zeros(n, dtype=np.bool_)
    start = State(ground.free.copy(), movers.source.copy(), nobody, (), n)
    states = _distinct(settled(movers, ground, start, order, search) for order in orders)
    return _home(movers, ground, states, orders[:most], search)


Ways = list[tuple[Trip, ...]]


def fewer(one: Ways, other: Ways) -> Ways:
    """Return whichever has fewer steps aside, or is not empty; `one` where neither is better."""
    return other if not one or (other and len(other[0]) < len(one[0])) else one


def _home(
    movers: Movers,
    ground: Ground,
    states: Sequence[State],
    orders: Sequence[Ints],
    search: Searching,
) -> Ways:
    """Return ways from `states` with the fewest steps aside that going deeper and deeper finds."""
    least = search.visits // USUAL
    spent = 0
    while True:
        home = [state.trips for state in states if not state.left]
        if home or not states or spent > MOST * search.visits:
            return home[:WAYS]
        one = len(orders) * max(state.left for state in states) ** 2
        width = max(1, min(WIDEST, least // one))
        spent += one * min(width, len(states))
        states = _deeper(movers, ground, states[:width], orders, search, width)


def settled(movers: Movers, ground: Ground, state: State, order: Ints, search: Searching) -> State:
    """Return the state once everybody who can has gone home."""
    rows, at, n = state.rows.copy(), state.at.copy(), len(state.at)
    made = np.zeros(n, dtype=np.int64)
    done = search.settle(movers, ground, rows, at, state.aside, order, made)
    moved = made[:done].tolist()
    trips = tuple(Trip(m, int(state.at[m]), int(movers.target[m])) for m in moved)
    return State(rows, at, state.aside, state.trips + trips, state.left - done)


def _deeper(
    movers: Movers,
    ground: Ground,
    states: Sequence[State],
    orders: Sequence[Ints],
    search: Searching,
    width: int,
) -> list[State]:
    """Return the best states with one step aside more."""
    n = len(movers.source)
    choices: list[tuple[int, float, int, int, int, int]] = []
    for s, state in enumerate(states):
        third, gain = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        for o, order in enumerate(orders):
            search.outlook(movers, ground, state.rows, state.at, state.aside, order, third, gain)
            choices += [
                (state.left - int(gain[m]), float(movers.volume[m]), s, m, int(third[m]), o)
                for m in np.flatnonzero(third >= 0).tolist()
            ]
    choices.sort()
    made = (
        settled(movers, ground, stepped(movers, ground, states[s], m, h), orders[o], search)
        for _, _, s, m, h, o in choices[: 2 * width]
    )
    return _distinct(made)[:width]


def stepped(movers: Movers, ground: Ground, state: State, m: int, there: int) -> State:
    """Return the state once `m` has stepped aside."""
    rows, at, aside = state.rows.copy(), state.at.copy(), state.aside.copy()
    go(movers, ground, rows, at, m, there)
    aside[m] = True
    trip = Trip(m, int(state.at[m]), there)
    return State(rows, at, aside, (*state.trips, trip), state.left)


def _distinct(states: Iterable[State]) -> list[State]:
    """Return those of `states` that are like none before: the same places, the same way there."""
    seen: dict[tuple[bytes, bytes], State] = {}
    for state in states:
        seen.setdefault((state.at.tobytes(), state.aside.tobytes()), state)
    return list(seen.values())
