"""The laws of the model: how CPU is shared, what it costs, how the published policies decide.

Every statement follows CloudSim 3.0.3, its artefacts included, since equality with its printed
results is the point; what is an artefact is named so. Lists keep the order of CloudSim's, for
it decides ties.
"""

import numpy as np
from numba import njit

THR, LR, IQR, MAD = 0, 1, 2, 3
HISTORY = 30
"""Ticks that a guest's past holds."""
REGRESSION = 10
"""Of which the local regression reads so many."""


@njit(cache=True)
def power(watts, kind, utilisation):
    """Return watts: a line between the two tenths around."""
    low = int(np.floor(utilisation * 10))
    high = int(np.ceil(utilisation * 10))
    if low == high:
        return watts[kind, low]
    step = (watts[kind, high] - watts[kind, low]) / 10
    return watts[kind, low] + step * (utilisation - low / 10.0) * 100


@njit(cache=True)
def ratio(used, total):
    """Return a host's utilisation, freed of what rounding puts above one."""
    utilisation = used / total
    return 1.0 if 1 < utilisation < 1.01 else utilisation


@njit(cache=True)
def demand(load, mips, at, out):
    """Fill `out` with the MIPS guests ask for at second `at`: a line between samples."""
    before = int(np.floor(at / 300.0))
    after = int(np.ceil(at / 300.0))
    for v in range(len(mips)):
        u = load[v, before]
        if after != before:
            u += (load[v, after] - u) / 300.0 * (at - before * 300.0)
        out[v] = u * mips[v]


@njit(cache=True)
def share(members, incoming, count, moving, asked, core, total, given):
    """Fill `given` with what each guest of one host gets; return the host's utilisation in MIPS.

    A guest on its way in weighs a tenth; one on its way out loses a tenth, which the host is
    busy with all the same. Where guests ask for more than there is, everyone is cut by the
    same factor and rounded down.
    """
    free = total
    over = False
    weight = 0.0
    for i in range(count):
        v = members[i]
        q = min(asked[v], core)
        w = q * 0.1 if incoming[i] else q
        weight += w
        if free >= w and not over:
            free -= w
        elif w > 0:
            over = True
    used = 0.0
    for i in range(count):
        v = members[i]
        g = min(asked[v], core)
        if incoming[i]:
            g *= 0.1
        if over:
            g *= total / weight
        leaving = moving[v] and not incoming[i]
        if leaving:
            g *= 0.9
        if over:
            g = np.floor(g)
        given[i] = g
        used += g / 0.9 if leaving else g
    return used


