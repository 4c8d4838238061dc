"""Bitbrains' traces (GWA-T-12): as published, one file a guest; or the columns that OpenDC kept.

Published files have eleven columns apart by semicolons. Their times are called milliseconds, and are
seconds in most copies: what is too large for seconds is taken by its word.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from balancer.simulator.replaying.traces.table import table
from balancer.simulator.replaying.traces.tables import Columns, csv_columns
from balancer.simulator.replaying.traces.trace import Trace

OPENDC: Final = ("vm", "ts", "cores", "cpu_mhz")
AT: Final = "Timestamp [ms]"
CORES: Final = "CPU cores"
MOST: Final = "CPU capacity provisioned [MHZ]"
USED: Final = "CPU usage [MHZ]"
MEMORY: Final = "Memory capacity provisioned [KB]"
RSS: Final = "Memory usage [KB]"
MHZ_PER_CORE: Final = 2_600.0
"""Of a core, where a file does not say what is provisioned."""
KIB: Final = 1024
TOO_LATE: Final = 1e11
"""No time in seconds is beyond this."""


def files(paths: Sequence[Path]) -> Trace:
    """Return the guests of these files, each called after its own."""
    found: Columns = {key: [] for key in ("guest", "at", "cpu", "vcpus", "memory", "rss")}
    for path in sorted(paths):
        for key, cells in _one(path).items():
            found[key].extend(cells)
    return table(paths[0], found)


def _one(path: Path) -> Columns:
    columns = {key: np.array(cells, dtype=float) for key, cells in csv_columns(path, ";").items()}
    at, cores, most = columns[AT], columns[CORES], columns[MOST]
    speed = np.where(most > 0, most / np.maximum(1, cores), MHZ_PER_CORE)
    return {
        "guest": [path.name.split(".")[0]] * len(at),
        "at": np.where(at > TOO_LATE, at / 1000, at).tolist(),
        "cpu": (1000 * columns[USED] / speed).tolist(),
        "vcpus": cores.tolist(),
        "memory": (columns[MEMORY] / KIB).tolist(),
        "rss": (columns[RSS] / KIB).tolist(),
    }


def opendc(path: Path, columns: Mapping[str, Sequence[Any]]) -> Trace:
    """Return the trace of OpenDC's columns."""
    mhz = np.array(columns["cpu_mhz"], dtype=float)
    cells = {
        "guest": columns["vm"],
        "at": columns["ts"],
        "cpu": (1000 * mhz / MHZ_PER_CORE).tolist(),
        "vcpus": columns["cores"],
    }
    return table(path, cells)
