"""Valid documents, spoilt: bytes turned, cut off or doubled, values replaced by hostile ones."""

from __future__ import annotations

import copy
import json
import math
import random
import re
import tomllib
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

WORDS = (
    "",
    " ",
    "\x1b[31mred\x1b]0;title\x07",
    "first\nsecond: injected",
    "a\rb\tc",
    "\u202egnp.exe\u2066",
    "\u2028\x85\x9b31m\x7f",
    "../../../etc/passwd",
    "/",
    "nul\0byte",
    "x" * 20_000,
    "g\u0338\u0301" * 50,
    "[bold red]markup[/]",
    "%s %(name)s {0.__class__} ${x}",
    "'; DROP TABLE events; --",
    "](){}*?\\[",
    "until 0001-01-01T00:00:00+14:00",
    "999999999999d",
    "1e400",
    "-1",
    "\ud800",
)
NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -1e308, 5e-324),
    *(math.nan, math.inf, -math.inf, -0.0, True, False),
)


def deep(levels: int) -> Any:
    """Return lists within lists."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def hostile(chance: random.Random) -> Any:
    """Return a value that nobody asked for."""
    match chance.randrange(6):
        case 0 | 1:
            return chance.choice(WORDS)
        case 2 | 3:
            return chance.choice(NUMBERS)
        case 4:
            return deep(chance.choice([1, 5, 60]))
        case _:
            return copy.deepcopy(chance.choice([None, {}, [], {"a": {"": 1}}, ["x"] * 200]))


def spoil_bytes(text: bytes, chance: random.Random) -> bytes:
    """Turn bits, cut off, write over, double a part, or put hostile words in."""
    spoilt = bytearray(text)
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, max(0, len(spoilt) - 1))
        match chance.randrange(6):
            case 0 if spoilt:
                spoilt[at] ^= 1 << chance.randrange(8)
            case 1:
                del spoilt[at:]
            case 2:
                spoilt[at : at + chance.randint(0, 40)] = bytes(
                    chance.randrange(256) for _ in range(chance.randint(0, 8))
                )
            case 3:
                spoilt[at:at] = spoilt[at : at + 200]
            case 4:
                spoilt[at:at] = chance.choice([b"[", b'{"a":', b"<a>"]) * 5000
            case _:
                spoilt[at:at] = chance.choice(WORDS).encode("utf-8", "surrogatepass")
    return bytes(spoilt)


def spoil_tree(tree: Any, chance: random.Random) -> Any:
    """Return the tree with some values or keys replaced, dropped or doubled."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.randint(1, 3)):
        places = [(node, key) for node in _inner(tree) for key in _keys(node)]
        if not places:
            return hostile(chance)
        node, key = chance.choice(places)
        match chance.randrange(5):
            case 0 | 1 | 2:
                node[key] = hostile(chance)
            case 3 if isinstance(node, dict):
                node[chance.choice(WORDS)] = node.pop(key)
            case 3:
                node.append(node[key])
            case _:
                del node[key]
    return tree


def spoil_json(text: bytes, chance: random.Random) -> bytes:
    """Spoil a JSON document: as bytes, or as a tree."""
    if chance.randrange(3) == 0:
        return spoil_bytes(text, chance)
    return json.dumps(spoil_tree(json.loads(text), chance)).encode()


def spoil_toml(text: bytes, chance: random.Random) -> bytes:
    """Spoil a TOML document, likewise."""
    if chance.randrange(3) == 0:
        return spoil_bytes(text, chance)
    tree = spoil_tree(tomllib.loads(text.decode()), chance)
    if not isinstance(tree, dict):
        return toml(tree).encode("utf-8", "surrogatepass")
    lines = (f"{json.dumps(key)} = {toml(value)}\n" for key, value in tree.items())
    return "".join(lines).encode("utf-8", "surrogatepass")


def toml(value: Any) -> str:
    """Return a value as TOML writes it, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps("" if value is None else str(value), ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )


def spoil_xml(text: bytes, chance: random.Random) -> bytes:
    """Spoil an XML document: as bytes, or as a tree."""
    way = chance.randrange(6)
    if way < 2:
        return spoil_bytes(text, chance)
    if way == 2:
        at = chance.choice([m.start() for m in re.finditer(b"</", text)])
        tag = chance.choice([b"cpu", b"metadata", b"a"])
        return text[:at] + b"<%s>" % tag * 4000 + b"</%s>" % tag * 4000 + text[at:]
    root = fromstring(text)
    for _ in range(chance.randint(1, 3)):
        _spoil_element(chance.choice(list(root.iter())), chance)
    return tostring(root, "unicode").encode("utf-8", "surrogatepass")


def _spoil_element(element: Element, chance: random.Random) -> None:
    match chance.randrange(5):
        case 0 if element.attrib:
            element.set(chance.choice(list(element.attrib)), _said(chance))
        case 1 if len(element):
            del element[chance.randrange(len(element))]
        case 2 if len(element):
            element.append(copy.deepcopy(element[chance.randrange(len(element))]))
        case 3:
            for _ in range(chance.choice([1, 300])):
                element = SubElement(element, element.tag)
        case _:
            element.text = _said(chance)


def _said(chance: random.Random) -> str:
    value = chance.choice((*WORDS, *NUMBERS))
    try:
        return str(value)
    except ValueError:  # an integer too long for Python to write
        return "9" * 400


def _inner(tree: Any) -> list[Any]:
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, dict | list):
            found.append(node)
            todo.extend(node.values() if isinstance(node, dict) else node)
    return found


def _keys(node: Any) -> list[Any]:
    return list(node) if isinstance(node, dict) else list(range(len(node)))


Spoil = Callable[[bytes, random.Random], bytes]
