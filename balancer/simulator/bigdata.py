"""A cluster of masters and workers as guests: `[[bigdata]]`.

Masters are quiet and steady. Workers stand in replica groups and work in phases, all at the same
time: between two shuffles they compute at a moderate pace, during one they take all they can get
and write memory fast. That is what makes such guests harder to place than as many web servers:
their peaks add up.
"""

from dataclasses import replace
from typing import Final

from balancer.config.reading import Table
from balancer.config.units import COUNT, KIB_S, MILLICORES, SECONDS
from balancer.simulator.population import Population
from balancer.simulator.world import SimulatedGuest, World

KEYS: Final = (
    "name", "masters", "workers", "replica_groups", "on", "vcpus", "memory", "used", "labels",
    "noise", "busy", "shuffle", "shuffle_dirty", "every", "lasting", "dirty", "hot_set",
)  # fmt: skip
OF_GUESTS: Final = ("on", "vcpus", "memory", "used", "noise", "dirty", "hot_set")
"""Keys that are handed on to guests as they are."""
MASTER: Final = "master"
WORKER: Final = "worker"


def add_bigdata(table: Table, population: Population, number: int) -> None:
    """Add the guests of one `[[bigdata]]`, the `number`th table of guests of the file.

    They are named NAME-master-1 … and NAME-worker-01 …, and have the labels `role` and, workers
    in turn, `replica` (g1, g2, …).
    """
    table.only(KEYS)
    name = table.text("name", "hadoop")
    masters = int(table.amount("masters", COUNT, 3))
    workers = int(table.amount("workers", COUNT, 12))
    groups = int(table.amount("replica_groups", COUNT, 1)) or 1
    common = {key: table.values[key] for key in OF_GUESTS if key in table.values}
    labels = dict(table.strings("labels"))
    calm = int(table.amount("busy", MILLICORES, 1000)) / 1000
    fast = int(table.amount("shuffle", MILLICORES, 4000)) / 1000
    phases = {
        "shape": "phases",
        "low": calm,
        "high": fast,
        "every": table.values.get("every", "1h"),
        "lasting": table.values.get("lasting", "10min"),
    }
    if masters:
        names = [f"{name}-{MASTER}-{i}" for i in range(1, masters + 1)]
        told = {**common, "names": names, "cpu": 0.5, "labels": {**labels, "role": MASTER}}
        population.add_guests(Table(table.file, table.path, told), number)
    for group in range(groups):
        names = [f"{name}-{WORKER}-{i:02}" for i in range(1 + group, workers + 1, groups)]
        if names:
            marks = {**labels, "role": WORKER, "replica": f"g{group + 1}"}
            told = {**common, "names": names, "cpu": phases, "labels": marks}
            population.add_guests(Table(table.file, table.path, told), number + group + 1)
    _shuffling(table, population, f"{name}-{WORKER}-")


def _shuffling(table: Table, population: Population, prefix: str) -> None:
    """Have the workers write memory faster while they shuffle, for as long as the world turns."""
    fast = int(table.amount("shuffle_dirty", KIB_S, 0)) // 1024
    if not fast:
        return
    workers = [g for g in population.guests.values() if g.spec.name.startswith(prefix)]
    every = float(table.amount("every", SECONDS, 3600))
    lasting = float(table.amount("lasting", SECONDS, 600))

    def begin(world: World) -> None:
        _writes(world, workers, fast)
        world.plan_to(world.now + lasting, end)
        world.plan_to(world.now + every, begin)

    def end(world: World) -> None:
        for worker in workers:
            _writes(world, [worker], worker.dirty_mib_s)

    population.happenings.append((population.start, begin))


def _writes(world: World, workers: list[SimulatedGuest], dirty: int) -> None:
    for worker in workers:
        uuid = worker.spec.uuid
        if uuid in world.guests:
            world.guests[uuid] = replace(world.guests[uuid], dirty_mib_s=dirty)
