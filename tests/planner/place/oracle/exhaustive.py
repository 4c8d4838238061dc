"""Every placement there is, all at once."""

from functools import lru_cache

import numpy as np

from tests.planner.place.oracle.reading import Boxed, Crowd, Facts, Lost, Parted, Row, Used

SOFT = 20_000
MOST = 1_000_000


def size(facts: Facts) -> int:
    """Return how many placements there are."""
    return facts.hosts**facts.guests


def best(facts: Facts) -> tuple[int, int, int]:
    """Return (repair, overload, cost) of the best lawful placement."""
    count = size(facts)
    grid = np.stack(
        np.unravel_index(np.arange(count), (facts.hosts,) * facts.guests), axis=1
    ).astype(np.int8)
    may = np.array([[facts.may(g, h) for h in range(facts.hosts)] for g in range(facts.guests)])
    grid = grid[may[np.arange(facts.guests), grid].all(axis=1)]
    start = np.array(facts.start)
    away = grid != start
    for weight, limit in facts.budgets:
        keep = away @ np.array(weight) <= limit
        grid, away = grid[keep], away[keep]
    totals = np.zeros((3, len(grid)), dtype=np.int64)
    at_fault = np.array([facts.fault(g) for g in range(facts.guests)])
    totals[0] = (~away & at_fault).sum(axis=1)
    totals[2] = away @ np.array(facts.move)
    for (guest, host), price in facts.price.items():
        totals[2] += price * (grid[:, guest] == host)
    lawful = np.ones(len(grid), dtype=bool)
    here = int(np.flatnonzero((grid == start).all(axis=1))[0])
    for fact in facts.counted:
        over = _over(fact, facts, grid)
        level = fact.level if isinstance(fact, Row) else 0 if fact.hard else 2
        if level == 0:
            lawful &= (over <= np.maximum(0, over[here])).all(axis=1)
        totals[level] += _price(fact, np.maximum(0, over), level).sum(axis=1)
    return min(map(tuple, totals[:, lawful].T.tolist()))


def _price(fact, over, level: int):
    if not isinstance(fact, Row):
        return over if level == 0 else SOFT * over
    if fact.per_mille_of is not None:
        over = -(-over * 1000 // np.array(fact.per_mille_of))
    return fact.slope * over


def _counts(members, place, grid):
    sites = np.array(place)[grid[:, members]] if members else np.zeros((len(grid), 0), dtype=int)
    return np.stack([(sites == p).sum(axis=1) for p in range(max(place) + 1)], axis=1)


def _over(fact, facts: Facts, grid):
    """Return [placements, places]: how far the fact is exceeded."""
    match fact:
        case Row():
            loads = [(grid == h) @ np.array(fact.use) for h in range(facts.hosts)]
            return np.stack(loads, axis=1) - np.array(fact.limit)
        case Crowd():
            return _counts(fact.members, fact.place, grid) - fact.most
        case Used():
            used = (_counts(fact.members, fact.place, grid) > 0).sum(axis=1)
            return np.maximum(fact.least - used, used - fact.most)[:, None]
        case Parted():
            sides = (_counts(m, fact.place, grid) for m in (fact.one, fact.other))
            return np.minimum(*sides)
        case Boxed():
            return _unboxed(fact, facts, grid)
        case Lost():
            return stranded(fact, grid)


def _unboxed(fact: Boxed, facts: Facts, grid):
    use = dict(zip(fact.members, fact.use, strict=True))
    found = np.zeros((len(grid), facts.hosts), dtype=np.int64)
    for h in range(facts.hosts):
        bits = (grid[:, fact.members] == h) @ (1 << np.arange(len(fact.members), dtype=np.int64))
        for mask in np.unique(bits).tolist():
            here = [use[g] for i, g in enumerate(fact.members) if mask >> i & 1]
            found[bits == mask, h] = least_left(tuple(here), tuple(fact.boxes[h]), None)
    return found


def stranded(fact: Lost, grid):
    """Return [placements, losses]: how many guests find no room."""
    found = np.zeros((len(grid), len(fact.sets)), dtype=np.int64)
    for n, row in enumerate(grid.tolist()):
        free = {h: list(room) for h, room in fact.room.items()}
        for g, h in enumerate(row):
            if h in free:
                free[h] = [a - b for a, b in zip(free[h], fact.use[g], strict=True)]
        for k, lost in enumerate(fact.sets):
            gone = [g for g, h in enumerate(row) if h in lost and fact.may[g]]
            hosts = [h for h in free if h not in lost]
            boxes = tuple(tuple(max(0, x) for x in free[h]) for h in hosts)
            allowed = tuple(tuple(h in fact.may[g] for h in hosts) for g in gone)
            found[n, k] = least_left(tuple(fact.use[g] for g in gone), boxes, allowed)
    return found


@lru_cache(maxsize=200_000)
def least_left(things, boxes, allowed) -> int:
    """Return the fewest things that find no box: the first thing in each box, or in none."""
    if not things:
        return 0
    rest = None if allowed is None else allowed[1:]
    fewest = 1 + least_left(things[1:], boxes, rest)
    for b, box in enumerate(boxes):
        fits = all(a <= free for a, free in zip(things[0], box, strict=True))
        if fits and (allowed is None or allowed[0][b]):
            left = tuple(free - a for a, free in zip(things[0], box, strict=True))
            fewest = min(fewest, least_left(things[1:], (*boxes[:b], left, *boxes[b + 1 :]), rest))
    return fewest
