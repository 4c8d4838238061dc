"""Whose guest it is, and what its metadata says."""

import pytest

from balancer.adapters.libvirt.document import parse
from balancer.adapters.libvirt.metadata import LONGEST, MOST, flatten, labels, owner


def read(metadata: str, rest: str = ""):
    document = parse(f"<domain><metadata>{metadata}</metadata>{rest}</domain>")
    found = flatten(document)
    return document, found, owner(document, found)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("", ""),
        ("<o:vm xmlns:o='http://ovirt.org/vm/1.0'/>", "ovirt"),
        ("<one:vm xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'/>", "opennebula"),
        ("<k xmlns='http://kubevirt.io'/>", "kubevirt"),
        ("<pacemaker:resource xmlns:pacemaker='https://example.org/ha'/>", "pacemaker"),
        ("<pacemaker/>", "pacemaker"),
        ("<b:guest xmlns:b='urn:balancer:guest:1'><b:owner>team-x</b:owner></b:guest>", "team-x"),
        ("<x:note xmlns:x='urn:x'>nova</x:note>", ""),
    ],
)
def test_the_owner_is_told_by_who_wrote(metadata, expected):
    """A manager is known by its namespace or by our own word, never by stray text."""
    assert read(metadata)[2] == expected


def test_the_owner_is_told_by_the_maker():
    """Managers that write no metadata give themselves as the machine's maker."""
    made = "<sysinfo><system><entry>Apache Software Foundation</entry></system></sysinfo>"
    assert read("", made)[2] == "cloudstack"
    other = "<sysinfo><system><entry>QEMU</entry><entry/></system></sysinfo>"
    assert read("", other)[2] == ""


def test_our_prefix_is_known_whatever_it_is_called():
    """The namespace counts, not the prefix."""
    document, found, _ = read(
        "<z:guest xmlns:z='urn:balancer:guest:1'><z:owner>me</z:owner></z:guest>"
    )
    assert found == {"balancer/owner": "me"}
    assert labels(document) == {}


def test_what_is_kept_is_limited():
    """Hostile metadata cannot fill an observation."""
    many = "".join(f"<x:k{n}>{'v' * 5000}</x:k{n}>" for n in range(MOST + 50))
    _, found, _ = read(f"<x:a xmlns:x='urn:x'>{many}</x:a>")
    assert len(found) == MOST
    assert {len(value) for value in found.values()} == {LONGEST}
