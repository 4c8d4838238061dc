"""The policies of CloudSim's examples: none (dvfs), a fixed threshold, and three that adapt."""

from collections.abc import Callable

import numpy as np

from benchmarks.planetlab import deciding, kernel
from benchmarks.planetlab.day import Day
from benchmarks.planetlab.machines import WATTS, Machines

# Name: what decides that a host is overloaded, its parameter, and whether waking a host is priced.
POLICIES = {
    "thr": (deciding.THR, 0.8, False),
    "lr": (deciding.LR, 1.2, False),
    "lr-waking": (deciding.LR, 1.2, True),
    "iqr": (deciding.IQR, 1.5, False),
    "mad": (deciding.MAD, 2.5, False),
}


def first_placement(machines: Machines, *, cheapest: bool) -> np.ndarray:
    """Return the host of each guest before the first tick."""
    m = machines
    return kernel.first_placement(m.mips, m.memory, m.core, m.total, m.kind, WATTS, cheapest)


def decider(name: str) -> Callable[[Day], np.ndarray]:
    """Return what a published policy moves at a tick."""
    policy, parameter, waking = POLICIES[name]

    def decide(day: Day) -> np.ndarray:
        m = day.machines
        moves = np.empty((2 * len(m.mips), 2), dtype=np.int64)
        n = deciding.decide(
            day.lists.copy(),
            day.counts.copy(),
            day.believed_use(),
            m.memory,
            waking,
            (day.seen, m.mips, m.core, m.total, m.kind, WATTS),
            (policy, parameter, day.past, day.tick),
            moves,
        )
        return moves[:n]

    return decide
