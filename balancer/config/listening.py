"""Addresses that the service listens on: loopback unless somebody writes another."""

from dataclasses import dataclass
from typing import Final

from balancer.config.reading import Table

OFF: Final = "off"
MOST: Final = 2**16


@dataclass(frozen=True, slots=True)
class Listening:
    """An address, a port, and whether the operator chose them."""

    address: str
    port: int
    chosen: bool = False
    """A port that nobody chose may be taken without that being a fault."""


DEFAULT_METRICS: Final = Listening("127.0.0.1", 9478)


def read_listening(table: Table, key: str, default: Listening) -> Listening | None:
    """Return what `key` says, None for nowhere. Raises UsageError."""
    text = table.text(key)
    if not text and key not in table.values:
        return default
    if text == OFF:
        return None
    address, _, port = text.rpartition(":")
    if not address or not port.isdecimal() or not 0 <= int(port) < MOST:
        table.fail(key, 'needs an address and a port, for example "127.0.0.1:9478", or "off"')
    return Listening(address.strip("[]"), int(port), chosen=True)
