"""Counters as hypervisors give them, and the rates between two readings of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from balancer.planner.model.observation import Sample

Stats = Mapping[str, object]
"""One guest's entry of getAllDomainStats, or a host's counters."""

UNITS: Final[Mapping[str, int]] = {
    "cpu": 1_000_000,
    "cpu.delay": 1_000_000,
    "disk": 1024,
    "network": 1024,
    "disk.operations": 1,
    "swap": 1,
}
"""Of what is counted, how much a second makes one of the metric's unit: ns of processor time that
make a millicore, bytes that make a KiB; operations, and swap in KiB, are counted as they are."""
WAITED: Final = "disk.time"
"""Counter of the ns that disk operations took: with their number it gives the latency."""
NS_PER_MICROSECOND: Final = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters that only grow (until they are reset), and amounts as they are now."""

    counters: Mapping[str, int]
    """cpu, cpu.delay and disk.time in ns, disk and network in bytes, swap in KiB, disk.operations."""
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
        "disk.operations": _sum(stats, "block", ("rd.reqs", "wr.reqs")),
        WAITED: _sum(stats, "block", ("rd.times", "wr.times")),
        "network": _sum(stats, "net", ("rx.bytes", "tx.bytes")),
        "swap": _both(stats, "balloon.swap_in", "balloon.swap_out"),
    }
    amounts = {
        "memory.assigned": _mib(stats, "balloon.maximum"),
        "memory.balloon": _mib(stats, "balloon.current"),
        "memory.rss": _mib(stats, "balloon.rss"),
        **(_as_the_guest_counts(stats) if has_balloon_statistics(stats) else {}),
    }
    return Reading(_known(counters), _known(amounts), life)


def _as_the_guest_counts(stats: Stats) -> Mapping[str, int | None]:
    """Return what the guest's balloon driver reports: old ones know neither cache nor usable.

    A guest that may deflate its balloon by itself counts what is in it among what it has.
    """
    available, usable = _mib(stats, "balloon.available"), _mib(stats, "balloon.usable")
    known = available is not None and usable is not None
    left = _mib(stats, "balloon.current")
    available = available if available is None or left is None else min(available, left)
    return {
        "memory.unused": _mib(stats, "balloon.unused"),
        "memory.cache": _mib(stats, "balloon.disk_caches"),
        "memory.used": max(0, (available or 0) - (usable or 0)) if known else None,
    }


def disk_sizes(stats: Stats) -> Mapping[str, tuple[int, int]]:
    """Return bytes in all and in use, by a disk's name; of files with holes less are in use."""
    found: dict[str, tuple[int, int]] = {}
    for n in range(_number(stats, "block.count") or 0):
        name, size = stats.get(f"block.{n}.name"), _number(stats, f"block.{n}.capacity")
        if isinstance(name, str) and size and name not in found:  # backing files come after it
            found[name] = (size, min(size, _number(stats, f"block.{n}.physical") or size))
    return found


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
        grown = {
            name: count - before.counters[name]
            for name, count in now.counters.items()
            if count >= before.counters.get(name, count + 1)
        }
        values |= {n: round(g / seconds / UNITS[n]) for n, g in grown.items() if n in UNITS}
        if WAITED in grown and (done := grown.get("disk.operations", 0)):
            values["disk.latency"] = round(grown[WAITED] / done / NS_PER_MICROSECOND)
    return Sample(at=at, window=seconds if before is not None else 0.0, values=values)


def _number(stats: Stats, name: str) -> int | None:
    value = stats.get(name)
    return value if isinstance(value, int) and value >= 0 else None


def _both(stats: Stats, one: str, other: str) -> int | None:
    a, b = _number(stats, one), _number(stats, other)
    return None if a is None or b is None else a + b


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
