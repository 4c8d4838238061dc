"""A walk whose steps rearrange up to four guests at once, where all prices are straight.

`walk` knows every price and level; this one knows rows of one slope or none, and groups that are
never broken. In exchange a step may push somebody on to make room, bring two where one was, or
move two together, and costs less time: what each site pays is remembered, and no row is branched
on. Compiled once and cached on disk; all sums are integers, so the same seed walks the same way on
every machine.
"""

import numpy as np
from numba import njit

from balancer.planner.place.kernels.walk import _draw, _pick

HOME, SHIFT, SWAP, PUSH_HOME, PUSH_ON, TWO_FOR_ONE, TWO_FOR_TWO, PAIR = range(8)


@njit(cache=True, inline="always")
def _asked(m, p, q, use, load, limit, cap, slope, plain, home, nobody, strict):
    """Return what site m pays with p there and q gone, or -1 if a cap stands against it."""
    paid = np.int64(0)
    over = np.int64(0)
    for r in range(plain):
        new = load[m, r] + use[p, r] - use[q, r]
        over += max(np.int64(0), new - cap[m, r])
        paid += slope[r] * max(np.int64(0), new - limit[m, r])
    if over and strict < 0:
        return np.int64(-1)
    if plain < load.shape[1]:
        mild = over
        if home[p] == m:
            p = nobody
        if home[q] == m:
            q = nobody
        for r in range(plain, load.shape[1]):
            over += max(np.int64(0), load[m, r] + use[p, r] - use[q, r] - cap[m, r])
        if over > mild:
            return np.int64(-1)
    if over:
        if strict < 0:
            return np.int64(-1)
        paid += strict * over
    return paid


@njit(cache=True, inline="always")
def _asked_of_four(m, p, s, q, t, use, load, limit, cap, slope, plain, home, nobody, strict):
    """Return what site m pays with p and s there and q and t gone, or -1."""
    paid = np.int64(0)
    over = np.int64(0)
    for r in range(plain):
        new = load[m, r] + use[p, r] + use[s, r] - use[q, r] - use[t, r]
        over += max(np.int64(0), new - cap[m, r])
        paid += slope[r] * max(np.int64(0), new - limit[m, r])
    if over and strict < 0:
        return np.int64(-1)
    if plain < load.shape[1]:
        mild = over
        if home[p] == m:
            p = nobody
        if home[s] == m:
            s = nobody
        if home[q] == m:
            q = nobody
        if home[t] == m:
            t = nobody
        for r in range(plain, load.shape[1]):
            new = load[m, r] + use[p, r] + use[s, r] - use[q, r] - use[t, r]
            over += max(np.int64(0), new - cap[m, r])
        if over > mild:
            return np.int64(-1)
    if over:
        if strict < 0:
            return np.int64(-1)
        paid += strict * over
    return paid


@njit(cache=True, inline="always")
def _fare(g, a, b, home, move_cost, routes):
    """Return what going from a to b adds to what g's own journey costs; nobody has no home."""
    h = home[g]
    if h < 0:
        return np.int64(0)
    fare = (np.int64(b != h) - np.int64(a != h)) * move_cost[g]
    if routes.shape[0]:
        fare += np.int64(routes[h, b]) - np.int64(routes[h, a])
    return fare


