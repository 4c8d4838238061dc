"""IFCA's cloud: guests with the hosts they ran on, and the power each drew, hour by hour.

CPU is not in it. It is reckoned from power: within a group of like hosts, what the 99th percentile of
guests draws a virtual processor is taken for a busy one. So shares are right where power follows
load, and levels are an estimate. A host is what its group's sheet says, in threads; where guests
of it were given more memory at a time than the sheet says, it has that.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from balancer.planner.model.cluster import Host
from balancer.planner.model.resources import CPU, MEMORY
from balancer.planner.model.rollups import CELL, STEP, UNKNOWN, Cells
from balancer.simulator.replaying.traces.tables import Columns, csv_columns, parquet_columns
from balancer.simulator.replaying.traces.trace import Trace

VMS: Final = "vms.csv"
GROUPS: Final = "node_groups.csv"
INTERVALS: Final = "placement_intervals.csv"
POWER: Final = "vm_power_hourly"
HOUR: Final = 3600
BUSY: Final = 99
"""Percentile of watts a virtual processor that counts as a busy one."""
MB_A_CORE: Final = 2000.0
"""By which the cores of a guest are told where they are missing: most have so much a core."""
QEMU: Final = 7_002_000


def folder(path: Path) -> Trace:
    """Return the trace in IFCA's folder."""
    stays = csv_columns(path / INTERVALS)
    sizes = _sizes(csv_columns(path / VMS))
    kept = [i for i, vm in enumerate(stays["vm"]) if vm in sizes]
    names = [str(stays["vm"][i]) for i in kept]
    since = [_moment(stays["first"][i]) for i in kept]
    until = [_moment(stays["last"][i]) for i in kept]
    homes = [str(stays["host"][i]) for i in kept]
    groups = {str(h): str(g) for h, g in zip(stays["host"], stays["group"], strict=True)}
    start = int(min(since)) // HOUR * HOUR
    whole = max(until)
    given = _given(homes, [sizes[n][1] for n in names], since, until)
    return Trace(
        start=start,
        names=tuple(f"vm-{name}" for name in names),
        vcpus=tuple(sizes[name][0] for name in names),
        memory=tuple(sizes[name][1] for name in names),
        cpu=_cpu(_power(path), names, [sizes[n][0] for n in names], [groups[h] for h in homes]),
        stays=tuple((a, np.inf if b >= whole else b) for a, b in zip(since, until, strict=True)),
        homes=tuple(homes),
        hosts=_hosts(csv_columns(path / GROUPS), groups, given),
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _sizes(table: Columns) -> dict[str, tuple[int, int]]:
    """Return vCPUs and MiB by guest; rows without vCPUs have everything one column to the left."""
    found = {}
    for vm, vcpus, memory, last in zip(
        table["vm_id"], table["vcpus"], table["memory_mb"], table["ephemeral_gb"], strict=True
    ):
        mib = float(memory if last else vcpus)
        cores = float(vcpus) if last else mib / MB_A_CORE
        found[str(vm)] = (max(1, round(cores)), max(1, int(mib)))
    return found


def _power(path: Path) -> Columns:
    packed = path / f"{POWER}.parquet"
    return parquet_columns(packed) if packed.exists() else csv_columns(path / f"{POWER}.csv")


def _cpu(
    power: Mapping[str, Sequence[Any]],
    names: Sequence[str],
    vcpus: Sequence[int],
    groups: Sequence[str],
) -> Cells:
    """Return millicores, each hour for all of its steps."""
    place = {name: i for i, name in enumerate(names)}
    which = np.array([place.get(str(vm), -1) for vm in power["vm"]])
    hour = np.array(power["hour"], dtype=float).astype(int)
    watts = np.array(power["w"], dtype=float)
    known = which >= 0
    each = np.full((int(hour.max()) + 1, len(names)), np.nan)
    each[hour[known], which[known]] = watts[known] / np.array(vcpus)[which[known]]
    found = np.full(each.shape, UNKNOWN, dtype=CELL)
    for group in sorted(set(groups)):
        members = np.flatnonzero(np.array(groups) == group)
        seen = each[:, members]
        if np.isnan(seen).all():
            continue
        busy = max(1e-9, float(np.nanpercentile(seen, BUSY)))
        cores = 1000 * np.array(vcpus)[members] * np.minimum(1.0, seen / busy)
        found[:, members] = np.where(np.isnan(seen), UNKNOWN, np.rint(np.nan_to_num(cores)))
    return np.repeat(found, HOUR // STEP, axis=0)


def _given(
    homes: Sequence[str], memory: Sequence[int], since: Sequence[float], until: Sequence[float]
) -> Mapping[str, int]:
    """Return, by host, the most MiB that its guests were given at a time."""
    events: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for home, mib, begin, end in zip(homes, memory, since, until, strict=True):
        events[home] += [(begin, mib), (end, -mib)]
    return {
        host: int(max(np.cumsum([mib for _, mib in sorted(told)])))
        for host, told in events.items()
    }


def _hosts(
    sheet: Columns, groups: Mapping[str, str], given: Mapping[str, int]
) -> tuple[Host, ...]:
    row = {str(group): i for i, group in enumerate(sheet["node_group"])}

    def host(name: str, group: str) -> Host:
        i = row[group]
        threads = 1
        for column in ("#sockets", "#cores_per_socket", "#threads_per_core"):
            threads *= int(sheet[column][i])
        memory = max(int(1024 * float(sheet["memory_total_size_GB"][i])), given.get(name, 0))
        return Host(
            name=name,
            capacity={CPU: 1000 * threads, MEMORY: memory},
            labels={"group": group, "model": str(sheet["model"][i])},
            qemu_version=QEMU,
        )

    return tuple(host(name, group) for name, group in sorted(groups.items()))
