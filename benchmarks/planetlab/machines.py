"""The machines of the published model: 800 hosts of two kinds, guests of four sizes.

Source: CloudSim 3.0.3, `examples/power` (Constants, Helper): hosts, guests, power tables.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

HOSTS = 800
TICK_SECONDS = 300.0
FIRST_TICK = 0.1
"""Seconds: the moment at which guests' work is submitted."""

HOST_MIPS = np.array([1860.0, 2660.0])
"""Of one core of an HP G4 and of an HP G5; each has two."""
WATTS = np.array(
    [
        [86.0, 89.4, 92.6, 96.0, 99.5, 102.0, 106.0, 108.0, 112.0, 114.0, 117.0],
        [93.7, 97.0, 101.0, 105.0, 110.0, 116.0, 121.0, 125.0, 129.0, 133.0, 135.0],
    ]
)
"""At 0, 10, … 100 % of CPU."""
HOST_MEMORY, HOST_BANDWIDTH = 4096.0, 1e6
GUEST_MIPS = np.array([2500.0, 2000.0, 1000.0, 500.0])
GUEST_MEMORY = np.array([870.0, 1740.0, 1740.0, 613.0])
GUEST_BANDWIDTH = 1e5
MIB_PER_SECOND = HOST_BANDWIDTH / 16000.0
"""What a migration copies: half of a host's network."""


@dataclass(frozen=True, slots=True)
class Machines:
    """Hosts and guests as arrays, and one day of what guests ask for."""

    kind: np.ndarray
    """[hosts] 0 for a G4, 1 for a G5."""
    core: np.ndarray
    """[hosts] MIPS of one core."""
    total: np.ndarray
    """[hosts] MIPS of both."""
    mips: np.ndarray
    """[guests]."""
    memory: np.ndarray
    """[guests] MiB."""
    load: np.ndarray
    """[guests, 289] share of its MIPS that a guest asks for, every 300 s; the last one twice."""


def read(npz: Path) -> Machines:
    """Return the machines of a day: `util` [guests, 288] in %, guests in the order of the file."""
    util = np.load(npz)["util"]
    guests = len(util)
    size = np.arange(guests) // -(-guests // len(GUEST_MIPS))
    kind = np.arange(HOSTS) % 2
    return Machines(
        kind=kind,
        core=HOST_MIPS[kind],
        total=2 * HOST_MIPS[kind],
        mips=GUEST_MIPS[size],
        memory=GUEST_MEMORY[size],
        load=np.concatenate([util, util[:, -1:]], axis=1) / 100.0,
    )
