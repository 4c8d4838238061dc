"""A bound from below of what any placement costs: guests and rooms may be split, by GLOP.

Whoever leaves a site leaves by any share of it; what has left is poured over all sites, each
resource by itself. What binds guests to each other and to sites is left out. So the linear program
is small - one share a guest, one amount a site and resource - and no placement costs less.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from ortools.linear_solver.python import model_builder

from balancer.planner.formulation import Ints, Level, Penalty
from balancer.planner.place.evaluate import PER_MILLE
from balancer.planner.place.state import UNBOUNDED, State
from balancer.planner.place.stoppable import run

TOLERANCE: Final = 1e-6
"""Share of what GLOP says that is not believed: it reckons in floating point."""
SECONDS: Final = 30.0
"""A guard: without an end by then nothing is claimed."""


def relaxed(state: State, keep_going: Callable[[], bool]) -> int:
    """Return what every placement costs at least that repairs and relieves as much as `state` does.

    Zero where nothing better is known, or nobody waits until it is.
    """
    return _Relaxation(state).solve(keep_going)


class _Relaxation:
    def __init__(self, state: State) -> None:
        self.state = state
        self.model = model_builder.Model()  # type: ignore[no-untyped-call]  # OR-Tools left it so
        given = state.formulation
        self.paid: list[tuple[float, model_builder.Variable]] = []
        self.below: dict[Level, list[tuple[float, model_builder.Variable]]] = {
            Level.REPAIR: [],
            Level.OVERLOAD: [],
        }
        repaired = not state.total[Level.REPAIR]
        self.leaves = [
            self.model.new_num_var(1.0 if must and repaired else 0.0, 0.0 if held else 1.0, "")
            for must, held in zip(state.fault_at_home, given.held, strict=True)
        ]
        guests = np.arange(len(state.home))
        resting = given.soft_pairs[guests, state.home]
        self.fixed = float(resting.sum())
        self._pay(given.move_cost + state.cheapest_pair - resting)
        for budget in state.budgets:
            if int(budget.weight.sum()) > budget.limit:
                self.model.add(self._over(budget.weight, guests) <= float(budget.limit))
        self._rows()
        for level, terms in self.below.items():
            if terms:
                self.model.add(_sum(terms) <= float(state.total[level]))

    def _pay(self, cost: Ints) -> None:
        self.paid += [(float(c), y) for c, y in zip(cost, self.leaves, strict=True) if c]

    def _over(self, amount: Ints, guests: Ints) -> model_builder.LinearExpr:
        """Return the sum over `guests` of `amount` times the share that leaves."""
        return _sum([(float(amount[g]), self.leaves[g]) for g in guests.tolist() if amount[g]])

    def _rows(self) -> None:
        """Pour what leaves of each resource; rows that use the same share what is poured."""
        state = self.state
        alike: dict[bytes, list[tuple[int, int]]] = {}
        for number in range(len(state.rows)):
            use = state.use[number]
            way = -1 if use[np.flatnonzero(use)[0]] < 0 else 1
            alike.setdefault((way * use).tobytes(), []).append((number, way))
        everyone = np.arange(len(state.home))
        at = [np.flatnonzero(state.home == site) for site in range(state.sites)]
        for rows in alike.values():
            number, way = rows[0]
            use = way * state.use[number]
            if (use < 0).any():
                continue
            poured = [self.model.new_num_var(0.0, float(use.sum()), "") for _ in at]
            self.model.add(model_builder.LinearExpr.sum(poured) == self._over(use, everyone))
            for site, here in enumerate(at):
                load = poured[site] - self._over(use, here) + float(use[here].sum())
                for row, sign in rows:
                    self._row(row, site, sign * load)

    def _row(self, number: int, site: int, load: model_builder.LinearExpr) -> None:
        """Hold a row to its cap, and price what is too much, piece by piece."""
        state, row = self.state, self.state.rows[number]
        limit, cap = float(state.limit[number, site]), int(state.cap[number, site])
        level = row.penalty.level
        if row.hard and cap < UNBOUNDED:
            self.model.add(load <= float(cap))
        if level is not Level.COST and not state.total[level]:
            self.model.add(load <= limit)
            return
        most = max(0.0, float(np.abs(state.use[number]).sum()) + abs(limit))
        each = PER_MILLE / float(state.scale[number, site])
        pieces = self._pieces(row.penalty, most * each)
        parts = [self.model.new_num_var(0.0, width, "") for width, _ in pieces]
        self.model.add(model_builder.LinearExpr.sum(parts) >= each * (load - limit))
        terms = self.paid if level is Level.COST else self.below[level]
        terms += [(slope, part) for part, (_, slope) in zip(parts, pieces, strict=True) if slope]

    def _pieces(self, penalty: Penalty, most: float) -> list[tuple[float, float]]:
        """Return (width, slope) of the straight pieces of a price up to `most`."""
        starts = [0.0, *(float(start) for start, _ in penalty.pieces if start)]
        slopes = np.cumsum(
            [0.0] * bool(penalty.pieces[0][0]) + [float(s) for _, s in penalty.pieces]
        )
        ends = [*starts[1:], max(most, starts[-1]) + 1.0]
        return [
            (end - start, float(slope))
            for start, end, slope in zip(starts, ends, slopes, strict=True)
        ]

    def solve(self, keep_going: Callable[[], bool]) -> int:
        self.model.minimize(_sum(self.paid) + self.fixed)
        solver = model_builder.Solver("GLOP")
        solver.set_time_limit_in_seconds(SECONDS)
        if run(solver, self.model, keep_going) != model_builder.SolveStatus.OPTIMAL:
            return 0
        value = float(solver.objective_value)
        return max(0, int(np.ceil(value - TOLERANCE * max(1.0, abs(value)))))


def _sum(terms: list[tuple[float, model_builder.Variable]]) -> model_builder.LinearExpr:
    return model_builder.LinearExpr.weighted_sum([v for _, v in terms], [c for c, _ in terms])
