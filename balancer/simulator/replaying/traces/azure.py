"""Azure's virtual machines: when they came, how large they were, how long they stayed.

Two formats. `vmtable.csv` as published (2017 and 2019: eleven columns, no header), with
`vm_cpu_readings…csv` beside it or without; times count from the trace's own beginning, CPU is in
percent. And arrivals in bins of five minutes (`t`, `vcpu`, `mem_gb`, `dur_bin`, `censored`), with
lengths of stay in bins. What is not said about CPU is taken to be USED of it, all the time.
"""

from collections.abc import Mapping, Sequence
from math import inf, nan
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.model.rollups import CELL, STEP, UNKNOWN, Cells
from balancer.simulator.replaying.traces.tables import rows
from balancer.simulator.replaying.traces.trace import WHOLE, Cut, Trace, chosen

ARRIVALS: Final = ("t", "vcpu", "mem_gb", "dur_bin")
WIDTH: Final = 11
CAME, WENT, MEAN, CORES, MEMORY = 3, 4, 6, 9, 10
"""Columns of `vmtable.csv`."""
CENSORED: Final = ("True", "true", "1")
READINGS: Final = "vm_cpu_readings"
USED: Final = 30.0
"""Percent of its virtual cores that a guest is taken to use where nobody says."""
EPOCH: Final = 1_483_228_800
"""1 January 2017: when times that count from 0 are taken to begin."""
HOUR, DAY = 3600, 86_400
BY_STEP, BY_HOUR = 12, 35
"""The last bins that are five minutes, and an hour, wide."""
LONGEST: Final = (45, 20 * DAY)


def arrivals(columns: Mapping[str, Sequence[Any]], part: Cut = WHOLE) -> Trace:
    """Return the trace of arrivals in bins; a stay is as long as the middle of its bin."""
    at = EPOCH + np.array(columns["t"], dtype=np.int64)
    kept = _kept(at, part)
    came = at[kept]
    last = np.array([stay_of(int(columns["dur_bin"][i])) for i in kept], dtype=float)
    known = (
        [str(columns["censored"][i]) not in CENSORED for i in kept]
        if "censored" in columns
        else True
    )
    went = np.where(known, came + last, inf)
    cores = np.array(columns["vcpu"], dtype=float)[kept]
    memory = 1024 * np.array(columns["mem_gb"], dtype=float)[kept]
    span = (int(at.min()), int(came.max()) + STEP)
    used = np.full(len(kept), USED)
    return _trace([name_of(i) for i in kept], (came, went), (cores, memory), used, span)


def name_of(row: int) -> str:
    """Return what a guest is called, by its place in the file."""
    return f"vm-{row:06}"


def _kept(came: NDArray[Any], part: Cut) -> list[int]:
    """Return the rows that are wanted, so that no more is laid out than will be looked at."""
    end = float(came.min()) + part.skip + part.length
    early = np.flatnonzero(came < end).tolist()
    kept = [i for i in early if chosen(name_of(i), part.share)]
    if not kept:
        raise ValueError("nothing is left of it: take a larger --share or --length")
    return kept


def stay_of(bin_: int) -> float:
    """Return the seconds in the middle of a bin: by five minutes, then by hours, then by days."""
    if bin_ <= BY_STEP:
        return STEP * max(0.5, bin_)
    if bin_ <= BY_HOUR:
        return HOUR * (bin_ - BY_STEP + 0.5)
    if bin_ < LONGEST[0]:
        return DAY * (bin_ - BY_HOUR + 0.5)
    return (DAY * (LONGEST[0] - 1 - BY_HOUR + 1) + LONGEST[1]) / 2


def vmtable(path: Path, part: Cut = WHOLE) -> Trace:
    """Return the trace of `vmtable.csv`. Raises ValueError where it is none."""
    table = [row for row in rows(path) if row]
    if not table or any(len(row) != WIDTH for row in table):
        raise ValueError(f"a row has not the {WIDTH} columns of vmtable.csv")
    number = np.array(
        [[_number(row[c]) for c in (CAME, WENT, MEAN, CORES, MEMORY)] for row in table]
    )
    kept = _kept(EPOCH + number[:, 0], part)
    last = float(number[:, 1].max())
    mine = number[kept]
    came = EPOCH + mine[:, 0]
    went = np.where(mine[:, 1] >= last, inf, EPOCH + mine[:, 1])  # there until the trace ends
    start = EPOCH + float(number[:, 0].min())
    span = (int(start), int(min(EPOCH + last, start + part.skip + part.length)))
    sizes = (mine[:, 3], 1024 * mine[:, 4])
    found = _trace([name_of(i) for i in kept], (came, went), sizes, mine[:, 2], span)
    _read_in(found, path, {table[i][0]: place for place, i in enumerate(kept)})
    return found


def _number(cell: str) -> float:
    """Return an amount; of a bucket that is open above (`>24`), its least."""
    return float(cell.lstrip(">")) if cell else nan


def _trace(
    names: Sequence[str],
    stays: tuple[NDArray[Any], NDArray[Any]],
    sizes: tuple[NDArray[Any], NDArray[Any]],
    percent: NDArray[np.float64],
    span: tuple[int, int],
) -> Trace:
    came, went = stays
    cores, memory = (np.maximum(1, np.rint(size)).astype(int) for size in sizes)
    start, end = span[0] // STEP * STEP, span[1]
    used = np.rint(10 * cores * np.where(np.isnan(percent), USED, percent))
    at = start + STEP * np.arange(max(2, -(-(end - start) // STEP)))[:, None]
    there = (at + STEP > came) & (at < went)
    return Trace(
        start=start,
        names=tuple(names),
        vcpus=tuple(cores.tolist()),
        memory=tuple(memory.tolist()),
        cpu=np.where(there, used, UNKNOWN).astype(CELL),
        stays=tuple(zip(came.astype(float).tolist(), went.astype(float).tolist(), strict=True)),
    )


def _read_in(trace: Trace, path: Path, places: Mapping[str, int]) -> None:
    """Put readings (time, guest, least, most, mean) in the place of what the table says."""
    cells: Cells = trace.cpu
    for file in sorted(p for p in path.parent.glob(f"{READINGS}*") if p.is_file()):
        for at, guest, _, _, mean in rows(file):
            step = (EPOCH + int(float(at)) - trace.start) // STEP
            place = places.get(guest)
            if place is not None and 0 <= step < len(cells):
                cells[step, place] = round(10 * trace.vcpus[place] * float(mean))