@njit(cache=True)
def _recount(
    g, a, b, first, groups, map_of, maps, offset, count, used, roof, least_used, most_used,
    needs_first, needs, by_first, by,
):  # fmt: skip
    """Count g in the domains of b instead of those of a; return how much more is broken by it.

    Broken is what stands above a roof, each domain too few or too many, and each need in a
    domain that nobody there meets.
    """
    broken = np.int64(0)
    for k in range(first[g], first[g + 1]):
        c = groups[k]
        here, there = maps[map_of[c], a], maps[map_of[c], b]
        if here == there:
            continue
        i, j = offset[c] + here, offset[c] + there
        if count[i] > roof[i]:
            broken -= 1
        count[i] -= 1
        if count[j] >= roof[j]:
            broken += 1
        count[j] += 1
        change = np.int64(count[j] == 1) - np.int64(count[i] == 0)
        if change != 0:
            now = used[c]
            broken += max(0, least_used[c] - now - change, now + change - most_used[c])
            broken -= max(0, least_used[c] - now, now - most_used[c])
            used[c] = now + change
        if count[j] == 1:
            for n in range(needs_first[c], needs_first[c + 1]):
                broken += count[offset[needs[n]] + there] == 0
            for n in range(by_first[c], by_first[c + 1]):
                broken -= count[offset[by[n]] + there] > 0
        if count[i] == 0:
            for n in range(needs_first[c], needs_first[c + 1]):
                broken -= count[offset[needs[n]] + here] == 0
            for n in range(by_first[c], by_first[c + 1]):
                broken += count[offset[by[n]] + here] > 0
    return broken


@njit(cache=True, inline="always")
def _put(x, a, b, home, use, load, plain, site, members, inside, place):
    """Let x go from a to b."""
    for r in range(plain):
        load[a, r] -= use[x, r]
        load[b, r] += use[x, r]
    for r in range(plain, load.shape[1]):
        if a != home[x]:
            load[a, r] -= use[x, r]
        if b != home[x]:
            load[b, r] += use[x, r]
    site[x] = b
    inside[a] -= 1
    last = members[a, inside[a]]
    members[a, place[x]] = last
    place[last] = place[x]
    members[b, inside[b]] = x
    place[x] = inside[b]
    inside[b] += 1


