"""Event by event, with steps aside: movers that block each other in circles.

As in `passes.step`, whatever may start is started; besides, movers are parked on a third host so
that others can enter where they left: when nothing else can start, and eagerly, up to a quota, so
that long circles are cut into several chains that run at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from balancer.planner.order.kernels.passes import NEVER, NONE, TINY, pop_end, push_end, turns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WAITING, FLYING, DONE, STORED = 0, 1, 2, 3
LIVE, STORE, RESUME = 0, 1, 2


class Movers(NamedTuple):
    """[movers] each."""

    source: Ints
    target: Ints
    need: Ints
    """[movers, resources]"""
    size: Floats
    """One number for what a mover takes: a share of the cluster."""
    volume: Floats
    dirty: Floats
    setup: Floats
    top: Floats
    cold: Bools
    store: Floats
    group_at: Ints
    """[movers + 1]: where each mover's groups begin in `group`."""
    group: Ints


class Ground(NamedTuple):
    """Hosts, rows and channels."""

    free: Ints
    """[rows]: resource-major, then the groups' domains."""
    base: Ints
    """[groups]: first row of each."""
    shape: Ints
    """[groups]: which line of `domain` tells its domains."""
    domain: Ints
    """[shapes, hosts]"""
    rate: Floats
    number: Ints
    leaving: Ints
    entering: Ints
    leaving_zone: Ints
    entering_zone: Ints
    zone: Ints
    allowed: Bools
    """[movers, hosts], or [1, 1] for everywhere."""


class Room(NamedTuple):
    """What is left now."""

    rows: Ints
    rate: Floats
    number: Ints


def has_rows(movers: Movers, ground: Ground, rows: Ints, m: int, here: int, there: int) -> bool:
    """True if `there` has room for `m`, which holds `here` (-1: nothing)."""
    hosts = len(ground.zone)
    for r in range(movers.need.shape[1]):
        if movers.need[m, r] > 0 and rows[r * hosts + there] < movers.need[m, r]:
            return False
    for k in range(movers.group_at[m], movers.group_at[m + 1]):
        g = movers.group[k]
        d = ground.domain[ground.shape[g], there]
        if (here < 0 or ground.domain[ground.shape[g], here] != d) and rows[
            ground.base[g] + d
        ] < 1:
            return False
    return True


def shift_rows(
    movers: Movers, ground: Ground, rows: Ints, m: int, at: int, other: int, sign: int
) -> None:
    """Take (sign -1) or give (+1) what `m` holds on `at` and not on `other` (-1: nothing)."""
    hosts = len(ground.zone)
    for r in range(movers.need.shape[1]):
        rows[r * hosts + at] += sign * movers.need[m, r]
    for k in range(movers.group_at[m], movers.group_at[m + 1]):
        g = movers.group[k]
        d = ground.domain[ground.shape[g], at]
        if other < 0 or ground.domain[ground.shape[g], other] != d:
            rows[ground.base[g] + d] += sign


def has_rate(movers: Movers, ground: Ground, room: Room, m: int, a: int, b: int) -> float:
    """Return the rate that `m` could have from `a` to `b` now; 0 if a number forbids it."""
    rate = movers.top[m]
    far = ground.zone[a] < 0 or ground.zone[a] != ground.zone[b]
    for which in range(4 if far else 2):
        lines = ground.leaving
        h = a
        if which == 1:
            lines, h = ground.entering, b
        elif which == 2:
            lines, h = ground.leaving_zone, a
        elif which == 3:
            lines, h = ground.entering_zone, b
        for k in range(lines.shape[1]):
            c = lines[h, k]
            if c < 0:
                break
            if room.number[c] < 1:
                return 0.0
            rate = min(rate, room.rate[c])
    return rate


