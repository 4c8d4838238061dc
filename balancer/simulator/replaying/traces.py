"""Tracks from public traces, and from anybody's CSV or Parquet: usage without a placement.

A trace says what guests used, not where. Guests are dealt to as many like hosts as are asked for,
largest first, each to the host with the most memory left: nobody decided anything yet.

CSV and Parquet hold one row a guest and moment, with these columns (docs/simulation.md):

    guest  name or number     at  seconds since the epoch     cpu  millicores in use
    vcpus  (optional)         memory  MiB allocated (optional)     rss  MiB in use (optional)

Bitbrains' own columns `vm, ts, cores, cpu_mhz` are understood as well.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

import numpy as np

from balancer.planner.model.cluster import Cluster, Guest, GuestCpu, Host
from balancer.planner.model.resources import CPU, MEMORY, VCPUS
from balancer.planner.model.rollups import CELL, STEP, UNKNOWN, Cells
from balancer.ports import UsageError
from balancer.simulator.replaying.track import Columns, Track

MEMORY_MIB: Final = 4096
"""Of a guest, where a trace does not say."""
MHZ_PER_CORE: Final = 2_600.0
"""Of Bitbrains' machines, where cores are not given."""
PLANETLAB_CORES: Final = 1
QEMU: Final = 7_002_000
"""Of all hosts: 7.2, as in scenarios."""
EPOCH: Final = 1_299_110_400
"""3 March 2011: when PlanetLab's days, which have no times, are taken to begin."""
REQUIRED: Final = ("guest", "at", "cpu")
BITBRAINS: Final = ("vm", "ts", "cores", "cpu_mhz")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trace:
    """What guests used: a row for each step of five minutes, UNKNOWN where nothing was said."""

    start: int
    names: tuple[str, ...]
    vcpus: tuple[int, ...]
    memory: tuple[int, ...]
    """MiB allocated."""
    cpu: Cells
    """[steps, guests], millicores."""
    rss: Cells | None = None
    """[steps, guests], MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The hosts that a trace's guests are dealt to."""

    hosts: int
    cores: int = 32
    memory_mib: int = 262_144


def load_trace(path: Path) -> Trace:
    """Return the trace in a file: PlanetLab's npz, or CSV or Parquet. Raises UsageError."""
    try:
        if path.suffix == ".npz":
            return _planetlab(path)
        if path.suffix == ".parquet":
            return _table(path, _parquet(path))
        if path.suffix == ".csv":
            return _table(path, _csv(path))
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path}: is no trace that can be read: {error}") from None
    raise UsageError(f"{path}: a trace is a .npz (PlanetLab), .csv or .parquet file")


def track(trace: Trace, shape: Shape, interval: float) -> Track:
    """Return the trace on so many hosts, looked at every `interval` seconds from its second step.

    Raises UsageError where the guests do not fit.
    """
    uuids = [str(uuid5(NAMESPACE_DNS, name)) for name in trace.names]
    guests = tuple(
        Guest(uuid=u, name=n, allocation={VCPUS: v, MEMORY: m}, cpu=GuestCpu(model=""))
        for u, n, v, m in zip(uuids, trace.names, trace.vcpus, trace.memory, strict=True)
    )
    hosts = tuple(
        Host(
            name=f"h{i:03}",
            capacity={CPU: 1000 * shape.cores, MEMORY: shape.memory_mib},
            qemu_version=QEMU,
        )
        for i in range(1, shape.hosts + 1)
    )
    last = trace.start + STEP * len(trace.cpu)
    looks = np.arange(trace.start + STEP, last, interval)
    assigned = np.broadcast_to(np.array(trace.memory, dtype=CELL), trace.cpu.shape)
    tables = {"cpu": trace.cpu, "memory.assigned": assigned, "memory.rss": trace.rss}
    return Track(
        cluster=Cluster(hosts, guests, _dealt(guests, hosts)),
        start=trace.start,
        guests={
            metric: Columns(tuple(uuids), np.ascontiguousarray(cells, dtype=CELL))
            for metric, cells in tables.items()
            if cells is not None
        },
        hosts={},
        looks=tuple(looks.tolist()),
        window=float(STEP),
    )


def _dealt(guests: Sequence[Guest], hosts: Sequence[Host]) -> Mapping[str, str]:
    room = {host.name: host.capacity[MEMORY] for host in hosts}
    placement = {}
    for guest in sorted(guests, key=lambda g: (-g.allocation[MEMORY], g.name)):
        home = max(room, key=lambda name: (room[name], name))
        room[home] -= guest.allocation[MEMORY]
        if room[home] < 0:
            raise UsageError(
                f"{guest.name} fits on none of {len(hosts)} hosts: give more --hosts, or more memory"
            )
        placement[guest.uuid] = home
    return placement


def _planetlab(path: Path) -> Trace:
    with np.load(path) as data:
        used, names = data["util"], [str(name) for name in data["names"]]
    return Trace(
        start=EPOCH,
        names=tuple(names),
        vcpus=(PLANETLAB_CORES,) * len(names),
        memory=(MEMORY_MIB,) * len(names),
        cpu=np.ascontiguousarray(used.T.astype(CELL) * (1000 * PLANETLAB_CORES) // 100),
    )


def _csv(path: Path) -> dict[str, list[Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = list(rows[0]) if rows else []
    return {
        key: [row[key] if key in {"guest", "vm"} else float(row[key]) for row in rows]
        for key in known
    }


def _parquet(path: Path) -> dict[str, list[Any]]:
    try:
        parquet = import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise UsageError(
            f"{path}: reading Parquet needs pyarrow: pip install 'balancer[traces]', or save it as CSV"
        ) from None
    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return columns


def _table(path: Path, columns: Mapping[str, Sequence[Any]]) -> Trace:
    """Return the trace of one row a guest and moment; several in five minutes are averaged."""
    if set(BITBRAINS) <= columns.keys():
        columns = _bitbrains(columns)
    missing = [key for key in REQUIRED if key not in columns]
    if missing:
        raise UsageError(f"{path}: has no column {', '.join(missing)}: needed are guest, at, cpu")
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


def _bitbrains(columns: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
    mhz = np.array(columns["cpu_mhz"], dtype=float)
    return {
        "guest": columns["vm"],
        "at": columns["ts"],
        "cpu": (1000 * mhz / MHZ_PER_CORE).tolist(),
        "vcpus": columns["cores"],
    }
