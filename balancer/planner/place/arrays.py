"""A state laid out as the kernels want it: sites first, prices as tables, groups side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.formulation import Bools, DomainCount, Ints, Level
from balancer.planner.place.evaluate import price
from balancer.planner.place.groups import Crowds, Domains, Group
from balancer.planner.place.state import UNBOUNDED, State

TABLE: Final = 4096
FREE, LINEAR, TABLED, BOTH = 0, 1, 2, 3
"""Kinds of rows, as the kernel knows them."""
MANY: Final = 2**30
ANY_PAIR: Final = np.ones((0, 0), dtype=np.bool_)
FEW_LARGE: Final = 20
MANY_LARGE: Final = 12
"""One mover in so many counts as large, and at least so many."""
NO_PRICE: Final = np.zeros((0, 0), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """What the kernels can hold and no rule of the product asks: for what others state.

    They are no primitives: only the walk knows them, so whoever uses them judges by himself.
    """

    lingering: frozenset[str] = frozenset()
    """Labels of hard rows, broken by nobody, on which whoever left home still counts there."""
    routes: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int32))
    """[sites, sites]: price at level COST of having gone from a home to a site; empty for none."""
    needs: Sequence[tuple[DomainCount, DomainCount]] = ()
    """In each domain where the first has a member, the second has one too. Both count domains
    alike and are primitives of the formulation; the start obeys."""


NOTHING_MORE: Final = Terms()


class Arrays:
    """The numbers of one state, copied; `back` brings a placement home to the state."""

    def __init__(self, state: State, terms: Terms = NOTHING_MORE) -> None:
        self.state = state
        self.terms = terms
        given = state.formulation
        self.mobile = self._mobile()
        self.blocks = self._blocks()
        self.site = state.site.copy()
        self.total = state.total.copy()
        self.spent = np.array(state.spent, dtype=np.int64)
        self.budget: Ints = np.array([b.limit for b in state.budgets], dtype=np.int64)
        self.weight = np.array([b.weight for b in state.budgets], dtype=np.int64).reshape(
            len(state.budgets), len(self.site)
        )
        self.fault = state.fault_at_home.astype(np.int64)
        self.move_cost = given.move_cost.copy()
        self.pairs = given.soft_pairs.copy() if given.soft_pairs.any() else NO_PRICE
        self.allowed = ANY_PAIR if state.allowed.all() else state.allowed.copy()
        self._rows()
        self._groups()
        self._needs()
        self._unite()
        self.movers = np.flatnonzero(self.mobile)
        self.large = self._large()

    def _blocks(self) -> list[Ints]:
        """Find guests that a hard rule keeps together, and that are: they move as one.

        The first of each stands for all of them.
        """
        state, taken, found = self.state, set[int](), list[Ints]()
        for group in state.groups if self.terms is NOTHING_MORE else ():
            members = group.members
            if (
                isinstance(group, Domains)
                and group.rule.hard
                and group.rule.most == 1
                and len(members) > 1
                and taken.isdisjoint(members.tolist())
                and bool(self.mobile[members].all())
                and bool((state.site[members] == state.site[members[0]]).all())
                and bool((state.home[members] == state.home[members[0]]).all())
            ):
                found.append(members)
                taken.update(members.tolist())
        return found

    def _unite(self) -> None:
        """Let the first of each block weigh and cost what all of it does, and the others rest."""
        for members in self.blocks:
            first = members[0]
            for amounts in (self.fault, self.move_cost, self.use):
                amounts[first] = amounts[members].sum(axis=0)
            self.weight[:, first] = self.weight[:, members].sum(axis=1)
            if len(self.pairs):
                self.pairs[first] = self.pairs[members].sum(axis=0)
            if len(self.allowed):
                self.allowed[first] = self.allowed[members].all(axis=0)
            self.mobile[members[1:]] = False

    def _rows(self) -> None:
        """Lay the rows out: those with caps first, those that linger last."""
        kept, caps = self._merged()
        mirrored = self._mirrored(kept)
        kept = [n for n in kept if n not in mirrored.values()]
        state = self.state
        kept.sort(key=lambda n: (self._lingers(n), not (caps[n] < UNBOUNDED).any()))
        self.plain = sum(not self._lingers(n) for n in kept)
        rows = [state.rows[n] for n in kept]
        self.load = np.array(state.load[kept].T, order="C")
        self.use = np.ascontiguousarray(state.use[kept].T)
        self.limit = np.ascontiguousarray(state.limit[kept].T)
        self.scale = np.ascontiguousarray(state.scale[kept].T)
        self.cap = np.ascontiguousarray(caps[kept].T)
        self.level = np.array([r.penalty.level for r in rows], dtype=np.int64)
        kinds = [BOTH if n in mirrored else self._kind(n) for n in kept]
        self.kind = np.array(kinds, dtype=np.int64)
        free = self.kind == FREE
        self.straight = bool((free | ((self.kind == LINEAR) & (self.level == Level.COST))).all())
        steps = np.arange(TABLE + 1)
        table = np.array([price(r.penalty, steps) for r in rows], dtype=np.int64)
        table = table.reshape(len(rows), TABLE + 1)
        self.prices: Ints = np.ascontiguousarray(table[:, :TABLE])
        self.last: Ints = np.ascontiguousarray(table[:, TABLE] - table[:, TABLE - 1])
        self.last[free] = 0

    def _merged(self) -> tuple[list[int], Ints]:
        """Return the rows to keep, and all caps: a cap that prices nothing joins another row's."""
        state = self.state
        caps, first_of = state.cap.copy(), dict[bytes, int]()
        kept = [n for n in range(len(state.rows)) if not self._free(n) and not self._lingers(n)]
        for number in kept:
            first_of.setdefault(state.rows[number].use.tobytes(), number)
        for number in range(len(state.rows)):
            other = first_of.get(state.rows[number].use.tobytes())
            if self._lingers(number) or (self._free(number) and other is None):
                kept.append(number)
            elif other is not None and self._free(number):
                caps[other] = np.minimum(caps[other], caps[number])
        return kept, caps

    def _lingers(self, number: int) -> bool:
        return self.state.rows[number].label in self.terms.lingering

    def _mirrored(self, kept: Sequence[int]) -> dict[int, int]:
        """Find rows that price too little as another prices too much: both are read as one."""
        rows, found = self.state.rows, dict[int, int]()
        for one in kept:
            for other in kept:
                a, b = rows[one], rows[other]
                taken = {*found, *found.values()}
                if (
                    one < other
                    and not taken & {one, other}
                    and not (a.hard or b.hard)
                    and a.penalty == b.penalty
                    and (a.scale is None) == (b.scale is None)
                    and (self.state.scale[one] == self.state.scale[other]).all()
                    and (a.use == -b.use).all()
                    and (a.limit == -b.limit).all()
                ):
                    found[one] = other
        return found

    def _free(self, number: int) -> bool:
        """True if nothing on this row can ever be paid: it is hard, and nobody breaks it."""
        row = self.state.rows[number]
        return row.hard and bool((self.state.load[number] <= row.limit).all())

    def _kind(self, number: int) -> int:
        if self._free(number):
            return FREE
        row = self.state.rows[number]
        straight = len(row.penalty.pieces) == 1 and row.penalty.pieces[0][0] == 0
        return LINEAR if straight and row.scale is None else TABLED

    def _groups(self) -> None:
        """Count members by domain, those of all groups in one long array."""
        state = self.state
        kept = [g for g in state.groups if isinstance(g, Crowds | Domains)]
        number = {id(g): i for i, g in enumerate(kept)}
        of = [[number[id(g)] for g in mine if id(g) in number] for mine in state.groups_of]
        for members in self.blocks:
            of[members[0]] = [c for guest in members.tolist() for c in of[guest]]
        self.first: Ints = np.cumsum([0, *map(len, of)], dtype=np.int64)
        self.groups: Ints = np.fromiter(chain.from_iterable(of), dtype=np.int64)
        maps: dict[bytes, int] = {}
        known = [g.rule.domain for g in kept]
        self.map_of = np.array(
            [maps.setdefault(d.tobytes(), len(maps)) for d in known], dtype=np.int64
        )
        wide = np.frombuffer(b"".join(maps), dtype=np.int64).reshape(-1, state.sites)
        self.maps = wide.astype(np.int32)
        self.offset: Ints = np.cumsum([0, *(len(g.count) for g in kept)], dtype=np.int64)
        nothing = np.zeros(0, dtype=np.int32)
        self.count = np.concatenate([nothing, *(g.count for g in kept)]).astype(np.int32)
        self.used = np.array([np.count_nonzero(g.count) for g in kept], dtype=np.int64)
        roofs = [g.cap if isinstance(g, Crowds) else np.full_like(g.count, MANY) for g in kept]
        self.roof = np.minimum(MANY, np.concatenate([nothing, *roofs])).astype(np.int32)
        crowded = [(g.rule.most, g.rule.penalty) if isinstance(g, Crowds) else None for g in kept]
        self.most = np.array([c[0] if c else MANY for c in crowded], dtype=np.int64)
        self.slope = np.array([c[1].pieces[0][1] if c else 0 for c in crowded], dtype=np.int64)
        spread = [g if isinstance(g, Domains) else None for g in kept]
        self.least_used = np.array([d.rule.least if d else 0 for d in spread], dtype=np.int64)
        self.most_used = np.array([d.rule.most if d else MANY for d in spread], dtype=np.int64)
        self.used_roof = np.array([d.cap if d else MANY for d in spread], dtype=np.int64)
        self.used_slope = np.array(
            [d.rule.penalty.pieces[0][1] if d else 0 for d in spread], dtype=np.int64
        )
        self.group_level = np.array([g.level for g in kept], dtype=np.int64)
        self.number_of = {id(g.rule): i for i, g in enumerate(kept)}
        self._give_back(kept)

    def _give_back(self, kept: Sequence[Crowds | Domains]) -> None:
        """Find [levels]: the most that counting two guests' groups anew can give back."""
        widest = int(np.diff(self.first).max(initial=0))
        self.given_back = np.zeros(len(Level), dtype=np.float64)
        for i, group in enumerate(kept):
            level, slope = int(group.level), int(max(self.slope[i], self.used_slope[i]))
            if not group.rule.hard or self._breached(group):
                self.given_back[level] = max(self.given_back[level], 2.0 * widest * slope)

    def _breached(self, group: Crowds | Domains) -> bool:
        if isinstance(group, Domains):
            return group.cap > 0
        return bool((group.count > group.rule.most).any())

    def _needs(self) -> None:
        pairs = [
            (self.number_of[id(a)], self.number_of[id(b)])
            for a, b in self.terms.needs
            if id(a) in self.number_of and id(b) in self.number_of
        ]
        both = np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
        self.needs_first, self.needs = _listed(both[:, 0], both[:, 1], len(self.most))
        self.by_first, self.by = _listed(both[:, 1], both[:, 0], len(self.most))

    def _mobile(self) -> Bools:
        """Guests that may move, and that only rules the kernels count bind to others."""
        state = self.state
        free: Bools = ~state.formulation.held & (state.allowed.sum(axis=1) > 1)
        if state.formulation.site_cost.any():  # of sites in use the kernels know nothing
            return np.zeros_like(free)
        for guest, groups in enumerate(state.groups_of):
            free[guest] &= all(_simple(g) for g in groups)
        return free

    def _large(self) -> Ints:
        """Find the movers of which one takes most of a site, by the row of which it takes most."""
        room = np.maximum(1, np.median(np.abs(self.limit), axis=0, keepdims=True))
        share = (np.abs(self.use[self.movers]) / room).max(axis=1, initial=0.0)
        count = max(MANY_LARGE, len(self.movers) // FEW_LARGE)
        return self.movers[np.argsort(-share, kind="stable")[:count]]

    def saved(self) -> tuple[Ints, ...]:
        """Return copies of all that a walk changes, for `restore`."""
        return tuple(array.copy() for array in self._changing())

    def restore(self, saved: tuple[Ints, ...]) -> None:
        """Put everything back to where it was when `saved` was taken."""
        for array, was in zip(self._changing(), saved, strict=True):
            array[:] = was

    def _changing(self) -> tuple[Ints, ...]:
        counts: Ints = self.count  # type: ignore[assignment]  # narrower, but copied alike
        return (self.site, self.total, self.spent, self.load, counts, self.used)

    def placement(self, site: Ints) -> Ints:
        """Return where everybody is, if those that move are as in `site`."""
        placed = site.copy()
        for members in self.blocks:
            placed[members] = site[members[0]]
        return placed

    def back(self, site: Ints) -> None:
        """Shift the state's guests to where `site` has those that move."""
        placement = self.placement(site)
        for guest in np.flatnonzero(self.state.site != placement).tolist():
            self.state.shift(guest, int(placement[guest]))


def _simple(group: Group) -> bool:
    return isinstance(group, Crowds | Domains) and len(group.rule.penalty.pieces) == 1


def _listed(keys: Ints, values: Ints, count: int) -> tuple[Ints, Ints]:
    """Return (where each key's values begin, the values, by key)."""
    order = np.argsort(keys, kind="stable")
    return np.searchsorted(keys[order], np.arange(count + 1)), values[order]
