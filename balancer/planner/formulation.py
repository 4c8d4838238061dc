"""The small algebra that rules and goals are written in, and every engine implements once.

A `Formulation` collects *primitives* over numbered guests and sites. A site is a host (later a
NUMA cell where a policy plans by cell). Every primitive is *soft*, with a penalty at one of three
levels that are compared in order, or *hard*. Hard primitives obey one law in every engine:

    what is already broken may stay broken but never gets worse, and removing it comes first.

So an engine holds each hard primitive to max(its limit, what the current placement does) and pays
the excess over the limit at level REPAIR. Engines therefore always have an answer: the current
placement.

Guests and sites are numbered in the cluster's order. Amounts are integers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.model.packing import Vector
from balancer.planner.model.policy import Constraint, Objective
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, Resources
from balancer.planner.model.slowness import all_there
from balancer.planner.model.slowness import most as most_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Level(IntEnum):
    """Penalties of a lower level matter infinitely more than those of a higher one."""

    REPAIR = 0
    OVERLOAD = 1
    COST = 2


@dataclass(frozen=True, slots=True)
class Penalty:
    """A convex, piecewise-linear price of an excess e >= 0.

    `pieces` are (from, slope) with both ascending: the price is the sum over pieces of
    slope * max(0, e - from). One piece (0, s) is plain linear.
    """

    level: Level
    pieces: tuple[tuple[int, int], ...] = ((0, 1),)

    def price(self, excess: int) -> int:
        """Return the price of `excess`, in the level's unit."""
        total = 0
        for start, slope in self.pieces:
            if start >= excess:
                break
            total += slope * (excess - start)
        return total


HARD: Final[Penalty] = Penalty(Level.REPAIR)
SOFT_PRICE: Final = 20_000
"""What one breach of a soft rule costs, in points of level COST: more than moving any usual guest."""
SOFT: Final[Penalty] = Penalty(Level.COST, ((0, SOFT_PRICE),))


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """For each site: sum of `use` of the guests there, less `limit` of the site, is the excess.

    A hard row allows no excess; a soft one prices it. `transient` rows are also held by both ends
    of a move (the orderer's and the judge's business; solvers see the guest only once).
    """

    label: str
    use: Ints
    """[guests]"""
    limit: Ints
    """[sites]"""
    penalty: Penalty
    hard: bool
    transient: bool = True
    scale: Ints | None = None
    """[sites]: the excess is counted as ceil(excess * 1000 / scale) where given, that is, per mille
    of this amount, so that unequal hosts compare; None counts it plainly."""
    for_evenness: bool = False
    """True where nobody is helped but by waiting less: what is moved for it must pay in waiting."""


@dataclass(frozen=True, slots=True, eq=False)
class AtMostPerDomain:
    """At most `most` of `members` on the sites of any one domain; excess is counted per domain."""

    label: str
    members: Ints
    """Guest numbers."""
    domain: Ints
    """[sites]: domain number of each site, from 0."""
    most: int
    penalty: Penalty
    hard: bool


