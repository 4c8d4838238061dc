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
        What.VCPUS.value: _vcpus_lack(root, vcpus),
    }
    current = root.find("currentMemory")
    memory = root.find("memory")
    size = kib(current if current is not None else memory, "memory") if memory is not None else 0
    return Tuning(
        shares=natural(shares, "the CPU shares") if shares else 0,
        quota=_quota(root, vcpus),
        balloon=0 if missing[What.BALLOON] else size // 1024,
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


def _balloon_lacks(root: Element) -> str:
    """Return the change to the XML without which no memory may be taken; empty for none."""
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