@njit(cache=True)
def given(lists, incoming, counts, moving, asked, core, total):
    """Return [hosts] utilisation in MIPS, if guests asked for this."""
    used = np.empty(len(core))
    shares = np.empty(lists.shape[1])
    for h in range(len(core)):
        used[h] = share(lists[h], incoming[h], counts[h], moving, asked, core[h], total[h], shares)
    return used


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
def refresh(h, lists, counts, asked, core, total, policy, past, ticks, mips, sums, seen):
    """Recompute what planning knows of one host: sums[h] = asked, free, given; seen[h] = past."""
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
def best(
    v,
    barred,
    asked,
    mips,
    core,
    total,
    kind,
    watts,
    idle,
    policy,
    parameter,
    past,
    ticks,
    sums,
    seen,
    trial,
):
    """Return the host where one more guest costs the fewest watts, or -1; the first on ties.

    `idle` holds hosts' watts at this tick, before anything was planned: a host that is off
    counts its idle watts there, so that waking it seems to cost nothing (an artefact).
    """
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
def decide(
    lists,
    counts,
    asked,
    mips,
    memory,
    core,
    total,
    kind,
    watts,
    used,
    policy,
    parameter,
    past,
    ticks,
    waking,
    moves,
):
    """Plan one tick as the published policies do; fill `moves` [n, guest and host], return n.

    Overloaded hosts shed guests by smallest memory first; then hosts are emptied, the least
    used first, where all of their guests find another. `lists` and `counts` are the planner's
    to change. With `waking` a host that is off counts as drawing nothing, as it does.
    """
    hosts = len(core)
    sums = np.zeros((hosts, 3))
    seen = np.zeros((hosts, HISTORY))
    trial = np.zeros(HISTORY)
    now = np.zeros(hosts)
    utilisation = np.zeros(hosts)
    barred = np.zeros(hosts, dtype=np.bool_)
    skipped = np.zeros(hosts, dtype=np.bool_)
    shed = np.empty(len(mips), dtype=np.int64)
    shedding = 0
    n = 0
    for h in range(hosts):
        refresh(h, lists, counts, asked, core, total, policy, past, ticks, mips, sums, seen)
        utilisation[h] = ratio(used[h], total[h])
        if utilisation[h] > 0 or not waking:
            now[h] = power(watts, kind[h], utilisation[h])
    for h in range(hosts):
        barred[h] = overloaded(sums[h, 0], total[h], seen[h], policy, parameter)
    for h in range(hosts):
        if not barred[h]:
            continue
        while counts[h] > 0:
            least = lists[h, 0]
            for i in range(1, counts[h]):
                if memory[lists[h, i]] < memory[least]:
                    least = lists[h, i]
            shed[shedding] = least
            shedding += 1
            counts[h] = remove(lists[h], counts[h], least)
            refresh(h, lists, counts, asked, core, total, policy, past, ticks, mips, sums, seen)
            if not overloaded(sums[h, 0], total[h], seen[h], policy, parameter):
                break
    by_demand(shed, shedding, asked)
    for i in range(shedding):
        v = shed[i]
        h = best(
            v,
            barred,
            asked,
            mips,
            core,
            total,
            kind,
            watts,
            now,
            policy,
            parameter,
            past,
            ticks,
            sums,
            seen,
            trial,
        )
        if h >= 0:
            lists[h, counts[h]] = v
            counts[h] += 1
            refresh(h, lists, counts, asked, core, total, policy, past, ticks, mips, sums, seen)
            moves[n, 0], moves[n, 1] = v, h
            n += 1
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
            v = shed[i]
            h = best(
                v,
                barred,
                asked,
                mips,
                core,
                total,
                kind,
                watts,
                now,
                policy,
                parameter,
                past,
                ticks,
                sums,
                seen,
                trial,
            )
            if h < 0:
                while n > first:
                    n -= 1
                    back = moves[n, 1]
                    counts[back] = remove(lists[back], counts[back], moves[n, 0])
                    refresh(
                        back,
                        lists,
                        counts,
                        asked,
                        core,
                        total,
                        policy,
                        past,
                        ticks,
                        mips,
                        sums,
                        seen,
                    )
                break
            lists[h, counts[h]] = v
            counts[h] += 1
            refresh(h, lists, counts, asked, core, total, policy, past, ticks, mips, sums, seen)
            moves[n, 0], moves[n, 1] = v, h
            n += 1
        for i in range(first, n):
            skipped[moves[i, 1]] = True


@njit(cache=True)
def first_placement(mips, memory, core, total, kind, watts, cheapest):
    """Return the host of each guest at the start, when each asks for all it may ever use.

    By least growth in watts where `cheapest`, else the first host with room.
    """
    hosts = len(core)
    cpu = np.zeros(hosts)
    ram = np.zeros(hosts)
    net = np.zeros(hosts)
    where = np.full(len(mips), -1)
    for v in range(len(mips)):
        lowest = np.inf
        for h in range(hosts):
            if core[h] < mips[v] or total[h] - cpu[h] < mips[v]:
                continue
            if 4096.0 - ram[h] < memory[v] or 1e6 - net[h] < 1e5:
                continue
            grows = 0.0
            if cheapest:
                grows = power(watts, kind[h], (cpu[h] + mips[v]) / total[h]) - watts[kind[h], 0]
            if grows < lowest:
                lowest = grows
                where[v] = h
                if not cheapest:
                    break
        h = where[v]
        cpu[h] += mips[v]
        ram[h] += memory[v]
        net[h] += 1e5
    return where


