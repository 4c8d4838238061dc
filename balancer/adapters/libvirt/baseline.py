"""The widest processor that several hosts can all give a guest: libvirt's own reckoning."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

import libvirt

from balancer.adapters.libvirt.connection import open_one
from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.host_xml import read_capabilities, read_emulation
from balancer.config.host import HostConfig


def widest(hosts: Sequence[HostConfig], architecture: str) -> tuple[str, str]:
    """Return (a guest's <cpu>, why there is none), one of them empty.

    Asks each host what it gives guests that see its processor, and the first what all of these
    have in common and its hypervisor can make (virConnectBaselineHypervisorCPU). Needs ordinary
    connections; changes nothing.
    """
    try:
        offers = [_offer(host, architecture) for host in hosts]
        accelerators = {accelerator for accelerator, _ in offers}
        if len(accelerators) > 1:
            return (
                "",
                f"some hosts run guests by kvm and some by translation: {_by(hosts, offers)}",
            )
        with closing(open_one(hosts[0].uri, read_only=False)) as first:
            cpu = first.baselineHypervisorCPU(
                None, architecture, None, accelerators.pop(), [xml for _, xml in offers], 0
            )
    except (libvirt.libvirtError, Unreadable) as fault:
        return "", str(fault).rstrip(".")
    return str(cpu).strip(), ""


def _offer(host: HostConfig, architecture: str) -> tuple[str, str]:
    """Return how a host runs guests, and what processor it gives them. Raises libvirtError, Unreadable."""
    connection = None
    try:
        connection = open_one(host.uri, read_only=False)
        kinds = read_capabilities(connection.getCapabilities()).accelerators
        kind = kinds[0] if kinds else "qemu"
        told = read_emulation(connection.getDomainCapabilities(None, architecture, None, kind))
    finally:
        if connection is not None:
            with suppress(libvirt.libvirtError):
                connection.close()
    if not told.host_model_xml:
        raise Unreadable(f"{host.name} does not tell what processor it gives guests")
    return kind, told.host_model_xml


def _by(hosts: Sequence[HostConfig], offers: Sequence[tuple[str, str]]) -> str:
    def names() -> Iterator[str]:
        for host, (kind, _) in zip(hosts, offers, strict=True):
            yield f"{host.name} {kind}"

    return ", ".join(names())
