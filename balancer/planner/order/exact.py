"""The best order of given trips at given rates, by CP-SAT: for a hundred of them at most.

The incumbent stays outside: the solver is told how long it takes and where everything starts, and
what comes back is placed anew by `generate`, so that nothing of the solver's rounding is kept.
"""

from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np

from balancer.planner.order.kernels.passes import duration
from balancer.planner.order.yard import Compiled, Floats

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntVar

FINEST: Final = 50_000_000
"""Ticks in a schedule at most where all durations are whole multiples of one measure."""
TICKS: Final = 100_000
"""Ticks in a schedule where they are not; durations are then rounded up."""
GRAIN: Final = 1000
"""Parts in which rates are counted."""
NEAR: Final = 1e-7


def best_starts(
    c: Compiled, start: Floats, rate: Floats, bound: float, seconds: float, work: float
) -> tuple[Floats | None, bool]:
    """Return starts, seconds, of a schedule shorter than `seconds`, or None; and if none is shorter.

    `start` and `rate` are the schedule to improve; rates are kept. No schedule is shorter than
    `bound`. `work` is in the solver's deterministic seconds.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 - takes long to import

    legs, n = c.legs, len(start)
    paced = legs._replace(top=np.where(legs.top > 0, rate, legs.top))
    length = np.array([duration(paced, j, float(paced.top[j]), c.pause) for j in range(n)])
    tick = measure(length, seconds)
    model = cp_model.CpModel()
    last = int(seconds / tick * (1 - NEAR))
    ticks = [ceil(one / tick - NEAR) for one in length.tolist()]
    least = max(*ticks, ceil(bound / tick * (1 - 2 * NEAR)))
    if least > last:
        return None, True
    end = model.new_int_var(least, last, "")
    starts = [model.new_int_var(0, last - one, "") for one in ticks]
    for j in range(n):
        model.add(end >= starts[j] + ticks[j])
        if legs.before[j] >= 0:
            before = int(legs.before[j])
            model.add(starts[j] >= starts[before] + ticks[before])
        model.add_hint(starts[j], min(last - ticks[j], round(start[j] / tick)))
    _channels(model, c, starts, ticks, rate)
    _rows(model, c, starts, ticks, last)
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = work
    status = solver.solve(model)
    if status in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        found = np.array([solver.value(one) * tick for one in starts])
        return found, status == cp_model.OPTIMAL
    return None, status == cp_model.INFEASIBLE


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
    model: "CpModel", c: Compiled, starts: list["IntVar"], ticks: list[int], rate: Floats
) -> None:
    """Let no channel carry more, or more at once, than it may."""
    fixed = [
        model.new_fixed_size_interval_var(s, t, "") for s, t in zip(starts, ticks, strict=True)
    ]
    for channel in range(len(c.flow.rate)):
        users = np.flatnonzero((c.legs.channel == channel).any(axis=1)).tolist()
        number = int(c.flow.number[channel])
        if len(users) > number:
            model.add_cumulative([fixed[j] for j in users], [1] * len(users), number)
        rates = [ceil(GRAIN * float(rate[j]) - NEAR) for j in users]
        room = int(GRAIN * float(c.flow.rate[channel]) + NEAR)
        if sum(rates) > room:
            model.add_cumulative([fixed[j] for j in users], rates, room)


def _rows(
    model: "CpModel", c: Compiled, starts: list["IntVar"], ticks: list[int], last: int
) -> None:
    """Let every row have room at every instant: what is given was held from the beginning."""
    n = len(starts)
    until, since = [], []
    for j in range(n):
        held = model.new_int_var(0, last, "")
        model.add(held == starts[j] + ticks[j])
        until.append(model.new_interval_var(0, held, held, ""))
        rest = model.new_int_var(0, last, "")
        model.add(rest == last - starts[j])
        since.append(model.new_interval_var(starts[j], rest, last, ""))
    for row in range(len(c.stock.room)):
        spans, amounts, room = [], [], int(c.stock.room[row] - c.stock.level[row])
        for j in range(n):
            for k in np.flatnonzero(c.legs.take[j] == row).tolist():
                spans.append(since[j])
                amounts.append(int(c.legs.take_amount[j, k]))
            for k in np.flatnonzero(c.legs.give[j] == row).tolist():
                spans.append(until[j])
                amounts.append(int(c.legs.give_amount[j, k]))
                room += int(c.legs.give_amount[j, k])
        model.add_cumulative(spans, amounts, room)
