"""The algebra in CP-SAT's words. Imported only where it is solved: OR-Tools takes a second."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

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
from balancer.planner.place.evaluate import PER_MILLE, strain
from balancer.planner.place.stoppable import run

Linear = cp_model.LinearExpr | int
SECONDS_PER_UNIT = 20.0
"""A guard against machines that are much slower than the one deterministic time was set by."""
FAR = 2**50


@dataclass(frozen=True, slots=True)
class Found:
    """What one level's solve gave."""

    placement: Ints | None
    bound: int
    """Proven: no lower value of this level exists. Negative where nothing was proven."""
    work: float
    """Deterministic time spent."""


class Model:
    """All decisions and primitives of one formulation."""

    def __init__(self, formulation: Formulation) -> None:
        self.given = formulation
        self.model = cp_model.CpModel()
        self.start: list[int] = formulation.start.tolist()
        self.terms: dict[Level, list[Linear]] = {level: [] for level in Level}
        self.on = [self._decide(guest) for guest in range(len(self.start))]
        self._pairs_and_moves()
        self._sites_in_use()
        for primitive in formulation.primitives:
            self._write(primitive)

    def _write(self, primitive: Primitive) -> None:  # noqa: C901 - one for each primitive
        match primitive:
            case Row():
                self._row(primitive)
            case AtMostPerDomain():
                self._crowds(primitive)
            case DomainCount():
                self._domains(primitive)
            case Near():
                self._near(primitive)
            case Apart():
                self._sides(primitive)
            case Packing():
                self._boxes(primitive)
            case Refuge():
                self._refuge(primitive)
            case Flow():
                self._flow(primitive)
            case _:
                self._budget(primitive)

    def minimise(
        self, level: Level, hint: Ints, work: float, seed: int, keep_going: Callable[[], bool]
    ) -> Found:
        """Return what the solver makes of one level, starting from `hint`; the best so far once told."""
        self.model.minimize(sum(self.terms[level]))
        self.model.clear_hints()  # type: ignore[no-untyped-call]  # OR-Tools left it unannotated
        for guest, sites in enumerate(self.on):
            for site, here in sites.items():
                if isinstance(here, cp_model.IntVar):
                    self.model.add_hint(here, int(hint[guest]) == site)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.catch_sigint_signal = False  # whoever asks decides
        solver.parameters.random_seed = seed
        solver.parameters.max_deterministic_time = max(0.0, work)
        solver.parameters.max_time_in_seconds = SECONDS_PER_UNIT * max(0.5, work)
        status = run(solver, self.model, keep_going)
        spent = float(solver.response_proto.deterministic_time)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Found(None, -1, spent)
        return Found(self._read(solver), round(solver.best_objective_bound), spent)

    def possible(self, work: float, keep_going: Callable[[], bool]) -> bool | None:
        """Return whether nothing need be repaired at all; None if that stays open."""
        self.hold(Level.REPAIR, 0)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.catch_sigint_signal = False  # whoever asks decides
        solver.parameters.max_deterministic_time = work
        solver.parameters.max_time_in_seconds = SECONDS_PER_UNIT * work
        status = run(solver, self.model, keep_going)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return True
        return False if status == cp_model.INFEASIBLE else None

    def hold(self, level: Level, most: int) -> None:
        """Keep `level` at `most` from now on."""
        self.model.add(sum(self.terms[level]) <= most)

    def _read(self, solver: cp_model.CpSolver) -> Ints:
        placed = [
            next(site for site, here in sites.items() if solver.value(here)) for sites in self.on
        ]
        return np.array(placed, dtype=np.int64)

    def _decide(self, guest: int) -> dict[int, Linear]:
        """Return, by site, whether `guest` is there."""
        home = self.start[guest]
        allowed = self.given.allowed[guest].copy()
        allowed[home] = True
        sites = [home] if self.given.held[guest] else np.flatnonzero(allowed).tolist()
        if len(sites) == 1:
            return {home: 1}
        here = {s: self.model.new_bool_var(f"{guest}@{s}") for s in sites}
        self.model.add_exactly_one(here.values())
        return dict(here)

    def _away(self, guest: int) -> Linear:
        return 1 - self.on[guest][self.start[guest]]

    def _pairs_and_moves(self) -> None:
        given = self.given
        for guest, sites in enumerate(self.on):
            home = self.start[guest]
            self.terms[Level.COST].append(int(given.move_cost[guest]) * self._away(guest))
            if not given.allowed[guest, home] and not given.held[guest]:
                self.terms[Level.REPAIR].append(sites[home])
            for site, here in sites.items():
                if price_here := int(given.soft_pairs[guest, site]):
                    self.terms[Level.COST].append(price_here * here)

    def _sites_in_use(self) -> None:
        for site in np.flatnonzero(self.given.site_cost).tolist():
            used = self.model.new_bool_var(f"used {site}")
            for sites in self.on:
                if site in sites:
                    self.model.add(used >= sites[site])
            self.terms[Level.COST].append(int(self.given.site_cost[site]) * used)

    def _price(self, strained: Linear, penalty: Penalty, most: int, scale: int | None) -> None:
        """Add the price of max(0, `strained`), which is at most `most`, to the penalty's level.

        The price is convex, so it is the greatest of the straight lines its pieces make.
        """
        excess: Linear = self.model.new_int_var(0, max(0, most), "")
        if scale is None:
            self.model.add(excess >= strained)
        else:
            top = -(-max(0, most) * PER_MILLE // scale)
            excess = self.model.new_int_var(0, top, "")
            self.model.add(scale * excess >= PER_MILLE * strained)
            most = top
        if penalty.pieces == ((0, 1),):
            self.terms[penalty.level].append(excess)
            return
        paid = self.model.new_int_var(0, penalty.price(max(0, most)), "")
        slope = offset = 0
        for begin, extra in penalty.pieces:
            slope, offset = slope + extra, offset + extra * begin
            self.model.add(paid >= slope * excess - offset)
        self.terms[penalty.level].append(paid)

    def _row(self, row: Row) -> None:
        now = strain(self.given, row, self.given.start)
        taken: list[list[Linear]] = [[] for _ in row.limit]
        full = np.zeros(len(row.limit), dtype=np.int64)
        for guest in np.flatnonzero(row.use).tolist():
            use = int(row.use[guest])
            for site, here in self.on[guest].items():
                taken[site].append(use * here)
                full[site] += max(0, use)
        for site, parts in enumerate(taken):
            limit = int(row.limit[site])
            most = int(full[site]) - limit
            if most <= 0:
                continue
            if row.hard:
                most = max(0, int(now[site]))
                self.model.add(sum(parts) <= limit + most)
            if most:
                scale = None if row.scale is None else int(row.scale[site])
                self._price(sum(parts) - limit, row.penalty, most, scale)

    def _in_domains(self, members: Ints, domain: Ints) -> dict[int, list[tuple[int, Linear]]]:
        """Return, by domain, (member, is it there) for each member that can be."""
        found: dict[int, list[tuple[int, Linear]]] = {}
        for guest in members.tolist():
            by_domain: dict[int, list[Linear]] = {}
            for site, here in self.on[guest].items():
                by_domain.setdefault(int(domain[site]), []).append(here)
            for number, parts in by_domain.items():
                found.setdefault(number, []).append((guest, sum(parts)))
        return dict(sorted(found.items()))

    def _crowds(self, rule: AtMostPerDomain) -> None:
        now = strain(self.given, rule, self.given.start)
        for number, inside in self._in_domains(rule.members, rule.domain).items():
            self._at_most(
                sum(here for _, here in inside) - rule.most,
                rule.penalty,
                len(inside) - rule.most,
                int(now[number]) if rule.hard else None,
            )

    def _at_most(self, strained: Linear, penalty: Penalty, most: int, now: int | None) -> None:
        """Hold `strained` to max(0, `now`) unless that is None, and price what is above 0."""
        if now is not None:
            self.model.add(strained <= max(0, now))
            most = min(most, max(0, now))
        if most > 0:
            self._price(strained, penalty, most, None)

    def _domains(self, rule: DomainCount) -> None:
        if not len(rule.members):
            return
        used: list[Linear] = []
        for inside in self._in_domains(rule.members, rule.domain).values():
            here = self.model.new_bool_var("")
            parts = [part for _, part in inside]
            for part in parts:
                self.model.add(here >= part)
            self.model.add(sum(parts) >= here)
            used.append(here)
        now = int(strain(self.given, rule, self.given.start)[0])
        off = self.model.new_int_var(0, len(used) + rule.least, "")
        self.model.add(off >= sum(used) - rule.most)
        self.model.add(off >= rule.least - sum(used))
        self._at_most(off, rule.penalty, len(used) + rule.least, now if rule.hard else None)

    def _near(self, rule: Near) -> None:
        apart = self.model.new_bool_var("")
        other = dict(self._in_domains(np.array([rule.b]), rule.domain))
        for number, inside in self._in_domains(np.array([rule.a]), rule.domain).items():
            there = other.get(number, [(rule.b, 0)])
            self.model.add(apart >= inside[0][1] - there[0][1])
        now = int(strain(self.given, rule, self.given.start)[0])
        self._at_most(apart, rule.penalty, 1, now if rule.hard else None)

    def _sides(self, rule: Apart) -> None:
        """In each domain one side or the other is what is too much; the lesser is the excess."""
        now = strain(self.given, rule, self.given.start)
        others = self._in_domains(rule.other, rule.domain)
        for number, one in self._in_domains(rule.one, rule.domain).items():
            other = others.get(number, [])
            most = min(len(one), len(other))
            if not most:
                continue
            taken = self.model.new_bool_var("")
            shared = self.model.new_int_var(0, most, "")
            self.model.add(shared >= sum(here for _, here in one) - len(one) * taken)
            self.model.add(shared >= sum(here for _, here in other) - len(other) * (1 - taken))
            self._at_most(shared, rule.penalty, most, int(now[number]) if rule.hard else None)

    def _boxes(self, rule: Packing) -> None:
        now = strain(self.given, rule, self.given.start)
        uses: list[list[int]] = rule.use.tolist()
        for site, boxes in enumerate(rule.boxes):
            taken: list[list[list[Linear]]] = [[[] for _ in box] for box in boxes]
            outside: list[Linear] = []
            for guest, use in zip(rule.members.tolist(), uses, strict=True):
                if site not in self.on[guest]:
                    continue
                inside = [self.model.new_bool_var("") for _ in boxes]
                self.model.add(sum(inside) <= self.on[guest][site])
                outside.append(self.on[guest][site] - sum(inside))
                for parts, here in zip(taken, inside, strict=True):
                    for part, amount in zip(parts, use, strict=True):
                        part.append(amount * here)
            for parts, box in zip(taken, boxes, strict=True):
                for part, room in zip(parts, box, strict=True):
                    self.model.add(sum(part) <= room)
            cap = int(now[site]) if rule.hard else None
            self._at_most(sum(outside), rule.penalty, len(outside), cap)

    def _flow(self, rule: Flow) -> None:
        """Let each guest of the lesser side see at most as many of the other as are beside it."""
        lesser, other = sorted((rule.one, rule.other), key=len)
        if not len(lesser) or not rule.points:
            return
        beside = dict(self._in_domains(other, rule.domain))
        together: list[Linear] = []
        for number, inside in self._in_domains(lesser, rule.domain).items():
            near = [here for _, here in beside.get(number, [])]
            for _, here in inside if near else ():
                seen = self.model.new_int_var(0, len(near), "")
                self.model.add(seen <= sum(near))
                self.model.add(seen <= len(near) * here)
                together.append(seen)
        paid = self.model.new_int_var(0, int(rule.cost(np.zeros(1, dtype=np.int64))[0]), "")
        most, pairs = rule.most
        self.model.add(pairs * paid >= rule.points * (most - sum(together)))
        self.terms[rule.penalty.level].append(paid)

    def _refuge(self, rule: Refuge) -> None:
        """Let each guest of each loss find a place, or none; nobody else moves."""
        now = strain(self.given, rule, self.given.start)
        uses: list[list[int]] = rule.use.tolist()
        held: list[list[Linear]] = [[0] * len(rule.use[0]) for _ in rule.room]
        for guest, sites in enumerate(self.on):
            for site, here in sites.items():
                for number, amount in enumerate(uses[guest]):
                    held[site][number] += amount * here
        for number, lost in enumerate(rule.lost):
            outside = self._stranded(rule, set(lost.tolist()), held)
            cap = int(now[number]) if rule.hard else None
            self._at_most(sum(outside), rule.penalty, len(outside), cap)

    def _stranded(
        self, rule: Refuge, lost: Collection[int], held: list[list[Linear]]
    ) -> list[Linear]:
        """Return, of each guest that may be lost, whether it finds no place."""
        coming: dict[int, list[tuple[int, cp_model.IntVar]]] = {}
        outside: list[Linear] = []
        for guest in np.flatnonzero(rule.may.any(axis=1)).tolist():
            gone = [here for site, here in self.on[guest].items() if site in lost]
            targets = [
                site for site in np.flatnonzero(rule.may[guest]).tolist() if site not in lost
            ]
            if not gone:
                continue
            there = {site: self.model.new_bool_var("") for site in targets}
            self.model.add(sum(there.values()) <= sum(gone))
            outside.append(sum(gone) - sum(there.values()))
            for site, way in there.items():
                coming.setdefault(site, []).append((guest, way))
        for site, ways in coming.items():
            for number, room in enumerate(rule.room[site].tolist()):
                taking = [(way, int(rule.use[guest, number])) for guest, way in ways]
                taking = [(way, amount) for way, amount in taking if amount]
                if taking:
                    used = self.model.new_bool_var("")
                    for way, _ in taking:
                        self.model.add_implication(way, used)
                    parts = sum(amount * way for way, amount in taking)
                    self.model.add(held[site][number] + parts <= room).only_enforce_if(used)
        return outside

    def _budget(self, budget: Budget) -> None:
        if int(budget.weight.sum()) > budget.limit:
            spent = [
                int(weight) * self._away(guest)
                for guest, weight in enumerate(budget.weight.tolist())
            ]
            self.model.add(sum(spent) <= budget.limit)
