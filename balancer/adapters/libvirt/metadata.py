"""What others wrote into a guest's <metadata>: flattened, and whose guest it therefore is."""

from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element

from balancer.adapters.libvirt.document import Document

NAMESPACE: Final = "urn:balancer:guest:1"
"""Ours: <balancer:guest><balancer:label name='role' value='broker'/></balancer:guest>."""

LONGEST: Final = 1000
"""Characters kept of one value."""
MOST: Final = 200
"""Values kept of one guest."""

_PREFIXES: Final[tuple[tuple[str, str], ...]] = (
    (NAMESPACE, "balancer"),
    ("http://openstack.org/xmlns/libvirt/nova/", "nova"),
    ("http://ovirt.org/vm/", "ovirt"),
    ("http://opennebula.org/xmlns/", "opennebula"),
    ("http://kubevirt.io", "kubevirt"),
    ("http://libosinfo.org/xmlns/libvirt/domain/", "libosinfo"),
)
"""Start of a namespace to its name here, whatever prefix the document gives it."""

_MANAGERS: Final = frozenset(
    {"nova", "ovirt", "opennebula", "kubevirt", "pacemaker", "cloudstack", "proxlb", "ganeti"}
)
"""Names of programs that place guests themselves."""

_MAKERS: Final[tuple[tuple[str, str], ...]] = (
    ("openstack", "nova"),
    ("cloudstack", "cloudstack"),
    ("apache software foundation", "cloudstack"),
    ("ovirt", "ovirt"),
    ("kubevirt", "kubevirt"),
)
"""Words in the SMBIOS manufacturer or product that give a manager away."""


def flatten(document: Document) -> Mapping[str, str]:
    """Return metadata as `prefix/element` (and `prefix/element.attribute`) to text.

    An element that occurs several times has its values joined with commas, in order.
    """
    found: dict[str, str] = {}
    for key, value in _values(document):
        if key in found:
            found[key] = f"{found[key]},{value}"[:LONGEST]
        elif len(found) < MOST:
            found[key] = value[:LONGEST]
    return found


def labels(document: Document) -> Mapping[str, str]:
    """Return the labels in our own part of the metadata."""
    return {
        mark.get("name", "")[:LONGEST]: mark.get("value", "")[:LONGEST]
        for mark in document.root.iterfind(f"metadata//{{{NAMESPACE}}}label")
        if mark.get("name")
    }


def owner(document: Document, metadata: Mapping[str, str]) -> str:
    """Return which other manager places this guest, or an empty string.

    Told by our own <balancer:owner>, by the namespaces other managers write, or by the maker
    they give the machine.
    """
    if declared := metadata.get("balancer/owner", ""):
        return declared
    for part in _parts(document.root):
        if (name := _name(part, document.prefixes)) in _MANAGERS:
            return name
    entries = document.root.iterfind("sysinfo/system/entry")
    maker = " ".join((entry.text or "").lower() for entry in entries)
    return next((manager for word, manager in _MAKERS if word in maker), "")


def _parts(root: Element) -> Iterator[Element]:
    for metadata in root.iterfind("metadata"):
        yield from metadata


def _values(document: Document) -> Iterator[tuple[str, str]]:
    for part in _parts(document.root):
        prefix = _name(part, document.prefixes)
        for element in part.iter():
            key = f"{prefix}/{_split(element.tag)[1]}"
            if text := (element.text or "").strip():
                yield key, text
            for name, value in element.items():
                yield f"{key}.{_split(name)[1]}", value


def _name(part: Element, prefixes: Mapping[str, str]) -> str:
    uri, local = _split(part.tag)
    known = next((name for start, name in _PREFIXES if uri.startswith(start)), "")
    return known or prefixes.get(uri, "") or local


def _split(tag: str) -> tuple[str, str]:
    uri, brace, local = tag.removeprefix("{").partition("}")
    return (uri, local) if brace else ("", tag)
