"""The best order of given trips at given rates, by CP-SAT: of all, or of those that start last.

The incumbent stays outside: the solver is told how long it takes and where everything starts, and
what comes back is placed anew by `generate`, so that nothing of the solver's rounding is kept.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING, Final

import numpy as np

from balancer.planner.order.kernels.passes import duration
from balancer.planner.order.yard import Compiled, Floats, Ints

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntervalVar, IntVar

Held = dict[int, list[tuple["IntervalVar", int]]]
"""Of each row: when how much of it is held."""

FINEST: Final = 50_000_000
"""Ticks in a schedule at most where all durations are whole multiples of one measure."""
TICKS: Final = 100_000
"""Ticks in a schedule where they are not; durations are then rounded up."""
GRAIN: Final = 1000
"""Parts in which rates are counted."""
NEAR: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking the solver."""

    start: Floats | None
    """Starts, seconds, of a shorter schedule; None if none was found."""
    proven: bool
    """True if none is shorter than this one or, without one, than the incumbent."""
    work: float
    """Deterministic seconds that were taken."""


@dataclass(frozen=True, slots=True)
class _Clock:
    """The incumbent in ticks, from the first of the trips that are free on."""

    tick: float
    base: float
    """Seconds: nothing that starts before is moved."""
    last: int
    """The end that is wanted at most."""
    length: Sequence[int]
    free: Sequence[int]
    """Trips, in the order of their numbers."""
    flying: frozenset[int]
    """Trips that started before `base` and end later."""

    def at(self, seconds: float) -> int:
        """Return the tick by which `seconds` are over."""
        return max(0, ceil((seconds - self.base) / self.tick - NEAR))


@dataclass(frozen=True, slots=True)
class Means:
    """How much the solver may do: whichever is used up first ends it."""

    work: float
    """Its deterministic seconds: the same for the same question."""
    seconds: float = inf
    """By the clock. What it does before it searches is hardly counted as work."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the schedule to improve."""

    start: Floats
    rate: Floats
    """Kept as they are."""
    seconds: float
    bound: float
    """Seconds that no schedule is shorter than."""