def top_between(movers: Movers, ground: Ground, m: int, a: int, b: int) -> float:
    """Return the rate that `m` would have from `a` to `b` alone."""
    rate = movers.top[m]
    far = ground.zone[a] < 0 or ground.zone[a] != ground.zone[b]
    for k in range(ground.leaving.shape[1]):
        if ground.leaving[a, k] >= 0:
            rate = min(rate, ground.rate[ground.leaving[a, k]])
    for k in range(ground.entering.shape[1]):
        if ground.entering[b, k] >= 0:
            rate = min(rate, ground.rate[ground.entering[b, k]])
    if far:
        for k in range(ground.leaving_zone.shape[1]):
            if ground.leaving_zone[a, k] >= 0:
                rate = min(rate, ground.rate[ground.leaving_zone[a, k]])
        for k in range(ground.entering_zone.shape[1]):
            if ground.entering_zone[b, k] >= 0:
                rate = min(rate, ground.rate[ground.entering_zone[b, k]])
    return rate


def shift_rate(ground: Ground, room: Room, a: int, b: int, rate: float, one: int) -> None:
    """Let a move from `a` to `b` leave its channels `rate` and `one` place more."""
    far = ground.zone[a] < 0 or ground.zone[a] != ground.zone[b]
    for which in range(4 if far else 2):
        lines = ground.leaving
        h = a
        if which == 1:
            lines, h = ground.entering, b
        elif which == 2:
            lines, h = ground.leaving_zone, a
        elif which == 3:
            lines, h = ground.entering_zone, b
        for k in range(lines.shape[1]):
            c = lines[h, k]
            if c < 0:
                break
            room.rate[c] += rate
            room.number[c] += one


def reach(
    movers: Movers, ground: Ground, rows: Ints, at: Ints, waiting: Bools, order: Ints
) -> int:
    """Return how many of those `waiting` get to their targets, one at a time, in turns of `order`.

    Changes `rows`, `at` and `waiting`.
    """
    done = 0
    again = True
    while again:
        again = False
        for i in range(len(order)):
            m = order[i]
            if waiting[m] and has_rows(movers, ground, rows, m, at[m], movers.target[m]):
                shift_rows(movers, ground, rows, m, movers.target[m], at[m], -1)
                shift_rows(movers, ground, rows, m, at[m], movers.target[m], 1)
                at[m] = movers.target[m]
                waiting[m] = False
                done += 1
                again = True
    return done


