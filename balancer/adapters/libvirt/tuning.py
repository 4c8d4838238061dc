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
            missing={**self.missing, **self.traffic.missing},
        )


def read_tuning(root: Element, vcpus: int) -> Tuning:
    """Return what a domain's live XML tells. Raises Unreadable."""
    shares = text_of(root, "cputune/shares")
    missing = _balloon_lacks(root)
    current = root.find("currentMemory")
    memory = root.find("memory")
    size = kib(current if current is not None else memory, "memory") if memory is not None else 0
    return Tuning(
        shares=natural(shares, "the CPU shares") if shares else 0,
        quota=_quota(root, vcpus),
        balloon=0 if missing else size // 1024,
        traffic=read_traffic(root),
        missing={What.BALLOON.value: missing} if missing else {},
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


def usual_shares(domains: Iterable[libvirt.virDomain]) -> int:
    """Return the weight that these domains have, to which nobody gave any."""
    for domain in domains:
        with suppress(libvirt.libvirtError):
            known: Mapping[str, Any] = domain.schedulerParametersFlags(
                libvirt.VIR_DOMAIN_AFFECT_LIVE
            )
            return int(known.get("cpu_shares", 0)) or CGROUP_SHARES
    return CGROUP_SHARES
