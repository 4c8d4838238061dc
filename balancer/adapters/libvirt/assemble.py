"""What was seen of many hosts, put together as one cluster."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import libvirt

from balancer.adapters.libvirt.disks import Disk
from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.domain_xml import DomainFacts
from balancer.adapters.libvirt.resolve import Offers, network, offers, storage
from balancer.adapters.libvirt.sighting import DomainSighting, HostSighting
from balancer.adapters.libvirt.statistics import disk_sizes
from balancer.adapters.libvirt.ties import JOB, LOCAL_DISK, tie
from balancer.adapters.libvirt.whereabouts import Role, Standing, namesakes, standings
from balancer.planner.model.cluster import Cluster, Guest, GuestState, Host, LocalDisk, Tie
from balancer.planner.model.resources import CPU, MEMORY, VCPUS, Resources

MIB: Final = 2**20
JOBS: Final[Mapping[int, str]] = {
    libvirt.VIR_DOMAIN_JOB_OPERATION_START: "it is being started",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE: "it is being saved",
    libvirt.VIR_DOMAIN_JOB_OPERATION_RESTORE: "it is being restored",
    libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN: "it is being migrated",
    libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT: "it is being migrated",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT: "a snapshot is being taken",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT: "a snapshot is being restored",
    libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP: "its memory is being dumped",
    libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP: "a backup runs",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_DELETE: "a snapshot is being deleted",
}

_STATES: Final[Mapping[int, str]] = {
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "shutting down",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "suspended by itself",
}

_PAUSES: Final[Mapping[int, str]] = {
    libvirt.VIR_DOMAIN_PAUSED_USER: "by somebody",
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: "by a disk error",
    libvirt.VIR_DOMAIN_PAUSED_WATCHDOG: "by its watchdog",
    libvirt.VIR_DOMAIN_PAUSED_CRASHED: "after it crashed",
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED: "by a post-copy migration that broke",
}


@dataclass(frozen=True, slots=True)
class Assembly:
    """A cluster, and what is doubtful of it."""

    cluster: Cluster
    doubts: tuple[str, ...]


def assemble(sightings: Sequence[HostSighting]) -> Assembly:
    """Return the cluster as all sightings together show it."""
    found = standings(sightings)
    offered = {s.config.name: offers(s.config, s.networks, s.pools) for s in sightings}
    usual = {s.config.name: s.usual_shares for s in sightings}
    guests = [_guest(s, offered[s.host], usual[s.host]) for s in found.values()]
    cluster = Cluster(
        hosts=tuple(_host(s, offered[s.config.name]) for s in sightings),
        guests=tuple(sorted(guests, key=lambda guest: (guest.name, guest.uuid))),
        placement={uuid: standing.host for uuid, standing in found.items()},
        in_flight={uuid: s.target for uuid, s in found.items() if s.target},
    )
    doubts = (
        *(doubt for sighting in sightings for doubt in sighting.doubts),
        *(doubt for there in offered.values() for doubt in there.doubts),
        *(standing.doubt for standing in found.values() if standing.doubt),
        *namesakes(sightings, found),
    )
    return Assembly(cluster, doubts)


def _host(sighting: HostSighting, there: Offers) -> Host:
    config, says, processor = sighting.config, sighting.capabilities, sighting.processor
    measured: Resources = {
        CPU: sighting.cpus * 1000,
        MEMORY: sighting.memory_mib,
        **says.hugepages,
    }
    return Host(
        name=config.name,
        capacity={**measured, **config.capacity},
        labels=dict(config.labels),
        architecture=says.architecture,
        accelerators=says.accelerators,
        cpu_models=processor.models,
        cpu_model=processor.model,
        cpu_features=processor.features,
        machines=says.machines,
        emulates=says.emulates,
        qemu_version=sighting.qemu_version,
        libvirt_version=sighting.libvirt_version,
        networks=there.networks,
        storage=there.storage,
        images=there.images,
        devices=processor.devices,
        numa=says.numa,
        link_kib_s=config.link_kib_s,
        power=config.power,
    )


def _guest(standing: Standing, there: Offers, usual_shares: int) -> Guest:
    domain = standing.domain
    if isinstance(domain.facts, Unreadable):
        return _unmanageable(domain, domain.facts)
    facts = domain.facts
    networks = [network(nic, there) for nic in facts.nics]
    disks = [storage(disk, there) for disk in facts.disks]
    copied = tuple(_local(domain, facts, there))
    names = {disk.storage: disk.name for disk in copied}
    found = (
        *facts.ties,
        *(replace(tied, disk=names.get(name, "")) for name, tied in disks if tied is not None),
        *(tied for _, tied in networks if tied is not None),
        *_momentary(standing),
    )
    return Guest(
        uuid=domain.uuid,
        name=domain.name,
        allocation=facts.allocation,
        state=_state(domain),
        labels=facts.labels,
        metadata=facts.metadata,
        owner=facts.owner,
        architecture=facts.architecture,
        accelerator=facts.accelerator,
        cpu=facts.cpu,
        machine=facts.machine,
        networks=tuple(sorted({name for name, _ in networks})),
        storage=tuple(sorted({name for name, _ in disks})),
        devices=facts.devices,
        disks=copied,
        ties=tuple(dict.fromkeys(found)),
        persistent=domain.persistent,
        restartable=domain.persistent and facts.restartable,
        autostart=domain.autostart,
        knobs=facts.tuning.knobs(usual_shares),
    )


def _local(domain: DomainSighting, facts: DomainFacts, there: Offers) -> Iterator[LocalDisk]:
    """Yield the guest's disks that are on this host alone and could be copied, their size being known."""
    sizes = disk_sizes(domain.stats)
    for whole in facts.whole:
        name, tied = storage(Disk(whole.target, whole.locus), there)
        if whole.target in sizes and tied is not None and tied.kind == LOCAL_DISK:
            size, used = sizes[whole.target]
            yield LocalDisk(
                name=whole.target,
                place=whole.place,
                storage=name,
                size_mib=-(-size // MIB),
                used_mib=-(-used // MIB),
            )


def _unmanageable(domain: DomainSighting, fault: Unreadable) -> Guest:
    """Return a guest of which only its size is known: it stays, and weighs what it weighs."""
    return Guest(
        uuid=domain.uuid,
        name=domain.name,
        allocation={
            VCPUS: _count(domain, "vcpu.current", 1),
            MEMORY: _count(domain, "balloon.maximum", 1024) // 1024,
        },
        state=_state(domain),
        ties=(tie("unreadable", str(fault)),),
        persistent=domain.persistent,
        restartable=False,
        autostart=domain.autostart,
    )


def _count(domain: DomainSighting, name: str, otherwise: int) -> int:
    value = domain.stats.get(name)
    return value if isinstance(value, int) and value > 0 else otherwise


def _state(domain: DomainSighting) -> GuestState:
    running = (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED)
    return GuestState.RUNNING if domain.state in running else GuestState.PAUSED


def _momentary(standing: Standing) -> tuple[Tie, ...]:
    """Return what ties a guest for now: jobs, snapshots, its state, a second copy."""
    domain = standing.domain
    found = [tie(JOB, f"block job on {target}") for target in domain.block_jobs]
    if standing.role is Role.ARRIVING and not standing.target:
        found.append(tie(JOB, "it is arriving from a host that is not seen"))
    elif domain.job is not None:
        found.append(tie(JOB, JOBS.get(domain.job, "a job runs on it")))
    elif standing.target:
        found.append(tie(JOB, "it is being migrated"))
    if not domain.answers:
        found.append(tie(JOB, "its QEMU is busy or does not answer"))
    if domain.snapshots:
        found.append(tie("snapshot", f"{domain.snapshots} snapshots; libvirt moves no such guest"))
    if standing.doubt:
        found.append(tie("duplicate", standing.doubt))
    if domain.state in _STATES and standing.role is Role.HERE:
        found.append(tie("state", _state_phrase(domain)))
    return tuple(found)


def _state_phrase(domain: DomainSighting) -> str:
    paused = domain.state == libvirt.VIR_DOMAIN_PAUSED
    cause = _PAUSES.get(domain.state_reason, "") if paused else ""
    return f"it is {_STATES[domain.state]} {cause}".strip()
