"""Whether rules of a large cluster can hold at once, asked of guests and sites by kind.

Guests that no rule tells apart are counted, and so are sites that are alike; what sites of a kind
have is poured together, but for what holds of each by itself: a guest larger than a site fits on
none, and of those larger than a third of it two fit. So all that this says is "no": where the
counts cannot be, no placement can. What they leave open has to be shown by a placement.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from balancer.planner.formulation import (
    Apart,
    AtMostPerDomain,
    Bools,
    Budget,
    DomainCount,
    Formulation,
    Ints,
    Level,
    Near,
    Packing,
    Primitive,
    Refuge,
    Row,
)
from balancer.planner.place.stoppable import run

MOST: Final = 40_000
"""Kinds of guests times kinds of sites up to which the question is asked."""
SHADES: Final = 64
"""Amounts of one resource that are told apart; more are rounded down, so that "no" stays true."""
PARTS: Final = (2, 3, 4)
"""Of guests larger than this part of a site fewer fit on it than their sum may say."""
SECONDS_PER_UNIT: Final = 20.0
"""A guard against machines much slower than deterministic time suits."""


@dataclass(frozen=True, slots=True, eq=False)
class _Limit:
    """Of `use` [units] each site holds at most `limit` [sites]."""

    use: Ints
    limit: Ints


def impossible(formulation: Formulation, work: float, keep_going: Callable[[], bool]) -> bool:
    """True if no placement keeps every hard rule written there; False where that stays open.

    `work` is in deterministic time.
    """
    if any(_overflows(formulation, p) for p in formulation.primitives if isinstance(p, Refuge)):
        return True
    pool = _Pool(formulation)
    if not pool.possible:
        return True
    if pool.pairs > MOST:
        return False
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False  # whoever asks decides
    solver.parameters.max_deterministic_time = work
    solver.parameters.max_time_in_seconds = SECONDS_PER_UNIT * work
    return bool(run(solver, pool.write(), keep_going) == cp_model.INFEASIBLE)


def _hard(formulation: Formulation) -> Iterator[Primitive]:
    for primitive in formulation.primitives:
        if isinstance(primitive, Budget) or primitive.penalty.level is Level.REPAIR:
            yield primitive


def _alone(domain: Ints) -> bool:
    return len(np.unique(domain)) == len(domain)


def _overflows(formulation: Formulation, rule: Refuge) -> bool:
    """True if what all need together is more than what some loss leaves, wherever they are.

    That is said only of a resource of which sites hold no more than their room: what is on an
    overfull site finds room there.
    """
    rows = [p for p in _hard(formulation) if isinstance(p, Row)]
    for number in range(rule.use.shape[1]):
        use, room = rule.use[:, number], rule.room[:, number]
        if not any((row.use >= use).all() and (row.limit <= room).all() for row in rows):
            continue
        for lost in rule.lost:
            left = np.ones(len(room), dtype=np.bool_)
            left[lost] = False
            if use[rule.may[:, left].any(axis=1)].sum() > room[left].sum():
                return True
    return False


class _Pool:
    """Units - guests that cannot be but together count as one - and sites, each by kind."""

    def __init__(self, formulation: Formulation) -> None:
        self.given = formulation
        self.hard = list(_hard(formulation))
        self.unit = self._units()
        guests, sites = formulation.allowed.shape
        self.units = int(self.unit.max(initial=-1)) + 1
        self.allowed: Bools = np.ones((self.units, sites), dtype=np.bool_)
        np.logical_and.at(self.allowed, self.unit, self._may())
        self.limits = list(self._limits())
        for limit in self.limits:
            self.allowed &= (limit.use[:, None] <= limit.limit) | (limit.use[:, None] == 0)
        self.possible = bool(self.allowed.any(axis=1).all()) and not self._torn()
        self._sort(np.bincount(self.unit, minlength=self.units), guests)
        self.model = cp_model.CpModel()

    def _units(self) -> Ints:
        """Return [guests]: the number of the unit of each."""
        root = list(range(len(self.given.start)))

        def find(guest: int) -> int:
            while root[guest] != guest:
                guest = root[guest]
            return guest

        for rule in self.hard:
            if isinstance(rule, Near) and _alone(rule.domain):
                root[find(rule.a)] = find(rule.b)
            if isinstance(rule, DomainCount) and rule.most == 1 and _alone(rule.domain):
                for guest in rule.members[1:].tolist():
                    root[find(guest)] = find(int(rule.members[0]))
        found: Ints = np.unique([find(guest) for guest in root], return_inverse=True)[1]
        return found.astype(np.int64)

    def _may(self) -> Bools:
        """Return [guests, sites]: where each may be at all."""
        may = self.given.allowed.copy()
        held = np.flatnonzero(self.given.held)
        home = self.given.start[held]
        stays = may[held, home]
        may[held] = False
        may[held, home] = stays
        for rule in self.hard:
            if isinstance(rule, Packing):
                for site, boxes in enumerate(rule.boxes):
                    fits = [(rule.use <= np.array(box)).all(axis=1) for box in boxes]
                    may[rule.members, site] &= np.logical_or.reduce(
                        [np.zeros(len(rule.members), dtype=np.bool_), *fits]
                    )
        return may

    def _torn(self) -> bool:
        """True if some unit is on both sides of what is to be apart."""
        rules = (rule for rule in self.hard if isinstance(rule, Apart))
        return any((self._count(r.one) * self._count(r.other)).any() for r in rules)

    def _sum(self, members: Ints, amount: Ints) -> Ints:
        """Return [units]: the sum over their members."""
        sums = np.zeros(self.units, dtype=np.int64)
        np.add.at(sums, self.unit[members], amount)
        return sums

    def _count(self, members: Ints) -> Ints:
        return self._sum(members, np.ones(len(members), dtype=np.int64))

    def _limits(self) -> Iterator[_Limit]:
        """Yield all that holds of each site by itself."""
        everyone = np.arange(len(self.unit))
        for rule in self.hard:
            match rule:
                case Row() if (rule.use >= 0).all():
                    use = self._sum(everyone, rule.use)
                    yield _Limit(_rounded(use), np.maximum(0, rule.limit))
                case AtMostPerDomain() if _alone(rule.domain):
                    most = np.full(len(rule.domain), rule.most, dtype=np.int64)
                    yield _Limit(self._count(rule.members), most)
                case Packing():
                    for number in range(rule.use.shape[1]):
                        use = self._sum(rule.members, rule.use[:, number])
                        room = [sum(box[number] for box in boxes) for boxes in rule.boxes]
                        yield _Limit(use, np.array(room, dtype=np.int64))
                case _:
                    pass

    def _sort(self, sizes: Ints, guests: int) -> None:
        """Find the kinds of units and of sites."""
        spots = self.allowed.shape[1]
        patterns, pattern = _alike(np.packbits(self.allowed, axis=1))
        told = [pattern]
        told += [limit.use for limit in self.limits]
        of_sites = [limit.limit for limit in self.limits]
        single = sizes == 1
        for rule in self.hard:
            match rule:
                case AtMostPerDomain() | DomainCount():
                    told.append(self._count(rule.members))
                case Apart():
                    told += [self._count(rule.one), self._count(rule.other)]
                case Near() if not _alone(rule.domain):
                    told += [self._count(np.array([end])) for end in (rule.a, rule.b)]
                case Budget():
                    told.append(np.where(single, self._sum(np.arange(guests), rule.weight), 0))
                case _:
                    pass
            domain = getattr(rule, "domain", None)
            if domain is not None and not _alone(domain):
                of_sites.append(domain)
        self.example, self.kind = _alike(np.stack(told, axis=1))
        self.number: list[int] = np.bincount(self.kind, minlength=len(self.example)).tolist()
        of_sites += list(self.allowed[patterns].astype(np.int64))
        place = np.stack([np.zeros(spots, dtype=np.int64), *of_sites], axis=1)
        self.at, self.spot = _alike(place)
        self.width = np.bincount(self.spot, minlength=len(self.at))
        self.single = single
        self.may = self.allowed[np.ix_(self.example, self.at)]
        self.pairs = int(self.may.sum())

    def write(self) -> cp_model.CpModel:
        """Return the model of how many of each kind are on each kind of site."""
        self.on: list[list[tuple[int, cp_model.IntVar]]] = [[] for _ in self.at]
        for kind, most in enumerate(self.number):
            self._decide(kind, most)
        for limit in self.limits:
            self._hold(limit)
        for rule in self.hard:
            self._write(rule)
        return self.model

    def _write(self, rule: Primitive) -> None:
        match rule:
            case AtMostPerDomain() if not _alone(rule.domain):
                self._crowds(rule)
            case DomainCount() if len(rule.members):
                used = self._used(self._count(rule.members), rule.domain)
                self.model.add_linear_constraint(sum(used), rule.least, rule.most)
            case Apart():
                self._sides(rule)
            case Near() if not _alone(rule.domain):
                self._together(rule)
            case Budget():
                self._pay(rule)
            case _:
                pass

    def _decide(self, kind: int, most: int) -> None:
        ways = []
        for spot in np.flatnonzero(self.may[kind]).tolist():
            ways.append(self.model.new_int_var(0, most, ""))
            self.on[spot].append((kind, ways[-1]))
        self.model.add(cp_model.LinearExpr.sum(ways) == most)

    def _held(self, use: Ints, spots: Ints) -> cp_model.LinearExprT:
        """Return the sum of `use` [units] on certain kinds of sites."""
        each: list[int] = use[self.example].tolist()
        terms = [t for spot in spots.tolist() for t in self.on[spot] if each[t[0]]]
        return cp_model.LinearExpr.weighted_sum([v for _, v in terms], [each[k] for k, _ in terms])

    def _hold(
        self,
        limit: _Limit,
        used: Sequence[cp_model.IntVar] | None = None,
        some: Bools | None = None,
    ) -> None:
        """Hold each kind of sites to its limit: of `some` units on those in use, else of all."""
        use = limit.use if some is None else np.where(some, limit.use, 0)
        everything = int(use.sum())
        for spot in range(len(self.at)):
            here, room = np.array([spot]), int(limit.limit[self.at[spot]])
            width = int(self.width[spot])
            count = width if used is None else used[spot]
            if used is not None or everything > room * width:
                self.model.add(self._held(use, here) <= room * count)
            for part in PARTS:
                large = (use * part > room).astype(np.int64)
                if large.sum() > (part - 1 if used is None else 0):
                    self.model.add(self._held(large, here) <= (part - 1) * count)

    def _crowds(self, rule: AtMostPerDomain) -> None:
        members = self._count(rule.members)
        for spots in self._domains(rule.domain):
            self.model.add(self._held(members, spots) <= rule.most)

    def _domains(self, domain: Ints) -> list[Ints]:
        """Return the kinds of sites of each domain."""
        there = domain[self.at]
        return [np.flatnonzero(there == number) for number in np.unique(there).tolist()]

    def _used(self, members: Ints, domain: Ints) -> Sequence[cp_model.IntVar]:
        """Return how many domains hold any of `members` [units], by domain or by kind of sites."""
        alone = _alone(domain)
        ways = (
            [np.array([spot]) for spot in range(len(self.at))] if alone else self._domains(domain)
        )
        most = self.width.tolist() if alone else [1] * len(ways)
        on = [self.model.new_int_var(0, top, "") for top in most]
        some = members > 0
        everyone = int(some.sum())
        for spots, used in zip(ways, on, strict=True):
            here = self._held(some.astype(np.int64), spots)
            self.model.add(here <= everyone * used)
            self.model.add(used <= here)
        if alone:
            for limit in self.limits:
                self._hold(limit, on, some)
        return on

    def _sides(self, rule: Apart) -> None:
        one = self._used(self._count(rule.one), rule.domain)
        other = self._used(self._count(rule.other), rule.domain)
        width: list[int] = self.width.tolist() if _alone(rule.domain) else [1] * len(one)
        for a, b, most in zip(one, other, width, strict=True):
            self.model.add(a + b <= most)

    def _together(self, rule: Near) -> None:
        for spots in self._domains(rule.domain):
            a, b = (self._count(np.array([end])) for end in (rule.a, rule.b))
            self.model.add(self._held(a, spots) == self._held(b, spots))

    def _pay(self, rule: Budget) -> None:
        """Whoever leaves all sites of its kind pays; guests of larger units are not counted."""
        weight = np.where(self.single, self._sum(np.arange(len(self.unit)), rule.weight), 0)
        home = np.zeros((len(self.example), len(self.at)), dtype=np.int64)
        np.add.at(home, (self.kind[self.unit], self.spot[self.given.start]), 1)
        paid: list[cp_model.LinearExprT] = []
        for kind in np.flatnonzero(weight[self.example]).tolist():
            for spot in np.flatnonzero(home[kind]).tolist():
                there = int(home[kind, spot])
                gone = self.model.new_int_var(0, there, "")
                stay = [count for some, count in self.on[spot] if some == kind]
                self.model.add(gone >= there - cp_model.LinearExpr.sum(stay))
                paid.append(int(weight[self.example[kind]]) * gone)
        self.model.add(sum(paid) <= rule.limit)


def _alike(rows: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the first row of each kind, and [rows]: the number of its kind."""
    number: dict[bytes, int] = {}
    first: list[int] = []
    kinds = []
    for index, row in enumerate(np.ascontiguousarray(rows)):
        kind = number.setdefault(row.tobytes(), len(number))
        if kind == len(first):
            first.append(index)
        kinds.append(kind)
    return np.array(first, dtype=np.int64), np.array(kinds, dtype=np.int64)


def _rounded(use: Ints) -> Ints:
    """Return amounts of which few are told apart, none larger than it is."""
    if len(np.unique(use)) <= SHADES:
        return use
    step = max(1, int(use.max()) // SHADES)
    return use // step * step
