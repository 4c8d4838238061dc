"""PlanetLab's days: 288 whole percents of one core a guest, every five minutes.

As published, a folder of text files, one a guest, one number a line; or packed into one `.npz` with
`util` [guest, step] and `names`. Guests are taken in the order of their names.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.model.rollups import CELL
from balancer.simulator.replaying.traces.trace import MEMORY_MIB, Trace

CORES: Final = 1
EPOCH: Final = 1_299_110_400
"""3 March 2011: when these days, which have no times, are taken to begin."""


def packed(path: Path) -> Trace:
    """Return the day in a `.npz`."""
    with np.load(path) as data:
        return _day([str(name) for name in data["names"]], data["util"])


def folder(path: Path) -> Trace:
    """Return the day in a folder. Raises ValueError where a file holds something else."""
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    used = [[int(line) for line in file.read_text().split()] for file in files]
    if len({len(one) for one in used}) != 1:
        raise ValueError("its files do not hold the same number of lines")
    return _day([file.name for file in files], np.array(used))


def _day(names: list[str], percent: NDArray[Any]) -> Trace:
    return Trace(
        start=EPOCH,
        names=tuple(names),
        vcpus=(CORES,) * len(names),
        memory=(MEMORY_MIB,) * len(names),
        cpu=np.ascontiguousarray(percent.T.astype(CELL) * (1000 * CORES) // 100),
    )
