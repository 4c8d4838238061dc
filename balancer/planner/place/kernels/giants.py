"""A large guest forced onto another site, and as many small ones sent back as that takes.

No shift and no swap of two does that: whatever goes in alone is too much for either end.
"""

import numpy as np
from numba import njit

from balancer.planner.place.kernels.walk import (
    COST,
    FREE,
    OVERLOAD,
    REPAIR,
    _pick,
    _plain,
    _priced,
    _put,
    counted_lawful,
    recount,
)

MOST_SENT = 24
"""Small guests that one large one may send back."""


@njit(cache=True)
def _ends(a, b, more, load, limit, scale, cap, kind, level, prices, last, weights):
    """Return (by what share caps are exceeded, energy) of both ends, `more` [rows] going to b."""
    beyond = energy = 0.0
    for r in range(load.shape[1]):
        u = more[r]
        if u == 0:
            continue
        la, lb = load[a, r] - u, load[b, r] + u
        if u > 0 and lb > cap[b, r]:
            beyond += (lb - cap[b, r]) / max(1, cap[b, r])
        if u < 0 and la > cap[a, r]:
            beyond += (la - cap[a, r]) / max(1, cap[a, r])
        if kind[r] != FREE:
            both = kind[r] == 3
            energy += weights[level[r]] * (
                _priced(la, limit[a, r], scale[a, r], r, both, prices, last)
                + _priced(lb, limit[b, r], scale[b, r], r, both, prices, last)
            )
    return beyond, energy


@njit(cache=True)
def _paid(a, b, load, limit, scale, kind, level, prices, last, weights):
    """Return the energy of all rows of both ends as they are."""
    energy = 0.0
    for r in range(load.shape[1]):
        if kind[r] != FREE:
            both = kind[r] == 3
            energy += weights[level[r]] * (
                _priced(load[a, r], limit[a, r], scale[a, r], r, both, prices, last)
                + _priced(load[b, r], limit[b, r], scale[b, r], r, both, prices, last)
            )
    return energy


@njit(cache=True)
def _rows(a, b, more, load, limit, scale, kind, level, prices, last, out):
    """Add to `out` what rows cost more, by level, once `more` [rows] went from a to b."""
    for r in range(load.shape[1]):
        u = more[r]
        if u == 0 or kind[r] == FREE:
            continue
        both = kind[r] == 3
        out[level[r]] += (
            _priced(load[a, r] - u, limit[a, r], scale[a, r], r, both, prices, last)
            + _priced(load[b, r] + u, limit[b, r], scale[b, r], r, both, prices, last)
            - _priced(load[a, r], limit[a, r], scale[a, r], r, both, prices, last)
            - _priced(load[b, r], limit[b, r], scale[b, r], r, both, prices, last)
        )


@njit(cache=True)
def _dues(g, a, b, home, fault, move_cost, pairs, weight, dear, weights):
    """Return the energy of moves, resting places and budgets as g goes from a to b."""
    far = np.int64(b != home[g]) - np.int64(a != home[g])
    energy = weights[COST] * far * move_cost[g] - weights[REPAIR] * far * fault[g]
    if pairs.shape[0]:
        energy += weights[COST] * (pairs[g, b] - pairs[g, a])
    for j in range(weight.shape[0]):
        energy += dear[j] * far * weight[j, g]
    return energy