def best_starts(c: Compiled, known: Known, means: Means, most: int = 1 << 40) -> Answer:
    """Return starts of a shorter schedule, if one is found, of the `most` last trips to start.

    All others start as they do; trips that start at one instant are taken together.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 - takes long to import

    start = known.start
    clock = _clock(c, known, most)
    least = max(1, clock.at(known.bound * (1 - 2 * NEAR)))
    if least > clock.last or max(clock.length[j] for j in clock.free) > clock.last:
        return Answer(None, proven=True, work=0.0)
    model = cp_model.CpModel()
    end = model.new_int_var(least, clock.last, "")
    starts = {j: model.new_int_var(0, clock.last - clock.length[j], "") for j in clock.free}
    for j, one in starts.items():
        model.add(end >= one + clock.length[j])
        before = int(c.legs.before[j])
        if before in starts:
            model.add(one >= starts[before] + clock.length[before])
        elif before in clock.flying:
            model.add(one >= _landed(clock, start, before))
        told = round((start[j] - clock.base) / clock.tick)
        model.add_hint(one, min(clock.last - clock.length[j], told))
    _channels(model, c, clock, starts, known)
    _rows(model, c, clock, starts, start)
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = means.work
    solver.parameters.max_time_in_seconds = means.seconds
    status = solver.solve(model)
    took = solver.response_proto.deterministic_time
    if status in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        found = start.copy()
        for j, one in starts.items():
            found[j] = clock.base + solver.value(one) * clock.tick
        return Answer(found, status == cp_model.OPTIMAL, took)
    return Answer(None, status == cp_model.INFEASIBLE, took)


def _clock(c: Compiled, known: Known, most: int) -> _Clock:
    start, seconds, n = known.start, known.seconds, len(known.start)
    paced = c.legs._replace(top=np.where(c.legs.top > 0, known.rate, c.legs.top))
    length = np.array([duration(paced, j, float(paced.top[j]), c.pause) for j in range(n)])
    tick = measure(length, seconds)
    base = float(np.sort(start)[max(0, n - most)])
    free = np.flatnonzero(start >= base).tolist()
    flying = frozenset(
        np.flatnonzero((start < base) & (start + length > base + NEAR * seconds)).tolist()
    )
    last = int((seconds - base) / tick * (1 - NEAR))
    return _Clock(tick, base, last, [ceil(x / tick - NEAR) for x in length.tolist()], free, flying)


def _landed(clock: _Clock, start: Floats, j: int) -> int:
    """Return the tick by which `j`, in flight from before on, has ended."""
    return clock.at(float(start[j]) + clock.length[j] * clock.tick)


def measure(length: Floats, seconds: float) -> float:
    """Return what all of `length` are whole multiples of, or a small part of `seconds`."""
    common = 0.0
    for one in length.tolist():
        a, b = max(common, one), min(common, one)
        while b > NEAR * a and b > seconds / FINEST:
            a, b = b, a % b
            if a - b < NEAR * a:
                b = 0.0
        common = a
    times = np.round(length / max(common, seconds / FINEST))
    common = float(length.sum() / times.sum())
    whole = times.min() > 0 and float(np.abs(length / common - times).max()) < 1 / GRAIN
    return common if whole else seconds / TICKS


def _channels(
    model: "CpModel",
    c: Compiled,
    clock: _Clock,
    starts: dict[int, "IntVar"],
    known: Known,
) -> None:
    """Let no channel carry more, or more at once, than it may."""
    spans = {
        j: model.new_fixed_size_interval_var(one, clock.length[j], "") for j, one in starts.items()
    }
    for j in sorted(clock.flying):
        spans[j] = model.new_fixed_size_interval_var(0, _landed(clock, known.start, j), "")
    users: dict[int, list[int]] = defaultdict(list)
    for j in spans:
        for channel in c.legs.channel[j].tolist():
            if channel >= 0:
                users[channel].append(j)
    for channel, mine in sorted(users.items()):
        number = int(c.flow.number[channel])
        if len(mine) > number:
            model.add_cumulative([spans[j] for j in mine], [1] * len(mine), number)
        rates = [ceil(GRAIN * float(known.rate[j]) - NEAR) for j in mine]
        room = int(GRAIN * float(c.flow.rate[channel]) + NEAR)
        if sum(rates) > room:
            model.add_cumulative([spans[j] for j in mine], rates, room)


def _rows(
    model: "CpModel", c: Compiled, clock: _Clock, starts: dict[int, "IntVar"], start: Floats
) -> None:
    """Let every row have room at every instant: what is given was held from the beginning."""
    room = (c.stock.room - c.stock.level).tolist()
    held: Held = defaultdict(list)
    for j in range(len(start)):
        since, until = _halves(model, clock, starts, start, j)
        for r, a in _amounts(c.legs.take[j], c.legs.take_amount[j]):
            if since is None:
                room[r] -= a
            else:
                held[r].append((since, a))
        for r, a in _amounts(c.legs.give[j], c.legs.give_amount[j]):
            room[r] += a
            if until is not None:
                held[r].append((until, a))
    for r, spans in sorted(held.items()):
        if sum(a for _, a in spans) > room[r]:
            model.add_cumulative([s for s, _ in spans], [a for _, a in spans], room[r])


def _amounts(rows: Ints, amounts: Ints) -> list[tuple[int, int]]:
    return [(r, a) for r, a in zip(rows.tolist(), amounts.tolist(), strict=True) if r >= 0]


def _halves(
    model: "CpModel", clock: _Clock, starts: dict[int, "IntVar"], start: Floats, j: int
) -> tuple["IntervalVar | None", "IntervalVar | None"]:
    """Return the time from the start of `j` on, and that until its end; None where none is left.

    Trips that started before hold what they take from the beginning.
    """
    if j not in starts:
        flying = j in clock.flying
        until = _landed(clock, start, j)
        return None, model.new_fixed_size_interval_var(0, until, "") if flying else None
    landed = model.new_int_var(0, clock.last, "")
    model.add(landed == starts[j] + clock.length[j])
    rest = model.new_int_var(0, clock.last, "")
    model.add(rest == clock.last - starts[j])
    since = model.new_interval_var(starts[j], rest, clock.last, "")
    return since, model.new_interval_var(0, landed, landed, "")
