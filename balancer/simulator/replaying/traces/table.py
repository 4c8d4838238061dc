"""Anybody's CSV or Parquet: one row a guest and moment (docs/simulation.md has the schema)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from balancer.planner.model.rollups import CELL, STEP, UNKNOWN, Cells
from balancer.ports import UsageError
from balancer.simulator.replaying.traces.trace import MEMORY_MIB, Trace

REQUIRED: Final = ("guest", "at", "cpu")


def table(path: Path, columns: Mapping[str, Sequence[Any]]) -> Trace:
    """Return the trace of one row a guest and moment; several in five minutes are averaged.

    Raises UsageError where a column is missing, ValueError where one holds no numbers.
    """
    missing = [key for key in REQUIRED if key not in columns]
    if missing:
        raise UsageError(
            f"{path}: has no column {', '.join(missing)}: needed are guest, at, cpu (docs/simulation.md "
            "lists the formats)"
        )
    names, which = np.unique([str(name) for name in columns["guest"]], return_inverse=True)
    at = np.array(columns["at"], dtype=float).astype(np.int64) // STEP
    if not len(at):
        raise UsageError(f"{path}: holds no row")
    step = at - at.min()
    shape = (int(step.max()) + 1, len(names))

    def mean(key: str) -> Cells:
        total, count = np.zeros(shape), np.zeros(shape)
        np.add.at(total, (step, which), np.array(columns[key], dtype=float))
        np.add.at(count, (step, which), 1)
        return np.where(count > 0, np.rint(total / np.maximum(1, count)), UNKNOWN).astype(CELL)

    def most(key: str, otherwise: int) -> tuple[int, ...]:
        if key not in columns:
            return (otherwise,) * len(names)
        found = np.zeros(len(names))
        np.maximum.at(found, which, np.array(columns[key], dtype=float))
        return tuple(max(1, int(value)) for value in found)

    cpu = mean("cpu")
    return Trace(
        start=int(at.min()) * STEP,
        names=tuple(f"vm-{name}" if name.isdigit() else name for name in names.tolist()),
        vcpus=most("vcpus", max(1, -(-int(cpu.max()) // 1000))),
        memory=most("memory", MEMORY_MIB),
        cpu=cpu,
        rss=mean("rss") if "rss" in columns else None,
    )
