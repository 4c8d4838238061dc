"""How the published policies decide: who is overloaded, where one more guest costs least.

Every statement follows CloudSim 3.0.3, its artefacts included; lists keep the order of CloudSim's,
for it decides ties. Arrays come in bundles:

- world: asked [guests] MIPS, mips [guests], core and total [hosts] MIPS, kind [hosts], watts;
- mind: policy, its parameter, past [guests, 30] newest first, ticks that it holds;
- known: sums [hosts, 3] asked, free and given; seen [hosts, 30] past use of the guests there.
"""

import numpy as np
from numba import njit

from benchmarks.planetlab.kernel import power, ratio

THR, LR, IQR, MAD = 0, 1, 2, 3
HISTORY = 30
"""Ticks that a guest's past holds."""
REGRESSION = 10
"""Of which the local regression reads so many."""


@njit(cache=True)
def remove(members, count, v):
    """Take a guest out of a list, keeping the order."""
    for i in range(count):
        if members[i] == v:
            for j in range(i, count - 1):
                members[j] = members[j + 1]
            return count - 1
    return count


@njit(cache=True)
def refresh(h, lists, counts, world, mind, known):
    """Recompute what planning knows of one host: sums[h] = asked, free, given; seen[h] = past."""
    asked, mips, core, total, _, _ = world
    policy, _, past, ticks = mind
    sums, seen = known
    free = total[h]
    over = False
    want = 0.0
    weight = 0.0
    for i in range(counts[h]):
        v = lists[h, i]
        want += asked[v]
        q = min(asked[v], core[h])
        weight += q
        if free >= q and not over:
            free -= q
        elif q > 0:
            over = True
    given = 0.0
    for i in range(counts[h]):
        q = min(asked[lists[h, i]], core[h])
        given += np.floor(q * (total[h] / weight)) if over else q
    sums[h, 0] = want
    sums[h, 1] = 0.0 if over else free
    sums[h, 2] = given
    if policy != THR:
        for k in range(HISTORY):
            seen[h, k] = 0.0
        for i in range(counts[h]):
            v = lists[h, i]
            for k in range(min(ticks, HISTORY)):
                seen[h, k] += past[v, k] * mips[v] / total[h]


@njit(cache=True)
def ranked(values, count, out):
    """Fill `out` with the first `count` values, least first."""
    for i in range(count):
        j = i
        while j > 0 and out[j - 1] > values[i]:
            out[j] = out[j - 1]
            j -= 1
        out[j] = values[i]


