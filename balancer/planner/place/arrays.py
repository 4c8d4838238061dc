"""A state laid out as the kernels want it: sites first, prices as tables, crowds side by side."""

from itertools import chain
from typing import Final

import numpy as np

from balancer.planner.formulation import Bools, Ints
from balancer.planner.place.evaluate import price
from balancer.planner.place.groups import Crowds
from balancer.planner.place.state import UNBOUNDED, State

TABLE: Final = 4096


class Arrays:
    """The numbers of one state, copied; `back` brings a placement home to the state."""

    def __init__(self, state: State) -> None:
        self.state = state
        given = state.formulation
        self.site = state.site.copy()
        self.total = state.total.copy()
        self.spent = np.array(state.spent, dtype=np.int64)
        self.budget: Ints = np.array([b.limit for b in state.budgets], dtype=np.int64)
        self.weight = np.array([b.weight for b in state.budgets], dtype=np.int64).reshape(
            len(state.budgets), len(self.site)
        )
        self.fault = state.fault_at_home.astype(np.int64)
        self.pairs = given.soft_pairs
        self.load = np.array(state.load.T, order="C")  # a copy: one row needs no other order
        self.use = np.ascontiguousarray(state.use.T)
        self.limit = np.ascontiguousarray(state.limit.T)
        self.scale = np.ascontiguousarray(state.scale.T)
        self.cap = np.ascontiguousarray(state.cap.T)
        self.level = np.array([r.penalty.level for r in state.rows], dtype=np.int64)
        self._price_tables()
        self._crowds()
        self.movers = np.flatnonzero(self._mobile())

    def _price_tables(self) -> None:
        rows = self.state.rows
        steps = np.arange(TABLE + 1)
        tables = [price(r.penalty, steps) for r in rows]
        table = np.array(tables, dtype=np.int64).reshape(len(rows), TABLE + 1)
        self.prices: Ints = np.ascontiguousarray(table[:, :TABLE])
        self.last: Ints = np.ascontiguousarray(table[:, TABLE] - table[:, TABLE - 1])

    def _crowds(self) -> None:
        state = self.state
        kept = [g for g in state.groups if isinstance(g, Crowds)]
        number = {id(g): i for i, g in enumerate(kept)}
        of = [[number[id(g)] for g in mine if id(g) in number] for mine in state.groups_of]
        self.first: Ints = np.cumsum([0, *map(len, of)], dtype=np.int64)
        self.groups: Ints = np.fromiter(chain.from_iterable(of), dtype=np.int64)
        shape = (len(kept), state.sites)
        self.domain = np.array([g.rule.domain for g in kept], dtype=np.int32).reshape(shape)
        self.most = np.array([g.rule.most for g in kept], dtype=np.int64)
        self.group_level = np.array([g.level for g in kept], dtype=np.int64)
        self.slope = np.array([g.rule.penalty.pieces[0][1] for g in kept], dtype=np.int64)
        widest = max((len(g.count) for g in kept), default=0)
        self.count = np.zeros((len(kept), widest), dtype=np.int32)
        self.roof = np.zeros((len(kept), widest), dtype=np.int32)
        for i, group in enumerate(kept):
            self.count[i, : len(group.count)] = group.count
            self.roof[i, : len(group.cap)] = np.minimum(group.cap, UNBOUNDED >> 32)

    def _mobile(self) -> Bools:
        """Guests that may move, and that no rule but crowds binds to others."""
        state = self.state
        free: Bools = ~state.formulation.held & (state.allowed.sum(axis=1) > 1)
        if state.formulation.site_cost.any():  # of sites in use the kernels know nothing
            return np.zeros_like(free)
        for guest, groups in enumerate(state.groups_of):
            free[guest] &= all(_plain(g) for g in groups)
        return free

    def back(self, placement: Ints) -> None:
        """Shift the state's guests to where `placement` has them."""
        for guest in np.flatnonzero(self.state.site != placement).tolist():
            self.state.shift(guest, int(placement[guest]))


def _plain(group: object) -> bool:
    return isinstance(group, Crowds) and len(group.rule.penalty.pieces) == 1
