"""The laws of the model: how CPU is shared, what it costs, how guests move.

Every statement follows CloudSim 3.0.3, its artefacts included, since equality with its printed
results is the point; what is an artefact is named so.
"""

import numpy as np
from numba import njit


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
