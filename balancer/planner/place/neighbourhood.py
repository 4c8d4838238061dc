"""A few guests and sites of a large problem, all their ways at once: CP-SAT on a part.

Everything else stays as the state has it. Crowds, flows, rows, budgets and plain prices are written
here, what else binds guests to each other in `bonds`.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from ortools.sat.python import cp_model

from balancer.planner.formulation import Ints, Level, Row
from balancer.planner.place.bonds import Bonds
from balancer.planner.place.evaluate import PER_MILLE
from balancer.planner.place.groups import Crowds, Streams
from balancer.planner.place.state import State
from balancer.planner.place.stoppable import run

Term = tuple[cp_model.IntVar, int]
GUARD_SECONDS: Final = 30.0
"""Per unit of work: a guard against machines much slower than those deterministic time suits."""


class Neighbourhood:
    """All ways to put `guests`, which are on `sites` now, onto `sites`."""

    def __init__(self, state: State, guests: Ints, sites: Ints) -> None:
        self.state = state
        self.sites = sites
        self.guests = guests[~state.formulation.held[guests]]
        self.model = cp_model.CpModel()
        self.terms: dict[Level, list[Term]] = {level: [] for level in Level}
        self.base = dict.fromkeys(Level, 0)
        self.on: list[dict[int, cp_model.IntVar]] = [self._decide(g) for g in self.guests.tolist()]
        self._plain()
        for number, row in enumerate(state.rows):
            self._row(number, row)
        self._crowds()
        ways = dict(zip(self.guests.tolist(), self.on, strict=True))
        Bonds(self.model, self.terms, state, ways, self.sites)
        self._flows()
        self._budgets()
        self._in_use()

    def _decide(self, guest: int) -> dict[int, cp_model.IntVar]:
        state = self.state
        here = self.sites[state.allowed[guest, self.sites]].tolist()
        ways = {site: self.model.new_bool_var("") for site in here}
        self.model.add_exactly_one(ways.values())
        for site, way in ways.items():
            self.model.add_hint(way, site == int(state.site[guest]))
        return ways

    def _plain(self) -> None:
        """Moves and resting places, as what each decision costs."""
        state, given = self.state, self.state.formulation
        for guest, ways in zip(self.guests.tolist(), self.on, strict=True):
            home = int(state.home[guest])
            for site, way in ways.items():
                cost = int(given.soft_pairs[guest, site])
                cost += int(given.move_cost[guest]) * (site != home)
                if cost:
                    self.terms[Level.COST].append((way, cost))
                if site == home and state.fault_at_home[guest]:
                    self.terms[Level.REPAIR].append((way, 1))

    def _row(self, number: int, row: Row) -> None:
        state = self.state
        use = state.use[number, self.guests].tolist()
        taken: dict[int, list[Term]] = {site: [] for site in self.sites.tolist()}
        base = {site: int(state.load[number, site]) for site in taken}
        for guest, amount, ways in zip(self.guests.tolist(), use, self.on, strict=True):
            if amount:
                base[int(state.site[guest])] -= amount
                for site, way in ways.items():
                    taken[site].append((way, amount))
        spotless = not state.total[row.penalty.level]
        for site, parts in taken.items():
            over = base[site] + sum(max(0, amount) for _, amount in parts)
            limit = int(state.limit[number, site])
            if not parts or over <= limit:
                continue
            if spotless and row.penalty.level is not Level.COST:
                self.model.add(_sum(parts) <= limit - base[site])
                continue
            if row.hard:
                over = min(over, int(state.cap[number, site]))
                self.model.add(_sum(parts) <= int(state.cap[number, site]) - base[site])
            self._price(number, row, _sum(parts) + (base[site] - limit), over - limit, site)

    def _price(
        self, number: int, row: Row, strained: cp_model.LinearExprT, most: int, site: int
    ) -> None:
        """Add the price of a row's excess: the greatest of the lines its convex pieces make."""
        if most <= 0:
            return
        scale = int(self.state.scale[number, site])
        top = -(-most * PER_MILLE // scale)
        excess = self.model.new_int_var(0, top, "")
        self.model.add(scale * excess >= PER_MILLE * strained)
        pieces = row.penalty.pieces
        if len(pieces) == 1 and pieces[0][0] == 0:
            self.terms[row.penalty.level].append((excess, pieces[0][1]))
            return
        paid = self.model.new_int_var(0, row.penalty.price(top), "")
        slope = offset = 0
        for begin, extra in pieces:
            slope, offset = slope + extra, offset + extra * begin
            self.model.add(paid >= slope * excess - offset)
        self.terms[row.penalty.level].append((paid, 1))

    def _crowds(self) -> None:
        ways_of = dict(zip(self.guests.tolist(), self.on, strict=True))
        met = {
            id(g): g
            for guest in ways_of
            for g in self.state.groups_of[guest]
            if isinstance(g, Crowds)
        }
        for group in met.values():
            self._crowd(group, ways_of)

    def _crowd(self, group: Crowds, ways_of: dict[int, dict[int, cp_model.IntVar]]) -> None:
        fixed = group.count.copy()
        inside: dict[int, list[cp_model.IntVar]] = {}
        for guest in group.members.tolist():
            if guest in ways_of:
                fixed[group.rule.domain[self.state.site[guest]]] -= 1
                for site, way in ways_of[guest].items():
                    inside.setdefault(int(group.rule.domain[site]), []).append(way)
        for domain, ways in inside.items():
            here, cap = int(fixed[domain]), int(group.cap[domain])
            if group.rule.hard and here + len(ways) > cap:
                self.model.add(cp_model.LinearExpr.sum(ways) <= cap - here)
            most = min(cap, here + len(ways)) - group.rule.most
            if most > 0:
                self._crowded(group, ways, here, most)

    def _crowded(self, group: Crowds, ways: list[cp_model.IntVar], here: int, most: int) -> None:
        excess = self.model.new_int_var(0, most, "")
        self.model.add(excess >= cp_model.LinearExpr.sum(ways) + (here - group.rule.most))
        paid = self.model.new_int_var(0, group.rule.penalty.price(most), "")
        slope = offset = 0
        for begin, extra in group.rule.penalty.pieces:
            slope, offset = slope + extra, offset + extra * begin
            self.model.add(paid >= slope * excess - offset)
        self.terms[group.level].append((paid, 1))

    def _flows(self) -> None:
        met = {
            id(g): g
            for guest in self.guests.tolist()
            for g in self.state.groups_of[guest]
            if isinstance(g, Streams) and g.rule.points
        }
        for stream in met.values():
            self._flow(stream)

    def _flow(self, stream: Streams) -> None:
        """Price a flow: who is together is counted by domain, of those who stay and who may go.

        Each guest of the side with fewer that may go sees at most as many of the other side as
        are in its domain; those of its side that stay see all of them there.
        """
        rule, fixed, free = stream.rule, stream.count.copy(), self._inside(stream)
        for guest in self.guests.tolist():
            if guest in stream.number:
                mine = stream.side[:, stream.number[guest]]
                fixed[:, rule.domain[self.state.site[guest]]] -= mine
        sides = [sum(map(len, side.values())) for side in free]
        lesser = int(sides[1] < sides[0])
        together: list[Term] = []
        certain = 0
        for domain in range(fixed.shape[1]):
            stay, others = int(fixed[lesser, domain]), int(fixed[1 - lesser, domain])
            coming = free[1 - lesser].get(domain, [])
            certain += stay * others
            together += [(way, stay) for way in coming]
            for way in free[lesser].get(domain, []):
                together += [(way, others)]
                if coming:
                    seen = self.model.new_int_var(0, len(coming), "")
                    self.model.add(seen <= cp_model.LinearExpr.sum(coming))
                    self.model.add(seen <= len(coming) * way)
                    together.append((seen, 1))
        most = stream.products - certain
        paid = self.model.new_int_var(0, -(-rule.points * most // stream.pairs), "")
        self.model.add(stream.pairs * paid >= rule.points * (most - _sum(together)))
        self.terms[stream.level].append((paid, 1))

    def _inside(self, stream: Streams) -> tuple[dict[int, list[cp_model.IntVar]], ...]:
        """Return, for both sides, the decisions that put a guest into each domain."""
        found: tuple[dict[int, list[cp_model.IntVar]], ...] = ({}, {})
        for guest, ways in zip(self.guests.tolist(), self.on, strict=True):
            if guest not in stream.number:
                continue
            for side in np.flatnonzero(stream.side[:, stream.number[guest]]).tolist():
                for site, way in ways.items():
                    found[side].setdefault(int(stream.rule.domain[site]), []).append(way)
        return found

    def _budgets(self) -> None:
        state = self.state
        for spent, budget in zip(state.spent, state.budgets, strict=True):
            left, parts = budget.limit - spent, []
            for guest, ways in zip(self.guests.tolist(), self.on, strict=True):
                weight, home = int(budget.weight[guest]), int(state.home[guest])
                left += weight * (int(state.site[guest]) != home)
                parts += [(way, weight) for site, way in ways.items() if site != home and weight]
            if sum(w for _, w in parts) > left:
                self.model.add(_sum(parts) <= left)

    def _in_use(self) -> None:
        given, state = self.state.formulation, self.state
        mine = np.bincount(state.site[self.guests], minlength=state.sites)
        for site in self.sites[given.site_cost[self.sites] > 0].tolist():
            if state.guests_at[site] == mine[site]:
                used = self.model.new_bool_var("")
                for ways in self.on:
                    if site in ways:
                        self.model.add_implication(ways[site], used)
                self.terms[Level.COST].append((used, int(given.site_cost[site])))

    def solve(
        self, work: float, seed: int, keep_going: Callable[[], bool], gap: float = 0.0
    ) -> tuple[list[tuple[int, int]], float, bool]:
        """Return (changes that are better, work done, whether none are better by more than `gap`).

        Levels are minimised in order; each is held to what it reached before the next.
        """
        spent, closed, found = 0.0, True, None
        for level in Level:
            terms = self.terms[level]
            if not terms or (level is not Level.COST and not self.state.total[level]):
                continue
            self.model.minimize(_sum(terms))
            solver = self._solver(max(0.0, work - spent), seed, gap)
            status = run(solver, self.model, keep_going)
            spent += float(solver.response_proto.deterministic_time)
            if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
                return self._changes(found), spent, False
            closed = closed and status == cp_model.OPTIMAL
            found = solver
            self.model.add(_sum(terms) <= round(solver.objective_value))
        return self._changes(found), spent, closed

    def _solver(self, work: float, seed: int, gap: float) -> cp_model.CpSolver:
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.catch_sigint_signal = False  # whoever asks decides
        solver.parameters.relative_gap_limit = gap
        solver.parameters.random_seed = seed
        solver.parameters.max_deterministic_time = work
        solver.parameters.max_time_in_seconds = GUARD_SECONDS * max(0.5, work)
        return solver

    def _changes(self, solver: cp_model.CpSolver | None) -> list[tuple[int, int]]:
        if solver is None:
            return []
        return [
            (guest, site)
            for guest, ways in zip(self.guests.tolist(), self.on, strict=True)
            for site, way in ways.items()
            if solver.boolean_value(way) and site != int(self.state.site[guest])
        ]


def _sum(terms: Iterable[Term]) -> cp_model.LinearExpr:
    parts = list(terms)
    return cp_model.LinearExpr.weighted_sum([v for v, _ in parts], [c for _, c in parts])
