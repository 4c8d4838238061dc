"""What of a running domain can be changed, as its live XML tells, and what its XML lacks for it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree.ElementTree import Element

import libvirt

from balancer.adapters.libvirt.document import attribute, kib, natural, text_of
from balancer.adapters.libvirt.traffic import Traffic, read_traffic
from balancer.planner.model.knobs import USUAL_SHARES, Knobs
from balancer.planner.model.resize import What

CGROUP_SHARES: Final = 1024
"""The usual weight with version 1 of cgroups; with version 2 it is 100. Asked where it matters."""
USUAL_PERIOD: Final = 100_000
"""Microseconds within which a quota is counted, where the XML names none."""
PER_CORE: Final = 1000
KIB: Final = 1024
PLUGGABLE: Final = "devices/memory[@model='virtio-mem']"
UNPLUGGABLE: Final = frozenset({"aarch64", "armv7l", "riscv64"})
"""Architectures of which QEMU plugs no vCPUs."""
CACHE_KIB: Final = 128 * 1024
"""What QEMU keeps of translated code has to be so large for a vCPU to be plugged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Settings of a domain that can be changed while it runs, as libvirt writes them."""

    shares: int = 0
    """As set; 0: nobody set any."""
    quota: int = 0
    """The most CPU its vCPUs get together, millicores; 0 for no limit."""
    balloon: int = 0
    """Memory that its balloon leaves it, MiB."""
    plugged: int = 0
    """Memory that is plugged into it, MiB: asked for, or what it still has if that is more."""
    most_plugged: int = 0
    """Memory that can be plugged into it, MiB."""
    plug_block: int = 1
    """MiB in whose multiples."""
    traffic: Traffic = field(default_factory=lambda: Traffic(missing={}))
    most_vcpus: int = 0
    """As many vCPUs as it can be brought to."""
    plugged_vcpus: int = 0
    """Those that were plugged while it ran."""
    missing: Mapping[str, str] = field(default_factory=dict)

    def knobs(self, usual: int) -> Knobs:
        """Return it in the planner's words; `usual` is the weight nobody had to set."""
        shares = round(self.shares * USUAL_SHARES / usual) if self.shares else USUAL_SHARES
        return Knobs(
            shares=shares,
            quota=self.quota,
            balloon=self.balloon,
            plugged=self.plugged,
            most_plugged=self.most_plugged,
            plug_block=self.plug_block,
            block=self.traffic.block,
            network=self.traffic.network,
            disks=self.traffic.disks,
            nics=self.traffic.nics,
            most_vcpus=self.most_vcpus,
            plugged_vcpus=self.plugged_vcpus,
            missing={**self.missing, **self.traffic.missing},
        )


