"""Whether a guest, as it runs at this moment, fits its target as that is at this moment."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import tostring

import libvirt

from balancer.adapters.libvirt.document import parse
from balancer.adapters.libvirt.domain_xml import DomainFacts, read_domain
from balancer.planner.model.resources import HUGEPAGES, Resources

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

    @property
    def pages(self) -> Resources:
        """Huge pages it needs, by size."""
        allocation = self.facts.allocation
        return {name: n for name, n in allocation.items() if name.startswith(HUGEPAGES)}


def leaving(connection: libvirt.virConnect, domain: libvirt.virDomain, kib: int) -> Leaving:
    """Return what there is to know of the guest. Raises libvirtError, Unreadable."""
    text = domain.XMLDesc()
    return Leaving(
        facts=read_domain(text), cpu=_processor(text), memory_kib=kib, qemu=connection.getVersion()
    )


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


def unfit(connection: libvirt.virConnect, guest: Leaving) -> str:
    """Return the first thing that does not fit, as a phrase; empty if all does."""
    return next(_unfit(connection, guest), "")


def _unfit(connection: libvirt.virConnect, guest: Leaving) -> Iterator[str]:
    if connection.getVersion() < guest.qemu:
        yield "its QEMU is older than the one the guest runs in"
    facts = guest.facts
    kind = (facts.architecture or None, facts.machine or None, facts.accelerator or None)
    try:
        connection.getDomainCapabilities(None, *kind)
        if guest.cpu:
            answer = connection.compareHypervisorCPU(None, *kind, guest.cpu)
            if answer == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE:
                yield "it cannot give the guest the CPU that it has"
    except libvirt.libvirtError as error:
        code = error.get_error_code()
        if code in NO:
            yield f"it cannot run the guest's machine type {facts.machine} and CPU"
        elif code != libvirt.VIR_ERR_NO_SUPPORT:
            raise
    yield from _networks(connection, facts)


def _networks(connection: libvirt.virConnect, facts: DomainFacts) -> Iterator[str]:
    for name in sorted({nic.name for nic in facts.nics if nic.kind == "network"}):
        try:
            if connection.networkLookupByName(name).isActive():
                continue
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
                raise
        yield f"its network {name} is not active"
