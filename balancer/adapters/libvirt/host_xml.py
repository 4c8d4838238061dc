"""What a hypervisor says of itself in XML: capabilities, domain capabilities, networks, pools."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from balancer.adapters.libvirt.disks import tidy
from balancer.adapters.libvirt.document import attribute, kib, natural, parse, text_of
from balancer.adapters.libvirt.domain_xml import kib_of_page
from balancer.planner.model.cluster import NumaCell
from balancer.planner.model.resources import HUGEPAGES, Resources, total

SMALL_PAGES_KIB: Final = (4, 8, 16, 64)
"""Ordinary pages of the various processors: no pool of huge ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The host and its emulators."""

    uuid: str
    architecture: str
    cpu_model: str
    cpu_xml: str
    """Its <cpu>, for questions put to libvirt; empty where it has none."""
    numa: tuple[NumaCell, ...]
    hugepages: Resources
    accelerators: tuple[str, ...]
    """For guests of the host's own architecture: the fast one first."""
    machines: tuple[str, ...]
    emulates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other architectures that QEMU translates here, with their machine types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """What guests of one kind can be given: libvirt's domain capabilities."""

    cpu_models: tuple[str, ...]
    host_model: str
    host_model_xml: str
    """The host-model as a plain <cpu>, for questions put to libvirt; empty if there is none."""
    disabled: frozenset[str]
    """Features of the host-model that guests do not get."""
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """An active libvirt network."""

    name: str
    mode: str
    """bridge, nat, route, …; isolated where it leads nowhere."""
    bridge: str


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """An active storage pool."""

    name: str
    kind: str
    target: str
    """Path at which it is found; empty for pools without one."""
    source: str
    """What it is called at its server: `rbd:pool`."""
    free_mib: int = 0
    """As libvirt counted when it last looked."""


def read_capabilities(text: str) -> Capabilities:
    """Return what a host says of itself. Raises Unreadable."""
    root = parse(text).root
    architecture = text_of(root, "host/cpu/arch")
    cells = tuple(_cell(cell) for cell in root.iterfind("host/topology/cells/cell"))
    natives = [a for a in root.iterfind("guest/arch") if a.get("name") == architecture]
    cpu = root.find("host/cpu")
    return Capabilities(
        uuid=text_of(root, "host/uuid"),
        architecture=architecture,
        cpu_model=text_of(root, "host/cpu/model"),
        cpu_xml="" if cpu is None or cpu.find("model") is None else tostring(cpu, "unicode"),
        numa=cells,
        hugepages=total(cell.hugepages for cell in cells),
        accelerators=_accelerators(natives),
        machines=_machines(natives),
        emulates=_emulates(root, architecture),
    )


def _cell(cell: Element) -> NumaCell:
    memory = cell.find("memory")
    pages = {
        f"{HUGEPAGES}{kib_of_page(page)}": natural((page.text or "").strip(), "a count of pages")
        for page in cell.iterfind("pages")
        if kib_of_page(page) not in SMALL_PAGES_KIB
    }
    return NumaCell(
        id=natural(cell.get("id", "0"), "a NUMA cell"),
        cpus=natural(attribute(cell, "cpus", "num") or "0", "a NUMA cell's CPUs"),
        memory_mib=0 if memory is None else kib(memory, "a NUMA cell's memory") // 1024,
        hugepages={name: count for name, count in pages.items() if count},
    )


def _accelerators(architectures: list[Element]) -> tuple[str, ...]:
    found = {d.get("type", "") for a in architectures for d in a.iterfind("domain")}
    return tuple(sorted(found - {""}))  # kvm sorts before qemu, xen after both


def _emulates(root: Element, native: str) -> Mapping[str, tuple[str, ...]]:
    """Return every other architecture with a translating emulator, with what it can build."""
    found = {}
    for other in root.iterfind("guest/arch"):
        name = other.get("name", "")
        if name not in ("", native) and other.find("domain[@type='qemu']") is not None:
            found[name] = _machines([other])
    return dict(sorted(found.items()))


def _machines(architectures: list[Element]) -> tuple[str, ...]:
    found = [m for a in architectures for m in a.iter("machine")]
    names = {(m.text or "").strip() for m in found} | {m.get("canonical", "") for m in found}
    return tuple(sorted(names - {""}))


def read_emulation(text: str) -> Emulation:
    """Return what guests can be given. Raises Unreadable."""
    root = parse(text).root
    models = root.iterfind("cpu/mode[@name='custom']/model")
    host_model = root.find("cpu/mode[@name='host-model'][@supported='yes']")
    return Emulation(
        cpu_models=tuple(
            sorted({(m.text or "").strip() for m in models if m.get("usable") == "yes"} - {""})
        ),
        host_model="" if host_model is None else text_of(host_model, "model"),
        host_model_xml=_plain_cpu(text_of(root, "arch"), host_model),
        disabled=_features(host_model, ("disable", "forbid")),
        devices=_devices(root),
    )


def _plain_cpu(architecture: str, mode: Element | None) -> str:
    if mode is None or not text_of(mode, "model"):
        return ""
    cpu = Element("cpu")
    SubElement(cpu, "arch").text = architecture
    SubElement(cpu, "model").text = text_of(mode, "model")
    for name in sorted(_features(mode, ("require", "force", "optional"))):
        SubElement(cpu, "feature", {"name": name})
    return tostring(cpu, "unicode")


def _features(cpu: Element | None, policies: tuple[str, ...]) -> frozenset[str]:
    return frozenset(
        feature.get("name", "")
        for feature in (() if cpu is None else cpu.iterfind("feature"))
        if feature.get("policy", "require") in policies
    )


def _devices(root: Element) -> tuple[str, ...]:
    backends = root.iterfind("devices/tpm[@supported='yes']/enum[@name='backendModel']/value")
    return ("tpm-emulator",) if any(b.text == "emulator" for b in backends) else ()


def read_features(text: str) -> frozenset[str]:
    """Return the features in a <cpu> that libvirt expanded. Raises Unreadable."""
    return _features(parse(text).root, ("require", "force"))


def read_network(text: str) -> NetworkFacts:
    """Return what a network is. Raises Unreadable."""
    root = parse(text).root
    forward = root.find("forward")
    mode = "isolated" if forward is None else forward.get("mode", "nat")
    return NetworkFacts(text_of(root, "name"), mode, attribute(root, "bridge", "name"))


def read_pool(text: str) -> PoolFacts:
    """Return what a storage pool is. Raises Unreadable."""
    root = parse(text).root
    kind, free = root.get("type", ""), root.find("available")
    target = text_of(root, "target/path")
    if kind in ("iscsi", "scsi", "mpath", "disk"):
        target = ""  # /dev/disk/by-path is the same for all of them: it tells nothing apart
    return PoolFacts(
        name=text_of(root, "name"),
        kind=kind,
        target=tidy(target),
        source=f"{kind}:{text_of(root, 'source/name')}",
        free_mib=0 if free is None else kib(free, "a pool's free space") // 1024,
    )