def read_tuning(root: Element, vcpus: int) -> Tuning:
    """Return what a domain's live XML tells. Raises Unreadable."""
    shares = text_of(root, "cputune/shares")
    missing = {
        What.BALLOON.value: _balloon_lacks(root),
        What.PLUGGED.value: _memory_lacks(root, vcpus),
        What.VCPUS.value: _vcpus_lack(root, vcpus),
    }
    devices = root.findall(PLUGGABLE)
    current = root.find("currentMemory")
    memory = root.find("memory")
    size = kib(current if current is not None else memory, "memory") if memory is not None else 0
    return Tuning(
        shares=natural(shares, "the CPU shares") if shares else 0,
        quota=_quota(root, vcpus),
        balloon=0 if missing[What.BALLOON] else size // KIB,
        plugged=sum(map(plugged_kib, devices)) // KIB,
        most_plugged=sum(size_kib(device, "size") for device in devices) // KIB,
        plug_block=max(1, *(size_kib(device, "block") // KIB for device in devices), 1),
        most_vcpus=_most_vcpus(root, vcpus),
        plugged_vcpus=_plugged_vcpus(root),
        traffic=read_traffic(root),
        missing={what: lacks for what, lacks in missing.items() if lacks},
    )


def _quota(root: Element, vcpus: int) -> int:
    """Return the less of what all vCPUs may have, each by its own, and the domain as a whole."""
    found = [vcpus * _cores(root, ""), _cores(root, "global_")]
    return min((round(cores * PER_CORE) for cores in found if cores), default=0)


def _cores(root: Element, prefix: str) -> float:
    quota = text_of(root, f"cputune/{prefix}quota")
    period = text_of(root, f"cputune/{prefix}period")
    if not quota or quota.startswith("-"):
        return 0.0
    known = natural(period, "the CPU period") if period else 0
    return natural(quota, "the CPU quota") / (known or USUAL_PERIOD)


def size_kib(device: Element, name: str) -> int:
    """Return one of the sizes of a virtio-mem device, KiB; 0 where it is not told. Raises Unreadable."""
    found = device.find(f"target/{name}")
    return kib(found, f"the {name} of a memory device") if found is not None else 0


def plugged_kib(device: Element) -> int:
    """Return what a guest has of a virtio-mem device, KiB: what was asked for, or still more."""
    return max(size_kib(device, "requested"), size_kib(device, "current"))


def unplugged_kib(root: Element) -> int:
    """Return what could still be plugged into a domain, KiB: its `<memory>` counts it. Raises Unreadable."""
    devices = root.findall(PLUGGABLE)
    return sum(max(0, size_kib(device, "size") - plugged_kib(device)) for device in devices)


def _device_lacks(root: Element, vcpus: int) -> str:
    """Return what to add to the XML for as much memory again to be pluggable."""
    memory = root.find("memory")
    size = -(-kib(memory, "memory") // KIB) if memory is not None else 1024
    most, cpus = f"{2 * size}</maxMemory>", f"0-{_most_vcpus(root, vcpus) - 1}"
    node = f"<numa><cell id='0' cpus='{cpus}' memory='{size}' unit='MiB'/></numa> within <cpu>"
    device = f"<size unit='MiB'>{size}</size><node>0</node><block unit='MiB'>2</block><requested>0</requested>"
    parts = [
        "" if root.find("maxMemory") is not None else f"<maxMemory slots='1' unit='MiB'>{most}",
        "" if root.find("cpu/numa") is not None else node,
        f"<memory model='virtio-mem'><target>{device}</target></memory> within <devices>",
    ]
    return "add " + ", ".join(filter(None, parts))


def _memory_lacks(root: Element, vcpus: int) -> str:
    """Return the change to the XML without which no memory may be plugged; empty for none."""
    devices = root.findall(PLUGGABLE)
    if not devices:
        return _device_lacks(root, vcpus)
    if len(devices) > 1:
        return "keep one <memory model='virtio-mem'>: of several it is not known which is meant"
    if attribute(root, "devices/memballoon/stats", "period") in {"", "0"}:
        return "add <memballoon model='virtio'><stats period='5'/></memballoon>, by which it tells what it uses"
    return ""


def _balloon_lacks(root: Element) -> str:
    """Return the change to the XML without which no memory may be taken; empty for none."""
    if root.find(PLUGGABLE) is not None:
        return "where memory can be plugged (virtio-mem), that is how some is taken"
    if attribute(root, "devices/memballoon", "model") in {"", "none"}:
        return "add <memballoon model='virtio' autodeflate='on'><stats period='5'/></memballoon>"
    if attribute(root, "devices/memballoon", "autodeflate") != "on":
        return (
            "say autodeflate='on' at <memballoon>, so that the guest takes back what it must have"
        )
    if attribute(root, "devices/memballoon/stats", "period") in {"", "0"}:
        return "add <stats period='5'/> within <memballoon>"
    return ""


def _most_vcpus(root: Element, vcpus: int) -> int:
    text = text_of(root, "vcpu")
    return natural(text, "the most vCPUs") if text else vcpus


def _plugged_vcpus(root: Element) -> int:
    """Return how many vCPUs could be taken: those that it did not boot with."""
    found = root.findall("vcpus/vcpu")
    return sum(v.get("enabled") == "yes" and v.get("hotpluggable") == "yes" for v in found)


def _vcpus_lack(root: Element, vcpus: int) -> str:
    """Return the change to the XML without which no vCPU may be plugged; empty for none."""
    architecture = attribute(root, "os/type", "arch")
    if architecture in UNPLUGGABLE:
        return (
            f"no machine of {architecture} takes vCPUs while it runs: it can be booted with more"
        )
    if _most_vcpus(root, vcpus) <= vcpus and not _plugged_vcpus(root):
        return f"write <vcpu current='{vcpus}'>{2 * vcpus}</vcpu>, with the most that it is ever to have"
    cache = root.find("features/tcg/tb-cache")
    if root.get("type") == "qemu" and (cache is None or kib(cache, "tb-cache") < CACHE_KIB):
        return "write <features><tcg><tb-cache unit='MiB'>128</tb-cache></tcg></features>: with less QEMU ends when a vCPU is plugged"
    return ""


def usual_shares(domains: Iterable[libvirt.virDomain]) -> int:
    """Return the weight that these domains have, to which nobody gave any."""
    for domain in domains:
        with suppress(libvirt.libvirtError):
            known: Mapping[str, Any] = domain.schedulerParametersFlags(
                libvirt.VIR_DOMAIN_AFFECT_LIVE
            )
            return int(known.get("cpu_shares", 0)) or CGROUP_SHARES
    return CGROUP_SHARES
