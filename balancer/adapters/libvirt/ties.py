"""What in a domain's XML holds the guest to its host: devices, pinning, processor, memory."""

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from balancer.adapters.libvirt.document import attribute
from balancer.planner.model.cluster import Tie

PASSTHROUGH: Final = "passthrough"
LOCAL_DISK: Final = "local-disk"
PINNED: Final = "pinned"
PROCESSOR: Final = "processor"
JOB: Final = "job"


def tie(kind: str, detail: str) -> Tie:
    """Return the tie of that kind."""
    return Tie(kind=kind, detail=detail)


def ties(domain: Element) -> tuple[Tie, ...]:
    """Return what ties the guest, each once, in the order of the XML's parts."""
    found = (
        *_devices(domain),
        *_block_jobs(domain),
        *_pinning(domain),
        *_processor(domain),
        *_protection(domain),
    )
    return tuple(dict.fromkeys(found))


def _devices(domain: Element) -> Iterator[Tie]:
    for device in domain.iterfind("devices/*"):
        reader = _READERS.get(device.tag)
        detail = reader(device) if reader else ""
        if detail:
            local = device.tag in ("filesystem", "memory")
            yield tie(LOCAL_DISK if local else PASSTHROUGH, detail)


def _hostdev(device: Element) -> str:
    kind = device.get("type", "device")
    address = device.find("source/address")
    got = {} if address is None else dict(address.items())
    if kind == "pci":
        return f"PCI {_pci(got)}"
    if kind == "usb":
        vendor = attribute(device, "source/vendor", "id").removeprefix("0x")
        product = attribute(device, "source/product", "id").removeprefix("0x")
        place = f"bus {got.get('bus', '?')} device {got.get('device', '?')}"
        return f"USB {vendor}:{product}" if vendor else f"USB {place}"
    if kind == "mdev":
        return f"mediated device {got.get('uuid', '')}".strip()
    name = attribute(device, "source/adapter", "name")
    return f"host device {kind} {name}".strip()


def _pci(address: dict[str, str]) -> str:
    def part(name: str, width: int) -> str:
        return address.get(name, "0").removeprefix("0x").rjust(width, "0")

    return f"{part('domain', 4)}:{part('bus', 2)}:{part('slot', 2)}.{part('function', 1)}"


def _interface(device: Element) -> str:
    kind = device.get("type")
    if kind == "hostdev":
        address = device.find("source/address")
        return f"network card, PCI {_pci({} if address is None else dict(address.items()))}"
    return f"network card, vDPA {attribute(device, 'source', 'dev')}" if kind == "vdpa" else ""


def _disk(device: Element) -> str:
    target = attribute(device, "target", "dev")
    kind = device.get("type", "")
    if kind in ("nvme", "vhostuser", "vhostvdpa"):
        return f"disk {target} is a passed-through device ({kind})"
    if device.find("transient") is not None:
        return f"disk {target} is transient: its changes are in a local overlay"
    return ""


def _filesystem(device: Element) -> str:
    return (
        f"shared folder {attribute(device, 'source', 'dir') or attribute(device, 'target', 'dir')}"
    )


def _memory(device: Element) -> str:
    return f"NVDIMM {path}" if (path := (device.findtext("source/path") or "").strip()) else ""


def _tpm(device: Element) -> str:
    passed = attribute(device, "backend", "type") == "passthrough"
    return f"TPM {attribute(device, 'backend/device', 'path')}".strip() if passed else ""


def _character(device: Element) -> str:
    here = device.get("type") == "dev" and device.tag != "console"
    return f"{device.tag} port {attribute(device, 'source', 'path')}" if here else ""


def _video(device: Element) -> str:
    return "3D acceleration" if attribute(device, "model/acceleration", "accel3d") == "yes" else ""


def _input(device: Element) -> str:
    passed = device.get("type") in ("passthrough", "evdev")
    source = device.find("source")
    path = "" if source is None else source.get("evdev") or source.get("dev") or ""
    return f"input device {path}".strip() if passed else ""


_READERS: Final = {
    "hostdev": _hostdev,
    "interface": _interface,
    "disk": _disk,
    "filesystem": _filesystem,
    "memory": _memory,
    "shmem": lambda device: f"memory shared with the host ({device.get('name', 'shmem')})",
    "tpm": _tpm,
    "serial": _character,
    "parallel": _character,
    "video": _video,
    "input": _input,
}
"""Element name to what says how it ties; an empty phrase means that it does not."""


def _block_jobs(domain: Element) -> Iterator[Tie]:
    for disk in domain.iterfind("devices/disk"):
        mirror = disk.find("mirror")
        if mirror is not None:
            yield tie(JOB, f"block job ({mirror.get('job', 'copy')}) on {_target(disk)}")


def _target(disk: Element) -> str:
    return attribute(disk, "target", "dev") or "a disk"


def _pinning(domain: Element) -> Iterator[Tie]:
    if cpus := attribute(domain, "vcpu", "cpuset"):
        yield tie(PINNED, f"vCPUs on CPUs {cpus}")
    for pin in domain.iterfind("cputune/vcpupin"):
        yield tie(PINNED, f"vCPU {pin.get('vcpu', '?')} on CPUs {pin.get('cpuset', '?')}")
    for memory in (*domain.iterfind("numatune/memory"), *domain.iterfind("numatune/memnode")):
        nodes = memory.get("nodeset", "")
        if nodes and memory.get("mode", "strict") in ("strict", "restrictive"):
            yield tie(PINNED, f"memory on NUMA cells {nodes}")


def _processor(domain: Element) -> Iterator[Tie]:
    if attribute(domain, "cpu", "migratable") == "off":
        yield tie(PROCESSOR, "its CPU is declared migratable='off'")
    for feature in domain.iterfind("cpu/feature"):
        wanted = feature.get("policy", "require") in ("require", "force")
        if wanted and feature.get("name") == "invtsc" and not _has_tsc_frequency(domain):
            yield tie(PROCESSOR, "CPU feature invtsc without a fixed TSC frequency")


def _has_tsc_frequency(domain: Element) -> bool:
    timers = domain.iterfind("clock/timer")
    return any(timer.get("name") == "tsc" and timer.get("frequency") for timer in timers)


def _protection(domain: Element) -> Iterator[Tie]:
    security = domain.find("launchSecurity")
    if security is not None:
        yield tie(PROCESSOR, f"encrypted memory ({security.get('type', 'launch security')})")
