"""One look at one host over its connection: everything that is asked of it, and nothing decided.

Only questions that a read-only connection may ask, but for one: libvirt refuses domain
capabilities over it, so they are asked once over an ordinary connection that is closed at once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, TypeVar

import libvirt

from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.domain_xml import DomainFacts, read_domain
from balancer.adapters.libvirt.emulation import Processor
from balancer.adapters.libvirt.errors import message
from balancer.adapters.libvirt.host_xml import (
    Capabilities,
    NetworkFacts,
    PoolFacts,
    read_capabilities,
    read_network,
    read_pool,
)
from balancer.adapters.libvirt.statistics import HostReading, Reading, read_guest, read_host
from balancer.adapters.libvirt.tuning import CGROUP_SHARES, usual_shares
from balancer.adapters.libvirt.workers import Beat
from balancer.config.host import HostConfig

T = TypeVar("T")

PROBING: Final = 30.0
"""Seconds longer than usual that a host may take for its capabilities: it may try out QEMU."""

STATS: Final[int] = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSighting:
    """One active domain as its host shows it."""

    uuid: str
    name: str
    id: int
    state: int
    state_reason: int
    facts: DomainFacts | Unreadable
    persistent: bool = True
    autostart: bool = False
    snapshots: int = 0
    job: int | None = None
    """Operation of the running job, as VIR_DOMAIN_JOB_OPERATION_…; None: no job runs."""
    block_jobs: tuple[str, ...] = ()
    """Disks with a running block job."""
    answers: bool = True
    """False if its QEMU was too busy to be asked."""
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSighting:
    """All that was seen of one host."""

    config: HostConfig
    hostname: str
    capabilities: Capabilities
    processor: Processor
    cpus: int
    memory_mib: int
    qemu_version: int
    libvirt_version: int
    networks: tuple[NetworkFacts, ...]
    pools: tuple[PoolFacts, ...]
    domains: tuple[DomainSighting, ...]
    defined: Mapping[str, str]
    """Name by uuid of the domains that are defined but shut off."""
    reading: HostReading
    usual_shares: int = CGROUP_SHARES
    """CPU shares of a guest that nobody gave any."""
    doubts: tuple[str, ...] = ()


AllStats = Sequence[tuple[libvirt.virDomain, Mapping[str, Any]]]


def domain_stats(connection: libvirt.virConnect) -> AllStats:
    """Return the statistics of all active domains, without waiting for busy ones."""
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
    try:
        return connection.getAllDomainStats(
            STATS, flags | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        )
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_INVALID_ARG:  # libvirt before 4.5
            raise
        return connection.getAllDomainStats(STATS, flags)


def measure(
    connection: libvirt.virConnect, stats: AllStats, now: Callable[[], float]
) -> HostReading:
    """Return the counters of a host and, from `stats` just taken, of its guests."""
    ticks, at = monotonic(), now()
    cpu: dict[str, int] = attempt(
        lambda: connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS), {}
    )
    memory: dict[str, int] = attempt(
        lambda: connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS), {}
    )
    return HostReading(
        at=at,
        ticks=ticks,
        host=read_host(cpu, memory),
        guests={domain.UUIDString(): _reading(domain, got) for domain, got in stats},
    )


def _reading(domain: libvirt.virDomain, stats: Mapping[str, Any]) -> Reading:
    return read_guest(stats, domain.ID())


def attempt(question: Callable[[], T], otherwise: T) -> T:
    """Return the answer, or `otherwise` where this driver does not support the question.

    Raises libvirtError for anything else.
    """
    try:
        return question()
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise
        return otherwise


def look(
    connection: libvirt.virConnect,
    config: HostConfig,
    processor: Callable[[libvirt.virConnect, Capabilities], Processor],
    now: Callable[[], float],
    beat: Beat,
) -> HostSighting:
    """Ask a host all about itself and its guests.

    Raises libvirtError or Unreadable where the host itself cannot be understood; a guest that
    cannot be understood, or vanishes meanwhile, does not matter to the others.
    """
    hostname = connection.getHostname()  # a hung host is noticed here, within its usual limit
    beat(PROBING)
    capabilities = read_capabilities(connection.getCapabilities())
    beat(PROBING)
    known = processor(connection, capabilities)
    beat()
    info = connection.getInfo()
    doubts: list[str] = []
    networks = _active(connection.listAllNetworks, config, "networks", doubts)
    pools = _active(connection.listAllStoragePools, config, "storage pools", doubts)
    beat()
    defined = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE)
    stats = domain_stats(connection)
    reading = measure(connection, stats, now)
    domains = _domains(stats, beat)
    return HostSighting(
        config=config,
        hostname=hostname,
        capabilities=capabilities,
        processor=known,
        cpus=info[2],
        memory_mib=info[1],
        qemu_version=attempt(connection.getVersion, 0),
        libvirt_version=connection.getLibVersion(),
        networks=tuple(read_network(text) for text in networks),
        pools=tuple(read_pool(text) for text in pools),
        domains=domains,
        defined={domain.UUIDString(): domain.name() for domain in defined},
        reading=reading,
        usual_shares=_usual_shares(stats, domains),
        doubts=(*doubts, *known.doubts),
    )


def _active(
    listed: Callable[[int], list[Any]], config: HostConfig, what: str, doubts: list[str]
) -> list[str]:
    """Return the XML of active networks or pools; what vanishes meanwhile is left out."""
    texts = []
    try:
        for thing in listed(2):  # VIR_CONNECT_LIST_NETWORKS_ACTIVE, …_STORAGE_POOLS_ACTIVE
            with suppress(libvirt.libvirtError):
                texts.append(thing.XMLDesc())
    except libvirt.libvirtError as error:
        doubts.append(f"{config.name}: its {what} cannot be listed ({message(error)})")
    return texts


def _usual_shares(stats: AllStats, seen: Sequence[DomainSighting]) -> int:
    """Return the weight that nobody has to set; asked only where somebody set another."""
    given = {
        one.uuid: one.facts.tuning.shares for one in seen if isinstance(one.facts, DomainFacts)
    }
    if not any(given.values()):
        return CGROUP_SHARES
    return usual_shares(domain for domain, _ in stats if not given.get(domain.UUIDString(), 1))


def _domains(stats: AllStats, beat: Beat) -> tuple[DomainSighting, ...]:
    seen = []
    for domain, got in stats:
        beat()
        try:
            seen.append(_domain(domain, got))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:  # gone meanwhile
                seen.append(_unreadable(domain, got, error))
    return tuple(seen)


def _unreadable(
    domain: libvirt.virDomain, stats: Mapping[str, Any], error: libvirt.libvirtError
) -> DomainSighting:
    return DomainSighting(
        uuid=domain.UUIDString(),
        name=domain.name(),
        id=domain.ID(),
        state=int(stats.get("state.state", libvirt.VIR_DOMAIN_RUNNING)),
        state_reason=int(stats.get("state.reason", 0)),
        facts=Unreadable(f"libvirt does not show it ({message(error)})"),
        stats=stats,
    )


def _domain(domain: libvirt.virDomain, stats: Mapping[str, Any]) -> DomainSighting:
    try:
        facts: DomainFacts | Unreadable = read_domain(domain.XMLDesc())
    except Unreadable as fault:
        facts = fault
    answers = "balloon.rss" in stats or "balloon.current" not in stats
    state, reason = domain.state()
    return DomainSighting(
        uuid=domain.UUIDString(),
        name=domain.name(),
        id=domain.ID(),
        state=state,
        state_reason=reason,
        facts=facts,
        persistent=bool(domain.isPersistent()),
        autostart=bool(attempt(domain.autostart, 0)) if domain.isPersistent() else False,
        snapshots=attempt(domain.snapshotNum, 0),
        job=running_job(domain),
        block_jobs=_block_jobs(domain, facts) if answers else (),
        answers=answers,
        stats=stats,
    )


def running_job(domain: libvirt.virDomain) -> int | None:
    """Return the operation of the job that runs on a domain; None if there is none."""
    stats: dict[str, Any] = attempt(domain.jobStats, {})
    if stats.get("type", libvirt.VIR_DOMAIN_JOB_NONE) == libvirt.VIR_DOMAIN_JOB_NONE:
        return None
    return int(stats.get("operation", libvirt.VIR_DOMAIN_JOB_OPERATION_UNKNOWN))


def _block_jobs(domain: libvirt.virDomain, facts: DomainFacts | Unreadable) -> tuple[str, ...]:
    if isinstance(facts, Unreadable):
        return ()
    targets = {disk.target for disk in facts.disks if disk.target and not disk.medium}
    found = []
    for target in sorted(targets):
        with suppress(libvirt.libvirtError):  # a disk unplugged meanwhile, a driver without jobs
            if domain.blockJobInfo(target):
                found.append(target)
    return tuple(found)
