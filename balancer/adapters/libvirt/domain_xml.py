"""A domain's XML read into facts: what the guest is and what it needs, before its host is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

from balancer.adapters.libvirt import metadata as notes
from balancer.adapters.libvirt.disks import Disk, Nic, WholeDisk, disks, nics, whole_disks
from balancer.adapters.libvirt.document import (
    Document,
    Unreadable,
    attribute,
    kib,
    natural,
    parse,
    text_of,
)
from balancer.adapters.libvirt.ties import tie, ties
from balancer.adapters.libvirt.tuning import Tuning, read_tuning, unplugged_kib
from balancer.planner.model.cluster import GuestCpu, Tie
from balancer.planner.model.resources import HUGEPAGES, MEMORY, VCPUS, Resources

DEFAULT_PAGE_KIB: Final = 2048
"""Size of a huge page where the XML leaves it to the host: x86's usual one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFacts:
    """What the XML alone tells of a guest."""

    uuid: str
    name: str
    allocation: Resources
    architecture: str = ""
    accelerator: str = ""
    cpu: GuestCpu = field(default_factory=GuestCpu)
    machine: str = ""
    devices: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    whole: tuple[WholeDisk, ...] = ()
    """Those of them that could be copied by themselves."""
    nics: tuple[Nic, ...] = ()
    ties: tuple[Tie, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    tuning: Tuning = field(default_factory=Tuning)
    restartable: bool = True
    """False if its firmware's variables, or its TPM's memory, are on its host alone."""
    balloon_period: int = 0
    """Seconds between balloon statistics; 0: none are taken."""


def read_domain(text: str) -> DomainFacts:
    """Return the facts in a domain's live XML. Raises Unreadable, in one phrase."""
    document = parse(text)
    root = document.root
    if root.tag != "domain":
        raise Unreadable(f"its XML describes a {root.tag[:40]!r}, not a domain")
    metadata, allocation = notes.flatten(document), _allocation(root)
    return DomainFacts(
        uuid=text_of(root, "uuid"),
        name=text_of(root, "name"),
        allocation=allocation,
        architecture=attribute(root, "os/type", "arch"),
        accelerator=root.get("type", ""),
        cpu=_cpu(root),
        machine=attribute(root, "os/type", "machine"),
        devices=_devices(root),
        disks=disks(root),
        whole=whole_disks(root),
        nics=nics(root),
        ties=(*ties(root), *_owned(document, metadata)),
        labels=notes.labels(document),
        metadata=metadata,
        owner=notes.owner(document, metadata),
        tuning=read_tuning(root, allocation[VCPUS]),
        restartable=root.find("os/nvram") is None and not _devices(root),
        balloon_period=_balloon_period(root),
    )


def _owned(document: Document, metadata: Mapping[str, str]) -> tuple[Tie, ...]:
    owner = notes.owner(document, metadata)
    return (tie("owner", f"placed by {owner}"),) if owner else ()


def _allocation(root: Element) -> Resources:
    vcpu, memory = root.find("vcpu"), root.find("memory")
    if memory is None:
        raise Unreadable("its XML names no memory")
    vcpus = "1" if vcpu is None else vcpu.get("current") or (vcpu.text or "").strip()
    size = max(0, kib(memory, "memory") - unplugged_kib(root))
    return {
        VCPUS: max(1, natural(vcpus, "the number of vCPUs")),
        MEMORY: max(1, -(-size // 1024)),
        **_hugepages(root, size),
    }


def _hugepages(root: Element, memory_kib: int) -> Resources:
    """Count the huge pages that back the guest, by size.

    Pages given for some guest NUMA cells back those cells; the others back what remains.
    """
    backing = root.find("memoryBacking/hugepages")
    if backing is None:
        return {}
    cells = _cell_sizes(root)
    left = memory_kib
    counts: dict[str, int] = {}
    pages = backing.findall("page")
    for page in sorted(pages, key=lambda p: not p.get("nodeset")):
        covered = min(left, _covered(page, cells, left))
        _count(counts, covered, kib_of_page(page))
        left -= covered
    if not pages:
        _count(counts, left, DEFAULT_PAGE_KIB)
    return counts


def _cell_sizes(root: Element) -> Mapping[int, int]:
    cells = root.findall("cpu/numa/cell")
    return {
        natural(cell.get("id", str(index)), "a NUMA cell"): natural(
            cell.get("memory", "0"), "a NUMA cell's memory"
        )
        for index, cell in enumerate(cells)
    }


def _covered(page: Element, cells: Mapping[int, int], left: int) -> int:
    nodes = page.get("nodeset", "")
    if not nodes:
        return left
    return sum(size for cell, size in cells.items() if cell in _numbers(nodes))


def _numbers(ranges: str) -> frozenset[int]:
    """Read `0-2,5`. Raises Unreadable."""
    found: set[int] = set()
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        start = natural(first, "a range of cells")
        end = natural(last or first, "a range of cells")
        if end - start > 4096:  # noqa: PLR2004 - no machine has more cells
            raise Unreadable("a range of cells is absurdly long")
        found |= set(range(start, end + 1))
    return frozenset(found)


def kib_of_page(page: Element) -> int:
    """Return a <page>'s size in KiB; its size is an attribute, unlike all other amounts."""
    size = Element("size", {"unit": page.get("unit", "KiB")})
    size.text = page.get("size", "")
    return max(1, kib(size, "a huge page's size"))


def _count(counts: dict[str, int], amount_kib: int, page_kib: int) -> None:
    name = f"{HUGEPAGES}{page_kib}"
    counts[name] = counts.get(name, 0) + -(-amount_kib // page_kib)


def _cpu(root: Element) -> GuestCpu:
    return GuestCpu(
        mode=attribute(root, "cpu", "mode") or "custom",
        model=text_of(root, "cpu/model"),
        features=tuple(
            sorted(
                {
                    feature.get("name", "")
                    for feature in root.iterfind("cpu/feature")
                    if feature.get("policy", "require") == "require" and feature.get("name")
                }
            )
        ),
    )


def _devices(root: Element) -> tuple[str, ...]:
    """Return what a host must be able to emulate that not every host can."""
    emulated = any(
        backend.get("type") == "emulator" for backend in root.iterfind("devices/tpm/backend")
    )
    return ("tpm-emulator",) if emulated else ()


def _balloon_period(root: Element) -> int:
    period = attribute(root, "devices/memballoon/stats", "period")
    return natural(period, "the balloon's period") if period else 0