@njit(cache=True)
def update(at, lists, incoming, counts, moving, asked, core, total, given, used, guest, host):
    """Share the CPU of every host at second `at`, and account for the time since the last.

    guest [guests, 7]: since, given, asked, in migration; then MIPS-seconds given, asked, and
    missed in migration. host [hosts, 5]: since, given, asked; then seconds active, violated.
    """
    for h in range(len(core)):
        used[h] = share(lists[h], incoming[h], counts[h], moving, asked, core[h], total[h], given)
        want = 0.0
        for i in range(counts[h]):
            v = lists[h, i]
            want += asked[v]
            if incoming[h, i]:
                continue
            lasted = at - guest[v, 0]
            if guest[v, 0] >= 0 and lasted > 0:
                guest[v, 4] += guest[v, 1] * lasted
                guest[v, 5] += guest[v, 2] * lasted
                if guest[v, 1] < guest[v, 2] and guest[v, 3] > 0:
                    guest[v, 6] += (guest[v, 2] - guest[v, 1]) * lasted
            guest[v, 0], guest[v, 1], guest[v, 2] = at, given[i], asked[v]
            guest[v, 3] = 1.0 if moving[v] else 0.0
        lasted = at - host[h, 0]
        if host[h, 0] >= 0 and lasted > 0 and host[h, 1] > 0:
            host[h, 3] += lasted
            if host[h, 1] < host[h, 2]:
                host[h, 4] += lasted
        host[h, 0], host[h, 1], host[h, 2] = at, used[h], want


@njit(cache=True)
def energy(before, after, total, kind, watts, lasted):
    """Return the joules of all hosts over `lasted` seconds; one that was off at first is free."""
    joules = 0.0
    for h in range(len(total)):
        first = ratio(before[h], total[h])
        if first > 0:
            from_ = power(watts, kind[h], first)
            to = power(watts, kind[h], ratio(after[h], total[h]))
            joules += (from_ + (to - from_) / 2) * lasted
    return joules


@njit(cache=True)
def drop(lists, incoming, counts, moving, asked, where):
    """Destroy guests that ask for nothing (an artefact); return how many."""
    gone = 0
    for h in range(len(counts)):
        kept = 0
        for i in range(counts[h]):
            v = lists[h, i]
            if asked[v] == 0 and not moving[v]:
                where[v] = -1
                gone += 1
                continue
            lists[h, kept], incoming[h, kept] = v, incoming[h, i]
            kept += 1
        counts[h] = kept
    return gone


@njit(cache=True)
def start(moves, n, lists, incoming, counts, moving):
    """Let the first `n` moves begin: the guest is on both hosts from now on."""
    for i in range(n):
        v, h = moves[i]
        moving[v] = True
        lists[h, counts[h]], incoming[h, counts[h]] = v, True
        counts[h] += 1


@njit(cache=True)
def take_out(lists, incoming, counts, h, v, as_incoming):
    """Remove one entry of a guest from a host, keeping the order."""
    for i in range(counts[h]):
        if lists[h, i] == v and incoming[h, i] == as_incoming:
            for j in range(i, counts[h] - 1):
                lists[h, j], incoming[h, j] = lists[h, j + 1], incoming[h, j + 1]
            counts[h] -= 1
            return


@njit(cache=True)
def arrive(moves, n, memory, size, lists, incoming, counts, moving, where):
    """Let those of the first `n` moves arrive whose guest has `size` memory, in their order."""
    for i in range(n):
        v, h = moves[i]
        if memory[v] != size:
            continue
        take_out(lists, incoming, counts, where[v], v, False)
        take_out(lists, incoming, counts, h, v, True)
        lists[h, counts[h]], incoming[h, counts[h]] = v, False
        counts[h] += 1
        where[v] = h
        moving[v] = False
