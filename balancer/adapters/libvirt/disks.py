"""Where a guest's disks lie, and which network each of its cards is on, in its own host's words."""

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath
from xml.etree.ElementTree import Element

from balancer.adapters.libvirt.document import attribute


@dataclass(frozen=True, slots=True)
class Disk:
    """One image that a guest needs: a disk, something it is backed by, or a medium."""

    target: str
    """Its name in the guest: `vda`."""
    locus: str
    """A path, or `rbd:pool/image`, `pool:name/volume`."""
    medium: bool = False
    """True for CD-ROMs and floppies: may be ejected."""


@dataclass(frozen=True, slots=True)
class WholeDisk:
    """A disk in one piece, which a migration could copy: no backing file, nobody else writes to it."""

    target: str
    locus: str
    place: str
    """The folder it lies in, or `pool:name`."""
    volume: str
    """Its name there."""
    format: str
    """raw, qcow2, …"""


@dataclass(frozen=True, slots=True)
class Nic:
    """One network card: what its host end is plugged into."""

    kind: str
    """network, bridge, direct, or libvirt's word for anything else."""
    name: str
    bridge: str = ""
    """The bridge under a libvirt network, where libvirt says it."""


def disks(domain: Element) -> tuple[Disk, ...]:
    """Return every image that must be there for the guest to run, backing files included."""
    return tuple(
        image for disk in domain.iterfind("devices/disk") for image in dict.fromkeys(_images(disk))
    )


def _images(disk: Element) -> Iterator[Disk]:
    medium = disk.get("device", "disk") in ("cdrom", "floppy")
    if medium and attribute(disk, "source", "startupPolicy") == "optional":
        return  # whoever wrote this agreed to lose it on a move
    target = attribute(disk, "target", "dev")
    for part in (disk, *disk.iter("backingStore"), *disk.iterfind("mirror")):
        source = part.find("source")
        if source is not None and (locus := _locus(part.get("type", "file"), source)):
            yield Disk(target, locus, medium)


def whole_disks(domain: Element) -> tuple[WholeDisk, ...]:
    """Return the disks that could be copied by themselves."""
    return tuple(whole for disk in domain.iterfind("devices/disk") for whole in _whole(disk))


def _whole(disk: Element) -> Iterator[WholeDisk]:
    kind, source, target = disk.get("type", "file"), disk.find("source"), disk.find("target")
    plain = disk.get("device", "disk") == "disk" and kind in ("file", "block", "volume")
    shared = any(disk.find(tag) is not None for tag in ("readonly", "shareable", "transient"))
    layered = disk.find("backingStore/source") is not None or disk.find("mirror") is not None
    if source is None or target is None or shared or layered or not plain:
        return
    locus = _locus(kind, source)
    place, _, volume = locus.rpartition("/")
    if place and volume:
        form = attribute(disk, "driver", "type") or "raw"
        yield WholeDisk(target.get("dev", ""), locus, place, volume, form)


def _locus(kind: str, source: Element) -> str:
    """Return where a source is; an empty string for an empty drive."""
    if kind == "network":
        return f"{source.get('protocol', '?')}:{source.get('name', '')}"
    if kind == "volume":
        return f"pool:{source.get('pool', '')}/{source.get('volume', '')}"
    path = source.get({"block": "dev", "dir": "dir"}.get(kind, "file"), "")
    if kind not in ("file", "block", "dir"):
        return f"{kind}:{path}"
    return tidy(path) if path else ""


def tidy(path: str) -> str:
    """Return `path` without `..`, doubled or trailing slashes, so that prefixes can be told."""
    return normpath("/" + path.lstrip("/")) if path.startswith("/") else path


def lies_in(locus: str, place: str) -> bool:
    """True if `locus` is `place` or below it, component by component."""
    place = place.rstrip("/")
    return locus == place or locus.startswith(place + "/")


def nics(domain: Element) -> tuple[Nic, ...]:
    """Return the guest's network cards, less those that need nothing of the host's networks."""
    cards = (_nic(card) for card in domain.iterfind("devices/interface"))
    return tuple(card for card in cards if card.kind not in ("user", "hostdev", "vdpa"))


def _nic(card: Element) -> Nic:
    source = card.find("source")
    got = {} if source is None else dict(source.items())
    if got.get("network"):
        return Nic("network", got["network"], got.get("bridge", ""))
    if got.get("bridge"):
        return Nic("bridge", got["bridge"])
    if card.get("type") == "direct":
        return Nic("direct", got.get("dev", ""))
    return Nic(card.get("type", "unknown"), got.get("path") or got.get("dev") or "")