@dataclass(frozen=True, slots=True, eq=False)
class DomainCount:
    """`members` use at least `least` and at most `most` domains; excess: how many too few or many."""

    label: str
    members: Ints
    domain: Ints
    least: int
    most: int
    penalty: Penalty
    hard: bool


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Implication: where guest `a` is, guest `b` is in the same domain; excess 1 if not."""

    label: str
    a: int
    b: int
    domain: Ints
    penalty: Penalty
    hard: bool


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """No domain holds guests of `one` and of `other`; excess: the fewest that would have to leave."""

    label: str
    one: Ints
    """Guest numbers; none is in `other`."""
    other: Ints
    domain: Ints
    penalty: Penalty
    hard: bool


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """`members` on a site go whole into its boxes; excess of a site: the fewest that find none."""

    label: str
    members: Ints
    use: Ints
    """[members, dimensions]"""
    boxes: tuple[tuple[Vector, ...], ...]
    """[sites][boxes]: what each box has, by dimension."""
    penalty: Penalty
    hard: bool


@dataclass(frozen=True, slots=True, eq=False)
class Refuge:
    """Guests of lost sites find room on the others; excess of a loss: the fewest that find none.

    The room of a site is what its guests leave of `room`, or nothing. Engines that go step by step
    leave it to `place.shelter`, which has reserves kept where a loss is not survived.
    """

    label: str
    use: Ints
    """[guests, dimensions]"""
    room: Ints
    """[sites, dimensions]"""
    may: Bools
    """[guests, sites]: who can take refuge where; who can nowhere is not counted."""
    lost: tuple[Ints, ...]
    """Sites that are lost together."""
    penalty: Penalty
    hard: bool
    complete: bool
    """False if more may be lost than is listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """Sum of `weight` over the guests that end elsewhere than they started is at most `limit`.

    Always hard; the current placement spends nothing.
    """

    label: str
    weight: Ints
    """[guests]"""
    limit: int


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Guests of `one` talk to guests of `other`; excess: what it costs that they do so from afar.

    That is ceil(points * apart / pairs), of all ordered pairs of a guest of `one` and another of
    `other` those that are not in the same domain. Never hard. The same guest may be on both sides.
    """

    penalty: ClassVar[Penalty] = Penalty(Level.COST)
    hard: ClassVar[bool] = False

    label: str
    one: Ints
    """Guest numbers."""
    other: Ints
    domain: Ints
    """[sites]: domain number of each site, from 0."""
    points: int
    """What it costs where no two of them are in the same domain."""

    @property
    def members(self) -> Ints:
        """Everybody on either side, once each."""
        return np.union1d(self.one, self.other)

    @property
    def most(self) -> tuple[int, int]:
        """How many are apart where nobody is together, and how many pairs that is; never 0.

        A guest on both sides is together with itself, always, so that the first is the larger.
        """
        products = len(self.one) * len(self.other)
        return products, max(1, products - len(np.intersect1d(self.one, self.other)))

    def cost(self, together: Ints) -> Ints:
        """Return the excess where the products of both sides' counts add up to `together`."""
        products, pairs = self.most
        return -(-self.points * (products - together) // pairs)


Primitive = Row | AtMostPerDomain | DomainCount | Near | Apart | Packing | Refuge | Flow | Budget


@dataclass(eq=False)
class Formulation:
    """What the rules and goals of one problem say, in primitives. Filled by `post`, then read."""

    problem: Problem
    start: Ints = field(init=False)
    """[guests]: the site each guest is on now."""
    allowed: Bools = field(init=False)
    """[guests, sites]: where a guest may go; see `forbid`."""
    held: Bools = field(init=False)
    """[guests]: stays where it is, whatever `allowed` says; see `hold`."""
    soft_pairs: Ints = field(init=False)
    """[guests, sites]: price at level COST of a guest resting on a site."""
    move_cost: Ints = field(init=False)
    """[guests]: price at level COST of ending elsewhere."""
    site_cost: Ints = field(init=False)
    """[sites]: price at level COST of a site that has any guest."""
    primitives: list[Primitive] = field(default_factory=list, init=False)
    holds: dict[int, list[str]] = field(default_factory=dict, init=False)
    """Labels of the rules that hold a guest, by guest number."""
    bans: list[tuple[str, Ints, Ints]] = field(default_factory=list, init=False)
    """Label, guests and sites of each `forbid`, for explanations."""
    guest_number: Mapping[str, int] = field(init=False)
    site_number: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        cluster = self.problem.cluster
        self.guest_number = {g.uuid: i for i, g in enumerate(cluster.guests)}
        self.site_number = {h.name: i for i, h in enumerate(cluster.hosts)}
        shape = (len(cluster.guests), len(cluster.hosts))
        self.start = np.array(
            [self.site_number[cluster.placement[g.uuid]] for g in cluster.guests], dtype=np.int64
        )
        self.allowed = np.ones(shape, dtype=np.bool_)
        self.held = np.zeros(shape[0], dtype=np.bool_)
        self.soft_pairs = np.zeros(shape, dtype=np.int64)
        self.move_cost = np.zeros(shape[0], dtype=np.int64)
        self.site_cost = np.zeros(shape[1], dtype=np.int64)

    def forbid(
        self,
        guests: Sequence[int] | Ints,
        sites: Sequence[int] | Ints | Bools,
        label: str = "",
        *,
        spare_start: bool = False,
    ) -> None:
        """None of `guests` may be on any of `sites`.

        A guest that is there now may stay, at a price of 1 at level REPAIR, by the law above;
        with `spare_start` it may stay for nothing.
        """
        who = np.asarray(guests, dtype=np.int64)
        where = np.asarray(sites)
        if where.dtype == np.bool_:
            where = np.flatnonzero(where)
        where = where.astype(np.int64)
        if not len(who) or not len(where):
            return
        before = self.allowed[who, self.start[who]]
        self.allowed[np.ix_(who, where)] = False
        if spare_start:
            self.allowed[who, self.start[who]] = before
        self.bans.append((label, who, where))

    def hold(self, guests: Sequence[int] | Ints, label: str = "") -> None:
        """Each of `guests` stays where it is; being there is then never a fault."""
        who = np.asarray(guests, dtype=np.int64)
        self.held[who] = True
        for number in who.tolist():
            self.holds.setdefault(number, []).append(label)

    def price(
        self, guests: Sequence[int] | Ints, sites: Sequence[int] | Ints, points: int
    ) -> None:
        """Each of `guests` that rests on any of `sites` costs `points` at level COST."""
        if len(guests) and len(sites):
            self.soft_pairs[np.ix_(np.asarray(guests), np.asarray(sites))] += points

    def keep_off(
        self, uuids: Sequence[str], hosts: Iterable[str], label: str, *, hard: bool
    ) -> None:
        """Each guest of `uuids` is kept off `hosts`: forbidden, or priced where it is not hard."""
        guests, sites = self.numbers(uuids), self.sites(hosts)
        if hard:
            self.forbid(guests, sites, label)
        else:
            self.price(guests, sites, SOFT_PRICE)

    def add(self, primitive: Primitive) -> None:
        """Add a primitive."""
        self.primitives.append(primitive)

    def bear(self, name: str, row: Row) -> None:
        """Add a row of what guests use of resource `name`, here.

        Where some use more or less CPU on other hosts, each kind of hosts has a row of its own.
        """
        for use, alike in self._kinds(row.use) if name == CPU else ((row.use, None),):
            limit = row.limit
            if alike is not None:
                limit = np.where(alike, row.limit, max(0, int(use.sum())))
            self.add(replace(row, use=use, limit=limit))

    def _kinds(self, use: Ints) -> Iterator[tuple[Ints, Bools | None]]:
        """Yield what guests would use on each kind of hosts, with [sites]: which hosts those are."""
        slower, guests = self.problem.slower, self.problem.cluster.guests
        if not slower:
            yield use, None
            return
        names = [host.name for host in self.problem.cluster.hosts]
        kinds = [tuple(there.get(name, 1000) for there in slower.values()) for name in names]
        numbers = self.numbers(list(slower))
        most = np.array([most_of(guests[number]) for number in numbers], dtype=np.int64)
        for kind in dict.fromkeys(kinds):
            scaled = use.copy()
            mine = use[numbers]
            scaled[numbers] = np.sign(mine) * all_there(np.abs(mine), np.array(kind), most)
            yield scaled, np.array([other == kind for other in kinds], dtype=np.bool_)

    def domains(self, across: str) -> Ints:
        """Return [sites]: the number of each site's domain, counted from 0."""
        names = [self.problem.domain(h.name, across) for h in self.problem.cluster.hosts]
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], dtype=np.int64)

    def usable(self, name: str) -> Ints:
        """Return [sites]: what is usable of resource `name`, in its unit."""
        hosts = self.problem.cluster.hosts
        return np.array([host.usable.get(name, 0) for host in hosts], dtype=np.int64)

    def mean(self, name: str) -> Ints:
        """Return [guests]: the mean demand for resource `name`, in its unit."""
        return self.demand(self.problem.demand.mean, name)

    def peak(self, name: str) -> Ints:
        """Return [guests]: the demand for resource `name` that capacity is held against."""
        return self.demand(self.problem.demand.peak, name)

    def demand(self, demand: Mapping[str, Resources], name: str) -> Ints:
        """Return [guests]: what `demand` says of resource `name`, in its unit."""
        guests = self.problem.cluster.guests
        return np.array([demand.get(g.uuid, {}).get(name, 0) for g in guests], dtype=np.int64)

    def load(self, use: Ints) -> Ints:
        """Return [sites]: the sum of `use` [guests] as guests are placed now."""
        sums = np.zeros(len(self.site_number), dtype=np.int64)
        np.add.at(sums, self.start, use)
        return sums

    def blind(self) -> Bools:
        """Return [sites]: hosts whose load is not known, so that it is no reason for anything."""
        known = self.problem.demand.blind
        return np.array([h.name in known for h in self.problem.cluster.hosts], dtype=np.bool_)

    def spared(self, name: str, limit: Callable[[Ints], Ints]) -> Bools:
        """Return [sites]: hosts whose load of `name` is no reason to take guests off them.

        Of some the load is not known; of others it has not lasted yet: whoever asks says so, or at
        some recent moment they were within what `limit` says of it, as their guests are placed
        now. It is given what guests used at that moment, so that a mean is that moment's own.
        """
        moments = (self.demand(moment, name) for moment in self.problem.demand.recent)
        passing = [self.load(use) <= limit(use) for use in moments]
        spared: Bools = np.logical_or.reduce([self.blind(), *passing])
        spared[self.sites(self.problem.passing)] = True
        return spared

    def sites(self, hosts: Iterable[str]) -> Ints:
        """Return the site numbers of `hosts`, ascending."""
        return np.array(sorted(self.site_number[name] for name in hosts), dtype=np.int64)

    def numbers(self, uuids: Sequence[str]) -> Ints:
        """Return the guest numbers of `uuids`."""
        return np.array([self.guest_number[uuid] for uuid in uuids], dtype=np.int64)


def formulate(
    problem: Problem,
    rules: Sequence[Constraint] | None = None,
    goals: Sequence[Objective] | None = None,
) -> Formulation:
    """Return `rules` and `goals` written in primitives; None means those of the policy alone.

    What is in force always, whatever the policy says, is told by `constraints.all_rules` and
    `objectives.all_goals`: a caller that plans for real passes those.
    """
    policy = problem.policy
    formulation = Formulation(problem)
    for constraint in policy.constraints if rules is None else rules:
        constraint.post(formulation)
    for objective in policy.objectives if goals is None else goals:
        objective.post(formulation)
    return formulation
