"""A guest forced onto another site, and whoever stands in its way sent wherever he fits best.

Where what is large is stuck, no trade of a few helps: many small ones would have to go at once, each
to another site. Large processes are rearranged so in the best answers to the ROADEF/EURO challenge
of 2012; what follows is our own.
"""

import numpy as np
from numba import njit

from balancer.planner.place.kernels.trade import _asked, _fare, _put, _recount
from balancer.planner.place.kernels.walk import _pick

MOST_SENT = 16
"""Guests that one may drive out."""
LOOKED_AT = 48
"""Members of a full site that are weighed against each other."""
WAYS = 24
"""Sites tried for each that is driven out, beside his home."""


@njit(cache=True, inline="always")
def _pays(m, load, limit, slope, plain):
    paid = np.int64(0)
    for r in range(plain):
        paid += slope[r] * max(np.int64(0), load[m, r] - limit[m, r])
    return paid


@njit(cache=True)
def _helps(h, b, use, load, cap, plain, home):
    """Return how much of what is too much at b would go with h, in rows."""
    helps = 0.0
    for r in range(load.shape[1]):
        over = load[b, r] - cap[b, r]
        if over > 0 and (r < plain or home[h] != b):
            helps += min(1.0, use[h, r] / over)
    return helps


@njit(cache=True)
def _over(b, load, cap):
    for r in range(load.shape[1]):
        if load[b, r] > cap[b, r]:
            return True
    return False


@njit(cache=True)
def evict(
    seed, tries, heat, site, home, movers, pool, within, allowed, move_cost, routes,
    use, load, limit, cap, slope, plain, paid, members, inside, place,
    first, groups, map_of, maps, offset, count, used, roof, least_used, most_used,
    needs_first, needs, by_first, by, logs,
):  # fmt: skip
    """Try so often; return (how many were accepted, what they added to the cost).

    No cap is exceeded before nor after. Of four guests drawn the one at the dearest site is forced.
    """
    sites = pool.shape[0]
    nobody = use.shape[0] - 1
    restricted = allowed.shape[0] > 0
    who = np.zeros(MOST_SENT + 1, np.int64)
    start = np.zeros(MOST_SENT + 1, np.int64)
    end = np.zeros(MOST_SENT + 1, np.int64)
    room = members.shape[1]
    accepted = 0
    gained = np.int64(0)
    for _ in range(tries):
        a = site[movers[_pick(seed, movers.shape[0])]]
        for _again in range(2):
            other = pool[_pick(seed, sites)]
            if inside[other] and paid[other] * inside[a] > paid[a] * inside[other]:
                a = other
        g = np.int64(members[a, _pick(seed, inside[a])])
        b = pool[_pick(seed, sites)]
        if a == b or inside[b] + 2 > room or (restricted and not allowed[g, b]):
            continue
        who[0], start[0], end[0] = g, a, b
        n = 1
        more = _fare(g, a, b, home, move_cost, routes)
        broken = _recount(
            g, a, b, first, groups, map_of, maps, offset, count, used,
            roof, least_used, most_used, needs_first, needs, by_first, by,
        )  # fmt: skip
        _put(g, a, b, home, use, load, plain, site, members, inside, place)
        fits = True
        while fits and _over(b, load, cap):
            fits = False
            if n > MOST_SENT:
                break
            best = nobody
            most = 0.0
            present = inside[b]
            skip = _pick(seed, present)
            for i in range(min(present, LOOKED_AT)):
                h = np.int64(members[b, (skip + i) % present])
                if h == g:
                    continue
                helps = _helps(h, b, use, load, cap, plain, home)
                if helps > 0:
                    helps += _pick(seed, 1024) / 1024.0
                if helps > most:
                    most, best = helps, h
            if best == nobody:
                break
            to = np.int64(-1)
            least = np.int64(0)
            for i in range(WAYS + 1):
                c = home[best] if i == 0 else pool[_pick(seed, sites)]
                if (
                    c == b
                    or not within[c]
                    or inside[c] + 2 > room
                    or (restricted and not allowed[best, c])
                ):
                    continue
                asked = _asked(
                    c, best, nobody, use, load, limit, cap, slope, plain, home, nobody, -1
                )
                if asked < 0:
                    continue
                asked -= _pays(c, load, limit, slope, plain)
                asked += _fare(best, b, c, home, move_cost, routes)
                if to < 0 or asked < least:
                    to, least = c, asked
            if to < 0:
                break
            who[n], start[n], end[n] = best, b, to
            n += 1
            more += _fare(best, b, to, home, move_cost, routes)
            broken += _recount(
                best, b, to, first, groups, map_of, maps, offset, count, used,
                roof, least_used, most_used, needs_first, needs, by_first, by,
            )  # fmt: skip
            _put(best, b, to, home, use, load, plain, site, members, inside, place)
            fits = True
        if fits and broken <= 0:
            more += _pays(a, load, limit, slope, plain) - paid[a]
            more += _pays(b, load, limit, slope, plain) - paid[b]
            for i in range(1, n):
                c = end[i]
                counted = c == a
                for j in range(1, i):
                    counted |= end[j] == c
                if not counted:
                    more += _pays(c, load, limit, slope, plain) - paid[c]
            if more <= heat * logs[_pick(seed, logs.shape[0])]:
                paid[a] = _pays(a, load, limit, slope, plain)
                for i in range(n):
                    paid[end[i]] = _pays(end[i], load, limit, slope, plain)
                accepted += 1
                gained += more
                continue
        for i in range(n - 1, -1, -1):
            _recount(
                who[i], end[i], start[i], first, groups, map_of, maps, offset, count, used,
                roof, least_used, most_used, needs_first, needs, by_first, by,
            )  # fmt: skip
            _put(who[i], end[i], start[i], home, use, load, plain, site, members, inside, place)
    return accepted, gained
