"""Small yards, and a check of schedules on them that knows nothing of how they were made."""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from balancer.planner.order.arrange import Schedule
from balancer.planner.order.yard import LIVE, RESUME, STORE, Yard, channels_of, rows_of

NEAR = 1e-6


def yard(
    moves: list[tuple[int, int, int]],
    free: list[int],
    *,
    at_once: int = 99,
    speed: float = 10.0,
    temporary: bool = True,
    **more,
) -> Yard:
    """Return a yard of (source, target, size) moves; each host has one link each way."""
    hosts, n = len(free), len(moves)
    size = np.array([m[2] for m in moves], dtype=np.int64)
    column = np.arange(hosts, dtype=np.int64).reshape(-1, 1)
    fields = {
        "source": np.array([m[0] for m in moves], dtype=np.int64),
        "target": np.array([m[1] for m in moves], dtype=np.int64),
        "need": size.reshape(-1, 1),
        "room": np.array(free, dtype=np.int64).reshape(-1, 1),
        "volume": size.astype(np.float64),
        "dirty": np.zeros(n),
        "hot": np.full(n, -1.0),
        "setup": np.zeros(n),
        "top": np.full(n, speed),
        "rate": np.array([1e18] + [speed] * (2 * hosts)),
        "number": np.array([at_once] + [99] * (2 * hosts), dtype=np.int64),
        "leaving": np.hstack([np.zeros_like(column), 1 + column]),
        "entering": 1 + hosts + column,
        "leaving_zone": np.full((hosts, 1), -1, dtype=np.int64),
        "entering_zone": np.full((hosts, 1), -1, dtype=np.int64),
        "zone": np.full(hosts, -1, dtype=np.int64),
        "temporary": temporary,
    }
    return Yard(**{**fields, **more})


@st.composite
def yards(draw: st.DrawFn, max_hosts: int = 5, max_moves: int = 7) -> Yard:
    """Draw a yard with little room, odd rates, set-up times and a group that keeps apart."""
    hosts = draw(st.integers(3, max_hosts))
    n = draw(st.integers(1, max_moves))
    ends = st.tuples(st.integers(0, hosts - 1), st.integers(1, hosts - 1), st.integers(1, 4))
    moves = [
        (a, (a + b) % hosts, size) for a, b, size in draw(st.lists(ends, min_size=n, max_size=n))
    ]
    free = [draw(st.sampled_from([0, 1, 2, 4, 8])) for _ in range(hosts)]
    for h in range(hosts):
        lack = sum(s for _, b, s in moves if b == h) - sum(s for a, _, s in moves if a == h)
        free[h] = max(free[h], lack)
    places = np.ones(hosts, dtype=np.int64) * draw(st.sampled_from([1, 2]))
    member = draw(st.lists(st.integers(0, n - 1), max_size=2, unique=True))
    for m in member:
        places[moves[m][0]] -= 1
    return yard(
        moves,
        free,
        at_once=draw(st.integers(1, 4)),
        temporary=draw(st.booleans()),
        setup=np.full(n, draw(st.sampled_from([0.0, 0.5]))),
        dirty=np.full(n, draw(st.sampled_from([0.0, 1.0]))),
        top=np.full(n, draw(st.sampled_from([10.0, 6.0]))),
        groups=[[0] if m in member else [] for m in range(n)],
        domain=[np.arange(hosts, dtype=np.int64)],
        places=[places],
        cold=np.full(n, draw(st.sampled_from([False, False, True]))),
        store=np.ones(n),
        allowed=np.ones((n, hosts), dtype=np.bool_),
    )


def faults(posed: Yard, made: Schedule) -> list[str]:
    """Return all that is wrong with a schedule: ways, room, rates, numbers, durations."""
    return [
        *_ways(posed, made),
        *_lengths(posed, made),
        *_held(posed, made),
        *_carried(posed, made),
    ]


def _ways(posed: Yard, made: Schedule) -> list[str]:
    found = []
    for m in range(len(posed.source)):
        mine = sorted((made.start[i], i) for i, t in enumerate(made.trips) if t.mover == m)
        legs = [i for _, i in mine]
        if made.trips[legs[-1]].target != posed.target[m]:
            found.append(f"{m} does not get home")
        if made.trips[legs[0]].source != posed.source[m]:
            found.append(f"{m} starts elsewhere")
        for one, two in pairwise(legs):
            if made.end[one] > made.start[two] + NEAR:
                found.append(f"{m} goes twice at once")
            if made.trips[one].target != made.trips[two].source:
                found.append(f"{m} jumps")
    return found


def _lengths(posed: Yard, made: Schedule) -> list[str]:
    found = []
    for i, trip in enumerate(made.trips):
        rate, m = made.rate[i], trip.mover
        cold = posed.store is not None and trip.kind != LIVE
        length = (
            posed.store[m]
            if cold and posed.store is not None
            else posed.setup[m] + posed.volume[m] / (rate - posed.dirty[m])
        )
        if abs(made.end[i] - made.start[i] - length) > NEAR:
            found.append(f"trip {i} takes {made.end[i] - made.start[i]}, not {length}")
    return found


def _held(posed: Yard, made: Schedule) -> list[str]:
    """Ends before starts at the same instant."""
    room = posed.free.astype(np.int64)
    events = [(made.end[i], 0, i) for i in range(len(made.trips))]
    events += [(made.start[i], 1, i) for i in range(len(made.trips))]
    found = []
    for when, starts, i in sorted(events, key=lambda e: (round(e[0] / NEAR), e[1])):
        trip = made.trips[i]
        here = rows_of(posed, trip.mover, trip.source) if trip.kind != RESUME else {}
        there = rows_of(posed, trip.mover, trip.target) if trip.kind != STORE else {}
        for r, amount in (there if starts else here).items():
            if r not in (here if starts else there):
                room[r] += -amount if starts else amount
                if starts and room[r] < 0:
                    found.append(f"at {when}: row {r} is short")
    return found


def _carried(posed: Yard, made: Schedule) -> list[str]:
    found = []
    for c in range(len(posed.rate)):
        users = [
            i
            for i, t in enumerate(made.trips)
            if t.kind == LIVE and c in channels_of(posed, t.source, t.target)
        ]
        for i in users:
            now = [k for k in users if made.start[k] - NEAR < made.start[i] < made.end[k] - NEAR]
            if sum(made.rate[k] for k in now) > posed.rate[c] + NEAR:
                found.append(f"channel {c} carries too much at {made.start[i]}")
            if len(now) > posed.number[c]:
                found.append(f"channel {c} carries too many at {made.start[i]}")
    return found


def played(posed, trips):
    """Return where movers are once `trips` are made in turn; each must find its room."""
    free, at = posed.free, posed.source.copy()
    for trip in trips:
        assert trip.source == at[trip.mover]
        here, there = (rows_of(posed, trip.mover, h) for h in (trip.source, trip.target))
        for r, amount in there.items():
            assert r in here or free[r] >= amount
            free[r] -= amount
        for r, amount in here.items():
            free[r] += amount
        at[trip.mover] = trip.target
    return at
