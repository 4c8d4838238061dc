"""A scenario's cluster taken from an observation: `[cluster] observation = "case.json"`.

Hosts, guests, sizes, rules' labels and placement are those observed. A guest uses what its
roll-ups say it used, from their first column on and over again; without roll-ups, what its
newest sample says, all the time.
"""

from pathlib import Path
from typing import Final

import numpy as np

from balancer.codec import load_observation
from balancer.config.reading import Table
from balancer.config.units import RATIO
from balancer.planner.model.cluster import Guest
from balancer.planner.model.observation import Observation
from balancer.planner.model.resources import MEMORY
from balancer.planner.model.rollups import STEP
from balancer.simulator.population import Population
from balancer.simulator.workloads import Constant, Recorded, Scaled, Workload
from balancer.simulator.world import SimulatedGuest

KEYS: Final = ("observation", "load")
USED: Final = 0.75
"""Share of its memory that a guest is taken to use where nobody measured it."""
HOT_SET: Final = 0.05


def add_recorded(table: Table, population: Population) -> None:
    """Add the observed cluster. Raises UsageError where the file cannot be read."""
    table.only(KEYS)
    if "observation" not in table.values:
        table.fail(
            "observation", 'missing: name a file that `balancer observe -o` wrote, as "case.json"'
        )
    path = table.file.parent / Path(table.text("observation"))
    try:
        data = path.read_bytes()
    except OSError as error:
        table.fail("observation", f"cannot be read: {error.strerror}")
    seen = load_observation(data, str(path))
    factor = float(table.amount("load", RATIO, 1.0))
    for host in seen.cluster.hosts:
        population.add_host(host)
    for guest in seen.cluster.guests:
        cpu = _cpu(seen, guest, population.start)
        if factor != 1:
            cpu = Scaled(calm=cpu, factor=factor, since=population.start)
        population.add_guest(_simulated(seen, guest, cpu), seen.cluster.placement[guest.uuid])


def _cpu(seen: Observation, guest: Guest, start: float) -> Workload:
    row = seen.rollups.guest_rows("cpu", [guest.uuid])[0]
    known = np.flatnonzero(~np.isnan(row))
    if len(known):
        row = row[known[0] : known[-1] + 1]
        held = np.maximum.accumulate(np.where(np.isnan(row), 0, np.arange(len(row))))
        cells = row[held].astype(int).tolist()  # a gap repeats what was known before it
        return Recorded(cells=tuple(cells), step=STEP, origin=start)
    return Constant(cpu=_newest(seen, guest, "cpu", 50))


def _simulated(seen: Observation, guest: Guest, cpu: Workload) -> SimulatedGuest:
    memory = guest.allocation.get(MEMORY, 0)
    used = min(memory, _newest(seen, guest, "memory.rss", int(USED * memory)))
    return SimulatedGuest(
        spec=guest,
        cpu=cpu,
        memory_mib=used,
        dirty_mib_s=_newest(seen, guest, "dirty", 0),
        hot_set_mib=int(used * HOT_SET),
    )


def _newest(seen: Observation, guest: Guest, metric: str, otherwise: int) -> int:
    taken = seen.history.guests.get(guest.uuid, ())
    return taken[-1].values.get(metric, otherwise) if taken else otherwise
