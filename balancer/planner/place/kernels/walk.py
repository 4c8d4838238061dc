"""A walk by shifts and swaps over arrays, each accepted by chance: what annealing is made of.

Compiled once and cached on disk. All sums are integers and chance comes from a generator of its
own, so the same seed walks the same way on every machine.
"""

import numpy as np
from numba import njit

REPAIR, OVERLOAD, COST = 0, 1, 2
SWAP_FROM = 5
"""Of eight proposals the first brings somebody home, every other time in exchange for somebody there;
those from here on exchange two."""
SEEN = 32
"""Draws after which nobody is found who is away from home, or who is where another goes."""
TABLE = 4096
"""Prices of excesses below this are read from a table."""
FREE, LINEAR, BOTH = 0, 1, 3
"""Kinds of rows: no price at all; one slope; the table, for too little as for too much. Any other
reads the table for too much."""


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
def _pick(seed, count):
    """Return a number below `count`, by a product in place of a slow division."""
    return (_draw(seed) * np.int64(count)) >> np.int64(31)


@njit(cache=True, inline="always")
def _priced(load, limit, scale, r, both, prices, last):
    over = load - limit
    if both:
        over = abs(over)
    if over <= 0:
        return np.int64(0)
    if scale != 1000:
        over = (over * 1000 + scale - 1) // scale
    if over < TABLE:
        return prices[r, over]
    return prices[r, TABLE - 1] + (over - TABLE + 1) * last[r]


@njit(cache=True, inline="always")
def straight_rows(a, b, g, h, use, load, limit, cap, plain, last):
    """Return (fits, cost) as `rows` does, where all rows have one slope at level COST, or none.

    Without a branch for the kind of each row this is twice as fast.
    """
    cost = np.int64(0)
    for r in range(plain):
        u = use[g, r]
        if h >= 0:
            u -= use[h, r]
        if u == 0:
            continue
        la, lb = load[a, r], load[b, r]
        if (u > 0 and lb + u > cap[b, r]) or (u < 0 and la - u > cap[a, r]):
            return False, cost
        ta, tb = limit[a, r], limit[b, r]
        cost += last[r] * (
            max(0, la - u - ta) - max(0, la - ta) + max(0, lb + u - tb) - max(0, lb - tb)
        )
    return True, cost


@njit(cache=True, inline="always")
def _pays(a, load, limit, scale, kind, plain, level, prices, last, weights, paid, owed):
    """Write down what each row costs site `a`, and the energy of all of them."""
    owed[a] = 0.0
    for r in range(plain):
        if kind[r] != FREE:
            both = kind[r] == BOTH
            paid[a, r] = _priced(load[a, r], limit[a, r], scale[a, r], r, both, prices, last)
            owed[a] += weights[level[r]] * paid[a, r]


@njit(cache=True, inline="always")
def rows(a, b, g, h, use, load, limit, scale, cap, kind, plain, level, prices, last, paid):
    """Return what exchanging g (from a to b) for h (from b to a; -1 is nobody) adds, by level.

    The first of four is False if a cap stands against it. Only the first `plain` rows are looked
    at. `paid` [sites, rows] is what each costs now. Nothing is written here: the compiler may
    then keep everything at hand.
    """
    repair = overload = cost = np.int64(0)
    for r in range(plain):
        u = use[g, r]
        if h >= 0:
            u -= use[h, r]
        if u == 0:
            continue
        la, lb = load[a, r], load[b, r]
        if (u > 0 and lb + u > cap[b, r]) or (u < 0 and la - u > cap[a, r]):
            return False, repair, overload, cost
        if kind[r] == FREE:
            continue
        if kind[r] == LINEAR:
            ta, tb = limit[a, r], limit[b, r]
            more = last[r] * (
                max(0, la - u - ta) - max(0, la - ta) + max(0, lb + u - tb) - max(0, lb - tb)
            )
        else:
            both = kind[r] == BOTH
            more = (
                _priced(la - u, limit[a, r], scale[a, r], r, both, prices, last)
                + _priced(lb + u, limit[b, r], scale[b, r], r, both, prices, last)
                - paid[a, r]
                - paid[b, r]
            )
        if level[r] == COST:
            cost += more
        elif level[r] == OVERLOAD:
            overload += more
        else:
            repair += more
    return True, repair, overload, cost


@njit(cache=True)
def room_to_linger(a, b, g, h, home, use, load, cap, plain):
    """True if no cap stands against it on the rows from `plain` on, where who left home counts."""
    for r in range(plain, load.shape[1]):
        more_a = more_b = np.int64(0)
        if b != home[g]:
            more_b += use[g, r]
        if a != home[g]:
            more_a -= use[g, r]
        if h >= 0:
            if a != home[h]:
                more_a += use[h, r]
            if b != home[h]:
                more_b -= use[h, r]
        if more_b > 0 and load[b, r] + more_b > cap[b, r]:
            return False
        if more_a > 0 and load[a, r] + more_a > cap[a, r]:
            return False
    return True


