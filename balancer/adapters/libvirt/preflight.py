"""Whether a guest, as it runs at this moment, fits its target as that is at this moment."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from xml.etree.ElementTree import tostring

import libvirt

from balancer.adapters.libvirt.disks import lies_in
from balancer.adapters.libvirt.document import parse
from balancer.adapters.libvirt.domain_xml import DomainFacts, read_domain
from balancer.adapters.libvirt.host_xml import read_emulation, read_pool
from balancer.adapters.libvirt.ties import JOB, PASSTHROUGH, PROCESSOR
from balancer.planner.model.resources import HUGEPAGES, Resources

CANNOT_SAY: Final = (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_UNSUPPORTED)
"""The driver, or QEMU for a processor that it translates, cannot be asked: its version decides."""
NO: Final = (
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
    libvirt.VIR_ERR_INVALID_ARG,
    libvirt.VIR_ERR_CPU_INCOMPATIBLE,
)
"""What libvirt answers where the emulator cannot do what is asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A guest as its source shows it now."""

    facts: DomainFacts
    cpu: str
    """Its processor as it runs, as libvirt compares it; empty where there is nothing to compare."""
    memory_kib: int
    qemu: int
    """Version of the emulator it runs in, as libvirt counts."""
    bridges: tuple[str, ...] = ()
    """Bridges it is plugged into, of those that its source can show at all."""

    @property
    def pages(self) -> Resources:
        """Huge pages it needs, by size."""
        allocation = self.facts.allocation
        return {name: n for name, n in allocation.items() if name.startswith(HUGEPAGES)}


HOLDING: Final = (PASSTHROUGH, PROCESSOR, JOB, "owner")
"""Kinds of ties that no consent loosens."""


def held_by(guest: Leaving) -> str:
    """Return what holds the guest to its host since the plan was made; empty if nothing does."""
    return next((f"{t.kind}: {t.detail}" for t in guest.facts.ties if t.kind in HOLDING), "")


def leaving(connection: libvirt.virConnect, domain: libvirt.virDomain, kib: int) -> Leaving:
    """Return what there is to know of the guest. Raises libvirtError, Unreadable."""
    text = domain.XMLDesc()
    facts = read_domain(text)
    bridges = sorted({nic.name for nic in facts.nics if nic.kind == "bridge"})
    return Leaving(
        facts=facts,
        cpu=_processor(text) or _whole_processor(connection, facts),
        memory_kib=kib,
        qemu=connection.getVersion(),
        bridges=tuple(name for name in bridges if _shows(connection, name)),
    )


def _shows(connection: libvirt.virConnect, interface: str) -> bool:
    """True if the host can show its interfaces, and has this one."""
    with suppress(libvirt.libvirtError):
        connection.interfaceLookupByName(interface)
        return True
    return False


def _whole_processor(connection: libvirt.virConnect, facts: DomainFacts) -> str:
    """Return the source's own processor where the guest sees all of it; empty where it does not."""
    if facts.cpu.mode not in ("host-passthrough", "maximum") or facts.accelerator != "kvm":
        return ""
    with suppress(libvirt.libvirtError, ValueError):
        kind = (facts.architecture or None, facts.machine or None, facts.accelerator)
        return read_emulation(connection.getDomainCapabilities(None, *kind)).host_model_xml
    return ""


def _processor(text: str) -> str:
    """Return the live `<cpu>`: libvirt has filled in there what the guest really sees."""
    cpu = parse(text).root.find("cpu")
    if cpu is None or cpu.get("mode", "custom") != "custom" or cpu.find("model") is None:
        return ""
    for part in cpu.findall("numa"):
        cpu.remove(part)
    return tostring(cpu, encoding="unicode")


def block_jobs(domain: libvirt.virDomain, facts: DomainFacts) -> str:
    """Return the first disk that is being copied or committed; empty if none is."""
    for disk in facts.disks:
        with suppress(libvirt.libvirtError):  # a disk without a medium, a driver without jobs
            if disk.target and domain.blockJobInfo(disk.target):
                return disk.target
    return ""


