"""A walk by shifts and swaps over arrays, each accepted by chance: what annealing is made of.

Compiled once and cached on disk. All sums are integers and chance comes from a generator of its
own, so the same seed walks the same way on every machine.
"""

import numpy as np
from numba import njit

REPAIR, OVERLOAD, COST = 0, 1, 2
SWAP_FROM = 5
"""Of eight proposals the first brings somebody home, those from here on exchange two."""
TABLE = 4096
"""Prices of excesses below this are read from a table."""


@njit(cache=True, inline="always")
def _draw(seed):
    """Return the next number of xorshift64* below 2^31 (Vigna, 2016)."""
    x = seed[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    seed[0] = x
    return np.int64((x * np.uint64(2685821657736338717)) >> np.uint64(33))


@njit(cache=True, inline="always")
def _priced(load, limit, scale, r, prices, last):
    over = load - limit
    if over <= 0:
        return np.int64(0)
    if scale != 1000:
        over = (over * 1000 + scale - 1) // scale
    if over < TABLE:
        return prices[r, over]
    return prices[r, TABLE - 1] + (over - TABLE + 1) * last[r]


@njit(cache=True)
def rows(a, b, g, h, use, load, limit, scale, cap, level, prices, last, out):
    """Add to `out` what exchanging g (from a to b) for h (from b to a; -1 is nobody) changes.

    False if a cap stands against it.
    """
    for r in range(load.shape[1]):
        u = use[g, r]
        if h >= 0:
            u -= use[h, r]
        if u == 0:
            continue
        la, lb = load[a, r], load[b, r]
        if u > 0:
            if lb + u > cap[b, r]:
                return False
        elif la - u > cap[a, r]:
            return False
        out[level[r]] += (
            _priced(la - u, limit[a, r], scale[a, r], r, prices, last)
            + _priced(lb + u, limit[b, r], scale[b, r], r, prices, last)
            - _priced(la, limit[a, r], scale[a, r], r, prices, last)
            - _priced(lb, limit[b, r], scale[b, r], r, prices, last)
        )
    return True


@njit(cache=True)
def crowds(g, other, a, b, first, groups, domain, most, level, slope, count, roof, out):
    """Add what g leaving a for b changes in its crowds; False if one is full.

    A crowd that `other`, who goes the other way, is in too does not change.
    """
    for k in range(first[g], first[g + 1]):
        c = groups[k]
        here, there = domain[c, a], domain[c, b]
        if here == there:
            continue
        if other >= 0:
            both = False
            for j in range(first[other], first[other + 1]):
                if groups[j] == c:
                    both = True
            if both:
                continue
        if count[c, there] + 1 > roof[c, there]:
            return False
        if count[c, there] + 1 > most[c]:
            out[level[c]] += slope[c]
        if count[c, here] > most[c]:
            out[level[c]] -= slope[c]
    return True


@njit(cache=True, inline="always")
def _plain(g, a, b, home, fault, move_cost, pairs, out):
    change = np.int64(b != home[g]) - np.int64(a != home[g])
    out[REPAIR] -= change * fault[g]
    out[COST] += change * move_cost[g] + pairs[g, b] - pairs[g, a]
    return change


@njit(cache=True, inline="always")
def _put(g, a, b, use, load, first, groups, domain, count, site):
    for r in range(load.shape[1]):
        load[a, r] -= use[g, r]
        load[b, r] += use[g, r]
    for k in range(first[g], first[g + 1]):
        count[groups[k], domain[groups[k], a]] -= 1
        count[groups[k], domain[groups[k], b]] += 1
    site[g] = b


@njit(cache=True)
def walk(
    seed, proposals, heat, weights, dear, ceiling, spent, total, site, home, movers, allowed,
    fault, move_cost, pairs, use, load, limit, scale, cap, level, prices, last,
    first, groups, domain, most, group_level, slope, count, roof, weight, logs, sample,
):  # fmt: skip
    """Propose; return how many were accepted. Changes site, load, count, spent and total.

    `weights` [levels] and `dear` [budgets] make one energy of what changes; `heat` is the
    temperature. `ceiling` [budgets] is never exceeded. With `sample` nothing is accepted, and
    the sizes of the energy's rises are written there.
    """
    out = np.zeros(3, np.int64)
    accepted = 0
    sampled = 0
    sites = load.shape[0]
    budgets = spent.shape[0]
    change = np.zeros(budgets, np.int64)
    for _ in range(proposals):
        g = movers[_draw(seed) % movers.shape[0]]
        a = site[g]
        kind = _draw(seed) & 7
        h = np.int64(-1)
        if kind == 0:
            if a == home[g]:
                continue
            b = home[g]
        elif kind < SWAP_FROM:
            b = _draw(seed) % sites
        else:
            h = movers[_draw(seed) % movers.shape[0]]
            b = site[h]
        if a == b or not allowed[g, b] or (h >= 0 and not allowed[h, a]):
            continue
        out[:] = 0
        if not rows(a, b, g, h, use, load, limit, scale, cap, level, prices, last, out):
            continue
        far = _plain(g, a, b, home, fault, move_cost, pairs, out)
        energy = 0.0
        for j in range(budgets):
            change[j] = far * weight[j, g]
        if h >= 0:
            far = _plain(h, b, a, home, fault, move_cost, pairs, out)
            for j in range(budgets):
                change[j] += far * weight[j, h]
        full = False
        for j in range(budgets):
            energy += dear[j] * change[j]
            if change[j] > 0 and spent[j] + change[j] > ceiling[j]:
                full = True
        if full:
            continue
        energy += weights[0] * out[0] + weights[1] * out[1] + weights[2] * out[2]
        bar = heat * logs[_draw(seed) % logs.shape[0]]
        if sample.shape[0] == 0 and energy > bar:
            continue
        if not crowds(
            g, h, a, b, first, groups, domain, most, group_level, slope, count, roof, out
        ):
            continue
        if h >= 0 and not crowds(
            h, g, b, a, first, groups, domain, most, group_level, slope, count, roof, out
        ):
            continue
        energy = weights[0] * out[0] + weights[1] * out[1] + weights[2] * out[2]
        for j in range(budgets):
            energy += dear[j] * change[j]
        if sample.shape[0]:
            if energy > 0 and sampled < sample.shape[0]:
                sample[sampled] = energy
                sampled += 1
            continue
        if energy > bar:
            continue
        _put(g, a, b, use, load, first, groups, domain, count, site)
        if h >= 0:
            _put(h, b, a, use, load, first, groups, domain, count, site)
        for j in range(budgets):
            spent[j] += change[j]
        total += out
        accepted += 1
    return accepted if sample.shape[0] == 0 else sampled