@njit(cache=True)
def middle(values, count, scratch):
    """Return the median of the first `count` values."""
    ranked(values, count, scratch)
    return (scratch[(count - 1) // 2] + scratch[count // 2]) / 2


@njit(cache=True)
def quartile_spread(values, count, scratch):
    """Return the distance between quartiles, by the ranks that CloudSim takes."""
    ranked(values, count, scratch)
    low = int(np.floor(0.25 * (count + 1) + 0.5)) - 1
    high = int(np.floor(0.75 * (count + 1) + 0.5)) - 1
    return scratch[high] - scratch[low]


@njit(cache=True)
def overloaded(want, total, y, policy, parameter):
    """Say whether a host is: `want` MIPS asked for, `y` its past, newest first."""
    if policy == THR:
        return want / total > parameter
    length = HISTORY
    while length > 0 and y[length - 1] == 0:
        length -= 1
    if policy == LR:
        if length < REGRESSION:
            return want / total > 0.7
        mean = 0.0
        for k in range(REGRESSION):
            mean += y[k]
        mean /= REGRESSION
        slope = 0.0
        for k in range(REGRESSION):
            slope += (REGRESSION - k - 5.5) * (y[k] - mean)
        slope /= 82.5
        # The tricube weights are never applied there: a plain line, read one tick ahead.
        return parameter * (mean + slope * (REGRESSION + 1 - 5.5)) >= 1
    leading = 0
    while leading < HISTORY and y[leading] != 0:
        leading += 1
    if leading < 12:
        return want / total > 0.7
    scratch = np.empty(HISTORY)
    if policy == IQR:
        spread = quartile_spread(y, length, scratch)
    else:
        centre = middle(y, length, scratch)
        away = np.empty(HISTORY)
        for k in range(length):
            away[k] = abs(y[k] - centre)
        spread = middle(away, length, scratch)
    return want / total > 1 - parameter * spread


@njit(cache=True)
def best(v, barred, idle, world, mind, known):
    """Return the host where one more guest costs the fewest watts, or -1; the first on ties.

    `idle` holds hosts' watts at this tick, before anything was planned: a host that is off
    counts its idle watts there, so that waking it seems to cost nothing (an artefact).
    """
    asked, mips, core, total, kind, watts = world
    policy, parameter, past, ticks = mind
    sums, seen = known
    trial = np.zeros(HISTORY)
    lowest = np.inf
    found = -1
    for h in range(len(core)):
        if barred[h] or core[h] < asked[v] or sums[h, 1] < asked[v]:
            continue
        after = power(watts, kind[h], (sums[h, 2] + asked[v]) / total[h]) - idle[h]
        if after >= lowest:
            continue
        if sums[h, 2] != 0:
            if policy != THR:
                for k in range(HISTORY):
                    trial[k] = seen[h, k]
                for k in range(min(ticks, HISTORY)):
                    trial[k] += past[v, k] * mips[v] / total[h]
            if overloaded(sums[h, 0] + asked[v], total[h], trial, policy, parameter):
                continue
        lowest = after
        found = h
    return found


@njit(cache=True)
def by_demand(guests, count, asked):
    """Sort guests by what they ask for, most first, keeping the order of equals."""
    for i in range(1, count):
        v = guests[i]
        j = i - 1
        while j >= 0 and asked[guests[j]] < asked[v]:
            guests[j + 1] = guests[j]
            j -= 1
        guests[j + 1] = v


@njit(cache=True)
def send(v, h, lists, counts, world, mind, known, moves, n):
    """Plan one move; return how many there are then."""
    lists[h, counts[h]] = v
    counts[h] += 1
    refresh(h, lists, counts, world, mind, known)
    moves[n, 0], moves[n, 1] = v, h
    return n + 1


@njit(cache=True)
def decide(lists, counts, used, memory, waking, world, mind, moves):
    """Plan one tick as the published policies do; fill `moves` [n, guest and host], return n.

    Overloaded hosts shed guests by smallest memory first; then hosts are emptied, the least
    used first, where all of their guests find another. `lists` and `counts` are the planner's
    to change. With `waking` a host that is off counts as drawing nothing, as it does.
    """
    asked, mips, core, total, kind, watts = world
    policy, parameter, _, _ = mind
    hosts = len(core)
    known = (np.zeros((hosts, 3)), np.zeros((hosts, HISTORY)))
    sums, seen = known
    now = np.zeros(hosts)
    utilisation = np.zeros(hosts)
    barred = np.zeros(hosts, dtype=np.bool_)
    skipped = np.zeros(hosts, dtype=np.bool_)
    shed = np.empty(len(mips), dtype=np.int64)
    shedding = 0
    n = 0
    for h in range(hosts):
        refresh(h, lists, counts, world, mind, known)
        utilisation[h] = ratio(used[h], total[h])
        if utilisation[h] > 0 or not waking:
            now[h] = power(watts, kind[h], utilisation[h])
    for h in range(hosts):
        barred[h] = overloaded(sums[h, 0], total[h], seen[h], policy, parameter)
    for h in range(hosts):
        while barred[h] and counts[h] > 0:
            least = lists[h, 0]
            for i in range(1, counts[h]):
                if memory[lists[h, i]] < memory[least]:
                    least = lists[h, i]
            shed[shedding] = least
            shedding += 1
            counts[h] = remove(lists[h], counts[h], least)
            refresh(h, lists, counts, world, mind, known)
            if not overloaded(sums[h, 0], total[h], seen[h], policy, parameter):
                break
    by_demand(shed, shedding, asked)
    for i in range(shedding):
        h = best(shed[i], barred, now, world, mind, known)
        if h >= 0:
            n = send(shed[i], h, lists, counts, world, mind, known, moves, n)
    for h in range(hosts):
        barred[h] = barred[h] or utilisation[h] == 0
        skipped[h] = barred[h]
    while True:
        source = -1
        lowest = 1.0
        for h in range(hosts):
            if not skipped[h] and counts[h] > 0 and 0 < utilisation[h] < lowest:
                lowest = utilisation[h]
                source = h
        if source < 0:
            return n
        skipped[source] = True
        barred[source] = True
        leaving = counts[source]
        for i in range(leaving):
            shed[i] = lists[source, i]
        by_demand(shed, leaving, asked)
        first = n
        for i in range(leaving):
            h = best(shed[i], barred, now, world, mind, known)
            if h < 0:
                while n > first:
                    n -= 1
                    back = moves[n, 1]
                    counts[back] = remove(lists[back], counts[back], moves[n, 0])
                    refresh(back, lists, counts, world, mind, known)
                break
            n = send(shed[i], h, lists, counts, world, mind, known, moves, n)
        for i in range(first, n):
            skipped[moves[i, 1]] = True
