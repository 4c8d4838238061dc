"""Whom sites over their limits shed where a budget is too small for all of it: a multiple-choice knapsack.

Each such site offers sets of its guests: what they weigh on the budget against what stays broken
or hot once they have left. One set a site is chosen, so that as little as can be stays within the
budget. Where they are to go is not asked: with every set looked at it is a bound from below.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.formulation import Budget, Ints, Level
from balancer.planner.place.evaluate import per_mille, price
from balancer.planner.place.shed import Shed
from balancer.planner.place.state import State

ENUMERATED: Final = 14
"""Guests of a site whose sets are all looked at: of more, those that relieve most per unit."""
FRONT: Final = 4_000
"""Choices kept while sites are added one by one; of more, every so many-th."""


@dataclass(frozen=True, slots=True, eq=False)
class Ration:
    """Who leaves, site by site, and what that leaves."""

    wanted: dict[int, Shed]
    """As `shed.sheds` has it; the costs are not bounds."""
    left: tuple[int, int]
    """What stays at levels REPAIR and OVERLOAD of the sites that pay at the start."""
    exact: bool
    """True if that is a bound from below for every placement within the budget."""


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    """What one site may shed; sets none of which both weighs and leaves less than another."""

    weight: Ints
    left: Ints
    guests: list[list[int]]
    whole: bool


def rationed(state: State) -> Ration | None:
    """Return the best choice within the tightest budget, None where nothing is to be shed.

    `state` must be as at the start, and have a budget.
    """
    budget = min(state.budgets, key=lambda b: b.limit / max(1, int(b.weight.sum())))
    unit = 1 + int(state.total[Level.OVERLOAD])
    sites = _paying(state)
    offers = [_offer(state, site, budget, unit) for site in sites]
    if not offers:
        return None
    chosen, left, all_kept = _choose(offers, budget.limit)
    wanted = {
        site: (offer.guests[take], 0)
        for site, offer, take in zip(sites, offers, chosen, strict=True)
        if offer.guests[take]
    }
    plain = all_kept and all(o.whole for o in offers) and not (state.use[_below(state)] < 0).any()
    return Ration(wanted, divmod(left, unit), plain)


def _paying(state: State) -> list[int]:
    """Return the sites that pay at level REPAIR or OVERLOAD, by rows or by who must not be there."""
    pays = np.zeros(state.sites, dtype=np.bool_)
    pays[state.home[state.fault_at_home]] = True
    for number in _below(state):
        pays |= state.priced[number] > 0
    sites: list[int] = np.flatnonzero(pays).tolist()
    return sites


def _below(state: State) -> list[int]:
    return [n for n, row in enumerate(state.rows) if row.penalty.level is not Level.COST]


def _offer(state: State, site: int, budget: Budget, unit: int) -> _Offer:
    rows = np.array([n for n in _below(state) if state.priced[n, site]], dtype=np.int64)
    here = np.flatnonzero((state.home == site) & ~state.formulation.held)
    over = np.maximum(1, state.load[rows, site] - state.limit[rows, site])
    helps = np.minimum(1.0, state.use[np.ix_(rows, here)] / over[:, None]).max(axis=0, initial=0.0)
    helps = helps + state.fault_at_home[here]
    here, helps = here[helps > 0], helps[helps > 0]
    order = np.argsort(-helps / np.maximum(1, budget.weight[here]), kind="stable")
    whole = len(here) <= ENUMERATED
    here = here[order[:ENUMERATED]]
    bits = (np.arange(2 ** len(here))[:, None] >> np.arange(len(here))) & 1
    left = unit * (int(state.fault_at_home[here].sum()) - bits @ state.fault_at_home[here])
    for number in rows.tolist():
        load = state.load[number, site] - bits @ state.use[number, here]
        excess = np.maximum(0, load - state.limit[number, site])
        penalty = state.rows[number].penalty
        paid = price(penalty, per_mille(excess, state.scale[number, site]))
        left = left + paid * (unit if penalty.level is Level.REPAIR else 1)
    weight = bits @ budget.weight[here]
    kept = _front(weight, left, bits @ state.formulation.move_cost[here])
    guests = [here[bits[k] > 0].tolist() for k in kept.tolist()]
    return _Offer(weight[kept], left[kept], guests, whole)


def _front(weight: Ints, left: Ints, cost: Ints) -> Ints:
    """Return those than which none weighs no more and leaves no more; of equals the cheapest."""
    order = np.lexsort((cost, left, weight))
    before = np.minimum.accumulate(left[order])
    kept: Ints = order[np.concatenate([[True], left[order][1:] < before[:-1]])]
    return kept


def _choose(offers: list[_Offer], limit: int) -> tuple[list[int], int, bool]:
    """Return which set of each offer, what all leave, and whether nothing better was dropped."""
    weight = left = np.zeros(1, dtype=np.int64)
    ways: list[tuple[Ints, Ints]] = []
    all_kept = True
    for offer in offers:
        weights = (weight[:, None] + offer.weight).ravel()
        lefts = (left[:, None] + offer.left).ravel()
        fits = np.flatnonzero(weights <= limit)
        kept = fits[_front(weights[fits], lefts[fits], weights[fits])]
        if len(kept) > FRONT:
            kept = kept[np.unique(np.linspace(0, len(kept) - 1, FRONT).astype(np.int64))]
            all_kept = False
        ways.append((kept // len(offer.weight), kept % len(offer.weight)))
        weight, left = weights[kept], lefts[kept]
    at, chosen = len(left) - 1, []
    for came, took in reversed(ways):
        chosen.append(int(took[at]))
        at = int(came[at])
    return chosen[::-1], int(left[-1]), all_kept
