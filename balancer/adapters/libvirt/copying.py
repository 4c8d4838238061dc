"""Disks that go along with their guest: made on the target before, the old ones removed after.

Nothing is written over and nothing removed that is not known to be ours: a disk is made only where
none is, which the hypervisor itself sees to; what was made for a guest that stayed is removed
again; an old copy goes once its guest runs elsewhere and no other guest on that host names it.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

import libvirt

from balancer.adapters.libvirt.disks import WholeDisk, disks, whole_disks
from balancer.adapters.libvirt.document import Unreadable, parse
from balancer.adapters.libvirt.errors import message
from balancer.adapters.libvirt.host_xml import read_pool
from balancer.adapters.libvirt.resolve import LOCAL_POOLS

GIB: Final = 2**30
XML: Final = """\
<volume><name>{name}</name><capacity unit='bytes'>{size}</capacity>{empty}
<target><format type='{format}'/></target></volume>"""
EMPTY: Final = "<allocation unit='bytes'>0</allocation>"


@dataclass(frozen=True, slots=True)
class Copy:
    """One disk to be copied."""

    disk: WholeDisk
    size: int
    """Bytes."""


def to_copy(domain: libvirt.virDomain, names: Collection[str]) -> tuple[Copy, ...]:
    """Return the disks of these names, as they are now.

    Raises libvirtError, and Unreadable where one cannot be copied any more.
    """
    known = {disk.target: disk for disk in whole_disks(parse(domain.XMLDesc()).root)}
    if missing := sorted(set(names) - known.keys()):
        raise Unreadable(
            f"its disk {missing[0]} cannot be copied: it is not in one piece any more"
        )
    return tuple(Copy(known[name], int(domain.blockInfo(name)[0])) for name in names)


def no_place(connection: libvirt.virConnect, copies: Sequence[Copy]) -> str:
    """Return why these cannot be made on a host, as a phrase; empty if they can."""
    needed: dict[str, int] = {}
    for copy in copies:
        disk = copy.disk
        pool = _pool(connection, disk.place)
        if pool is None:
            return (
                f"it has no active storage pool at {disk.place} for a copy of disk {disk.target}"
            )
        if _volume(pool, disk.volume) is not None:
            return f"{disk.locus} is there already: remove it if nobody needs it"
        needed[disk.place] = needed.get(disk.place, 0) + copy.size
        free = int(pool.info()[3])
        if free < needed[disk.place]:
            return (
                f"{disk.place} has {free / GIB:.1f} GiB free there, its disks need "
                f"{needed[disk.place] / GIB:.1f} GiB"
            )
    return ""


def make(connection: libvirt.virConnect, copies: Sequence[Copy]) -> None:
    """Make all of them, empty, or none. Raises libvirtError also where one is there already."""
    made: list[Copy] = []
    try:
        for copy in copies:
            _make(connection, copy)
            made.append(copy)
    except libvirt.libvirtError:
        with suppress(libvirt.libvirtError):
            unmake(connection, made)
        raise


def _make(connection: libvirt.virConnect, copy: Copy) -> None:
    pool = _pool(connection, copy.disk.place)
    if pool is None:
        raise libvirt.libvirtError(f"no active storage pool at {copy.disk.place}")
    pool.createXML(_xml(pool, copy))


def unmake(connection: libvirt.virConnect, made: Sequence[Copy]) -> None:
    """Remove what `make` made, its guest having stayed where it was. Raises libvirtError."""
    for copy in made:
        pool = _pool(connection, copy.disk.place)
        volume = None if pool is None else _volume(pool, copy.disk.volume)
        if volume is not None:
            volume.delete()


def left_over(connection: libvirt.virConnect, copies: Sequence[Copy]) -> tuple[str, ...]:
    """Return what lies on a host where copies of these would. Raises libvirtError."""
    pools = ((copy, _pool(connection, copy.disk.place)) for copy in copies)
    return tuple(c.disk.locus for c, p in pools if p is not None and _volume(p, c.disk.volume))


def clear(
    connection: libvirt.virConnect, guest: str, found: Sequence[WholeDisk]
) -> tuple[str, ...]:
    """Remove the old copies of a guest's disks; return a phrase for each that is left, and why.

    The guest runs elsewhere, by both hypervisors' word. Raises libvirtError.
    """
    return tuple(_clear(connection, guest, found))


def _clear(
    connection: libvirt.virConnect, guest: str, found: Sequence[WholeDisk]
) -> Iterator[str]:
    used = _used(connection, guest)
    for disk in found:
        pool = _pool(connection, disk.place)
        volume = None if pool is None else _volume(pool, disk.volume)
        if used is None:
            yield f"{disk.locus} (the guests there cannot all be read)"
        elif disk.locus in used:
            yield f"{disk.locus} (another guest there names it)"
        elif pool is None:
            yield f"{disk.locus} (it is in no active storage pool)"
        elif volume is not None:
            try:
                volume.delete()
            except libvirt.libvirtError as error:
                yield f"{disk.locus} ({message(error)})"


def _used(connection: libvirt.virConnect, guest: str) -> frozenset[str] | None:
    """Return the disks of all guests that a host knows; None where one cannot be read, or is this."""
    found: set[str] = set()
    for domain in connection.listAllDomains():
        if domain.UUIDString() == guest:
            return None
        try:
            found |= {disk.locus for disk in disks(parse(domain.XMLDesc()).root)}
        except Unreadable:
            return None
    return frozenset(found)


def _pool(connection: libvirt.virConnect, place: str) -> libvirt.virStoragePool | None:
    """Return the active pool of one host at a folder, or of a name; looked at anew."""
    for pool in connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
        facts = read_pool(pool.XMLDesc())
        if facts.kind in LOCAL_POOLS and place in (facts.target, f"pool:{facts.name}"):
            pool.refresh()
            return pool
    return None


def _volume(pool: libvirt.virStoragePool, name: str) -> libvirt.virStorageVol | None:
    try:
        found: libvirt.virStorageVol = pool.storageVolLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
            raise
        return None
    return found


def _xml(pool: libvirt.virStoragePool, copy: Copy) -> str:
    """Return the description of an empty disk; logical volumes are never thin."""
    thin = read_pool(pool.XMLDesc()).kind != "logical"
    return XML.format(
        name=escape(copy.disk.volume),
        size=copy.size,
        empty=EMPTY if thin else "",
        format=escape(copy.disk.format, {"'": "&apos;"}),
    )
