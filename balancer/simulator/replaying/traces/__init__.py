"""Tracks from public traces, and from anybody's CSV or Parquet (docs/simulation.md has the formats).

Most traces say what guests used, not where. Guests are dealt to as many like hosts as are asked for,
largest first, each to the host with the most memory left: nobody decided anything yet.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_DNS, uuid5

import numpy as np

from balancer.planner.model.cluster import Cluster, Guest, GuestCpu, Host
from balancer.planner.model.resources import CPU, MEMORY, VCPUS
from balancer.planner.model.rollups import CELL, STEP
from balancer.ports import UsageError
from balancer.simulator.replaying.traces import azure, bitbrains, ifca, planetlab
from balancer.simulator.replaying.traces.table import table
from balancer.simulator.replaying.traces.tables import csv_columns, opened, parquet_columns
from balancer.simulator.replaying.traces.trace import WHOLE, Cut, Trace, cut
from balancer.simulator.replaying.track import Change, Columns, Track

QEMU: Final = 7_002_000
"""Of all hosts: 7.2, as in scenarios."""


LEAST: Final = 2
"""Steps: the first look is at the second one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The hosts that a trace's guests are dealt to, where it does not know its own."""

    hosts: int
    cores: int = 32
    memory_mib: int = 262_144


def load_trace(path: Path, part: Cut = WHOLE) -> Trace:
    """Return (that part of) the trace in a file or folder. Raises UsageError."""
    if not path.exists():
        raise UsageError(f"{path}: there is no such file or folder")
    try:
        read = _folder(path, part) if path.is_dir() else _file(path, part)
        if read is not None:
            return cut(read(), part)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(f"{path}: is no trace that can be read: {error}") from None
    raise UsageError(
        f"{path}: a trace is a .npz (PlanetLab), .csv, .csv.gz or .parquet file, or a folder as PlanetLab, "
        "Bitbrains, IFCA or Azure publish it"
    )


def _folder(path: Path, part: Cut) -> Callable[[], Trace] | None:
    """Return how to read a folder, by what lies in it."""
    if (path / ifca.INTERVALS).exists():
        return lambda: ifca.folder(path)
    for name in ("vmtable.csv", "vmtable.csv.gz"):
        if (path / name).exists():
            return lambda: azure.vmtable(path / name, part)
    tables = sorted(p for p in path.glob("*.csv*") if p.name.endswith((".csv", ".csv.gz")))
    if tables and _first_line(tables[0]).startswith(bitbrains.AT):
        return lambda: bitbrains.files(tables)
    files = sorted(p for p in islice(path.iterdir(), 10_000) if p.is_file())
    if files and not tables and _first_line(files[0]).strip().isdigit():
        return lambda: planetlab.folder(path)
    return None


def _file(path: Path, part: Cut) -> Callable[[], Trace] | None:
    """Return how to read a file, by its name and its columns."""
    if path.suffix == ".npz":
        return lambda: planetlab.packed(path)
    if path.suffix == ".parquet":
        columns = parquet_columns(path)
        return lambda: _columns(path, columns, part)
    if path.name.endswith((".csv", ".csv.gz")):
        first = _first_line(path)
        if first.startswith(bitbrains.AT):
            return lambda: bitbrains.files([path])
        if first.count(",") == azure.WIDTH - 1 and "guest" not in first.split(","):
            return lambda: azure.vmtable(path, part)
        return lambda: _columns(path, csv_columns(path), part)
    return None


def _first_line(path: Path) -> str:
    with opened(path) as file:
        return file.readline().lstrip("\ufeff")


def _columns(path: Path, columns: Mapping[str, Sequence[object]], part: Cut) -> Trace:
    """Return the trace of a table with named columns."""
    if set(azure.ARRIVALS) <= columns.keys():
        return azure.arrivals(columns, part)
    if set(bitbrains.OPENDC) <= columns.keys():
        return bitbrains.opendc(path, columns)
    return table(path, columns)


def track(trace: Trace, shape: Shape, interval: float) -> Track:
    """Return the trace on so many hosts, looked at every `interval` seconds from its second step.

    Raises UsageError where the guests do not fit, or there is no second step.
    """
    if len(trace.cpu) < LEAST:
        raise UsageError("the trace is too short: it needs at least two steps of five minutes")
    uuids = [str(uuid5(NAMESPACE_DNS, name)) for name in trace.names]
    guests = tuple(
        Guest(uuid=u, name=n, allocation={VCPUS: v, MEMORY: m}, cpu=GuestCpu(model=""))
        for u, n, v, m in zip(uuids, trace.names, trace.vcpus, trace.memory, strict=True)
    )
    hosts = trace.hosts or _like(shape)
    last = trace.start + STEP * len(trace.cpu)
    looks = np.arange(trace.start + STEP, last, interval)
    assigned = np.broadcast_to(np.array(trace.memory, dtype=CELL), trace.cpu.shape)
    tables = {"cpu": trace.cpu, "memory.assigned": assigned, "memory.rss": trace.rss}
    return Track(
        cluster=Cluster(hosts, guests, _first(trace, guests, hosts, float(looks[0]))),
        start=trace.start,
        guests={
            metric: Columns(tuple(uuids), np.ascontiguousarray(cells, dtype=CELL))
            for metric, cells in tables.items()
            if cells is not None
        },
        hosts={},
        looks=tuple(looks.tolist()),
        window=float(STEP),
        changes=tuple(_changes(trace, uuids, float(looks[0]))),
    )


def _like(shape: Shape) -> tuple[Host, ...]:
    return tuple(
        Host(
            name=f"h{i:03}",
            capacity={CPU: 1000 * shape.cores, MEMORY: shape.memory_mib},
            qemu_version=QEMU,
        )
        for i in range(1, shape.hosts + 1)
    )


def _first(
    trace: Trace, guests: Sequence[Guest], hosts: Sequence[Host], at: float
) -> Mapping[str, str]:
    """Return where those are who are there at the first look."""
    there = [i for i in range(len(guests)) if trace.stay(i)[0] <= at < trace.stay(i)[1]]
    if trace.homes:
        return {guests[i].uuid: trace.homes[i] for i in there}
    return _dealt([guests[i] for i in there], hosts)


def _changes(trace: Trace, uuids: Sequence[str], first: float) -> list[Change]:
    """Return who comes and who goes after the first look; who goes makes room first."""
    found = []
    for place, uuid in enumerate(uuids):
        came, went = trace.stay(place)
        if came > first:
            home = trace.homes[place] if trace.homes else ""
            found.append(Change(came, uuid, comes=True, host=home))
        if first < went < float("inf"):
            found.append(Change(went, uuid, comes=False))
    return sorted(found, key=lambda change: (change.at, change.comes))


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


__all__ = ["Cut", "Shape", "Trace", "load_trace", "track"]
