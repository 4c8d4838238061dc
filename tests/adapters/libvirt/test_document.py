"""Reading XML that others wrote."""

from contextlib import suppress
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.libvirt.document import (
    LARGEST,
    Unreadable,
    attribute,
    kib,
    natural,
    parse,
    text_of,
)


def amount(text: str, unit: str | None = None) -> Element:
    element = Element("memory", {} if unit is None else {"unit": unit})
    element.text = text
    return element


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("", "malformed"),
        ("<a><b></a>", "malformed"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "declares a document type"),
        ("<a>" + "x" * LARGEST + "</a>", "more than"),
        ("<a>&unknown;</a>", "malformed"),
        ("<a>\x00</a>", "malformed"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_phrase(text, phrase):
    """No document makes the parser fail in any other way."""
    with pytest.raises(Unreadable, match=phrase):
        parse(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    """There is no third way."""
    with suppress(Unreadable):
        parse(text)


def test_prefixes_are_kept():
    """The first prefix that a namespace was given is known."""
    document = parse("<a xmlns:x='urn:1'><x:b xmlns:y='urn:1'/></a>")
    assert document.prefixes == {"urn:1": "x"}
    assert document.root.tag == "a"


def test_missing_elements_are_empty():
    """Asking for what is not there is no fault."""
    root = parse("<a><b c='1'> x </b></a>").root
    assert (text_of(root, "b"), text_of(root, "d")) == ("x", "")
    assert (attribute(root, "b", "c"), attribute(root, "d", "c")) == ("1", "")


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2048", None, 2048),
        ("1", "b", 1),
        ("1025", "bytes", 2),
        ("1", "MB", 977),
        ("3", "MiB", 3072),
        ("1", "G", 1024**2),
        ("1", "TiB", 1024**3),
    ],
)
def test_units_are_libvirts(text, unit, expected):
    """Amounts are KiB, rounded up."""
    assert kib(amount(text, unit), "memory") == expected


@pytest.mark.parametrize("text", ["", "-1", "many", "9" * 5000, "1.5"])
def test_what_is_no_number_is_named(text):
    """The thing is named, and the text is cut short."""
    with pytest.raises(Unreadable, match="memory is"):
        natural(text, "memory")
    with pytest.raises(Unreadable, match="unknown unit 'parsec'"):
        kib(amount("1", "parsec"), "memory")