def roam(
    movers: Movers,
    ground: Ground,
    knobs: Floats,
    luck: Floats,
    trip_mover: Ints,
    trip_source: Ints,
    trip_target: Ints,
    trip_kind: Ints,
    trip_start: Floats,
) -> tuple[int, int, float]:
    """Fill the trips in the order of their start; return their number, movers left, the time.

    Knobs: 0 quota of eager steps aside as a share of movers; 1 the share of movers not yet home at
    which parked ones come first, who came last until then; 2 least share of the top rate; 3 noise
    on ranks; 4 noise on who steps aside; 5 one if bigger ones are to be waited for; 6 one if
    everything goes alone; 7 ranks by size (1) or at random (0); 8 steps aside allowed; 9 one if who
    stepped aside returns only when nobody else can go; 10 who steps aside when stuck: 0 little to
    send, 1 big, 2 from wanted hosts, 3 both, 4 whoever lets most others go; 11 for eager ones: 0
    weighs what is sent against who waits, else what a third host's link is held for against the
    room that it opens counts alone, to this power. Luck [2, movers], from 0 to 1, is the noise on
    ranks and on who steps aside.
    """
    n = len(movers.source)
    hosts = len(ground.zone)
    limit = len(trip_mover)
    room = Room(ground.free.copy(), ground.rate.copy(), ground.number.copy())
    promised = np.zeros(hosts, dtype=np.int64)
    at = movers.source.copy()
    phase = np.zeros(n, dtype=np.int64)
    parked = np.zeros(n, dtype=np.int64)
    trip_of = np.zeros(n, dtype=np.int64)
    rank = np.empty(n)
    wanted = np.zeros(hosts)
    incoming = np.zeros(hosts)
    for m in range(n):
        rank[m] = -knobs[7] * movers.size[m] * (1.0 + knobs[3] * luck[0, m])
        if knobs[7] == 0.0:
            rank[m] = -luck[0, m]
        wanted[movers.target[m]] += movers.size[m]
    spare = np.empty(hosts)
    total_free = np.zeros(hosts)
    ends = np.empty(limit)
    speed = np.empty(limit)
    running = np.empty(limit, dtype=np.int64)
    busy = 0
    trips = 0
    left = n
    now = 0.0
    quota = int(knobs[0] * n)
    alone = knobs[6] > 0.0
    first_row_size = 1.0
    for m in range(n):
        if movers.need[m, 0] > 0:
            first_row_size = movers.size[m] / movers.need[m, 0]
            break
    smallest = movers.need[:, 0].min()
    roomy = np.empty(hosts, dtype=np.int64)
    order = turns(rank)
    stale = True
    lazy = knobs[9] > 0.0
    rested = False
    homewards = False
    while left > 0:
        started = False
        if not homewards and left <= knobs[1] * n:
            homewards, stale = True, True
        if stale:
            key = rank.copy()
            for m in range(n):
                if parked[m] > 0:
                    key[m] += -1e6 if homewards else 1e6
            order = turns(key)
            stale = False
        promised[:] = 0
        for i in range(n):
            m = order[i]
            if phase[m] == DONE or phase[m] == FLYING:
                continue
            if alone and busy > 0:
                break
            if lazy and parked[m] > 0 and (busy > 0 or started or not rested):
                continue
            b = movers.target[m]
            a = at[m] if phase[m] == WAITING else NONE
            if room.rows[b] - promised[b] < movers.need[m, 0]:
                continue
            if not has_rows(movers, ground, room.rows, m, a, b):
                continue
            if phase[m] == STORED:
                kind, length, rate = RESUME, movers.store[m], 0.0
            else:
                kind = LIVE
                top = top_between(movers, ground, m, a, b)
                rate = has_rate(movers, ground, room, m, a, b)
                if rate < knobs[2] * top - TINY or rate <= 1.2 * movers.dirty[m]:
                    if knobs[5] > 0.0:
                        promised[b] += movers.need[m, 0]
                    continue
                length = movers.setup[m] + movers.volume[m] / (rate - movers.dirty[m])
                shift_rate(ground, room, a, b, -rate, -1)
            if trips >= limit:
                return trips, left, now
            shift_rows(movers, ground, room.rows, m, b, a, -1)
            trip_mover[trips], trip_source[trips], trip_target[trips] = m, a, b
            trip_kind[trips], trip_start[trips] = kind, now
            ends[trips], speed[trips] = now + length, rate
            trip_of[m] = trips
            phase[m] = FLYING
            wanted[b] -= movers.size[m]
            if a >= 0:
                incoming[a] += movers.size[m]
            busy = push_end(running, busy, trips, ends)
            trips += 1
            started = True
        if lazy and busy == 0 and not started and not rested:
            rested = True  # nobody else can go: let those who stepped aside go home
            continue
        rested = False
        # steps aside
        stuck = busy == 0
        while (
            knobs[8] > 0.0 and (stuck or quota > 0) and trips < limit and not (alone and busy > 0)
        ):
            best, who, where, how = NEVER, NONE, NONE, LIVE
            open_hosts = 0
            for h in range(hosts):
                total_free[h] = room.rows[h] * first_row_size
                spare[h] = total_free[h] - wanted[h]
                enters = room.rows[h] >= smallest
                for k in range(ground.entering.shape[1]):
                    c = ground.entering[h, k]
                    if c >= 0 and (room.number[c] < 1 or room.rate[c] <= 0.0):
                        enters = False
                if enters:
                    roomy[open_hosts] = h
                    open_hosts += 1
            if open_hosts == 0 and not stuck:
                break
            for m in range(n):
                if phase[m] != WAITING or movers.target[m] == at[m]:
                    continue
                if parked[m] > 0 and not (stuck and parked[m] < 3):
                    continue
                a = at[m]
                if not stuck and wanted[a] <= total_free[a] + incoming[a] + 1e-12:
                    continue
                if stuck and wanted[a] <= 0.0:
                    continue
                score = movers.volume[m] / (movers.size[m] + 1e-12)
                if stuck:
                    score = movers.volume[m]
                    if knobs[10] == 1.0:
                        score = 1.0 / (movers.size[m] + 1e-12)
                    elif knobs[10] == 2.0:
                        score = 1.0 / (wanted[a] + 1e-12)
                    elif knobs[10] == 3.0:
                        score = 1.0 / (movers.size[m] * wanted[a] + 1e-12)
                    score *= 1.0 + 10.0 * parked[m]
                elif knobs[11] > 0.0:
                    score = (movers.setup[m] + movers.volume[m] / movers.top[m]) / movers.size[m]
                    score = score ** knobs[11]
                score *= 1.0 + knobs[4] * luck[1, m]
                if not stuck and knobs[11] <= 0.0:
                    score /= wanted[a] - total_free[a] - incoming[a] + movers.size[m]
                if score >= best and not (stuck and knobs[10] == 4.0):
                    continue
                third, most = NONE, -NEVER
                for i in range(open_hosts):
                    h = roomy[i]
                    if h == a or h == movers.target[m]:
                        continue
                    if not stuck and spare[h] < movers.size[m]:
                        continue
                    if ground.allowed.shape[0] > 1 and not ground.allowed[m, h]:
                        continue
                    if spare[h] <= most or room.rows[h] < movers.need[m, 0]:
                        continue
                    if not has_rows(movers, ground, room.rows, m, a, h):
                        continue
                    top = top_between(movers, ground, m, a, h)
                    if top <= 1.2 * movers.dirty[m]:
                        continue
                    if has_rate(movers, ground, room, m, a, h) < knobs[2] * top - TINY:
                        continue
                    third, most = h, spare[h]
                if third >= 0 and stuck and knobs[10] == 4.0:
                    rows = room.rows.copy()
                    shift_rows(movers, ground, rows, m, third, a, -1)
                    shift_rows(movers, ground, rows, m, a, third, 1)
                    places = at.copy()
                    waiting = (phase == WAITING) & (parked == 0)
                    waiting[m] = False
                    gain = 1.0 * reach(movers, ground, rows, places, waiting, order)
                    waiting = (phase == WAITING) & (places != movers.target)
                    places[m] = third
                    gain += 0.5 * reach(movers, ground, rows, places, waiting, order)
                    score = -gain * (1.0 + 0.1 * knobs[4] * luck[1, m]) + 3.0 * parked[m]
                    if score >= best:
                        continue
                if third >= 0:
                    best, who, where = score, m, third
            if who < 0 and stuck:
                for m in range(n):
                    if phase[m] == WAITING and movers.cold[m] and wanted[at[m]] > 0.0:
                        score = movers.store[m] * (1.0 + knobs[4] * luck[1, m])
                        if score < best:
                            best, who, where, how = score, m, NONE, STORE
            if who < 0:
                break
            m, a = who, at[who]
            if how == LIVE:
                rate = has_rate(movers, ground, room, m, a, where)
                length = movers.setup[m] + movers.volume[m] / (rate - movers.dirty[m])
                shift_rate(ground, room, a, where, -rate, -1)
                shift_rows(movers, ground, room.rows, m, where, a, -1)
            else:
                rate, length = 0.0, movers.store[m]
            trip_mover[trips], trip_source[trips], trip_target[trips] = m, a, where
            trip_kind[trips], trip_start[trips] = how, now
            ends[trips], speed[trips] = now + length, rate
            trip_of[m] = trips
            phase[m] = FLYING
            parked[m] += 1
            stale = True
            quota -= 1
            incoming[a] += movers.size[m]
            busy = push_end(running, busy, trips, ends)
            trips += 1
            started = True
            stuck = False
        if busy == 0:
            if not started:
                return trips, left, now
            continue
        now = ends[running[0]]
        while busy > 0 and ends[running[0]] <= now + 1e-9:
            t, busy = pop_end(running, busy, ends)
            m, a, b = trip_mover[t], trip_source[t], trip_target[t]
            if a >= 0:
                shift_rows(movers, ground, room.rows, m, a, b, 1)
                incoming[a] -= movers.size[m]
            if trip_kind[t] == LIVE:
                shift_rate(ground, room, a, b, speed[t], 1)
            at[m] = b
            phase[m] = WAITING
            if b < 0:
                phase[m] = STORED
            elif b == movers.target[m]:
                phase[m] = DONE
                left -= 1
    return trips, 0, now
