# ruff: noqa: N802 - the names are libvirt's
"""Disks made on a target and removed from a source, with storage pools in memory."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from xml.etree.ElementTree import fromstring

import libvirt
import pytest

from balancer.adapters.libvirt.copying import (
    Copy,
    clear,
    left_over,
    make,
    no_place,
    to_copy,
    unmake,
)
from balancer.adapters.libvirt.disks import WholeDisk, whole_disks
from balancer.adapters.libvirt.document import Unreadable
from tests.adapters.libvirt.fakes import error

HEAD = "<domain><devices><disk type='file' device='disk'>"
PLAIN = f"{HEAD}<driver type='qcow2'/><source file='/vm/x.img'/><target dev='vda'/></disk></devices></domain>"


@dataclass
class Pool:
    """A storage pool: names and what describes them."""

    kind: str = "dir"
    path: str = "/vm"
    free: int = 1 << 30
    volumes: dict[str, str] = field(default_factory=dict)
    stubborn: bool = False

    def XMLDesc(self) -> str:
        return f"<pool type='{self.kind}'><name>vm</name><target><path>{self.path}</path></target></pool>"

    def refresh(self) -> None:
        pass

    def info(self) -> list[int]:
        return [2, 1 << 40, 0, self.free]

    def storageVolLookupByName(self, name: str) -> SimpleNamespace:
        if name not in self.volumes:
            raise error(libvirt.VIR_ERR_NO_STORAGE_VOL)

        def delete() -> None:
            if self.stubborn:
                raise error(1, "busy")
            del self.volumes[name]

        return SimpleNamespace(delete=delete)

    def createXML(self, xml: str) -> None:
        name = fromstring(xml).findtext("name") or ""
        if name in self.volumes:
            raise error(libvirt.VIR_ERR_STORAGE_VOL_EXIST, "it exists")
        self.volumes[name] = xml


def host(*pools: Pool, guests: dict[str, str] | None = None) -> SimpleNamespace:
    """A hypervisor with these pools, and guests: XML by uuid."""
    domains = [
        SimpleNamespace(UUIDString=lambda uuid=uuid: uuid, XMLDesc=lambda xml=xml: xml)
        for uuid, xml in (guests or {}).items()
    ]
    return SimpleNamespace(
        listAllStoragePools=lambda _: list(pools), listAllDomains=lambda: domains
    )


def disk(volume: str = "x.img", place: str = "/vm") -> WholeDisk:
    return WholeDisk("vda", f"{place}/{volume}", place, volume, "qcow2")


def copies(*volumes: str, size: int = 4096) -> list[Copy]:
    return [Copy(disk(volume), size) for volume in volumes or ("x.img",)]


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        ("", True),
        ("<readonly/>", False),
        ("<shareable/>", False),
        ("<transient/>", False),
        ("<mirror/>", False),
        ("<backingStore/>", True),
        ("<backingStore type='file'><source file='/vm/base'/></backingStore>", False),
    ],
)
def test_a_disk_in_one_piece_can_be_copied(inside: str, *, found: bool) -> None:
    """Layers, and what others write to or nobody does, cannot."""
    assert bool(whole_disks(fromstring(PLAIN.replace("</disk>", f"{inside}</disk>")))) is found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", [("/vm/x.img", "/vm", "x.img", "qcow2")]),
        ("<driver type='qcow2'/>", "", [("/vm/x.img", "/vm", "x.img", "raw")]),
        ("type='file'", "type='network'", []),
        ("device='disk'", "device='cdrom'", []),
        ("<target dev='vda'/>", "", []),
        ("<source file='/vm/x.img'/>", "", []),
        ("<source file='/vm/x.img'/>", "<source/>", []),
    ],
)
def test_where_a_disk_lies(old: str, new: str, expected: list[tuple[str, ...]]) -> None:
    """Its folder, its name there, and its format."""
    found = whole_disks(fromstring(PLAIN.replace(old, new, 1)))
    assert [(d.locus, d.place, d.volume, d.format) for d in found] == expected


def test_a_volume_is_named_by_its_pool() -> None:
    """As libvirt writes it."""
    text = PLAIN.replace("type='file'", "type='volume'").replace(
        "file='/vm/x.img'", "pool='vm' volume='x'"
    )
    (found,) = whole_disks(fromstring(text))
    assert (found.locus, found.place, found.volume) == ("pool:vm/x", "pool:vm", "x")


def test_disks_are_taken_as_they_are_now() -> None:
    """Their size is asked; one that is not in one piece any more is named."""
    domain = SimpleNamespace(XMLDesc=lambda: PLAIN, blockInfo=lambda _: [8192, 0, 0])
    assert to_copy(domain, ("vda",)) == (Copy(disk(), 8192),)
    with pytest.raises(Unreadable, match="its disk vdb cannot be copied"):
        to_copy(domain, ("vda", "vdb"))


def test_a_host_says_why_it_has_no_place() -> None:
    """No pool there, of a kind that will not do, something of that name, no room for all."""
    assert no_place(host(Pool()), copies()) == ""
    assert "no active storage pool at /vm" in no_place(host(), copies())
    assert "no active storage pool" in no_place(host(Pool(kind="rbd")), copies())
    assert "is there already" in no_place(host(Pool(volumes={"x.img": ""})), copies())
    assert "its disks need 1.5 GiB" in no_place(host(Pool()), copies("a", "b", size=3 << 28))


def test_all_are_made_or_none() -> None:
    """Empty, of that size and format; nothing that was there is touched."""
    pool = Pool(volumes={"b": "somebody's"})
    with pytest.raises(libvirt.libvirtError, match="exists"):
        make(host(pool), copies("a", "b"))
    assert pool.volumes == {"b": "somebody's"}
    make(host(pool), copies("a"))
    assert "<capacity unit='bytes'>4096</capacity>" in pool.volumes["a"]
    assert "<allocation unit='bytes'>0" in pool.volumes["a"]
    assert "<format type='qcow2'/>" in pool.volumes["a"]
    thick = Pool(kind="logical")
    make(host(thick), copies())
    assert "allocation" not in thick.volumes["x.img"]
    with pytest.raises(libvirt.libvirtError, match="no active"):
        make(host(), copies())
    unmake(host(pool), copies("a", "gone"))
    unmake(host(), copies("a"))
    assert pool.volumes == {"b": "somebody's"}
    assert left_over(host(pool), copies("a", "b")) == ("/vm/b",)
    assert left_over(host(), copies("b")) == ()


def test_an_old_copy_goes_only_where_nobody_names_it() -> None:
    """Other guests, unreadable ones, the guest itself and missing pools keep it, each said."""
    guest = "u-1"

    def after(pool: Pool | None, guests: dict[str, str] | None = None) -> tuple[str, ...]:
        pools = () if pool is None else (pool,)
        return clear(host(*pools, guests=guests), guest, [disk()])

    pool = Pool(volumes={"x.img": ""})
    assert after(pool, {"u-2": PLAIN}) == ("/vm/x.img (another guest there names it)",)
    assert after(pool, {"u-2": "<odd"}) == ("/vm/x.img (the guests there cannot all be read)",)
    assert after(pool, {guest: PLAIN}) == ("/vm/x.img (the guests there cannot all be read)",)
    assert after(None) == ("/vm/x.img (it is in no active storage pool)",)
    pool.stubborn = True
    assert after(pool) == ("/vm/x.img (busy)",)
    pool.stubborn = False
    assert pool.volumes
    assert after(pool, {"u-2": PLAIN.replace("x.img", "y.img")}) == ()
    assert after(pool) == ()
    assert not pool.volumes