@njit(cache=True, inline="always")
def _spread(used, least, most):
    return max(np.int64(0), least - used, used - most)


@njit(cache=True)
def recount(
    g, a, b, first, groups, map_of, maps, offset, count, used,
    most, level, slope, least_used, most_used, used_slope, out,
):  # fmt: skip
    """Count g in the domain of b instead of that of a, and add to `out` what that changes."""
    for k in range(first[g], first[g + 1]):
        c = groups[k]
        here, there = maps[map_of[c], a], maps[map_of[c], b]
        if here == there:
            continue
        i, j = offset[c] + here, offset[c] + there
        if count[i] > most[c]:
            out[level[c]] -= slope[c]
        count[i] -= 1
        if count[j] >= most[c]:
            out[level[c]] += slope[c]
        count[j] += 1
        change = np.int64(count[j] == 1) - np.int64(count[i] == 0)
        if change != 0:
            out[level[c]] += used_slope[c] * (
                _spread(used[c] + change, least_used[c], most_used[c])
                - _spread(used[c], least_used[c], most_used[c])
            )
            used[c] += change


@njit(cache=True)
def counted_lawful(
    g, a, b, first, groups, map_of, maps, offset, count, used,
    roof, least_used, most_used, used_roof, needs_first, needs, by_first, by,
):  # fmt: skip
    """True if no group of g is broken further than it may be, g having just gone from a to b."""
    for k in range(first[g], first[g + 1]):
        c = groups[k]
        here, there = maps[map_of[c], a], maps[map_of[c], b]
        if here == there:
            continue
        if count[offset[c] + there] > roof[offset[c] + there]:
            return False
        if _spread(used[c], least_used[c], most_used[c]) > used_roof[c]:
            return False
        if count[offset[c] + there] == 1:
            for n in range(needs_first[c], needs_first[c + 1]):
                if count[offset[needs[n]] + there] == 0:
                    return False
        if count[offset[c] + here] == 0:
            for n in range(by_first[c], by_first[c + 1]):
                if count[offset[by[n]] + here] > 0:
                    return False
    return True


@njit(cache=True, inline="always")
def _plain(g, a, b, home, fault, move_cost, pairs, routes, out):
    change = np.int64(b != home[g]) - np.int64(a != home[g])
    out[REPAIR] -= change * fault[g]
    out[COST] += change * move_cost[g]
    if pairs.shape[0]:
        out[COST] += pairs[g, b] - pairs[g, a]
    if routes.shape[0]:
        out[COST] += np.int64(routes[home[g], b]) - np.int64(routes[home[g], a])
    return change


@njit(cache=True, inline="always")
def _put(g, a, b, home, use, load, plain, site):
    for r in range(plain):
        load[a, r] -= use[g, r]
        load[b, r] += use[g, r]
    for r in range(plain, load.shape[1]):
        if a != home[g]:
            load[a, r] -= use[g, r]
        if b != home[g]:
            load[b, r] += use[g, r]
    site[g] = b


