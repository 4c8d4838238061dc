"""Hosts, guests and who runs where: an immutable picture of one moment.

Objects are for reading; solvers compile them to arrays once (see `formulation`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Final

from balancer.planner.model.knobs import Knobs
from balancer.planner.model.resources import Resources

NATIVE: Final = "kvm"
TRANSLATED: Final = "qemu"
"""What runs a guest's code: the processor itself, or QEMU, which translates it (TCG)."""


class HostState(StrEnum):
    """Whether a host may receive guests."""

    UP = "up"
    DRAINING = "draining"
    DOWN = "down"


class GuestState(StrEnum):
    """What a guest's processors do."""

    RUNNING = "running"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaCell:
    """One memory node of a host."""

    id: int
    cpus: int
    memory_mib: int
    hugepages: Resources = field(default_factory=dict)
    """Pages by dimension name, as `hugepages-2048`."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A hypervisor: what it has, what it offers, and how migrations reach it."""

    name: str
    capacity: Resources
    """What the host has in all: millicores, MiB, KiB/s."""
    reserve: Resources = field(default_factory=dict)
    """What is kept for the hypervisor itself."""
    state: HostState = HostState.UP
    labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str = "x86_64"
    accelerators: tuple[str, ...] = ("kvm",)
    cpu_models: tuple[str, ...] = ()
    """Named CPU models that guests can be given here (libvirt: usable='yes'), sorted."""
    cpu_model: str = ""
    """The host's own CPU model: what host-passthrough guests see."""
    cpu_features: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    """Machine types that the emulator here can run, sorted."""
    emulates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further architectures that QEMU can emulate here, each with its machine types, sorted."""
    qemu_version: int = 0
    """major * 1,000,000 + minor * 1,000 + release, as libvirt counts; 0 is unknown."""
    libvirt_version: int = 0
    networks: tuple[str, ...] = ()
    storage: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    numa: tuple[NumaCell, ...] = ()
    link_kib_s: int = 0
    """Rate of the migration link each way, KiB/s; 0 is unknown (a default is used)."""
    images: Mapping[str, int] = field(default_factory=dict)
    """Where disks can be made here, each a folder or `pool:name`, with the MiB free there."""
    power: tuple[int, ...] = ()
    """Watts at evenly spaced loads from idle to busy, as declared; empty is unknown."""

    @cached_property
    def usable(self) -> Resources:
        """Capacity less reserve, never negative, in the units of each dimension."""
        return {
            name: max(0, amount - self.reserve.get(name, 0))
            for name, amount in self.capacity.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """Something that holds a guest to its host, whatever the rules say."""

    kind: str
    """passthrough, local-disk, pinned, job, owner, snapshot or unknown-storage."""
    detail: str
    """One phrase for the operator: `PCI 0000:3b:00.0`."""
    disk: str = ""
    """Of a local disk that could be copied along: its name in the guest; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDisk:
    """A disk that is on one host alone, and could be copied along with its guest."""

    name: str
    """In the guest: `vda`."""
    place: str
    """The folder it is in, or `pool:name`: a target needs a storage pool there to make it in."""
    storage: str
    """What stands for it in the guest's `storage`."""
    size_mib: int
    """What a target has to have free for it."""
    used_mib: int
    """What is sent at least: holes are not. Its size where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCpu:
    """What a guest sees as its processor."""

    mode: str = "custom"
    """libvirt's cpu mode: custom, host-model, host-passthrough, maximum."""
    model: str = ""
    features: tuple[str, ...] = ()
    """Features required beyond the model's own, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A running machine: what it is allocated, what it needs from a host, what ties it."""

    uuid: str
    name: str
    allocation: Resources
    """Configured: vcpus, memory in MiB, hugepages."""
    state: GuestState = GuestState.RUNNING
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    """XML metadata flattened: `nova/project` to `analytics`."""
    owner: str = ""
    """Another manager that places this guest (pacemaker, nova, …); empty for nobody."""
    architecture: str = "x86_64"
    accelerator: str = "kvm"
    """What runs its code: `kvm`, or `qemu` where it is translated (TCG). A running guest keeps it."""
    cpu: GuestCpu = field(default_factory=GuestCpu)
    machine: str = ""
    networks: tuple[str, ...] = ()
    """Names a host must offer; `unknown:…` is offered by none."""
    storage: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    disks: tuple[LocalDisk, ...] = ()
    """Local disks that could be copied along; each has a tie that names it."""
    ties: tuple[Tie, ...] = ()
    persistent: bool = True
    restartable: bool = True
    """False where switching it off would leave behind what it needs: it is defined nowhere, or its
    firmware's variables or its TPM's memory are on its host alone."""
    autostart: bool = False
    knobs: Knobs | None = None
    """What can be changed of it while it runs; None: nothing is known of that, so nothing can."""


@dataclass(frozen=True)
class Cluster:
    """Hosts, guests, and on which host each guest runs.

    `placement` maps guest uuid to host name; `in_flight` maps the uuid of a guest that is
    being migrated at this moment to its target (the source is in `placement`).
    """

    hosts: tuple[Host, ...]
    guests: tuple[Guest, ...]
    placement: Mapping[str, str]
    in_flight: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def host(self) -> Mapping[str, Host]:
        """Host by name."""
        return {host.name: host for host in self.hosts}

    @cached_property
    def guest(self) -> Mapping[str, Guest]:
        """Guest by uuid."""
        return {guest.uuid: guest for guest in self.guests}

    @cached_property
    def named(self) -> Mapping[str, tuple[Guest, ...]]:
        """Guests by name: of several with one name all."""
        found: dict[str, list[Guest]] = {}
        for guest in self.guests:
            found.setdefault(guest.name, []).append(guest)
        return {name: tuple(guests) for name, guests in found.items()}

    @cached_property
    def labelled(self) -> Mapping[tuple[str, str], tuple[Guest, ...]]:
        """Guests by label and its value."""
        found: dict[tuple[str, str], list[Guest]] = {}
        for guest in self.guests:
            for pair in guest.labels.items():
                found.setdefault(pair, []).append(guest)
        return {pair: tuple(guests) for pair, guests in found.items()}

    @cached_property
    def guests_on(self) -> Mapping[str, tuple[Guest, ...]]:
        """Guests by the name of the host they run on; every host has an entry."""
        found: dict[str, list[Guest]] = {host.name: [] for host in self.hosts}
        for guest in self.guests:
            found[self.placement[guest.uuid]].append(guest)
        return {name: tuple(guests) for name, guests in found.items()}


def emptying(cluster: Cluster, hosts: Collection[str]) -> Cluster:
    """Return the cluster with those of `hosts` that are up to be emptied, and closed."""
    closed = tuple(
        replace(host, state=HostState.DRAINING)
        if host.name in hosts and host.state is HostState.UP
        else host
        for host in cluster.hosts
    )
    return replace(cluster, hosts=closed)
