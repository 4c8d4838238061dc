"""The fewest steps aside that any order needs, and an order that gets by with them, by CP-SAT.

Asked in two questions, each much smaller than both at once. First, who steps aside, as if there
were room for all of them elsewhere: the answer is a bound on every order, as a guest that steps
aside more often counts once, and moves that compete for no row are asked about apart. Then, with
those who step aside given, where to and in which order.

Trips are instants: at its own, a mover holds both ends, as a move that takes long does. Only guests
that have to move anyway step aside.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from balancer.planner.order.yard import Floats, Trip, Yard, channels_of, rows_of, top_rate

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver, IntervalVar, IntVar

LOADS: Final = 20
"""Parts of the largest volume in which what steps aside is told, where equally few do."""
AGAIN: Final = 3
"""How often other movers are asked for, equally few, where those found have nowhere to go."""
PRESSING: Final = 1.5
"""By how much a rate must exceed what is dirtied."""


@dataclass(frozen=True, slots=True)
class Fewest:
    """What came of asking."""

    least: int
    """No order has fewer steps aside of guests that have to move anyway."""
    trips: tuple[Trip, ...]
    """In an order that is safe one at a time; empty if none was found."""


def fewest(yard: Yard, work: float, known: Sequence[Trip] = ()) -> Fewest:
    """Return the least number of steps aside, and an order with fewer than `known` has.

    `work` is what CP-SAT may take for each question, in its deterministic seconds. Without `known`
    any order will do.
    """
    n = len(yard.source)
    most = len(known) - n if known else n + 1
    asked = _Asked(yard, work, known)
    rng = np.random.default_rng(1)
    least = 0
    for turn in range(AGAIN):
        weight = yard.volume if not turn else rng.random(n)
        told = [asked.who(part, weight) for part in asked.parts]
        least = max(least, sum(bound for _, bound in told))
        aside = {m for some, _ in told for m in some}
        if len(aside) >= most:
            break
        trips = asked.order(aside)
        if trips:
            return Fewest(least, trips)
    return Fewest(least, ())


class _Asked:
    """What both questions have in common."""

    def __init__(self, yard: Yard, work: float, known: Sequence[Trip]) -> None:
        self.yard, self.work = yard, work
        self.known: dict[int, list[int]] = defaultdict(list)
        """When trips of each mover have their turn, in an order that is known."""
        for turn, trip in enumerate(known):
            self.known[trip.mover].append(turn)
        n = len(yard.source)
        self.here = [rows_of(yard, m, int(yard.source[m])) for m in range(n)]
        self.there = [rows_of(yard, m, int(yard.target[m])) for m in range(n)]
        self.free: list[int] = np.maximum(yard.free, 0).tolist()
        """[rows]: what is overfull now may stay so, whoever comes for those who leave."""
        self.eased, self.parts = self._parts()

    def _parts(self) -> tuple[list[int], list[list[int]]]:
        """Return what is free of each row, and who competes for it, by parts that share nothing.

        Whoever finds room at any time goes first, whoever leaves room that nobody is short of goes
        last; neither of them counts, and room that only they were short of is not short any more.
        """
        rest, free = set(range(len(self.there))), list(self.free)
        while True:
            wanted: dict[int, int] = defaultdict(int)
            for m in rest:
                for r in self.there[m].keys() - self.here[m].keys():
                    wanted[r] += self.there[m][r]
            short = {r for r, amount in wanted.items() if amount > free[r]}
            first = {m for m in rest if short.isdisjoint(_without(self.there[m], self.here[m]))}
            last = {m for m in rest - first if short.isdisjoint(self.here[m])}
            if not first | last:
                used = {m: self.here[m].keys() | self.there[m].keys() for m in sorted(rest)}
                return free, _linked({m: short & rows for m, rows in used.items()})
            for m in first:
                for r, amount in self.here[m].items():
                    free[r] += amount
                for r, amount in self.there[m].items():
                    free[r] -= amount
            rest -= first | last

    def who(self, part: Sequence[int], weight: Floats) -> tuple[list[int], int]:
        """Return who of `part` steps aside, few first and then light, and how many must."""
        from ortools.sat.python import cp_model  # noqa: PLC0415 - takes long to import

        model = cp_model.CpModel()
        aside = {m: model.new_bool_var("") for m in part}
        ways = Ways(model, 2 * len(part))
        for m in part:
            ways.add(m, self.here[m], self.there[m], aside[m])
        ways.fit(self.eased)
        turns = sorted(turn for m in part for turn in self.known[m])
        for m in part:
            for told, at in zip((ways.leaves[m], ways.comes[m]), self.known[m], strict=False):
                model.add_hint(told, turns.index(at))
            model.add_hint(aside[m], len(self.known[m]) > 1)
        load = np.round(LOADS * weight / max(1e-12, float(weight.max()))).astype(np.int64)
        dear = LOADS * len(part) + 1
        model.minimize(sum((dear + int(load[m])) * one for m, one in aside.items()))
        solver = solved(model, self.work)
        if solver is None:
            return list(part), 0
        least = max(0, int(solver.best_objective_bound // dear))
        return [m for m, one in aside.items() if solver.value(one)], least

    def order(self, aside: Iterable[int]) -> tuple[Trip, ...]:
        """Return trips that work in turn, in which just those `aside` step aside; or nothing."""
        from ortools.sat.python import cp_model  # noqa: PLC0415 - takes long to import

        movers = range(len(self.there))
        model = cp_model.CpModel()
        ways = Ways(model, 2 * len(movers))
        third: dict[int, Mapping[int, IntVar]] = {m: {} for m in movers}
        for m in movers:
            ways.add(m, self.here[m], self.there[m], m in aside)
            if m in aside:
                third[m] = {host: model.new_bool_var("") for host in self._open(m)}
                model.add_exactly_one(third[m].values())
                for host, chosen in third[m].items():
                    ways.stop(m, rows_of(self.yard, m, host), chosen)
        ways.fit(self.free)
        solver = solved(model, self.work)
        if solver is None:
            return ()
        told: list[tuple[int, Trip]] = []
        for m in movers:
            here, home = int(self.yard.source[m]), int(self.yard.target[m])
            for host, chosen in third[m].items():
                if solver.value(chosen):
                    told.append((solver.value(ways.leaves[m]), Trip(m, here, host)))
                    here = host
            told.append((solver.value(ways.comes[m]), Trip(m, here, home)))
        return tuple(trip for _, trip in sorted(told, key=lambda one: one[0]))

    def _open(self, m: int) -> list[int]:
        """Return the hosts that `m` may step aside to."""
        return [host for host in range(len(self.yard.zone)) if open_to(self.yard, m, host)]


def open_to(yard: Yard, m: int, host: int) -> bool:
    """Return whether `m` may step aside to `host`, and go on from there."""
    allowed = yard.allowed
    here, home = int(yard.source[m]), int(yard.target[m])

    def fast(a: int, b: int) -> bool:
        return top_rate(yard, m, channels_of(yard, a, b)) > PRESSING * float(yard.dirty[m])

    return (
        host not in (here, home)
        and (allowed is None or bool(allowed[m, host]))
        and fast(here, host)
        and fast(host, home)
    )


def solved(model: "CpModel", work: float) -> "CpSolver | None":
    """Return the solver once it has an answer; None if it has not after `work`."""
    from ortools.sat.python import cp_model  # noqa: PLC0415 - takes long to import

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = work
    answered = solver.solve(model) in {cp_model.OPTIMAL, cp_model.FEASIBLE}
    return solver if answered else None


class Ways:
    """When movers leave and when they come, and what they hold when: a model in the making."""

    def __init__(self, model: "CpModel", last: int) -> None:
        self.model, self.last = model, last
        self.leaves: dict[int, IntVar] = {}
        """The instant of the first trip, by mover."""
        self.comes: dict[int, IntVar] = {}
        """That of the last: the same, or a later one of whoever steps aside."""
        self.held: dict[int, list[tuple[IntervalVar, int]]] = defaultdict(list)
        self.before: dict[int, int] = defaultdict(int)
        """Of each row: what movers hold of it in the beginning, as far as `held` tells."""
        self.rows: dict[int, tuple[Mapping[int, int], Mapping[int, int]]] = {}

    def add(
        self, m: int, here: Mapping[int, int], there: Mapping[int, int], aside: "IntVar | bool"
    ) -> None:
        """Let `m` go from rows `here` to rows `there`, straight unless `aside`."""
        model, last = self.model, self.last
        self.rows[m] = here, there
        leaves = self.leaves[m] = comes = onwards = model.new_int_var(0, last, "")
        if aside is not False:
            comes, onwards = model.new_int_var(0, last, ""), model.new_int_var(0, last + 1, "")
            model.add(comes >= leaves + aside)
            model.add(onwards == comes + 1 - aside)
        if not isinstance(aside, bool):
            model.add(comes == leaves).only_enforce_if(~aside)
        self.comes[m] = comes
        first = model.new_interval_var(0, leaves + 1, leaves + 1, "")
        final = later = model.new_interval_var(comes, last + 2 - comes, last + 2, "")
        if aside is False:  # rows on both ends are its own all the time
            here, there = _without(here, there), _without(there, here)
        else:
            later = model.new_interval_var(onwards, last + 2 - onwards, last + 2, "")
        for r, amount in here.items():
            self.before[r] += amount
            self.held[r].append((first, amount))
        for r, amount in there.items():
            self.held[r].append((later if r in here else final, amount))

    def stop(self, m: int, third: Mapping[int, int], chosen: "IntVar") -> None:
        """Let `m`, if `chosen`, hold rows `third` on its way: each at every instant just once."""
        here, there = self.rows[m]
        for r, amount in third.items():
            since = self.leaves[m] + (r in here)
            until = self.comes[m] + (r not in there)
            size = self.model.new_int_var(0, self.last + 2, "")
            span = self.model.new_optional_interval_var(since, size, until, chosen, "")
            self.held[r].append((span, amount))

    def fit(self, free: Sequence[int]) -> None:
        """Let no row hold more than there is room."""
        for r, spans in sorted(self.held.items()):
            room = free[r] + self.before[r]
            if sum(amount for _, amount in spans) > room:
                self.model.add_cumulative([s for s, _ in spans], [a for _, a in spans], room)


def _linked(rows: Mapping[int, set[int]]) -> list[list[int]]:
    """Return movers by parts that share none of `rows`, which each has at least one of."""
    root = {m: m for m in rows}

    def top(m: int) -> int:
        while root[m] != m:
            root[m] = root[root[m]]
            m = root[m]
        return m

    first: dict[int, int] = {}
    for m, mine in rows.items():
        for r in sorted(mine):
            root[top(m)] = top(first.setdefault(r, m))
    found: dict[int, list[int]] = defaultdict(list)
    for m in rows:
        found[top(m)].append(m)
    return list(found.values())


def _without(some: Mapping[int, int], others: Mapping[int, int]) -> dict[int, int]:
    return {r: amount for r, amount in some.items() if r not in others}