@njit(cache=True, nogil=True)
def walk(
    seed, proposals, heat, weights, relief, dear, ceiling, spent, total, site, home, movers,
    allowed, fault, move_cost, pairs, routes,
    use, load, limit, scale, cap, straight, kind, plain, level, prices, last,
    first, groups, map_of, maps, offset, count, used,
    most, group_level, slope, roof, least_used, most_used, used_slope, used_roof,
    needs_first, needs, by_first, by, weight, logs, sample,
):  # fmt: skip
    """Propose; return how many were accepted. Changes site, load, counts, spent and total.

    `weights` [levels] and `dear` [budgets] make one energy of what changes; `heat` is the
    temperature; `relief` bounds the energy that counting groups anew can give back. `ceiling`
    [budgets] is never exceeded. With `sample` nothing is accepted, and the sizes of the energy's
    rises are written there.
    """
    out = np.zeros(3, np.int64)
    idle = np.zeros(3, np.int64)
    accepted = 0
    sampled = 0
    sites = load.shape[0]
    budgets = spent.shape[0]
    change = np.zeros(budgets, np.int64)
    restricted = allowed.shape[0] > 0
    pruned = not straight and sample.shape[0] == 0
    paid = np.zeros(load.shape, np.int64)
    owed = np.zeros(sites)
    for a in range(sites):
        _pays(a, load, limit, scale, kind, plain, level, prices, last, weights, paid, owed)
    for _ in range(proposals):
        g = movers[_pick(seed, movers.shape[0])]
        a = site[g]
        way = _draw(seed) & 7
        h = np.int64(-1)
        if way == 0:
            for _ in range(SEEN):
                if a != home[g]:
                    break
                g = movers[_pick(seed, movers.shape[0])]
                a = site[g]
            if a == home[g]:
                continue
            b = home[g]
            if (
                _draw(seed) & 1
            ):  # and somebody there leaves in its stead: what is spent is spent better
                for _ in range(SEEN):
                    other = movers[_pick(seed, movers.shape[0])]
                    if site[other] == b:
                        h = other
                        break
        elif way < SWAP_FROM:
            b = _pick(seed, sites)
        else:
            h = movers[_pick(seed, movers.shape[0])]
            b = site[h]
        if a == b:
            continue
        if restricted and (not allowed[g, b] or (h >= 0 and not allowed[h, a])):
            continue
        full = False
        energy = 0.0
        for j in range(budgets):
            change[j] = (np.int64(b != home[g]) - np.int64(a != home[g])) * weight[j, g]
            if h >= 0:
                change[j] += (np.int64(a != home[h]) - np.int64(b != home[h])) * weight[j, h]
            energy += dear[j] * change[j]
            if change[j] > 0 and spent[j] + change[j] > ceiling[j]:
                full = True
        if full:
            continue
        out[REPAIR], out[OVERLOAD], out[COST] = 0, 0, 0
        _plain(g, a, b, home, fault, move_cost, pairs, routes, out)
        if h >= 0:
            _plain(h, b, a, home, fault, move_cost, pairs, routes, out)
        bar = heat * logs[_pick(seed, logs.shape[0])]
        if pruned:  # rows give back no more than both ends pay now
            least = energy + weights[0] * out[0] + weights[1] * out[1] + weights[2] * out[2]
            if least - owed[a] - owed[b] > bar + relief:
                continue
        if straight:
            fits, cost = straight_rows(a, b, g, h, use, load, limit, cap, plain, last)
            repair = overload = np.int64(0)
        else:
            fits, repair, overload, cost = rows(
                a, b, g, h, use, load, limit, scale, cap, kind, plain, level, prices, last, paid
            )
        if not fits:
            continue
        out[REPAIR] += repair
        out[OVERLOAD] += overload
        out[COST] += cost
        dues = energy
        energy += weights[0] * out[0] + weights[1] * out[1] + weights[2] * out[2]
        if sample.shape[0] == 0 and energy > bar + relief:
            continue
        if not room_to_linger(a, b, g, h, home, use, load, cap, plain):
            continue
        recount(
            g, a, b, first, groups, map_of, maps, offset, count, used,
            most, group_level, slope, least_used, most_used, used_slope, out,
        )  # fmt: skip
        if h >= 0:
            recount(
                h, b, a, first, groups, map_of, maps, offset, count, used,
                most, group_level, slope, least_used, most_used, used_slope, out,
            )  # fmt: skip
        lawful = counted_lawful(
            g, a, b, first, groups, map_of, maps, offset, count, used,
            roof, least_used, most_used, used_roof, needs_first, needs, by_first, by,
        )  # fmt: skip
        if lawful and h >= 0:
            lawful = counted_lawful(
                h, b, a, first, groups, map_of, maps, offset, count, used,
                roof, least_used, most_used, used_roof, needs_first, needs, by_first, by,
            )  # fmt: skip
        energy = dues + weights[0] * out[0] + weights[1] * out[1] + weights[2] * out[2]
        if not lawful or sample.shape[0] or energy > bar:
            recount(
                g, b, a, first, groups, map_of, maps, offset, count, used,
                most, group_level, slope, least_used, most_used, used_slope, idle,
            )  # fmt: skip
            if h >= 0:
                recount(
                    h, a, b, first, groups, map_of, maps, offset, count, used,
                    most, group_level, slope, least_used, most_used, used_slope, idle,
                )  # fmt: skip
            if lawful and energy > 0 and sampled < sample.shape[0]:
                sample[sampled] = energy
                sampled += 1
            continue
        _put(g, a, b, home, use, load, plain, site)
        if h >= 0:
            _put(h, b, a, home, use, load, plain, site)
        if not straight:
            _pays(a, load, limit, scale, kind, plain, level, prices, last, weights, paid, owed)
            _pays(b, load, limit, scale, kind, plain, level, prices, last, weights, paid, owed)
        for j in range(budgets):
            spent[j] += change[j]
        total += out
        accepted += 1
    return accepted if sample.shape[0] == 0 else sampled
