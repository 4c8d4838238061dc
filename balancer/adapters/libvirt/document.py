"""Reading XML that others wrote: treated as hostile, faults said in one phrase."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

LARGEST: Final = 2_000_000
"""Characters; real domains have some ten thousand."""

DEEPEST: Final = 200
"""Elements within elements; real domains have some ten."""

_KIB: Final[Mapping[str, tuple[int, int]]] = {
    "b": (1, 1024),
    "bytes": (1, 1024),
    "KB": (1000, 1024),
    "k": (1, 1),
    "KiB": (1, 1),
    "MB": (1_000_000, 1024),
    "M": (1024, 1),
    "MiB": (1024, 1),
    "GB": (10**9, 1024),
    "G": (1024**2, 1),
    "GiB": (1024**2, 1),
    "TB": (10**12, 1024),
    "T": (1024**3, 1),
    "TiB": (1024**3, 1),
}
"""Unit to the fraction that makes it KiB (libvirt's scaled integers)."""


class Unreadable(ValueError):  # noqa: N818 - the document is unreadable, in one phrase
    """XML that is malformed, or lacks what it must have."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document, and the prefixes it gives to namespaces."""

    root: Element
    prefixes: Mapping[str, str]
    """Namespace to the prefix it was first bound to."""


def parse(text: str) -> Document:
    """Return the document. Raises Unreadable; entities are never expanded."""
    if len(text) > LARGEST:
        raise Unreadable(f"its XML has more than {LARGEST:,} characters")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # libvirt writes neither
        raise Unreadable("its XML declares a document type")
    prefixes: dict[str, str] = {}
    root: Element | None = None
    for event, value in _events(text):
        if event == "start-ns":
            prefix, uri = value
            prefixes.setdefault(uri, prefix)
        elif root is None:
            root = value
    if root is None:
        raise Unreadable("its XML is empty")
    return Document(root, prefixes)


def _events(text: str) -> Iterator[Any]:
    """Yield ("start-ns", (prefix, uri)) and ("start", element). Raises Unreadable."""
    parser: XMLPullParser[Any] = XMLPullParser(events=("start-ns", "start", "end"))
    try:
        parser.feed(text)
        parser.close()
    except (ParseError, ValueError) as fault:
        raise Unreadable(f"its XML is malformed ({fault})") from fault
    depth, events = 0, cast("Iterator[tuple[str, Any]]", parser.read_events())
    for event, value in events:
        depth += (event == "start") - (event == "end")
        if depth > DEEPEST:
            raise Unreadable(f"its XML is nested more than {DEEPEST} deep")
        if event != "end":
            yield event, value


def text_of(element: Element, path: str) -> str:
    """Return the stripped text at `path`, or an empty string."""
    return (element.findtext(path) or "").strip()


def attribute(element: Element, path: str, name: str) -> str:
    """Return attribute `name` of the element at `path`, or an empty string."""
    found = element.find(path)
    return "" if found is None else found.get(name, "")


def natural(text: str, what: str) -> int:
    """Return the number. Raises Unreadable, naming `what`, unless it is 0 or more."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise Unreadable(f"{what} is {text[:40]!r}, not a number")
    return number


def kib(element: Element, what: str) -> int:
    """Return an amount of memory in KiB, whatever its unit. Raises Unreadable."""
    unit = element.get("unit", "KiB")
    if unit not in _KIB:
        raise Unreadable(f"{what} has the unknown unit {unit[:20]!r}")
    times, per = _KIB[unit]
    return -(-natural((element.text or "").strip(), what) * times // per)
