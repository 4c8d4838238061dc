"""The same facts as one CP-SAT model, for problems too large to try everything."""

import numpy as np
from ortools.sat.python import cp_model

from tests.planner.place.oracle.exhaustive import least_left, stranded
from tests.planner.place.oracle.reading import Boxed, Crowd, Facts, Lost, Parted, Row, Used

SOFT = 20_000


def best(facts: Facts) -> tuple[int, int, int]:
    """Return (repair, overload, cost) of the best lawful placement."""
    return _Model(facts).best()


class _Model:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.m = cp_model.CpModel()
        self.levels = [[], [], []]
        everyone, hosts = range(facts.guests), range(facts.hosts)
        self.x = [[self.m.new_bool_var("") for _ in hosts] for _ in everyone]
        for g in everyone:
            self.m.add_exactly_one(self.x[g])
            for h in hosts:
                if not facts.may(g, h):
                    self.m.add(self.x[g][h] == 0)
        stays = [self.x[g][facts.start[g]] for g in everyone]
        for weight, limit in facts.budgets:
            self.m.add(sum(w * (1 - s) for w, s in zip(weight, stays, strict=True)) <= limit)
        for g in everyone:
            self.levels[2].append(facts.move[g] * (1 - stays[g]))
            if facts.fault(g):
                self.levels[0].append(stays[g])
        for (g, h), price in facts.price.items():
            self.levels[2].append(price * self.x[g][h])
        self._count()

    def _count(self) -> None:
        for fact in self.facts.counted:
            getattr(self, f"_{type(fact).__name__.lower()}")(fact)

    def best(self) -> tuple[int, int, int]:
        reached = []
        for terms in self.levels:
            self.m.minimize(sum(terms))
            solver = cp_model.CpSolver()
            solver.parameters.num_workers = 1
            assert solver.solve(self.m) == cp_model.OPTIMAL
            reached.append(round(solver.objective_value))
            self.m.add(sum(terms) <= reached[-1])
        return tuple(reached)

    def _pay(self, over, now: int, most: int, *, hard: bool) -> None:
        """Let what is over be paid for; of a hard rule no more than now."""
        paid = self.m.new_int_var(0, max(0, most), "")
        self.m.add(paid >= over)
        if hard:
            self.m.add(paid <= max(0, now))
        self.levels[0 if hard else 2].append(paid if hard else SOFT * paid)

    def _row(self, fact: Row) -> None:
        for h, limit in enumerate(fact.limit):
            load = sum(u * self.x[g][h] for g, u in enumerate(fact.use))
            now = sum(u for g, u in enumerate(fact.use) if self.facts.start[g] == h) - limit
            over = self.m.new_int_var(0, max(0, sum(fact.use) - limit), "")
            self.m.add(over >= load - limit)
            if fact.level == 0:
                self.m.add(over <= max(0, now))
            paid = over
            if fact.per_mille_of:
                paid = self.m.new_int_var(0, 10**9, "")
                self.m.add(fact.per_mille_of[h] * paid >= 1000 * over)
            self.levels[fact.level].append(fact.slope * paid)

    def _in(self, g: int, place: list[int], p: int):
        return sum(self.x[g][h] for h in range(self.facts.hosts) if place[h] == p)

    def _now(self, members: list[int], place: list[int], p: int) -> int:
        return sum(place[self.facts.start[g]] == p for g in members)

    def _crowd(self, fact: Crowd) -> None:
        for p in set(fact.place):
            inside = sum(self._in(g, fact.place, p) for g in fact.members)
            now = self._now(fact.members, fact.place, p) - fact.most
            self._pay(inside - fact.most, now, len(fact.members), hard=fact.hard)

    def _used(self, fact: Used) -> None:
        flags, now = [], 0
        for p in sorted(set(fact.place)):
            flag = self.m.new_bool_var("")
            inside = [self._in(g, fact.place, p) for g in fact.members]
            for part in inside:
                self.m.add(part <= flag)
            self.m.add(flag <= sum(inside))
            flags.append(flag)
            now += self._now(fact.members, fact.place, p) > 0
        over = self.m.new_int_var(0, fact.least + len(flags), "")
        self.m.add(over >= fact.least - sum(flags))
        self.m.add(over >= sum(flags) - fact.most)
        worst = max(fact.least - now, now - fact.most)
        self._pay(over, worst, fact.least + len(flags), hard=fact.hard)

    def _parted(self, fact: Parted) -> None:
        for p in set(fact.place):
            sums = [sum(self._in(g, fact.place, p) for g in m) for m in (fact.one, fact.other)]
            now = min(self._now(m, fact.place, p) for m in (fact.one, fact.other))
            over = self.m.new_int_var(0, self.facts.guests, "")
            self.m.add_min_equality(over, [self._as_var(total) for total in sums])
            self._pay(over, now, self.facts.guests, hard=fact.hard)

    def _as_var(self, total):
        var = self.m.new_int_var(0, self.facts.guests, "")
        self.m.add(var == total)
        return var

    def _boxed(self, fact: Boxed) -> None:
        for h, boxes in enumerate(fact.boxes):
            inside = [[self.m.new_bool_var("") for _ in boxes] for _ in fact.members]
            for g, row in zip(fact.members, inside, strict=True):
                self.m.add(sum(row) <= self.x[g][h])
            for b, box in enumerate(boxes):
                for d, most in enumerate(box):
                    parts = zip(fact.use, inside, strict=True)
                    self.m.add(sum(use[d] * row[b] for use, row in parts) <= most)
            left = sum(self.x[g][h] for g in fact.members) - sum(sum(row) for row in inside)
            here = [
                u for g, u in zip(fact.members, fact.use, strict=True) if self.facts.start[g] == h
            ]
            now = least_left(tuple(here), tuple(boxes), None)
            self._pay(left, now, len(fact.members), hard=fact.hard)

    def _lost(self, fact: Lost) -> None:
        now = stranded(fact, np.array([self.facts.start]))[0].tolist()
        for k, lost in enumerate(fact.sets):
            others = [h for h in fact.room if h not in lost]
            left, coming = [], {h: [] for h in others}
            for g, may in enumerate(fact.may):
                if not may:
                    continue
                gone = sum(self.x[g][h] for h in lost)
                ways = {h: self.m.new_bool_var("") for h in others if h in may}
                self.m.add(sum(ways.values()) <= gone)
                left.append(gone - sum(ways.values()))
                for h, way in ways.items():
                    coming[h].append((g, way))
            for h, ways in coming.items():
                for d in (0, 1):
                    held = sum(use[d] * self.x[g][h] for g, use in enumerate(fact.use))
                    more = sum(fact.use[g][d] * way for g, way in ways)
                    for _, way in ways:
                        full = self.m.add(held + more <= fact.room[h][d])
                        full.only_enforce_if(way)
            self._pay(sum(left), now[k], self.facts.guests, hard=fact.hard)
