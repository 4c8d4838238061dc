"""What is not declared is not the same elsewhere."""

from typing import Any

import pytest

from balancer.adapters.libvirt.disks import Disk, Nic, lies_in
from balancer.adapters.libvirt.host_xml import NetworkFacts, PoolFacts
from balancer.adapters.libvirt.resolve import network, offers, storage
from balancer.config.host import HostConfig

NETWORKS = (
    NetworkFacts("lan", "bridge", "br0"),
    NetworkFacts("default", "nat", "virbr0"),
)
POOLS = (
    PoolFacts("ssd", "netfs", "/srv/ssd", "netfs:"),
    PoolFacts("vms", "rbd", "", "rbd:vms"),
    PoolFacts("images", "dir", "/var/lib/libvirt/images", "dir:"),
)


def there(**declared: Any):
    return offers(HostConfig(name="a", uri="qemu+ssh://a/system", **declared), NETWORKS, POOLS)


@pytest.mark.parametrize(
    ("declared", "nic", "expected"),
    [
        (None, Nic("network", "lan"), "lan"),
        (None, Nic("bridge", "br0"), "lan"),
        (None, Nic("network", "default"), "unknown:default"),
        (None, Nic("bridge", "br9"), "unknown:br9"),
        (None, Nic("ethernet", ""), "unknown:ethernet"),
        (("default",), Nic("network", "default"), "default"),
        (("br9",), Nic("bridge", "br9"), "br9"),
        (("br0",), Nic("network", "lan", "br0"), "br0"),
        (("eno2",), Nic("direct", "eno2"), "eno2"),
        (("other",), Nic("network", "lan", "br0"), "unknown:lan"),
        ((), Nic("bridge", "br0"), "unknown:br0"),
    ],
)
def test_networks(declared, nic, expected):
    """libvirt networks that lead outside are offered unless others are declared; NAT is not."""
    name, tied = network(nic, there(networks=declared))
    assert name == expected
    assert (tied is not None) == expected.startswith("unknown:")


@pytest.mark.parametrize(
    ("locus", "expected"),
    [
        ("/srv/ssd/web.qcow2", "ssd"),
        ("/srv/ssd2/web.qcow2", None),
        ("pool:ssd/web", "ssd"),
        ("rbd:vms/web", "ceph"),
        ("rbd:vms2/web", None),
        ("/mnt/nas/vm/deep/web", "deep"),
        ("/mnt/nas/vm/web", "nas"),
        ("/var/lib/libvirt/images/web", None),
    ],
)
def test_storage(locus, expected):
    """The longest declared place that holds the image counts, component by component."""
    offered = there(
        storage=("ssd", "ceph", "nas", "deep"),
        storage_paths={"ceph": "rbd:vms", "nas": "/mnt/nas/", "deep": "/mnt/nas/vm/deep"},
    )
    name, tied = storage(Disk("vda", locus), offered)
    assert name == (expected or f"unknown:{locus}")
    assert (tied is None) == (expected is not None)


def test_why_a_disk_ties():
    """Declared elsewhere makes it local; nothing declared, unknown; a medium may be ejected."""
    image = Disk("vda", "/var/lib/libvirt/images/web")
    _, tied = storage(image, there(storage=("ssd",)))
    assert tied is not None
    assert (tied.kind, tied.detail) == (
        "local-disk",
        "vda /var/lib/libvirt/images/web (pool images): not on storage declared as shared",
    )
    _, tied = storage(image, there())
    assert tied is not None
    assert tied.kind == "unknown-storage"
    assert "declare its storage in the hosts file" in tied.detail
    _, tied = storage(Disk("vda", "rbd:x/y"), there(storage=("ssd",)))
    assert tied is not None
    assert tied.kind == "unknown-storage"
    _, tied = storage(Disk("sda", "/isos/x.iso", medium=True), there(storage=("ssd",)))
    assert tied is not None
    assert tied.detail.startswith("medium sda /isos/x.iso: eject it")


def test_declared_storage_that_is_not_there_is_not_offered():
    """A pool of that name is not active: the host offers less, and says so."""
    offered = there(storage=("ssd", "san"))
    assert offered.storage == ("ssd",)
    (doubt,) = offered.doubts
    assert doubt.startswith("a: storage san is declared, but no libvirt pool")


def test_a_meaning_may_be_another_pools_name():
    """Storage is called by one name everywhere, whatever its pool is called here."""
    offered = there(storage=("gold",), storage_paths={"gold": "vms"})
    assert storage(Disk("vda", "rbd:vms/x"), offered) == ("gold", None)


def test_places_are_compared_by_component():
    """A longer name beside it is not within it."""
    assert not lies_in("/srv/ssd-old/x", "/srv/ssd")
    assert lies_in("/srv/ssd", "/srv/ssd/")
