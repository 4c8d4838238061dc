"""Counters as hypervisors give them, and the rates between two readings of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from balancer.planner.model.observation import Sample

Stats = Mapping[str, object]
"""One guest's entry of getAllDomainStats, or a host's counters."""

NS_PER_MILLICORE: Final = 1_000_000
"""Nanoseconds of processor time per second that make one millicore."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters that only grow (until they are reset), and amounts as they are now."""

    counters: Mapping[str, int]
    """cpu and cpu.delay in ns, disk and network in bytes."""
    amounts: Mapping[str, int]
    """By a name of METRICS, in its unit."""
    life: int = 0
    """Id of the domain: another one means that its counters began anew."""


@dataclass(frozen=True, slots=True)
class HostReading:
    """All of one host at one moment."""

    at: float
    """Seconds since the epoch, by our clock."""
    ticks: float
    """Seconds of a clock that never jumps."""
    host: Reading
    guests: Mapping[str, Reading]


def read_guest(stats: Stats, life: int) -> Reading:
    """Return a guest's reading. What the hypervisor does not say is absent, never zero."""
    counters = {
        "cpu": _number(stats, "cpu.time"),
        "cpu.delay": _sum(stats, "vcpu", ("delay",), count="vcpu.maximum"),
        "disk": _sum(stats, "block", ("rd.bytes", "wr.bytes")),
        "network": _sum(stats, "net", ("rx.bytes", "tx.bytes")),
    }
    amounts = {
        "memory.assigned": _mib(stats, "balloon.maximum"),
        "memory.balloon": _mib(stats, "balloon.current"),
        "memory.rss": _mib(stats, "balloon.rss"),
        "memory.unused": _mib(stats, "balloon.unused") if has_balloon_statistics(stats) else None,
    }
    return Reading(_known(counters), _known(amounts), life)


def has_balloon_statistics(stats: Stats) -> bool:
    """True if the guest itself ever reported its memory."""
    return bool(_number(stats, "balloon.last-update")) and "balloon.unused" in stats


def read_host(cpu: Mapping[str, int], memory: Mapping[str, int]) -> Reading:
    """Return a host's reading from its processor time (ns) and memory (KiB)."""
    busy = [cpu[name] for name in ("user", "kernel", "intr") if name in cpu]
    spare = sum(memory.get(name, 0) for name in ("free", "buffers", "cached"))
    used = {"memory.used": (memory["total"] - spare) // 1024} if "total" in memory else {}
    return Reading({"cpu": sum(busy)} if busy else {}, used)


def sample(before: Reading | None, now: Reading, seconds: float, at: float) -> Sample:
    """Return what was measured between two readings `seconds` apart.

    Without an earlier reading, or where a counter fell back or began anew, its rate is unknown.
    """
    values = dict(now.amounts)
    if before is not None and before.life == now.life and seconds > 0:
        for name, count in now.counters.items():
            grown = count - before.counters.get(name, count + 1)
            if grown >= 0:
                values[name] = _rate(name, grown, seconds)
    return Sample(at=at, window=seconds if before is not None else 0.0, values=values)


def _rate(name: str, grown: int, seconds: float) -> int:
    per = NS_PER_MILLICORE if name.startswith("cpu") else 1024
    return round(grown / seconds / per)


def _number(stats: Stats, name: str) -> int | None:
    value = stats.get(name)
    return value if isinstance(value, int) and value >= 0 else None


def _mib(stats: Stats, name: str) -> int | None:
    value = _number(stats, name)
    return None if value is None else value // 1024


def _sum(stats: Stats, group: str, names: Sequence[str], count: str = "") -> int | None:
    """Add up `group.N.name` over all N; nothing known at all is None, no devices is 0."""
    total = _number(stats, count or f"{group}.count")
    if total is None:
        return None
    found = list(
        _present(_number(stats, f"{group}.{n}.{name}") for n in range(total) for name in names)
    )
    return sum(found) if found or not total else None


def _present(values: Iterable[int | None]) -> Iterable[int]:
    return (value for value in values if value is not None)


def _known(values: Mapping[str, int | None]) -> Mapping[str, int]:
    return {name: value for name, value in values.items() if value is not None}
