"""Limits of a running domain's disk and network traffic: read from its live XML, and set.

All disks of a domain share one limit: they are put into one throttle group of its QEMU. Network
devices have no such groups: each gets an even part of the limit, each way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import libvirt

from balancer.adapters.libvirt.document import attribute, natural, text_of
from balancer.planner.model.resize import What

KIB: Final = 1024
GROUP: Final = "balancer"
"""The throttle group of a domain's disks, where it has several: known within its QEMU alone."""
APART: Final = (
    "read_bytes_sec", "write_bytes_sec", "total_iops_sec", "read_iops_sec", "write_iops_sec",
)  # fmt: skip
"""Limits that others set, which are left as they are."""
LIMITED: Final = frozenset(("network", "bridge", "ethernet", "direct"))
"""Types of network devices of which libvirt limits the traffic."""
LIVE: Final[int] = libvirt.VIR_DOMAIN_AFFECT_LIVE
CLOSE: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How a domain's traffic is limited, KiB/s; 0 for no limit."""

    block: int = 0
    network: int = 0
    disks: tuple[str, ...] = ()
    """Targets of its disks: `vda`."""
    nics: tuple[str, ...] = ()
    """Addresses of its network devices (MAC)."""
    missing: Mapping[str, str]


def read_traffic(root: Element) -> Traffic:
    """Return what a domain's live XML tells. Raises Unreadable."""
    disks = [d for d in root.iterfind("devices/disk") if d.get("device", "disk") == "disk"]
    nics = list(root.iterfind("devices/interface"))
    lacks = {What.BLOCK.value: _disks_lack(disks), What.NETWORK.value: _nics_lack(nics)}
    return Traffic(
        block=0 if lacks[What.BLOCK.value] else _of_disks(disks),
        network=0 if lacks[What.NETWORK.value] else _of_nics(nics),
        disks=tuple(attribute(disk, "target", "dev") for disk in disks),
        nics=tuple(attribute(nic, "mac", "address") for nic in nics),
        missing={name: why for name, why in lacks.items() if why},
    )


def _disks_lack(disks: Sequence[Element]) -> str:
    if not disks:
        return "it has no <disk device='disk'> whose traffic could be limited"
    if any(text_of(disk, f"iotune/{name}") not in {"", "0"} for disk in disks for name in APART):
        return (
            "its <iotune> limits reads, writes or operations: leave <total_bytes_sec> alone there"
        )
    return ""


def _nics_lack(nics: Sequence[Element]) -> str:
    if not nics:
        return "it has no <interface> whose traffic could be limited"
    wrong = sorted({nic.get("type", "") for nic in nics} - LIMITED)
    return (
        f"an <interface type='{wrong[0]}'> cannot be limited: make it one of a network or a bridge"
        if wrong
        else ""
    )


def _of_disks(disks: Sequence[Element]) -> int:
    """Return what all disks have together; no limit where one of them has none."""
    found = [text_of(disk, "iotune/total_bytes_sec") or "0" for disk in disks]
    limits = [natural(limit, "the limit of a disk") for limit in found]
    groups = {text_of(disk, "iotune/group_name") for disk in disks}
    together = min(limits) if len(groups) == 1 and "" not in groups else sum(limits)
    return together // KIB if all(limits) else 0


def _of_nics(nics: Sequence[Element]) -> int:
    """Return what all have together in the way that has least; no limit where one of them has none."""
    ways = []
    for way in ("inbound", "outbound"):
        found = [attribute(nic, f"bandwidth/{way}", "average") or "0" for nic in nics]
        limits = [natural(limit, "the limit of a network device") for limit in found]
        ways += [sum(limits)] if all(limits) else []
    return min(ways, default=0)


def limit(domain: libvirt.virDomain, known: Traffic, what: What, kib_s: int) -> str:
    """Limit all disks or all network devices to so much together (0: lift it) and read it back.

    Returns what is not as asked for. Raises libvirtError.
    """
    faults = (
        _limit_disks(domain, known, kib_s)
        if what is What.BLOCK
        else _limit_nics(domain, known, kib_s)
    )
    return next(faults, "")


def _limit_disks(domain: libvirt.virDomain, known: Traffic, kib_s: int) -> Iterator[str]:
    asked: dict[str, Any] = {"total_bytes_sec": kib_s * KIB}
    if len(known.disks) > 1 and kib_s:
        asked["group_name"] = GROUP
    for disk in known.disks:
        domain.setBlockIoTune(disk, asked, LIVE)
    for disk in known.disks:
        yield from _differs(disk, asked, domain.blockIoTune(disk, LIVE), ("total_bytes_sec",))


def _limit_nics(domain: libvirt.virDomain, known: Traffic, kib_s: int) -> Iterator[str]:
    each = max(1, kib_s // len(known.nics)) if kib_s else 0
    asked = {"inbound.average": each, "outbound.average": each}
    for nic in known.nics:
        domain.setInterfaceParameters(nic, asked, LIVE)
    for nic in known.nics:
        yield from _differs(nic, asked, domain.interfaceParameters(nic, LIVE), tuple(asked))


def _differs(
    device: str, asked: Mapping[str, Any], found: Mapping[str, Any], names: Sequence[str]
) -> Iterator[str]:
    for name in names:
        now, wanted = int(found.get(name, 0)), int(asked[name])
        if abs(now - wanted) > CLOSE * max(now, wanted):
            yield f"{name} of {device} is {now} and not {wanted}: the host takes no such setting"
