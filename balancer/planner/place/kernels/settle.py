"""Relieving and emptying hosts over plain arrays: the loops of `place/consolidate.py`."""

import numpy as np
from numba import njit


@njit(cache=True)
def _fits(v, h, crowd, fleet, sums, surety, full):
    """Say whether a guest may join a host: rules, what is asked now, what is expected, memory."""
    expected, variance, now, held, may = crowd
    cpu, core, _ = fleet
    mean, spread, load, _, room = sums
    if not may[v, h]:
        return False
    alone = expected[v] + surety * np.sqrt(variance[v])
    if core[h] < max(now[v], alone) or load[h] + now[v] > full * cpu[h]:
        return False
    if mean[h] + expected[v] + surety * np.sqrt(spread[h] + variance[v]) > cpu[h]:
        return False
    for r in range(held.shape[1]):
        if held[v, r] > room[h, r]:
            return False
    return True


@njit(cache=True)
def _join(v, h, sign, crowd, sums):
    """Let a guest join a host, or leave it where `sign` is -1."""
    expected, variance, now, held, _ = crowd
    mean, spread, load, guests, room = sums
    mean[h] += sign * expected[v]
    spread[h] = max(0.0, spread[h] + sign * variance[v])
    load[h] += sign * now[v]
    guests[h] += sign
    for r in range(held.shape[1]):
        room[h, r] -= sign * held[v, r]


@njit(cache=True)
def _home(v, source, wake, crowd, fleet, sums, surety, full):
    """Return the host for a guest that leaves `source`, or -1: the thriftiest, tightest one.

    Only where none that runs guests has room may a sleeping one be woken.
    """
    cpu, _, cost = fleet
    mean, spread, _, guests, _ = sums
    best = -1
    cheapest = np.inf
    tightest = np.inf
    for awake in range(2):
        for h in range(len(cpu)):
            if h == source or (guests[h] > 0) != (awake == 0) or cost[h] > cheapest:
                continue
            if not _fits(v, h, crowd, fleet, sums, surety, full):
                continue
            left = cpu[h] - mean[h] - surety * np.sqrt(spread[h] + crowd[1][v])
            if cost[h] < cheapest or left < tightest:
                best, cheapest, tightest = h, cost[h], left
        if best >= 0 or not wake:
            return best
    return best


@njit(cache=True)
def _who_leaves(h, over, where, moved, now, core, weight):
    """Return the guest that an overloaded or starving host sheds, or -1.

    One that asks for more than one guest can have there; else the lightest that suffices, or that
    leaves the least over.
    """
    who = -1
    for v in range(len(where)):
        if where[v] != h or moved[v] or now[v] <= 0:
            continue
        if now[v] > core[h]:
            return v
        if over <= 0:
            continue
        if who < 0:
            who = v
            continue
        short, least = max(0.0, over - now[v]), max(0.0, over - now[who])
        if short < least or (short == least and weight[v] < weight[who]):
            who = v
    return who


@njit(cache=True)
def settle(where, fleet, crowd, weight, price, idle, room, surety, full, at_most, moves):
    """Fill `moves` [n, guest and host] and return n; `where` and `room` are changed.

    fleet: CPU, what one guest may use, watts per CPU. crowd: CPU expected, its variance, CPU asked
    for now, what is held, each by guest, and [guests, hosts] who may be where.

    First guests that ask for more than one guest can have there leave, and hosts that are over
    `full` of their CPU shed the lightest guest that suffices, or the lightest at all. Then hosts
    are emptied as long as `at_most` allows it, that one first whose guests' `price` is least for the
    idle watts it saves; all of its guests find a host, or none moves. Nobody moves twice, and who
    receives is not emptied.
    """
    cpu, core, _ = fleet
    expected, _, now, held, _ = crowd
    hosts = len(cpu)
    guests = np.zeros(hosts, dtype=np.int64)
    load = np.zeros(hosts)
    sums = (np.zeros(hosts), np.zeros(hosts), load, guests, room)
    for v in range(len(where)):
        if where[v] >= 0:
            _join(v, where[v], 1, crowd, sums)
            for r in range(held.shape[1]):  # room is what is free beside those who run
                room[where[v], r] += held[v, r]
    moved = np.zeros(len(where), dtype=np.bool_)
    settled = np.zeros(hosts, dtype=np.bool_)
    n = 0
    for h in range(hosts):
        while True:
            over = load[h] - full * cpu[h] if guests[h] > 1 else 0.0
            who = _who_leaves(h, over, where, moved, now, core, weight)
            if who < 0:
                break
            moved[who] = True
            target = _home(who, h, True, crowd, fleet, sums, surety, full)
            if target < 0:
                continue
            _join(who, h, -1, crowd, sums)
            _join(who, target, 1, crowd, sums)
            where[who] = target
            settled[target] = True
            moves[n, 0], moves[n, 1] = who, target
            n += 1
    leaving = np.empty(len(where), dtype=np.int64)
    due = np.empty(hosts)
    while True:
        source = -1
        least = np.inf
        due[:] = 0.0
        for v in range(len(where)):
            if where[v] >= 0:
                due[where[v]] += price[v]
        for h in range(hosts):
            if settled[h] or guests[h] == 0 or n + guests[h] > at_most:
                continue
            asked = due[h] / max(idle[h], 1e-9)
            if asked < least:
                source, least = h, asked
        if source < 0:
            return n
        settled[source] = True
        count = 0
        for v in range(len(where)):
            if where[v] == source:
                i = count
                while i > 0 and expected[leaving[i - 1]] < expected[v]:
                    leaving[i] = leaving[i - 1]
                    i -= 1
                leaving[i] = v
                count += 1
        first = n
        for i in range(count):
            v = leaving[i]
            target = -1
            if not moved[v]:
                target = _home(v, source, False, crowd, fleet, sums, surety, full)
            if target < 0:
                while n > first:
                    n -= 1
                    _join(moves[n, 0], moves[n, 1], -1, crowd, sums)
                break
            _join(v, target, 1, crowd, sums)
            moves[n, 0], moves[n, 1] = v, target
            n += 1
        for i in range(first, n):
            v = moves[i, 0]
            _join(v, source, -1, crowd, sums)
            where[v] = moves[i, 1]
            moved[v] = True
            settled[moves[i, 1]] = True
