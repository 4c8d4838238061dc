"""Fewer steps aside in an order of many moves: by CP-SAT, a neighbourhood at a time.

All but some movers, linked by the hosts that they leave and come to, keep their turns. Those some
may go at any turn, straight or by another host. An answer is an order of all: so each question
either saves steps aside or changes nothing, and it is small whatever the number of moves.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from balancer.planner.order.fewest import Ways, open_to, solved
from balancer.planner.order.yard import Trip, Yard, rows_of

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntVar

SIZE: Final = 50
"""Movers of a neighbourhood."""
THIRDS: Final = 6
"""Hosts besides the present one that a mover may step aside to: those with most room always left."""


def fewer_around(yard: Yard, known: Sequence[Trip], work: float, enough: int) -> tuple[Trip, ...]:
    """Return an order with fewer steps aside than `known`, down to `enough`; or `known`.

    `known` is safe one at a time and ends at all targets, and so is what is returned. Looks once
    around each mover that steps aside; `work` is what each look may take, in deterministic seconds.
    """
    trips = tuple(known)
    for m in _aside(yard, known):
        if len(trips) - len(yard.source) <= enough:
            break
        if m in _aside(yard, trips):
            trips = _Look(yard, trips, _near(yard, m)).better(work)
    return trips


def _aside(yard: Yard, trips: Sequence[Trip]) -> list[int]:
    return [trip.mover for trip in trips if trip.target != yard.target[trip.mover]]


def _near(yard: Yard, m: int) -> set[int]:
    """Return `m` and the movers that are fewest hosts away, up to `SIZE`."""
    at: dict[int, list[int]] = defaultdict(list)
    ends = list(zip(yard.source.tolist(), yard.target.tolist(), strict=True))
    for k, both in enumerate(ends):
        for host in both:
            at[host].append(k)
    found, queue = {m}, [m]
    for k in queue:
        for other in (o for host in ends[k] for o in at[host]):
            if other not in found and len(found) < SIZE:
                found.add(other)
                queue.append(other)
    return found


class _Look:
    """One question: who of `some` steps aside where, with everybody else's turns given."""

    def __init__(self, yard: Yard, trips: tuple[Trip, ...], some: set[int]) -> None:
        self.yard, self.trips, self.some = yard, trips, sorted(some)
        self.turns: dict[int, list[int]] = defaultdict(list)
        for turn, trip in enumerate(trips):
            self.turns[trip.mover].append(turn)
        self.stays: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        """By row: since which turn others hold how much of it, and up to which."""
        for m in sorted(self.turns.keys() - some):
            self._stay(m)
        self.roomiest = self._roomiest()

    def _stay(self, m: int) -> None:
        """Note what `m` holds: on both ends of a trip at its turn, once where rows are the same."""
        mine, last = self.turns[m], len(self.trips) + 2
        places = [int(self.yard.source[m]), *(self.trips[turn].target for turn in mine)]
        rows = [rows_of(self.yard, m, host) for host in places]
        since, until = [0, *mine], [*(turn + 1 for turn in mine), last]
        for k, held in enumerate(rows):
            for r, amount in held.items():
                again = k > 0 and r in rows[k - 1]
                self.stays[r].append((since[k] + again, until[k], amount))

    def _thirds(self, m: int) -> list[int]:
        """Return hosts that `m` may step aside to, the present one first."""
        now = [self.trips[self.turns[m][0]].target] if len(self.turns[m]) > 1 else []
        roomy = (h for h in self.roomiest if h not in now and open_to(self.yard, m, h))
        return now + list(islice(roomy, THIRDS))

    def _roomiest(self) -> list[int]:
        """Return hosts by what is always free of what each has least of, the most first."""
        free = self.yard.free.copy()
        least = free.copy()
        for trip in self.trips:
            here, there = (rows_of(self.yard, trip.mover, h) for h in (trip.source, trip.target))
            for r in there.keys() - here.keys():
                free[r] -= there[r]
                least[r] = min(least[r], free[r])
            for r in here.keys() - there.keys():
                free[r] += here[r]
        hosts, kinds = self.yard.room.shape
        most = self.yard.need.max(axis=0).clip(min=1)
        room = least[: hosts * kinds].reshape(kinds, hosts) / most.reshape(-1, 1)
        found: list[int] = np.argsort(-room.min(axis=0), kind="stable").tolist()
        return found

    def better(self, work: float) -> tuple[Trip, ...]:
        """Return an order with fewer steps aside, or the one given."""
        from ortools.sat.python import cp_model  # noqa: PLC0415 - takes long to import

        model = cp_model.CpModel()
        ways = Ways(model, len(self.trips))
        third = {m: self._told(model, ways, m) for m in self.some}
        for r in list(ways.held):
            for since, until, amount in self.stays[r]:
                span = model.new_fixed_size_interval_var(since, until - since, "")
                ways.held[r].append((span, amount))
                ways.before[r] += amount if since == 0 else 0
        ways.fit(self.yard.free.clip(min=0).tolist())
        steps = sum(one for hosts in third.values() for one in hosts.values())
        model.minimize(steps)
        solver = solved(model, work)
        before = sum(len(self.turns[m]) - 1 for m in self.some)
        if solver is None or solver.value(steps) >= before:
            return self.trips
        told = [(turn, t) for turn, t in enumerate(self.trips) if t.mover not in third]
        for m, hosts in third.items():
            here, home = int(self.yard.source[m]), int(self.yard.target[m])
            for host in (host for host, one in hosts.items() if solver.value(one)):
                told.append((solver.value(ways.leaves[m]), Trip(m, here, host)))
                here = host
            told.append((solver.value(ways.comes[m]), Trip(m, here, home)))
        return tuple(trip for _, trip in sorted(told, key=lambda one: one[0]))

    def _told(self, model: "CpModel", ways: Ways, m: int) -> dict[int, "IntVar"]:
        """Let `m` go at any turn; return by which host it steps aside, if by any."""
        here, home = int(self.yard.source[m]), int(self.yard.target[m])
        aside, mine = model.new_bool_var(""), self.turns[m]
        ways.add(m, rows_of(self.yard, m, here), rows_of(self.yard, m, home), aside)
        third = {host: model.new_bool_var("") for host in self._thirds(m)}
        model.add(sum(third.values()) == aside)
        for host, chosen in third.items():
            ways.stop(m, rows_of(self.yard, m, host), chosen)
            model.add_hint(chosen, self.trips[mine[0]].target == host)
        for told, turn in zip((ways.leaves[m], ways.comes[m]), mine, strict=False):
            model.add_hint(told, turn)
        model.add_hint(aside, len(mine) > 1)
        return third
