"""Formulations of any primitives, such as no rule of today may write."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from balancer.planner.formulation import (
    HARD,
    SOFT,
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
    Row,
)
from balancer.planner.model.demand import Demand
from balancer.planner.model.problem import Problem
from tests.drawing import clusters, policy

NUMBERS = st.integers(0, 20)
PENALTIES = st.sampled_from(
    [
        HARD,
        HARD,
        HARD,
        SOFT,
        Penalty(Level.OVERLOAD, ((0, 2),)),
        Penalty(Level.COST, ((0, 1), (5, 3))),
    ]
)


def vectors(length: int, values: st.SearchStrategy[int] = NUMBERS) -> st.SearchStrategy[Ints]:
    """Draw so many integers."""
    return st.lists(values, min_size=length, max_size=length).map(
        lambda drawn: np.array(drawn, dtype=np.int64)
    )


@st.composite
def formulations(draw: st.DrawFn, max_hosts: int = 4, max_guests: int = 6) -> Formulation:
    """Draw any mixture of primitives over a small cluster."""
    given = Formulation(
        Problem(draw(clusters(max_hosts, max_guests, 3)), Demand({}, {}), policy())
    )
    guests, sites = given.allowed.shape
    pairs = guests * sites
    given.allowed[:] = draw(vectors(pairs, st.integers(0, 5))).reshape(guests, sites) > 0
    given.held[:] = draw(vectors(guests, st.integers(0, 6))) == 0
    soft = draw(vectors(pairs, st.sampled_from([0, 0, 7])))
    given.soft_pairs[:] = soft.reshape(guests, sites)
    given.move_cost[:] = draw(vectors(guests))
    given.site_cost[:] = draw(vectors(sites, st.sampled_from([0, 0, 9])))
    kinds = [kind for kind in KINDS if kind is not Near or guests > 1]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5)):
        given.add(draw(KINDS[kind](guests, sites)))
    return given


@st.composite
def rows(draw: st.DrawFn, guests: int, sites: int) -> Row:
    """Draw a row; soft ones may be counted per mille, and ask for more rather than less."""
    penalty = draw(PENALTIES)
    plain = penalty is HARD or draw(st.booleans())
    limit = 2 * draw(vectors(sites))
    scale = None if plain else draw(vectors(sites)) + 1
    signed = penalty is not HARD and draw(st.booleans())
    use = draw(vectors(guests, st.integers(-20, 20) if signed else NUMBERS))
    return Row("row", use, limit, penalty, penalty is HARD, scale=scale)


def members(guests: int) -> st.SearchStrategy[Ints]:
    """Draw some guests."""
    numbers = st.lists(
        st.integers(0, guests - 1), unique=True, min_size=min(3, guests), max_size=guests
    )
    return numbers.map(lambda drawn: np.array(drawn, dtype=np.int64))


def domains(sites: int) -> st.SearchStrategy[Ints]:
    """Draw the domain of each site."""
    return vectors(sites, st.integers(0, sites - 1))


@st.composite
def crowds(draw: st.DrawFn, guests: int, sites: int) -> AtMostPerDomain:
    """Draw a group to be kept apart."""
    who, domain, most = draw(members(guests)), draw(domains(sites)), draw(st.integers(0, 2))
    penalty = draw(PENALTIES)
    return AtMostPerDomain("crowd", who, domain, most, penalty, penalty is HARD)


@st.composite
def counts(draw: st.DrawFn, guests: int, sites: int) -> DomainCount:
    """Draw a group that is to use so many domains."""
    who, domain, least = draw(members(guests)), draw(domains(sites)), draw(st.integers(0, 2))
    penalty, most = draw(PENALTIES), draw(st.integers(max(1, least), 3))
    return DomainCount("count", who, domain, least, most, penalty, penalty is HARD)


@st.composite
def nears(draw: st.DrawFn, guests: int, sites: int) -> Near:
    """Draw a guest that wants to be where another is."""
    a, b = draw(st.permutations(range(guests)))[:2]
    penalty = draw(PENALTIES)
    return Near("near", a, b, draw(domains(sites)), penalty, penalty is HARD)


@st.composite
def sides(draw: st.DrawFn, guests: int, sites: int) -> Apart:
    """Draw two groups that are to share nothing."""
    who = draw(members(guests))
    cut = draw(st.integers(0, len(who)))
    penalty = draw(PENALTIES)
    return Apart("apart", who[:cut], who[cut:], draw(domains(sites)), penalty, penalty is HARD)


@st.composite
def packings(draw: st.DrawFn, guests: int, sites: int) -> Packing:
    """Draw boxes on each site, none now and then."""
    who = draw(members(guests))
    use = draw(vectors(2 * len(who), st.integers(0, 9))).reshape(len(who), 2)
    box = st.tuples(st.integers(0, 15), st.integers(0, 15))
    boxes = draw(st.lists(st.lists(box, max_size=3).map(tuple), min_size=sites, max_size=sites))
    penalty = draw(PENALTIES)
    return Packing("boxes", who, use, tuple(boxes), penalty, penalty is HARD)


@st.composite
def flows(draw: st.DrawFn, guests: int, sites: int) -> Flow:
    """Draw two groups that talk; some guests may be in both."""
    one, other = draw(members(guests)), draw(members(guests))
    return Flow("flow", one, other, draw(domains(sites)), draw(st.integers(0, 50)))


def budgets(guests: int, sites: int) -> st.SearchStrategy[Budget]:
    """Draw a budget, tight or not."""
    del sites
    return st.builds(Budget, st.just("budget"), vectors(guests), st.integers(0, 40))


KINDS: dict[type, Callable[[int, int], st.SearchStrategy[Primitive]]] = {
    Row: rows,
    AtMostPerDomain: crowds,
    DomainCount: counts,
    Near: nears,
    Apart: sides,
    Packing: packings,
    Flow: flows,
    Budget: budgets,
}
