"""Relieving and emptying hosts over plain arrays: the loops of `place/consolidate.py`."""

import numpy as np
from numba import njit


@njit(cache=True)
def _fits(v, h, core, cpu, expected, variance, now, mean, spread, load, surety, full, held, room):
    """Say whether a guest may join a host: what is asked now, what is to be expected, memory."""
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
def _join(v, h, sign, expected, variance, now, mean, spread, load, guests, held, room):
    mean[h] += sign * expected[v]
    spread[h] = max(0.0, spread[h] + sign * variance[v])
    load[h] += sign * now[v]
    guests[h] += sign
    for r in range(held.shape[1]):
        room[h, r] -= sign * held[v, r]


@njit(cache=True)
def _home(
    v,
    source,
    wake,
    cpu,
    core,
    cost,
    expected,
    variance,
    now,
    mean,
    spread,
    load,
    guests,
    surety,
    full,
    held,
    room,
):
    """Return the host for a guest that leaves `source`, or -1: the thriftiest, tightest one.

    Only where none that runs guests has room may a sleeping one be woken.
    """
    best = -1
    cheapest = np.inf
    tightest = np.inf
    for awake in range(2):
        for h in range(len(cpu)):
            if h == source or (guests[h] > 0) != (awake == 0) or cost[h] > cheapest:
                continue
            if not _fits(
                v,
                h,
                core,
                cpu,
                expected,
                variance,
                now,
                mean,
                spread,
                load,
                surety,
                full,
                held,
                room,
            ):
                continue
            left = cpu[h] - mean[h] - surety * np.sqrt(spread[h] + variance[v])
            if cost[h] < cheapest or left < tightest:
                best, cheapest, tightest = h, cost[h], left
        if best >= 0 or not wake:
            return best
    return best


@njit(cache=True)
def settle(
    where,
    cpu,
    core,
    idle,
    cost,
    expected,
    variance,
    now,
    weight,
    held,
    room,
    surety,
    full,
    at_most,
    moves,
):
    """Fill `moves` [n, guest and host] and return n; `where` and `room` are changed.

    First guests that ask for more than one guest can have there leave, and hosts that are over
    `full` of their CPU shed the lightest guest that suffices, or the lightest at all. Then hosts are emptied as long as `at_most` allows it, that one first which
    takes the fewest moves for the idle watts it saves; all of its guests find a host, or none
    moves. Nobody moves twice, and who receives is not emptied.
    """
    hosts = len(cpu)
    mean = np.zeros(hosts)
    spread = np.zeros(hosts)
    load = np.zeros(hosts)
    guests = np.zeros(hosts, dtype=np.int64)
    nothing = np.zeros((hosts, held.shape[1]))
    for v in range(len(where)):
        if where[v] >= 0:
            _join(
                v, where[v], 1, expected, variance, now, mean, spread, load, guests, held, nothing
            )
    moved = np.zeros(len(where), dtype=np.bool_)
    settled = np.zeros(hosts, dtype=np.bool_)
    n = 0
    starved = np.zeros(hosts, dtype=np.bool_)
    for v in range(len(where)):
        if where[v] >= 0 and now[v] > core[where[v]]:
            starved[where[v]] = True
    for h in range(hosts):
        while starved[h] or (load[h] > full * cpu[h] and guests[h] > 1):
            over = load[h] - full * cpu[h]
            who = -1
            starved[h] = False
            for v in range(len(where)):
                if where[v] != h or moved[v] or now[v] <= 0:
                    continue
                if now[v] > core[h]:
                    who = v
                    starved[h] = True
                    break
                if over <= 0:
                    continue
                if who < 0:
                    who = v
                    continue
                short, least = max(0.0, over - now[v]), max(0.0, over - now[who])
                if short < least or (short == least and weight[v] < weight[who]):
                    who = v
            if who < 0:
                break
            moved[who] = True
            target = _home(
                who,
                h,
                True,
                cpu,
                core,
                cost,
                expected,
                variance,
                now,
                mean,
                spread,
                load,
                guests,
                surety,
                full,
                held,
                room,
            )
            if target < 0:
                continue
            _join(who, h, -1, expected, variance, now, mean, spread, load, guests, held, room)
            _join(who, target, 1, expected, variance, now, mean, spread, load, guests, held, room)
            where[who] = target
            settled[target] = True
            moves[n, 0], moves[n, 1] = who, target
            n += 1
    leaving = np.empty(len(where), dtype=np.int64)
    while True:
        source = -1
        price = np.inf
        for h in range(hosts):
            if settled[h] or guests[h] == 0 or n + guests[h] > at_most:
                continue
            asked = guests[h] / max(idle[h], 1e-9)
            if asked < price:
                source, price = h, asked
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
                target = _home(
                    v,
                    source,
                    False,
                    cpu,
                    core,
                    cost,
                    expected,
                    variance,
                    now,
                    mean,
                    spread,
                    load,
                    guests,
                    surety,
                    full,
                    held,
                    room,
                )
            if target < 0:
                while n > first:
                    n -= 1
                    _join(
                        moves[n, 0],
                        moves[n, 1],
                        -1,
                        expected,
                        variance,
                        now,
                        mean,
                        spread,
                        load,
                        guests,
                        held,
                        room,
                    )
                break
            _join(v, target, 1, expected, variance, now, mean, spread, load, guests, held, room)
            moves[n, 0], moves[n, 1] = v, target
            n += 1
        for i in range(first, n):
            v = moves[i, 0]
            _join(v, source, -1, expected, variance, now, mean, spread, load, guests, held, room)
            where[v] = moves[i, 1]
            moved[v] = True
            settled[moves[i, 1]] = True
