"""One move at a time: how far movers get, and how far if one of them stepped aside first.

`go` and `third_of` make no arrays: they are compiled without counting references (`compiled`).
"""

import numpy as np

from balancer.planner.order.kernels.passes import NONE
from balancer.planner.order.kernels.roaming import (
    Bools,
    Floats,
    Ground,
    Ints,
    Movers,
    has_rows,
    shift_rows,
    top_between,
)


def go(movers: Movers, ground: Ground, rows: Ints, at: Ints, m: int, there: int) -> None:
    """Let `m` be on `there`."""
    shift_rows(movers, ground, rows, m, there, at[m], -1)
    shift_rows(movers, ground, rows, m, at[m], there, 1)
    at[m] = there


def settle(
    movers: Movers, ground: Ground, rows: Ints, at: Ints, aside: Bools, order: Ints, made: Ints
) -> int:
    """Move home whoever can, in turns of `order`; return how many got there.

    Who is `aside` goes only when nobody else can. Changes `rows` and `at`; `made` is filled with
    who moved, in turn.
    """
    done = 0
    again = True
    while again:
        again = False
        for i in range(len(order)):
            m = order[i]
            b = movers.target[m]
            if at[m] != b and not aside[m] and has_rows(movers, ground, rows, m, at[m], b):
                go(movers, ground, rows, at, m, b)
                made[done] = m
                done += 1
                again = True
        if not again:
            for i in range(len(order)):
                m = order[i]
                b = movers.target[m]
                if at[m] != b and aside[m] and has_rows(movers, ground, rows, m, at[m], b):
                    go(movers, ground, rows, at, m, b)
                    made[done] = m
                    done += 1
                    again = True
                    break
    return done


def third_of(movers: Movers, ground: Ground, rows: Ints, at: Ints, wanted: Floats, m: int) -> int:
    """Return the host with most room that nobody waits for where `m` can step aside, or -1."""
    best, most = NONE, 0.0
    for h in range(len(ground.zone)):
        if h == at[m] or h == movers.target[m]:
            continue
        if ground.allowed.shape[0] > 1 and not ground.allowed[m, h]:
            continue
        spare = rows[h] - wanted[h]
        if best >= 0 and spare <= most:
            continue
        if not has_rows(movers, ground, rows, m, at[m], h):
            continue
        there = top_between(movers, ground, m, at[m], h)
        onwards = top_between(movers, ground, m, h, movers.target[m])
        if min(there, onwards) > 1.5 * movers.dirty[m]:
            best, most = h, spare
    return best


def outlook(
    movers: Movers, ground: Ground, rows: Ints, at: Ints, aside: Bools, order: Ints,
    third: Ints, gain: Ints,
) -> None:  # fmt: skip
    """Fill `third` with where each mover would step aside to, and `gain` with who gets home then.

    -1 for movers that are home, stepped aside before, or stand where nobody waits to come.
    """
    n = len(movers.source)
    wanted = np.zeros(len(ground.zone))
    for m in range(n):
        if at[m] != movers.target[m]:
            wanted[movers.target[m]] += movers.need[m, 0] + 1e-6
    made = np.empty(n, dtype=np.int64)
    for m in range(n):
        third[m], gain[m] = NONE, NONE
        if at[m] == movers.target[m] or aside[m] or wanted[at[m]] <= 0.0:
            continue
        there = third_of(movers, ground, rows, at, wanted, m)
        if there < 0:
            continue
        left, place = rows.copy(), at.copy()
        go(movers, ground, left, place, m, there)
        aside[m] = True
        third[m], gain[m] = there, settle(movers, ground, left, place, aside, order, made)
        aside[m] = False
