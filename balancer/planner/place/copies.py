"""How many guests of one kind fit: copies of a guest are counted by site instead of placed one by one.

Guests that are alike have no names: a hundred of them are one number a site, and CP-SAT's bound on
the sum is a proof that no more fit. Only hard primitives are heeded, by the law of `formulation`:
what is broken may stay so, never get worse.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from ortools.sat.python import cp_model
from typing_extensions import override

from balancer.planner.formulation import (
    AtMostPerDomain,
    Budget,
    Formulation,
    Ints,
    Level,
    Primitive,
    Refuge,
    Row,
)
from balancer.planner.place.evaluate import strain
from balancer.planner.place.model import SECONDS_PER_UNIT, Linear, Model

UNBOUNDED: Final = 10**9
MOST: Final = 40_000
"""Open decisions, those of every loss included, up to which copies are counted exactly."""
WORK: Final = 4.0
"""Deterministic time for each of two questions; a unit is about a second of one core."""


@dataclass(frozen=True, slots=True, eq=False)
class Evenly:
    """How copies are spread over domains."""

    domain: Ints
    """[sites]; negative for sites that are in none."""
    most: int | None
    """Copies in any one; None for their number divided by that of domains, rounded up."""


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """How many, where, and how sure."""

    at: Ints
    """[sites]"""
    placement: Ints
    """[guests] of all others, then."""
    bound: int
    """More do not fit in any placement."""

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.at.sum())


def plain(formulation: Formulation, guest: int) -> bool:
    """True if hard rows alone speak of `guest`, so that each site can be looked at by itself."""
    return countable(formulation, guest) and not any(
        isinstance(p, Refuge) or (isinstance(p, AtMostPerDomain) and guest in p.members)
        for p in formulation.primitives
        if _hard(p)
    )


def countable(formulation: Formulation, guest: int) -> bool:
    """True if every hard primitive that speaks of `guest` can speak of a number of copies."""
    return not any(_speaks(p, guest) for p in formulation.primitives if _hard(p))


def decisions(formulation: Formulation) -> int:
    """Return how many decisions are open, those of each loss included."""
    held, start = formulation.held, formulation.start
    total = int(formulation.allowed[~held].sum())
    for rule in formulation.primitives:
        if isinstance(rule, Refuge):
            places = rule.may.sum(axis=1)
            hit = np.bincount(np.concatenate([*rule.lost, start[:0]]), minlength=len(rule.room))
            total += int(places[~held].sum()) * len(rule.lost)
            total += int((places[held] * hit[start[held]]).sum())
    return total


def slots(formulation: Formulation, guest: int) -> tuple[Ints, list[str]]:
    """Return [sites] how many copies of `guest` fit on each while nobody moves, and what binds there.

    By rows and pairs alone: for a guest of whom no other hard primitive speaks.
    """
    allowed = formulation.allowed[guest]
    most = np.where(allowed, UNBOUNDED, 0)
    words = ["" if free else "not allowed there" for free in allowed.tolist()]
    for label, guests, sites in formulation.bans:
        if guest in guests:
            for site in sites.tolist():
                words[site] = label
    for row in formulation.primitives:
        if isinstance(row, Row) and row.hard and row.use[guest] > 0:
            room = np.maximum(0, -strain(formulation, row, formulation.start)) // row.use[guest]
            for site in np.flatnonzero(room < most).tolist():
                words[site] = row.label
            most = np.minimum(most, room)
    most[formulation.start[guest]] = 0
    return most, words


def most_copies(
    formulation: Formulation,
    guest: int,
    at_most: int,
    evenly: Evenly | None = None,
    work: float = WORK,
    unlike: Collection[Ints] = (),
) -> Copies:
    """Return as many copies of `guest` as fit, up to `at_most`, and then by the cheapest moves.

    `guest` itself counts nowhere; it must be `countable`. Of the placements of others `unlike`
    [guests] none is meant.
    """
    model = _Counting(formulation, guest, at_most, evenly)
    for placement in unlike:
        model.avoid(placement)
    return model.solve(work)


def _hard(primitive: Primitive) -> bool:
    return isinstance(primitive, Budget) or primitive.hard


def _speaks(primitive: Primitive, guest: int) -> bool:
    match primitive:
        case Row() | AtMostPerDomain() | Refuge() | Budget():
            return False  # spoken of in numbers
        case _:
            members = getattr(primitive, "members", ())
            named = (getattr(primitive, "a", -1), getattr(primitive, "b", -1))
            sides = (getattr(primitive, "one", ()), getattr(primitive, "other", ()))
            return guest in members or guest in named or any(guest in side for side in sides)


class _Counting(Model):
    """The model of all others, with a number of copies on each site."""

    def __init__(
        self,
        formulation: Formulation,
        guest: int,
        at_most: int,
        evenly: Evenly | None,
    ) -> None:
        self.guest = guest
        self.nowhere = int(formulation.start[guest])
        self.copies: dict[int, cp_model.IntVar] = {}
        self.at_most = at_most
        super().__init__(formulation)
        total = sum(self.copies.values())
        self.model.add(total <= at_most)
        if evenly is not None:
            self._evenly(evenly, total)

    @override
    def _decide(self, guest: int) -> dict[int, Linear]:
        if guest != self.guest:
            return super()._decide(guest)
        there = self.given.allowed[guest].copy()
        there[self.nowhere] = False
        for site in np.flatnonzero(there).tolist():
            self.copies[site] = self.model.new_int_var(0, self.at_most, f"copies {site}")
        return {self.nowhere: 1}

    @override
    def _sites_in_use(self) -> None:
        """Leave out what is a wish."""

    @override
    def _write(self, primitive: Primitive) -> None:
        if _hard(primitive):
            super()._write(primitive)

    def _evenly(self, evenly: Evenly, total: Linear) -> None:
        domain = evenly.domain
        domains = np.unique(domain[domain >= 0]).tolist()
        for each in domains:
            here = sum(var for site, var in self.copies.items() if int(domain[site]) == each)
            if evenly.most is None:
                self.model.add(len(domains) * here <= total + len(domains) - 1)
            else:
                self.model.add(here <= evenly.most)

    @override
    def _row(self, row: Row) -> None:
        use = int(row.use[self.guest])
        if not use:
            super()._row(row)
            return
        now = strain(self.given, row, self.given.start)
        taken: list[list[Linear]] = [[] for _ in row.limit]
        for guest in np.flatnonzero(row.use).tolist():
            if guest != self.guest:
                for site, here in self.on[guest].items():
                    taken[site].append(int(row.use[guest]) * here)
        for site, var in self.copies.items():
            taken[site].append(use * var)
        for site, parts in enumerate(taken):
            if site != self.nowhere:
                self.model.add(sum(parts) <= int(row.limit[site]) + max(0, int(now[site])))

    @override
    def _crowds(self, rule: AtMostPerDomain) -> None:
        if self.guest not in rule.members:
            super()._crowds(rule)
            return
        now = strain(self.given, rule, self.given.start)
        others = rule.members[rule.members != self.guest]
        inside = self._in_domains(others, rule.domain)
        nowhere = int(rule.domain[self.nowhere])
        for number in np.unique(rule.domain).tolist():
            if number != nowhere:
                here: list[Linear] = [part for _, part in inside.get(number, [])]
                here += [v for site, v in self.copies.items() if int(rule.domain[site]) == number]
                self.model.add(sum(here) <= rule.most + max(0, int(now[number])))

    @override
    def _refuge(self, rule: Refuge) -> None:
        now = strain(self.given, rule, self.given.start)
        own: list[int] = rule.use[self.guest].tolist()
        uses: list[list[int]] = rule.use.tolist()
        held: list[list[Linear]] = [[0] * len(own) for _ in rule.room]
        for guest, sites in enumerate(self.on):
            for site, here in sites.items():
                for number, amount in enumerate(uses[guest]):
                    held[site][number] += amount * here
        for site, var in self.copies.items():
            for number, amount in enumerate(own):
                held[site][number] += amount * var
        for number, lost in enumerate(rule.lost):
            gone = frozenset(lost.tolist())
            if self.nowhere not in gone:
                self._survived(rule, gone, held, max(0, int(now[number])))

    def _survived(
        self, rule: Refuge, lost: Collection[int], held: list[list[Linear]], left: int
    ) -> None:
        """Let all that one loss strands, copies included, find room, but for so many as are `left`."""
        coming: dict[int, list[tuple[cp_model.IntVar, list[int]]]] = {}
        outside: list[Linear] = []
        for guest in np.flatnonzero(rule.may.any(axis=1)).tolist():
            mine = self.copies if guest == self.guest else self.on[guest]
            gone = [here for site, here in mine.items() if site in lost]
            if not gone:
                continue
            most = self.at_most if guest == self.guest else 1
            there = {
                site: self.model.new_int_var(0, most, "")
                for site in np.flatnonzero(rule.may[guest]).tolist()
                if site not in lost and site != self.nowhere
            }
            self.model.add(sum(there.values()) <= sum(gone))
            outside.append(sum(gone) - sum(there.values()))
            for site, way in there.items():
                coming.setdefault(site, []).append((way, rule.use[guest].tolist()))
        self.model.add(sum(outside) <= left)
        for site, ways in coming.items():
            used = self.model.new_bool_var("")
            for way, _ in ways:
                self.model.add(way == 0).only_enforce_if(~used)
            for number, room in enumerate(rule.room[site].tolist()):
                parts = sum(amounts[number] * way for way, amounts in ways)
                self.model.add(held[site][number] + parts <= room).only_enforce_if(used)

    def solve(self, work: float) -> Copies:
        """Return the most copies, by the cheapest moves found; then by few on any one site."""
        total = sum(self.copies.values())
        self.model.maximize(total)
        solver, status = self._run(work)
        nobody = Copies(
            np.zeros(len(self.given.site_cost), np.int64), self.given.start, self.at_most
        )
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return nobody
        most = round(solver.objective_value)
        bound = min(self.at_most, round(solver.best_objective_bound))
        found = self._counted(solver, bound)
        self._hint(solver)
        self.model.add(total >= most)
        crowd = self.model.new_int_var(0, self.at_most, "most on one site")
        for var in self.copies.values():
            self.model.add(crowd >= var)
        self.model.minimize((self.at_most + 1) * sum(self.terms[Level.COST]) + crowd)
        solver, status = self._run(work)
        cheap = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
        return self._counted(solver, bound) if cheap else found

    def avoid(self, placement: Ints) -> None:
        """Let not everybody be as there."""
        there = [sites[int(site)] for sites, site in zip(self.on, placement, strict=True)]
        self.model.add(sum(there) <= len(there) - 1)

    def _hint(self, solver: cp_model.CpSolver) -> None:
        """Start the next question from this answer."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]  # OR-Tools left it unannotated
        for index in range(len(self.model.proto.variables)):
            var = self.model.get_int_var_from_proto_index(index)
            self.model.add_hint(var, solver.value(var))

    def _run(self, work: float) -> tuple[cp_model.CpSolver, cp_model.CpSolverStatus]:
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 1
        solver.parameters.max_deterministic_time = work
        solver.parameters.max_time_in_seconds = SECONDS_PER_UNIT * work
        return solver, solver.solve(self.model)

    def _counted(self, solver: cp_model.CpSolver, bound: int) -> Copies:
        at = np.zeros(len(self.given.site_cost), dtype=np.int64)
        for site, var in self.copies.items():
            at[site] = solver.value(var)
        return Copies(at, self._read(solver), bound)
