"""Changes of several guests at once, for where no single shift helps: swaps, and whole groups."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from balancer.planner.formulation import Bools, DomainCount, Ints, Level, Near
from balancer.planner.place.descent import negative
from balancer.planner.place.evaluate import per_mille, price
from balancer.planner.place.state import LEVELS, UNBOUNDED, State

TRIALS: Final = 6
"""Partners that are tried out in full, best first."""

Change = Sequence[tuple[int, int]]
"""(guest, site) for each guest that is shifted."""


def attempt(state: State, change: Change) -> bool:
    """Make `change` if it is lawful and gains; else leave everything as it was."""
    before = state.total
    undo = [(guest, int(state.site[guest])) for guest, _ in change]
    for guest, site in change:
        state.shift(guest, site)
    gain = (state.total - before)[:, None]
    if bool(negative(gain)[0]) and state.lawful(guest for guest, _ in change):
        return True
    for guest, site in reversed(undo):
        state.shift(guest, site)
    return False


def partners(state: State, guest: int) -> Ints:
    """Return the guests most worth swapping with `guest`, best first: few, and not all gain.

    What the partner's own groups say is left out here; `attempt` accounts for all.
    """
    added, may = _swaps(state, guest)
    others = np.flatnonzero(may & negative(added))
    order = others[np.lexsort(added[::-1, others])]
    return order[:TRIALS]


def _swaps(state: State, guest: int) -> tuple[Ints, Bools]:
    """Return [levels, guests], [guests]: what swapping with each adds, and whether it may."""
    given, here = state.formulation, int(state.site[guest])
    sites = state.site
    added = np.zeros((LEVELS, len(sites)), dtype=np.int64)
    may = ~given.held & (sites != here) & state.allowed[:, here] & state.allowed[guest, sites]
    for number, row in enumerate(state.rows):
        more = state.use[number] - state.use[number, guest]
        load_here, load_there = state.load[number, here] + more, state.load[number, sites] - more
        if row.hard:
            may &= (load_here <= state.cap[number, here]) & (
                load_there <= state.cap[number, sites]
            )
        now = state.priced[number, here] + state.priced[number, sites]
        here_then = _row_price(state, number, load_here, np.full_like(sites, here))
        added[row.penalty.level] += here_then + _row_price(state, number, load_there, sites) - now
    added += _moves(state, guest)
    for group in state.groups_of[guest]:
        extra, lawful = group.shift(guest, here)
        added[group.level] += extra[sites]
        may &= lawful[sites]
    return added, may


def _row_price(state: State, number: int, load: Ints, sites: Ints) -> Ints:
    over = np.maximum(0, load - state.limit[number, sites])
    return price(state.rows[number].penalty, per_mille(over, state.scale[number, sites]))


def _moves(state: State, guest: int) -> Ints:
    """Return [levels, guests]: price of pairs and moves if `guest` swaps with each."""
    given, here, sites = state.formulation, int(state.site[guest]), state.site
    home = state.home
    everyone = np.arange(len(sites))
    added = np.zeros((LEVELS, len(sites)), dtype=np.int64)
    pairs = given.soft_pairs
    added[Level.COST] = pairs[guest, sites] - pairs[guest, here]
    added[Level.COST] += pairs[everyone, here] - pairs[everyone, sites]
    mine = (sites != home[guest]).astype(np.int64) - int(here != home[guest])
    theirs = (home != here).astype(np.int64) - (sites != home)
    added[Level.COST] += mine * given.move_cost[guest] + theirs * given.move_cost
    added[Level.REPAIR] -= mine * int(state.fault_at_home[guest]) + theirs * state.fault_at_home
    return added


def blocks(state: State) -> list[Ints]:
    """Return the groups that can only move as one: those a hard rule keeps together."""
    found = [
        np.array([p.a, p.b]) if isinstance(p, Near) else p.members
        for p in state.formulation.primitives
        if (isinstance(p, Near) and p.hard)
        or (isinstance(p, DomainCount) and p.hard and p.most == 1)
    ]
    return [members for members in found if len(members) > 1]


def block_changes(state: State, members: Ints) -> Iterable[Change]:
    """Return the ways to bring all of `members` to one site, most room in front first."""
    allowed = state.allowed[members].all(axis=0)
    count = int((state.site[members][:, None] == np.arange(state.sites)).any(axis=0).sum())
    for site in np.flatnonzero(allowed).tolist():
        if count > 1 or int(state.site[members[0]]) != site:
            yield [(guest, site) for guest in members.tolist()]


def needy(state: State) -> Ints:
    """Return the guests on sites, or in groups, that cost something, those with most to gain first."""
    everyone = np.arange(len(state.site))
    free = everyone[~state.formulation.held]
    hope = state.potential(free)
    hopeful = negative(hope) & (hope[0] < UNBOUNDED)
    order: Ints = free[hopeful][np.lexsort(hope[::-1, hopeful])]
    return order