@njit(cache=True, nogil=True)
def force(
    seed, tries, heat, weights, relief, dear, ceiling, spent, total, site, home, large, mobile,
    allowed, fault, move_cost, pairs, routes,
    use, load, limit, scale, cap, kind, level, prices, last,
    first, groups, map_of, maps, offset, count, used,
    most, group_level, slope, roof, least_used, most_used, used_slope, used_roof,
    needs_first, needs, by_first, by, weight, logs,
):  # fmt: skip
    """Try so many times; return how many were accepted. Changes what `walk` changes.

    Who is sent back is chosen one by one, always the guest whose leaving helps the two ends most.
    `relief` bounds the energy that counting the groups of all of them anew can give back.
    """
    out = np.zeros(3, np.int64)
    idle = np.zeros(3, np.int64)
    rows = load.shape[1]
    sites = load.shape[0]
    budgets = spent.shape[0]
    restricted = allowed.shape[0] > 0
    change = np.zeros(budgets, np.int64)
    more = np.zeros(rows, np.int64)
    then = np.zeros(rows, np.int64)
    there = np.empty(len(site), np.int64)
    sent = np.empty(MOST_SENT + 1, np.int64)
    accepted = 0
    for _ in range(tries):
        g = large[_pick(seed, large.shape[0])]
        a = site[g]
        b = _pick(seed, sites)
        if a == b or (restricted and not allowed[g, b]):
            continue
        bar = heat * logs[_pick(seed, logs.shape[0])]
        least = _dues(g, a, b, home, fault, move_cost, pairs, weight, dear, weights) - relief
        least -= _paid(a, b, load, limit, scale, kind, level, prices, last, weights)
        for j in range(budgets):
            change[j] = (np.int64(b != home[g]) - np.int64(a != home[g])) * weight[j, g]
        present = 0
        for h in range(len(site)):
            if site[h] == b and mobile[h] and not (restricted and not allowed[h, a]):
                there[present] = h
                present += 1
                due = _dues(h, b, a, home, fault, move_cost, pairs, weight, dear, weights)
                least += min(0.0, due)
                if a == home[h]:
                    for j in range(budgets):
                        change[j] -= weight[j, h]
        full = least > bar
        for j in range(budgets):
            full = full or (change[j] > 0 and spent[j] + change[j] > ceiling[j])
        if full:  # however much everybody there helps
            continue
        for r in range(rows):
            more[r] = use[g, r]
        beyond, energy = _ends(
            a, b, more, load, limit, scale, cap, kind, level, prices, last, weights
        )
        n = 0
        while n < MOST_SENT:
            best = -1
            best_beyond, best_energy = beyond, energy
            for i in range(present):
                h = there[i]
                for r in range(rows):
                    then[r] = more[r] - use[h, r]
                left, cost = _ends(
                    a, b, then, load, limit, scale, cap, kind, level, prices, last, weights
                )
                cost += _dues(h, b, a, home, fault, move_cost, pairs, weight, dear, weights)
                if left < best_beyond or (left == best_beyond and cost < best_energy):
                    best, best_beyond, best_energy = i, left, cost
            if best < 0:
                break
            h = there[best]
            sent[n] = h
            n += 1
            there[best] = there[present - 1]
            present -= 1
            for r in range(rows):
                more[r] -= use[h, r]
            beyond, energy = _ends(
                a, b, more, load, limit, scale, cap, kind, level, prices, last, weights
            )
        if beyond > 0 or n == 0:
            continue
        out[REPAIR], out[OVERLOAD], out[COST] = 0, 0, 0
        _rows(a, b, more, load, limit, scale, kind, level, prices, last, out)
        far = _plain(g, a, b, home, fault, move_cost, pairs, routes, out)
        for j in range(budgets):
            change[j] = far * weight[j, g]
        for i in range(n):
            far = _plain(sent[i], b, a, home, fault, move_cost, pairs, routes, out)
            for j in range(budgets):
                change[j] += far * weight[j, sent[i]]
        dues = 0.0
        full = False
        for j in range(budgets):
            dues += dear[j] * change[j]
            if change[j] > 0 and spent[j] + change[j] > ceiling[j]:
                full = True
        if full:
            continue
        sent[n] = g
        for i in range(n + 1):
            source, target = (b, a) if i < n else (a, b)
            recount(
                sent[i], source, target, first, groups, map_of, maps, offset, count, used,
                most, group_level, slope, least_used, most_used, used_slope, out,
            )  # fmt: skip
        lawful = True
        for i in range(n + 1):
            source, target = (b, a) if i < n else (a, b)
            lawful = lawful and counted_lawful(
                sent[i], source, target, first, groups, map_of, maps, offset, count, used,
                roof, least_used, most_used, used_roof, needs_first, needs, by_first, by,
            )  # fmt: skip
        gain = dues + weights[0] * out[0] + weights[1] * out[1] + weights[2] * out[2]
        if not lawful or gain > bar:
            for i in range(n, -1, -1):
                source, target = (b, a) if i < n else (a, b)
                recount(
                    sent[i], target, source, first, groups, map_of, maps, offset, count, used,
                    most, group_level, slope, least_used, most_used, used_slope, idle,
                )  # fmt: skip
            continue
        for i in range(n + 1):
            source, target = (b, a) if i < n else (a, b)
            _put(sent[i], source, target, home, use, load, rows, site)
        for j in range(budgets):
            spent[j] += change[j]
        total += out
        accepted += 1
    return accepted
