"""Moves that share no host, link, limit or rule that may bind: each such part is searched apart.

The whole is as long as its longest part. What is done by then need not be looked at, and a walk
that shortens one part is not lost because another did not get shorter at the same time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from balancer.planner.order.yard import Compiled, Ints, Trip, Yard, effects


def components(c: Compiled) -> list[list[int]]:
    """Return the trips, by number, of each part of `c` that has nothing to do with the others.

    In the order of their first trips. Those of one mover, and those that use a row or a channel that may bind, belong together.
    """
    root = list(range(len(c.trips)))

    def top(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    last: dict[tuple[str, int], int] = {}
    for i, used in enumerate(_used(c)):
        for thing in used:
            root[top(i)] = top(last.setdefault(thing, i))
    found: dict[int, list[int]] = defaultdict(list)
    for i in range(len(c.trips)):
        found[top(i)].append(i)
    return sorted(found.values())


def _used(c: Compiled) -> list[list[tuple[str, int]]]:
    """Return what each trip has in common with others."""
    rows = np.hstack([c.legs.take, c.legs.give]).tolist()
    return [
        [
            ("mover", trip.mover),
            *(("row", r) for r in rows[i] if r >= 0),
            *(("channel", k) for k in c.legs.channel[i].tolist() if k >= 0),
        ]
        for i, trip in enumerate(c.trips)
    ]


def taken_by(yard: Yard, trips: Iterable[Trip]) -> Ints:
    """Return [rows]: what `trips` take in all."""
    taken = np.zeros(len(yard.free), dtype=np.int64)
    for trip in trips:
        rows, amounts = np.split(effects(yard, trip).numbers[: 2 * yard.most_rows], 2)
        taken[rows[rows >= 0]] += amounts[rows >= 0]
    return taken


def part_of(yard: Yard, movers: Sequence[int], taken: Ints) -> Yard:
    """Return the yard of `movers` alone, beside others who take `taken` [rows] at any time.

    Room that others take is nobody else's, and room that they leave is left unused: what holds in
    this yard holds beside them, whenever they go.
    """
    ends = yard.base
    some = np.array(movers, dtype=np.int64)
    return replace(
        yard,
        source=yard.source[some],
        target=yard.target[some],
        need=yard.need[some],
        room=yard.room - taken[: yard.room.size].reshape(yard.room.shape[::-1]).T,
        volume=yard.volume[some],
        dirty=yard.dirty[some],
        hot=yard.hot[some],
        setup=yard.setup[some],
        top=yard.top[some],
        groups=[yard.groups[m] for m in movers] if yard.groups else (),
        places=[p - taken[ends[g] : ends[g + 1]] for g, p in enumerate(yard.places)],
        allowed=None if yard.allowed is None else yard.allowed[some],
        cold=None if yard.cold is None else yard.cold[some],
        store=None if yard.store is None else yard.store[some],
    )
