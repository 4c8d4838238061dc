"""A placement that is changed step by step, and knows at once what each change adds.

Held equal to `evaluate.score` by a property test. Deltas are [levels, guests, sites] integers.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from balancer.planner.formulation import Bools, Budget, Formulation, Ints, Level, Row
from balancer.planner.model.plan import Score
from balancer.planner.place.evaluate import PER_MILLE, per_mille, price, score
from balancer.planner.place.groups import ALIKE, Group, groups

LEVELS: Final = len(Level)
UNBOUNDED: Final = 2**62


class State:
    """Where every guest is, and every sum that a primitive is made of."""

    def __init__(self, formulation: Formulation) -> None:
        self.formulation = formulation
        self.home = formulation.start
        self.site = formulation.start.copy()
        self.rows = [p for p in formulation.primitives if isinstance(p, Row) and p.use.any()]
        self.budgets = [p for p in formulation.primitives if isinstance(p, Budget)]
        self.groups = groups(formulation)
        self.total = _vector(score(formulation, self.site))
        self._stack(len(formulation.site_cost))
        self.guests_at = np.bincount(self.site, minlength=self.sites)
        self.spent = [0] * len(self.budgets)
        self.groups_of: list[list[Group]] = [[] for _ in self.site]
        for group in self.groups:
            for guest in group.members.tolist():
                self.groups_of[guest].append(group)
        self.allowed: Bools = formulation.allowed.copy()
        self.allowed[np.arange(len(self.site)), self.home] = True
        self.fault_at_home = ~formulation.allowed[np.arange(len(self.site)), self.home]
        self.fault_at_home &= ~formulation.held
        self.cheapest_pair = formulation.soft_pairs.min(axis=1, initial=UNBOUNDED)

    def _stack(self, sites: int) -> None:
        """Lay the rows' numbers side by side."""
        self.sites = sites
        count = len(self.rows)
        self.use = np.array([r.use for r in self.rows], dtype=np.int64).reshape(
            count, len(self.site)
        )
        self.limit = np.array([r.limit for r in self.rows], dtype=np.int64).reshape(count, sites)
        plain = np.full(sites, PER_MILLE, dtype=np.int64)
        self.scale = np.array(
            [plain if r.scale is None else r.scale for r in self.rows], dtype=np.int64
        ).reshape(count, sites)
        self.load = np.array(
            [self.formulation.load(r.use) for r in self.rows], dtype=np.int64
        ).reshape(count, sites)
        hard = np.array([r.hard for r in self.rows], dtype=np.bool_)
        self.cap = np.where(hard[:, None], np.maximum(self.limit, self.load), UNBOUNDED)
        self.priced = np.array(
            [self._row_price(r, self.load[r], slice(None)) for r in range(count)], dtype=np.int64
        ).reshape(count, sites)

    def _row_price(self, row: int, load: Ints, sites: slice | Ints) -> Ints:
        """Return what row `row` costs at these loads of these sites."""
        over = np.maximum(0, load - self.limit[row, sites])
        return price(self.rows[row].penalty, per_mille(over, self.scale[row, sites]))

    def score(self) -> Score:
        """Return the present score."""
        repair, overload, cost = map(int, self.total)
        return Score(repair=repair, overload=overload, cost=cost)

    def deltas(self, guests: Ints, sites: Ints) -> tuple[Ints, Bools]:
        """Return what shifting each of `guests` to each of `sites` adds, and whether it may."""
        added, may = self.deltas_without_groups(guests, sites)
        for number, guest in enumerate(guests.tolist()):
            for group in self.groups_of[guest]:
                extra, lawful = group.shift(guest, int(self.site[guest]))
                added[group.level, number] += extra[sites]
                may[number] &= lawful[sites]
        return added, may

    def deltas_without_groups(self, guests: Ints, sites: Ints) -> tuple[Ints, Bools]:
        """Return the same, but for what groups add and forbid."""
        added = np.zeros((LEVELS, len(guests), len(sites)), dtype=np.int64)
        may = self.allowed[np.ix_(guests, sites)] & ~self.formulation.held[guests, None]
        may &= self.site[guests, None] != sites
        self._add_rows(added, may, guests, sites)
        self._add_plain(added, may, guests, sites)
        return added, may

    def _add_rows(self, added: Ints, may: Bools, guests: Ints, sites: Ints) -> None:
        source = self.site[guests]
        for number, row in enumerate(self.rows):
            use = self.use[number, guests]
            if not use.any():
                continue
            left = self._row_price(number, self.load[number, source] - use, source)
            load = self.load[number, sites] + use[:, None]
            there = self._row_price(number, load, sites) - self.priced[number, sites]
            added[row.penalty.level] += there + (left - self.priced[number, source])[:, None]
            if row.hard:
                may &= (load <= self.cap[number, sites]) | (use == 0)[:, None]

    def _add_plain(self, added: Ints, may: Bools, guests: Ints, sites: Ints) -> None:
        """Moves, pairs, sites in use, and budgets."""
        given = self.formulation
        source, home = self.site[guests], self.home[guests]
        away, going_home = (source != home)[:, None], home[:, None] == sites
        leaving = ~away
        change = np.where(going_home & away, -1, np.where(leaving, 1, 0))
        added[Level.COST] += change * given.move_cost[guests, None]
        added[Level.REPAIR] -= change * self.fault_at_home[guests, None]
        pairs = given.soft_pairs
        added[Level.COST] += pairs[np.ix_(guests, sites)] - pairs[guests, source][:, None]
        opened = given.site_cost[sites] * (self.guests_at[sites] == 0)
        closed = given.site_cost[source] * (self.guests_at[source] == 1)
        added[Level.COST] += opened - closed[:, None]
        for number, budget in enumerate(self.budgets):
            room = self.spent[number] + budget.weight[guests] <= budget.limit
            may &= away | room[:, None]

    def potential(self, guests: Ints) -> Ints:
        """Return [levels, guests]: bounds from below of what any one shift can add."""
        return self.potential_without_groups(guests) + self.group_bound(guests)

    def potential_without_groups(self, guests: Ints) -> Ints:
        """Return the same, but for what groups account for."""
        given = self.formulation
        source = self.site[guests]
        bound = np.zeros((LEVELS, len(guests)), dtype=np.int64)
        for number, row in enumerate(self.rows):
            use = self.use[number, guests]
            left = self._row_price(number, self.load[number, source] - use, source)
            bound[row.penalty.level] += left - self.priced[number, source]
            if (use < 0).any():
                bound[row.penalty.level] -= (use < 0) * int(self.priced[number].max())
        at_home = source == self.home[guests]
        bound[Level.COST] += np.where(at_home, 1, -1) * given.move_cost[guests]
        bound[Level.REPAIR] -= at_home & self.fault_at_home[guests]
        bound[Level.COST] += self.cheapest_pair[guests] - given.soft_pairs[guests, source]
        bound[Level.COST] -= given.site_cost[source] * (self.guests_at[source] == 1)
        return bound

    def group_bound(self, guests: Ints) -> Ints:
        """Return the part of `potential` that groups account for."""
        bound = np.zeros((LEVELS, len(guests)), dtype=np.int64)
        known: dict[tuple[int, int], int] = {}
        for number, (guest, site) in enumerate(
            zip(guests.tolist(), self.site[guests].tolist(), strict=True)
        ):
            for group in self.groups_of[guest]:
                if not isinstance(group, ALIKE):
                    bound[group.level, number] += group.best(guest, site)
                    continue
                at = id(group), site
                if at not in known:
                    known[at] = group.best(guest, site)
                bound[group.level, number] += known[at]
        return bound

    def tight(self) -> bool:
        """True if a budget keeps some guest from moving."""
        return any(
            spent + int(budget.weight.max(initial=0)) > budget.limit
            for spent, budget in zip(self.spent, self.budgets, strict=True)
        )

    def shift(self, guest: int, target: int) -> None:
        """Put `guest` on `target`, lawful or not, and account for it."""
        source = int(self.site[guest])
        if source == target:
            return
        added = self._plainly(guest, source, target)
        for group in self.groups_of[guest]:
            extra, _ = group.shift(guest, source)
            added[group.level] += int(extra[target])
        self._reload(guest, source, target, added)
        self.total = self.total + np.array(added, dtype=np.int64)
        for group in self.groups_of[guest]:
            group.moved(guest, source, target)
        self.guests_at[source] -= 1
        self.guests_at[target] += 1
        home = int(self.home[guest])
        change = (target != home) - (source != home)
        for number, budget in enumerate(self.budgets):
            self.spent[number] += change * int(budget.weight[guest])
        self.site[guest] = target

    def _plainly(self, guest: int, source: int, target: int) -> list[int]:
        """Return what moving, resting and sites in use add, by level."""
        given, home = self.formulation, int(self.home[guest])
        change = (target != home) - (source != home)
        cost = change * int(given.move_cost[guest])
        cost += int(given.soft_pairs[guest, target]) - int(given.soft_pairs[guest, source])
        cost += int(given.site_cost[target]) * (self.guests_at[target] == 0)
        cost -= int(given.site_cost[source]) * (self.guests_at[source] == 1)
        return [-change * int(self.fault_at_home[guest]), 0, int(cost)]

    def _reload(self, guest: int, source: int, target: int, added: list[int]) -> None:
        """Let `guest` weigh on `target` instead of `source`, and add to `added` what rows cost.

        One guest at a time is reckoned in plain integers: arrays of one number take far longer.
        """
        uses: list[int] = self.use[:, guest].tolist()
        for number, use in enumerate(uses):
            if not use:
                continue
            penalty, before, after = self.rows[number].penalty, 0, 0
            for site, more in ((source, -use), (target, use)):
                before += int(self.priced[number, site])
                load = int(self.load[number, site]) + more
                over = max(0, load - int(self.limit[number, site]))
                price_now = penalty.price(-(-over * PER_MILLE // int(self.scale[number, site])))
                after += price_now
                self.load[number, site] = load
                self.priced[number, site] = price_now
            added[penalty.level] += after - before

    def lawful(self, guests: Iterable[int]) -> bool:
        """True if the law holds wherever shifting `guests` may have broken it."""
        moved = np.fromiter(guests, dtype=np.int64)
        sites = np.unique(np.concatenate([self.site[moved], self.home[moved]]))
        away = moved[self.site[moved] != self.home[moved]]
        return bool(
            (self.load[:, sites] <= self.cap[:, sites]).all()
            and self.allowed[moved, self.site[moved]].all()
            and not self.formulation.held[away].any()
            and all(s <= b.limit for s, b in zip(self.spent, self.budgets, strict=True))
            and all(g.lawful() for guest in moved.tolist() for g in self.groups_of[guest])
        )


def _vector(value: Score) -> Ints:
    return np.array([value.repair, value.overload, value.cost], dtype=np.int64)


def lexicographic_least(vectors: Ints, may: Bools) -> tuple[Ints, Ints]:
    """Return, for vectors [levels, a, b], the least of each a over b: ([levels, a], index [a]).

    Where nothing may be taken the vector is UNBOUNDED throughout.
    """
    least = np.empty(vectors.shape[:2], dtype=np.int64)
    left = may
    for level in range(len(vectors)):
        values = np.where(left, vectors[level], UNBOUNDED)
        least[level] = values.min(axis=1, initial=UNBOUNDED)
        left = left & (values == least[level][:, None])
    return least, left.argmax(axis=1) if left.shape[1] else np.zeros(len(left), dtype=np.int64)