def unfit(
    connection: libvirt.virConnect,
    guest: Leaving,
    copied: Collection[str] = (),
    *,
    cold: bool = False,
) -> str:
    """Return the first thing that does not fit, as a phrase; empty if all does.

    Disks that are `copied` along do not have to be there. A `cold` guest sees a new processor.
    """
    anew = replace(guest, cpu="", qemu=0) if cold else guest
    return next(_unfit(connection, anew, copied), "")


def _unfit(
    connection: libvirt.virConnect, guest: Leaving, copied: Collection[str]
) -> Iterator[str]:
    if connection.getVersion() < guest.qemu:
        yield "its QEMU is older than the one the guest runs in"
    yield from _emulation(connection, guest)
    yield from _networks(connection, guest.facts)
    for bridge in guest.bridges:
        if not _shows(connection, bridge):
            yield f"its bridge {bridge} is not there"
    yield from _images(connection, guest.facts, copied)


def _emulation(connection: libvirt.virConnect, guest: Leaving) -> Iterator[str]:
    facts = guest.facts
    kind = (facts.architecture or None, facts.machine or None, facts.accelerator or None)
    try:
        gives = read_emulation(connection.getDomainCapabilities(None, *kind))
        if missing := sorted(set(facts.devices) - set(gives.devices)):
            yield f"it cannot emulate its {missing[0]}"
        if guest.cpu:
            answer = connection.compareHypervisorCPU(None, *kind, guest.cpu)
            if answer == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE:
                yield "it cannot give the guest the CPU that it has"
    except libvirt.libvirtError as error:
        code = error.get_error_code()
        if code in NO:
            yield f"it cannot run the guest's machine type {facts.machine} and CPU"
        elif code not in CANNOT_SAY:
            raise


def _images(
    connection: libvirt.virConnect, facts: DomainFacts, copied: Collection[str]
) -> Iterator[str]:
    """Yield disks that are not where the target's own pools say that they would be.

    A path that lies in no pool of the target is left to what hosts.toml declares.
    """
    for disk in facts.disks:
        if disk.medium or disk.target in copied:
            continue
        if disk.locus.startswith("pool:"):
            pool, _, volume = disk.locus.removeprefix("pool:").partition("/")
            if not _holds(connection, pool, volume):
                yield f"its disk {disk.target} ({volume}) is not in an active pool {pool} there"
        elif disk.locus.startswith("/") and _hidden(connection, disk.locus):
            yield f"its disk {disk.target} ({disk.locus}) is not there, though its pool is"


def _holds(connection: libvirt.virConnect, pool: str, volume: str) -> bool:
    try:
        known = connection.storagePoolLookupByName(pool)
        return bool(known.isActive()) and _listed(known, volume)
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_NO_SUPPORT):
            return error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT
        raise


def _hidden(connection: libvirt.virConnect, path: str) -> bool:
    """True if an active pool of a folder covers `path` and does not list it, even looked at anew."""
    try:
        pools = connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
        for pool in pools:
            place = read_pool(pool.XMLDesc()).target
            below = path.removeprefix(place.rstrip("/") + "/")
            if place and lies_in(path, place) and "/" not in below:
                return not _listed(pool, below)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise
    return False


def _listed(pool: libvirt.virStoragePool, volume: str) -> bool:
    """True if the pool lists the volume; a pool knows only what it saw when it last looked."""
    for looks_again in (False, True):
        try:
            if looks_again:
                pool.refresh()
            pool.storageVolLookupByName(volume)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                raise
        else:
            return True
    return False


def _networks(connection: libvirt.virConnect, facts: DomainFacts) -> Iterator[str]:
    for name in sorted({nic.name for nic in facts.nics if nic.kind == "network"}):
        try:
            if connection.networkLookupByName(name).isActive():
                continue
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
                raise
        yield f"its network {name} is not active"
