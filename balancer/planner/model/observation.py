"""All that the planner may know: the cluster, its usage, recent outcomes, and what is in doubt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from balancer.planner.model.calibration import UNCALIBRATED, Calibration
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.plan import Outcome
from balancer.planner.model.resize import Resized
from balancer.planner.model.rollups import Rollups

METRICS: Final[Mapping[str, str]] = {
    "cpu": "processor time in use, millicores",
    "cpu.delay": "vCPU time ready but not running, millicores",
    "cpu.pressure": "share of time some task waited for CPU (PSI), per mille",
    "memory.pressure": "share of time some task waited for memory (PSI), per mille",
    "io.pressure": "share of time some task waited for disks (PSI), per mille",
    "memory.assigned": "memory configured, MiB",
    "memory.balloon": "memory the balloon leaves the guest, MiB",
    "memory.rss": "memory resident on the host, MiB",
    "memory.unused": "memory the guest itself reports unused, MiB",
    "memory.cache": "memory of the guest that holds its disk cache, MiB",
    "memory.used": "memory in use: on a host, or as the guest itself counts it, MiB",
    "swap": "memory swapped in and out, KiB/s",
    "disk": "disk traffic, read and write, KiB/s",
    "disk.operations": "disk operations finished, read and write, per second",
    "disk.latency": "mean time one disk operation took, microseconds",
    "network": "network traffic, in and out, KiB/s",
    "dirty": "memory dirtied, MiB/s",
    "power": "electrical power of a host, watts",
}
"""Metric name to meaning and unit. Pressure and power are of hosts only."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one guest or host, over the `window` seconds that end at `at`.

    A metric that is absent is *unknown*, which is never the same as zero.
    """

    at: float
    """Seconds since the epoch."""
    window: float
    """Seconds over which rates are averages."""
    values: Mapping[str, int]
    """By a name of METRICS."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where a value came from, if not from the hypervisor: metric to the source's name."""


@dataclass(frozen=True, slots=True)
class History:
    """Samples in order of time, newest last: guests by uuid, hosts by name."""

    guests: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    hosts: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unseen:
    """A configured host that did not answer, and what to do about it."""

    host: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What an earlier plan promised to save of waiting, and what came of it."""

    at: float
    """When it was measured, seconds since the epoch."""
    plan: str
    promised: float
    realised: float
    """Guest-seconds over the plan's horizon; realised may be negative."""
    by: str = ""
    """What the waiting was measured by: `vCPU delay`, `pressure` or `load`."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the whole cluster."""

    at: float
    """Seconds since the epoch, by the observer's clock."""
    cluster: Cluster
    history: History = field(default_factory=History)
    """What was measured just now."""
    rollups: Rollups = field(default_factory=Rollups)
    """What was measured before, as far back as the history was read."""
    outcomes: tuple[Outcome, ...] = ()
    """How recent actions ended, oldest first."""
    resized: tuple[Resized, ...] = ()
    """How recent changes of what guests may have ended, oldest first."""
    promises: tuple[Promise, ...] = ()
    """What became of earlier plans' promises, oldest first: how far the model is to be trusted."""
    calibration: Calibration = UNCALIBRATED
    """What finished migrations taught about durations."""
    unseen: tuple[Unseen, ...] = ()
    also: Mapping[str, History] = field(default_factory=dict)
    """What further sources measured just now, by the source's name."""
    doubts: tuple[str, ...] = ()
    """Sentences on data that is missing, contradictory or stood in for."""
    planner: str = ""
    """Uuid of the guest that the planner itself runs in; empty where it runs in none of these."""
