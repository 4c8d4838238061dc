"""What each site that is over its limits must shed at least: a start for repairs, and their bound.

A site's guests can only leave, or others come; so whatever brings a site within its limits moves
away a set of its guests that suffices, and the cheapest such set is a minimum knapsack of its own.
The sum over sites is a bound from below of what repairs cost, whatever the targets. Where the
sets found fit elsewhere the bound is reached, and the repair is proven to be the cheapest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from balancer.planner.formulation import Bools, Ints, Level
from balancer.planner.place.evaluate import PER_MILLE, per_mille, price
from balancer.planner.place.state import UNBOUNDED, State

ENUMERATED: Final = 14
"""Guests on a site whose subsets are all looked at; more are left to branch and bound."""
NODES: Final = 200_000
"""Branches looked at for one site before its relaxation must do."""

Shed = tuple[list[int], int]
"""Guests that leave, and a bound from below of what clearing the site costs."""


@dataclass(frozen=True, slots=True, eq=False)
class Hopeless:
    """What guests too large for every site leave hot, whatever moves."""

    room: Ints
    """[rows, sites]: what a site may take for such a guest, where it is as little too much as
    anywhere; else 0."""
    leaving: Ints
    """[sites]: what it costs at least if such a guest leaves for where it is no better off;
    UNBOUNDED where none can."""
    overload: int
    """Bound from below of what that costs at level OVERLOAD."""


def hopeless(state: State) -> Hopeless:
    """Find guests of which each alone is beyond the limits of relief of every site it may be on.

    Two of them on one site cost more than each on its own, as prices are convex from 0.
    """
    rows = [n for n, row in enumerate(state.rows) if row.penalty.level is Level.OVERLOAD]
    room = np.zeros_like(state.limit)
    leaving = np.full(state.sites, UNBOUNDED, dtype=np.int64)
    use, limit, scale = state.use[rows], state.limit[rows], state.scale[rows]
    if not rows or (use < 0).any() or (limit * PER_MILLE < scale).any():
        return Hopeless(room, leaving, 0)
    large = np.flatnonzero((use > limit.min(axis=1, initial=UNBOUNDED)[:, None]).any(axis=0))
    least = 0
    for guest in large.tolist():
        over = np.maximum(0, state.use[rows, guest][:, None] - limit)
        paid = np.zeros(state.sites, dtype=np.int64)
        for number, row in enumerate(rows):
            paid += price(state.rows[row].penalty, per_mille(over[number], scale[number]))
        home = int(state.home[guest])
        may = state.allowed[guest] & ~state.formulation.held[guest]
        may[home] = True
        paid[~may] = UNBOUNDED
        least += int(paid.min())
        if 0 < paid[home] == paid.min():
            rounded = per_mille(over[:, home], scale[:, home]) * scale[:, home] // PER_MILLE
            mine = np.where(over[:, home] > 0, limit[:, home] + rounded, 0)
            room[rows, home] = np.maximum(room[rows, home], mine)
            if int((paid == paid.min()).sum()) > 1:
                leaving[home] = min(leaving[home], int(state.formulation.move_cost[guest]))
    return Hopeless(room, leaving, least)


def sheds(state: State) -> dict[int, Shed]:
    """Return, for each site over a limit of repair or relief, its cheapest set that suffices.

    A guest too large for every site stays, and all others that make it worse leave. Sites that no
    set clears are left out. `state` must be as at the start.
    """
    below = [n for n, row in enumerate(state.rows) if row.penalty.level is not Level.COST]
    stuck = hopeless(state)
    excess = (state.load - np.maximum(state.limit, stuck.room))[below]
    forced = state.fault_at_home
    sites = np.flatnonzero((excess > 0).any(axis=0))
    sites = np.union1d(sites, state.home[forced])
    found: dict[int, Shed] = {}
    for site in sites.tolist():
        over = excess[:, site]
        rows = np.array(below, dtype=np.int64)[over > 0]
        shed = _shed(state, site, rows, over[over > 0])
        if shed is not None:
            found[site] = shed[0], min(shed[1], int(stuck.leaving[site]))
    return found


def _shed(state: State, site: int, rows: Ints, over: Ints) -> Shed | None:
    here = np.flatnonzero((state.home == site) & ~state.formulation.held)
    must = here[state.fault_at_home[here]]
    others = here[~state.fault_at_home[here]]
    use = state.use[np.ix_(rows, others)]
    need = over - state.use[np.ix_(rows, must)].sum(axis=1)
    useful = (use[need > 0] > 0).any(axis=0)
    others, use, need = others[useful], use[need > 0][:, useful], need[need > 0]
    cost = state.formulation.move_cost
    paid = int(cost[must].sum())
    if not len(need):
        return must.tolist(), paid
    if (use.sum(axis=1) < need).any():
        return None
    solver = _enumerated if len(others) <= ENUMERATED else _branched
    chosen, bound = solver(use, need, cost[others])
    return [*must.tolist(), *others[chosen].tolist()], paid + bound


def _enumerated(use: Ints, need: Ints, cost: Ints) -> tuple[Ints, int]:
    """Return the cheapest subset, all looked at; of equal ones that of fewest guests."""
    count = use.shape[1]
    bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    enough = (bits @ use.T >= need).all(axis=1)
    left = np.flatnonzero(enough)
    costs = bits[left] @ cost
    best = left[np.lexsort((bits[left].sum(axis=1), costs))[0]]
    return np.flatnonzero(bits[best]), int(bits[best] @ cost)


def _branched(use: Ints, need: Ints, cost: Ints) -> tuple[Ints, int]:
    """Return the cheapest subset by branch and bound on the fractional knapsack of each row."""
    return _Branches(use, need, cost).solve()


class _Branches:
    """Depth first, guests by price per share of the need they meet."""

    def __init__(self, use: Ints, need: Ints, cost: Ints) -> None:
        share = np.minimum(1.0, use / need[:, None]).sum(axis=0)
        self.order = np.argsort(cost / np.maximum(share, 1e-9), kind="stable")
        sorted_use, sorted_cost = use[:, self.order], cost[self.order]
        self.use: list[list[int]] = sorted_use.T.tolist()
        self.cost: list[int] = sorted_cost.tolist()
        self.need: list[int] = need.tolist()
        self.count = len(self.cost)
        self.by_rate: list[list[int]] = [_by_rate(row, sorted_cost) for row in sorted_use]
        enough = (np.cumsum(sorted_use, axis=1) >= need[:, None]).all(axis=0)
        self.chosen = list(range(int(enough.argmax()) + 1))
        self.best: int = sum(self.cost[j] for j in self.chosen)
        self.nodes = 0

    def solve(self) -> tuple[Ints, int]:
        """Return the best found, and a bound: the same unless there were too many branches."""
        root = self._relaxed(0, self.need)
        self._search(0, self.need, 0, [])
        bound = self.best if self.nodes < NODES else root
        return np.sort(self.order[self.chosen]), bound

    def _relaxed(self, depth: int, need: list[int]) -> int:
        """Return a bound of what meeting `need` costs with the guests from `depth` on."""
        worst = 0
        for row, wanted in enumerate(need):
            left, price = wanted, 0.0
            for j in self.by_rate[row]:
                if left <= 0:
                    break
                if j >= depth:
                    part = min(left, self.use[j][row])
                    price += self.cost[j] * part / self.use[j][row]
                    left -= part
            if left > 0:
                return self.best
            worst = max(worst, ceil(price - 1e-6))
        return worst

    def _search(self, depth: int, need: list[int], paid: int, taken: list[int]) -> None:
        if max(need) <= 0:
            if paid < self.best:
                self.best, self.chosen = paid, list(taken)
            return
        self.nodes += 1
        if depth == self.count or self.nodes > NODES:
            return
        if paid + self._relaxed(depth, need) >= self.best:
            return
        less = [n - u for n, u in zip(need, self.use[depth], strict=True)]
        self._search(depth + 1, less, paid + self.cost[depth], [*taken, depth])
        self._search(depth + 1, need, paid, taken)


def _by_rate(use: Ints, cost: Ints) -> list[int]:
    """Return the guests of any use, cheapest per unit first."""
    rate = cost / np.maximum(1, use)
    order: list[int] = [j for j in np.argsort(rate, kind="stable").tolist() if use[j]]
    return order


def carry_out(state: State, wanted: Mapping[int, Shed], keep_going: Callable[[], bool]) -> int:
    """Move what is to be shed, largest first, to where it breaks nothing; return how many moved.

    One shift of a set need not gain by itself: the set does.
    """
    guests = np.array([g for guests, _ in wanted.values() for g in guests], dtype=np.int64)
    scale = np.maximum(1, state.limit.max(axis=1, initial=0))
    size: Ints = (state.use[:, guests] / scale[:, None]).max(axis=0, initial=0)
    moved = 0
    for guest in guests[np.argsort(-size, kind="stable")].tolist():
        if not keep_going():
            break
        site = _room(state, guest)
        if site is not None:
            state.shift(guest, site)
            moved += 1
    return moved


def _room(state: State, guest: int) -> int | None:
    """Return the cheapest site that takes `guest` without harm; of those the roomiest."""
    added, may = state.deltas(np.array([guest]), np.arange(state.sites))
    fits: Bools = may[0] & _harmless(state, guest) & (added[: Level.COST, 0] <= 0).all(axis=0)
    if not fits.any():
        return None
    sites = np.flatnonzero(fits)
    cheap = added[Level.COST, 0, sites]
    sites = sites[cheap == cheap.min()]
    after = state.load[:, sites] + state.use[:, [guest]]
    full = (after / np.maximum(1, state.limit[:, sites])).max(axis=0, initial=0)
    return int(sites[full.argmin()])


def _harmless(state: State, guest: int) -> Bools:
    fits = np.ones(state.sites, dtype=np.bool_)
    for number, row in enumerate(state.rows):
        if row.penalty.level is not Level.COST and state.use[number, guest]:
            fits &= state.load[number] + state.use[number, guest] <= state.limit[number]
    return fits
