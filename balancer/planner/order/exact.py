"""The best order of given trips at given rates, by CP-SAT: of all, or of those that start last.

The incumbent stays outside: the solver is told how long it takes and where everything starts, and
what comes back is placed anew by `generate`, so that nothing of the solver's rounding is kept.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np

from balancer.planner.order.kernels.passes import duration
from balancer.planner.order.yard import Compiled, Floats, Ints

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntervalVar, IntVar

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
    flying: Sequence[int]
    """Trips that started before `base` and end later."""

    def at(self, seconds: float) -> int:
        """Return the tick by which `seconds` are over."""
        return max(0, ceil((seconds - self.base) / self.tick - NEAR))


def best_starts(
    c: Compiled, start: Floats, rate: Floats, bound: float, seconds: float, work: float
) -> Answer:
    """Return starts of a schedule shorter than `seconds`, if there are some.

    `start` and `rate` are the schedule to improve; rates are kept. No schedule is shorter than
    `bound`. `work` is in the solver's deterministic seconds.
    """
    return best_last_starts(c, start, rate, bound, seconds, work, len(start))


def best_last_starts(  # noqa: PLR0913 - those of `best_starts`, and how many
    c: Compiled, start: Floats, rate: Floats, bound: float, seconds: float, work: float, most: int
) -> Answer:
    """Return the same where only about the `most` last trips to start may start otherwise."""
    from ortools.sat.python import cp_model  # noqa: PLC0415 - takes long to import

    clock = _clock(c, start, rate, seconds, most)
    least = max(1, clock.at(bound - 2 * NEAR * bound))
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
    _channels(model, c, clock, starts, start, rate)
    _rows(model, c, clock, starts, start)
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = work
    status = solver.solve(model)
    took = solver.response_proto.deterministic_time
    if status in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        found = start.copy()
        for j, one in starts.items():
            found[j] = clock.base + solver.value(one) * clock.tick
        return Answer(found, status == cp_model.OPTIMAL, took)
    return Answer(None, status == cp_model.INFEASIBLE, took)


def _clock(c: Compiled, start: Floats, rate: Floats, seconds: float, most: int) -> _Clock:
    n = len(start)
    paced = c.legs._replace(top=np.where(c.legs.top > 0, rate, c.legs.top))
    length = np.array([duration(paced, j, float(paced.top[j]), c.pause) for j in range(n)])
    tick = measure(length, seconds)
    base = float(np.sort(start)[max(0, n - most)])
    free = np.flatnonzero(start >= base).tolist()
    flying = np.flatnonzero((start < base) & (start + length > base + NEAR * seconds)).tolist()
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
    start: Floats,
    rate: Floats,
) -> None:
    """Let no channel carry more, or more at once, than it may."""
    spans = {
        j: model.new_fixed_size_interval_var(one, clock.length[j], "") for j, one in starts.items()
    }
    for j in clock.flying:
        spans[j] = model.new_fixed_size_interval_var(0, _landed(clock, start, j), "")
    users: dict[int, list[int]] = defaultdict(list)
    for j in spans:
        for channel in c.legs.channel[j].tolist():
            if channel >= 0:
                users[channel].append(j)
    for channel, mine in sorted(users.items()):
        number = int(c.flow.number[channel])
        if len(mine) > number:
            model.add_cumulative([spans[j] for j in mine], [1] * len(mine), number)
        rates = [ceil(GRAIN * float(rate[j]) - NEAR) for j in mine]
        room = int(GRAIN * float(c.flow.rate[channel]) + NEAR)
        if sum(rates) > room:
            model.add_cumulative([spans[j] for j in mine], rates, room)


def _rows(
    model: "CpModel", c: Compiled, clock: _Clock, starts: dict[int, "IntVar"], start: Floats
) -> None:
    """Let every row have room at every instant: what is given was held from the beginning."""
    room = (c.stock.room - c.stock.level).tolist()
    held: dict[int, list[tuple[IntervalVar, int]]] = defaultdict(list)
    flying = set(clock.flying)
    for j in range(len(start)):
        taken, given = (
            _amounts(c.legs.take[j], c.legs.take_amount[j]),
            _amounts(c.legs.give[j], c.legs.give_amount[j]),
        )
        for r, a in given:
            room[r] += a
        if j in starts:
            since, until = _halves(model, clock, starts[j], j)
            for r, a in taken:
                held[r].append((since, a))
        else:
            for r, a in taken:
                room[r] -= a
            if j not in flying:
                continue
            until = model.new_fixed_size_interval_var(0, _landed(clock, start, j), "")
        for r, a in given:
            held[r].append((until, a))
    for r, spans in sorted(held.items()):
        if sum(a for _, a in spans) > room[r]:
            model.add_cumulative([s for s, _ in spans], [a for _, a in spans], room[r])


def _amounts(rows: Ints, amounts: Ints) -> list[tuple[int, int]]:
    return [(r, a) for r, a in zip(rows.tolist(), amounts.tolist(), strict=True) if r >= 0]


def _halves(
    model: "CpModel", clock: _Clock, one: "IntVar", j: int
) -> tuple["IntervalVar", "IntervalVar"]:
    """Return the time from the start of `j` on, and that until its end."""
    landed = model.new_int_var(0, clock.last, "")
    model.add(landed == one + clock.length[j])
    rest = model.new_int_var(0, clock.last, "")
    model.add(rest == clock.last - one)
    since = model.new_interval_var(one, rest, clock.last, "")
    return since, model.new_interval_var(0, landed, landed, "")
