"""What a placement is worth: the plain reference that engines are held equal to."""

from functools import partial

import numpy as np

from balancer.planner.formulation import (
    Apart,
    AtMostPerDomain,
    Budget,
    DomainCount,
    Flow,
    Formulation,
    Ints,
    Level,
    Near,
    Packing,
    Penalty,
    Primitive,
    Refuge,
    Row,
)
from balancer.planner.model.packing import NOWHERE, pack
from balancer.planner.model.plan import Score

PER_MILLE = 1000


def score(formulation: Formulation, placement: Ints) -> Score:
    """Return the score of `placement` [guests], its sites by number."""
    sums = dict.fromkeys(Level, 0)
    sums[Level.REPAIR] = int(barred(formulation, placement).sum())
    sums[Level.COST] = _plain_cost(formulation, placement)
    for primitive in formulation.primitives:
        excess = excesses(formulation, primitive, placement)
        penalty = Penalty(Level.REPAIR) if isinstance(primitive, Budget) else primitive.penalty
        sums[penalty.level] += int(price(penalty, excess).sum())
    return Score(repair=sums[Level.REPAIR], overload=sums[Level.OVERLOAD], cost=sums[Level.COST])


def permitted(formulation: Formulation, placement: Ints) -> bool:
    """True if `placement` obeys the law: nothing that is broken at the start is made worse."""
    start = formulation.start
    moved = placement != start
    if (moved & formulation.held).any():
        return False
    if not formulation.allowed[np.arange(len(start)), placement][moved].all():
        return False
    return not any(
        (strain(formulation, p, placement) > np.maximum(0, strain(formulation, p, start))).any()
        for p in formulation.primitives
        if isinstance(p, Budget) or p.hard
    )


def barred(formulation: Formulation, placement: Ints) -> Ints:
    """Return the numbers' mask [guests] of those that rest where they must not, and could leave."""
    allowed = formulation.allowed[np.arange(len(placement)), placement]
    mask: Ints = (~allowed & ~formulation.held).astype(np.int64)
    return mask


def excesses(formulation: Formulation, primitive: Primitive, placement: Ints) -> Ints:
    """Return by how much `primitive` is exceeded, by site, by domain, or as one number."""
    over = np.maximum(0, strain(formulation, primitive, placement))
    if isinstance(primitive, Row) and primitive.scale is not None:
        over = per_mille(over, primitive.scale)
    return over


def per_mille(over: Ints, scale: Ints) -> Ints:
    """Return excesses in per mille of `scale`, rounded up: none is too small to be seen."""
    return -(-over * PER_MILLE // scale)


def strain(  # noqa: C901, PLR0911 - one for each primitive
    formulation: Formulation, primitive: Primitive, placement: Ints
) -> Ints:
    """Return what is taken less what may be, negative where something is left."""
    match primitive:
        case Row():
            load = np.zeros(len(primitive.limit), dtype=np.int64)
            np.add.at(load, placement, primitive.use)
            return load - primitive.limit
        case AtMostPerDomain():
            return _counts(primitive, placement) - primitive.most
        case DomainCount():
            used = int(np.count_nonzero(_counts(primitive, placement)))
            few = primitive.least - used if len(primitive.members) else 0
            return np.array([max(few, used - primitive.most)])
        case Near():
            domain = primitive.domain
            apart = domain[placement[primitive.a]] != domain[placement[primitive.b]]
            return np.array([int(apart)])
        case Apart():
            sides = (primitive.one, primitive.other)
            return np.minimum(*(held(primitive.domain, m, placement) for m in sides))
        case Packing():
            return _unpacked(primitive, placement)
        case Flow():
            return primitive.cost(np.array([_together(primitive, placement)]))
        case Refuge():
            stranded = [len(left) for left in strandeds(primitive, placement)]
            return np.array(stranded, dtype=np.int64)
        case _:
            spent = int(primitive.weight[placement != formulation.start].sum())
            return np.array([spent - primitive.limit])


def price(penalty: Penalty, excess: Ints) -> Ints:
    """Return the price of each excess."""
    total = np.zeros_like(excess)
    for start, slope in penalty.pieces:
        total += slope * np.maximum(0, excess - start)
    return total


def _counts(primitive: AtMostPerDomain | DomainCount, placement: Ints) -> Ints:
    return held(primitive.domain, primitive.members, placement)


def held(domain: Ints, members: Ints, placement: Ints) -> Ints:
    """Return how many of `members` each domain holds."""
    counts = np.zeros(int(domain.max(initial=-1)) + 1, dtype=np.int64)
    np.add.at(counts, domain[placement[members]], 1)
    return counts


def _together(flow: Flow, placement: Ints) -> int:
    return int(held(flow.domain, flow.one, placement) @ held(flow.domain, flow.other, placement))


def _plain_cost(formulation: Formulation, placement: Ints) -> int:
    guests = np.arange(len(placement))
    resting = formulation.soft_pairs[guests, placement].sum()
    moving = formulation.move_cost[placement != formulation.start].sum()
    occupied = formulation.site_cost[np.unique(placement)].sum()
    return int(resting + moving + occupied)


def _unpacked(primitive: Packing, placement: Ints) -> Ints:
    here = placement[primitive.members]
    left = np.zeros(len(primitive.boxes), dtype=np.int64)
    for site in np.unique(here).tolist():
        things = [tuple(use) for use in primitive.use[here == site].tolist()]
        left[site] = pack(things, primitive.boxes[site]).left
    return left


def strandeds(primitive: Refuge, placement: Ints) -> list[list[int]]:
    """Return, for each loss, the guests that find no room."""
    free = primitive.room.copy()
    np.subtract.at(free, placement, primitive.use)
    room = [tuple(left) for left in np.maximum(0, free).tolist()]
    uses = [tuple(use) for use in primitive.use.tolist()]
    counted: list[bool] = np.any(primitive.may, axis=1).tolist()
    on = np.argsort(placement, kind="stable")
    first = np.searchsorted(placement[on], np.arange(len(room) + 1))
    roomiest = np.lexsort(-free.T[::-1]).tolist()
    found = []
    for lost in primitive.lost:
        gone = [
            g for s in lost.tolist() for g in on[first[s] : first[s + 1]].tolist() if counted[g]
        ]
        sites = [s for s in roomiest if s not in set(lost.tolist())]
        may: list[list[bool]] = primitive.may[np.ix_(gone, sites)].tolist()
        packed = pack(
            [uses[g] for g in gone],
            [room[s] for s in sites],
            partial(_allowed, may),
        )
        found.append([g for g, box in zip(gone, packed.box, strict=True) if box == NOWHERE])
    return found


def _allowed(may: list[list[bool]], thing: int, box: int) -> bool:
    return may[thing][box]