@njit(cache=True)
def trade(
    seed, proposals, heat, strict, ways, site, home, movers, pool, within, allowed, move_cost, routes,
    use, load, limit, cap, slope, plain, paid, members, inside, place,
    first, groups, map_of, maps, offset, count, used, roof, least_used, most_used,
    needs_first, needs, by_first, by, logs, sample, tried, taken,
):  # fmt: skip
    """Propose; return (how many were accepted or sampled, what they added to the cost).

    Only `movers` move, and only to sites of `pool`, which are those `within`.
    `strict` is the price of each unit above a cap, or negative where none may be; who lingers
    never stands above one. Nothing is accepted that breaks more of the groups' rules.
    `ways` [8] ends with 2^31: how often each is tried, summed up. `paid` [sites], `members`,
    `inside` and `place` (which movers are where) are kept true. With `sample` nothing is accepted, and the sizes
    of rises are written there.
    """
    who = np.zeros(4, np.int64)
    start = np.zeros(4, np.int64)
    end = np.zeros(4, np.int64)
    accepted = 0
    sampled = 0
    gained = np.int64(0)
    sites = pool.shape[0]
    nobody = use.shape[0] - 1
    restricted = allowed.shape[0] > 0
    room = members.shape[1]
    sampling = sample.shape[0] > 0
    for _ in range(proposals):
        g = movers[_pick(seed, movers.shape[0])]
        a = site[g]
        lot = _draw(seed)
        way = 0
        while lot >= ways[way]:
            way += 1
        s = np.int64(nobody)
        h = np.int64(nobody)
        t = np.int64(nobody)
        c = np.int64(-1)
        if way == HOME:
            b = home[g]
            if not within[b]:
                continue
        elif way in (SHIFT, PAIR):
            b = pool[_pick(seed, sites)]
        else:
            h = movers[_pick(seed, movers.shape[0])]
            b = site[h]
        if a == b:
            continue
        if way in (SWAP, TWO_FOR_ONE, TWO_FOR_TWO):
            c = a
        elif way == PUSH_HOME:
            c = home[h]
            if c in (b, a) or not within[c]:
                continue
        elif way == PUSH_ON:
            c = pool[_pick(seed, sites)]
            if c in (b, a):
                continue
        if way >= TWO_FOR_ONE:
            s = np.int64(members[a, _pick(seed, inside[a])])
            if s == g:
                continue
        if way == TWO_FOR_TWO:
            t = np.int64(members[b, _pick(seed, inside[b])])
            if t == h:
                continue
        tried[way] += 1
        if inside[b] + 2 > room or inside[a] + 2 > room or (c >= 0 and inside[c] + 2 > room):
            continue
        if way < TWO_FOR_ONE:
            at_b = _asked(b, g, h, use, load, limit, cap, slope, plain, home, nobody, strict)
            if at_b < 0:
                continue
            back = h if c == a else np.int64(nobody)
            at_a = _asked(a, back, g, use, load, limit, cap, slope, plain, home, nobody, strict)
            if at_a < 0:
                continue
        else:
            at_b = _asked_of_four(
                b, g, s, h, t, use, load, limit, cap, slope, plain, home, nobody, strict
            )
            if at_b < 0:
                continue
            at_a = _asked_of_four(
                a, h, t, g, s, use, load, limit, cap, slope, plain, home, nobody, strict
            )
            if at_a < 0:
                continue
        more = at_a + at_b - paid[a] - paid[b]
        at_c = np.int64(0)
        if c >= 0 and c != a:
            at_c = _asked(c, h, nobody, use, load, limit, cap, slope, plain, home, nobody, strict)
            if at_c < 0:
                continue
            more += at_c - paid[c]
        more += _fare(g, a, b, home, move_cost, routes) + _fare(s, a, b, home, move_cost, routes)
        more += _fare(h, b, c, home, move_cost, routes) + _fare(t, b, c, home, move_cost, routes)
        bar = heat * logs[_pick(seed, logs.shape[0])]
        if not sampling and more > bar:
            continue
        who[0], start[0], end[0] = g, a, b
        n = 1
        if s != nobody:
            who[n], start[n], end[n] = s, a, b
            n += 1
        if h != nobody:
            who[n], start[n], end[n] = h, b, c
            n += 1
        if t != nobody:
            who[n], start[n], end[n] = t, b, c
            n += 1
        lawful = True
        if restricted:
            for i in range(n):
                lawful &= allowed[who[i], end[i]]
            if not lawful:
                continue
        worse = np.int64(0)
        for i in range(n):
            worse += _recount(
                who[i], start[i], end[i], first, groups, map_of, maps, offset, count, used,
                roof, least_used, most_used, needs_first, needs, by_first, by,
            )  # fmt: skip
        if sampling or worse > 0:
            for i in range(n):
                _recount(
                    who[i], end[i], start[i], first, groups, map_of, maps, offset, count, used,
                    roof, least_used, most_used, needs_first, needs, by_first, by,
                )  # fmt: skip
            if worse <= 0 and more > 0 and sampled < sample.shape[0]:
                sample[sampled] = more
                sampled += 1
            continue
        for i in range(n):
            x, o, d = who[i], start[i], end[i]
            _put(x, o, d, home, use, load, plain, site, members, inside, place)
        paid[a], paid[b] = at_a, at_b
        if c >= 0 and c != a:
            paid[c] = at_c
        gained += more
        accepted += 1
        taken[way] += 1
    return (sampled if sampling else accepted), gained


@njit(cache=True)
def bring(
    who, end, site, home, use, load, plain, members, inside, place,
    first, groups, map_of, maps, offset, count, used, roof, least_used, most_used,
    needs_first, needs, by_first, by,
):  # fmt: skip
    """Bring each of `who` to its `end`; return how much more is broken by it."""
    worse = np.int64(0)
    for i in range(who.shape[0]):
        a, b = site[who[i]], end[i]
        worse += _recount(
            who[i], a, b, first, groups, map_of, maps, offset, count, used,
            roof, least_used, most_used, needs_first, needs, by_first, by,
        )  # fmt: skip
        _put(who[i], a, b, home, use, load, plain, site, members, inside, place)
    return worse
