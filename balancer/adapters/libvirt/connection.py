"""Connections to hypervisors: one per host, kept between cycles, reopened when they die."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import libvirt

from balancer.adapters.libvirt.errors import NotAnswering
from balancer.config.host import HostConfig

KEEPALIVE_INTERVAL: Final = 5
"""Seconds of silence after which a host is asked for a sign of life."""
KEEPALIVE_COUNT: Final = 5
"""Unanswered signs after which the connection is closed, which frees threads that hang in it."""

_once = threading.Lock()
_ready = False


def prepare() -> None:
    """Start libvirt's event loop and silence its printing; must precede the first connection.

    Without the loop keepalive does nothing and a hung host is never noticed. Idempotent.
    """
    global _ready  # noqa: PLW0603 - libvirt has one event loop per process
    with _once:
        if _ready:
            return
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_turn, name="libvirt-events", daemon=True).start()
        _ready = True


def _turn() -> None:
    while True:
        with suppress(libvirt.libvirtError):
            libvirt.virEventRunDefaultImpl()


def open_one(uri: str, *, read_only: bool) -> libvirt.virConnect:
    """Return a new connection with keepalive. Raises libvirtError."""
    prepare()
    connection: libvirt.virConnect
    connection = libvirt.openReadOnly(uri) if read_only else libvirt.open(uri)
    with suppress(libvirt.libvirtError):  # drivers without a wire (test:///) have none
        connection.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
    return connection


class Connections:
    """The open connections, by host name. Safe to use from many threads."""

    def __init__(self, hosts: Sequence[HostConfig], *, read_only: bool) -> None:
        """Open nothing yet; `read_only` connections cannot change anything at all."""
        self.read_only = read_only
        self.hosts: Mapping[str, HostConfig] = {host.name: host for host in hosts}
        self._open: dict[str, libvirt.virConnect] = {}
        self._locks = {host.name: threading.Lock() for host in hosts}

    def to(self, host: str) -> libvirt.virConnect:
        """Return the connection to `host`, opening it if there is none or it died.

        Raises libvirtError, or NotAnswering while another thread hangs in opening it.
        """
        config = self.hosts[host]
        lock = self._locks[host]
        if not lock.acquire(timeout=config.answer_within):
            raise NotAnswering(f"no answer in {config.answer_within:g} s")
        try:
            connection = self._open.get(host)
            if connection is None or not _alive(connection):
                self._forget(host)
                connection = open_one(config.uri, read_only=self.read_only)
                self._open[host] = connection
            return connection
        finally:
            lock.release()

    def drop(self, host: str) -> None:
        """Forget the connection to `host`: the next use opens a new one."""
        self._forget(host)

    def close(self) -> None:
        """Close all."""
        for host in tuple(self._open):
            self._forget(host)

    def _forget(self, host: str) -> None:
        connection = self._open.pop(host, None)
        if connection is not None:  # closing asks the daemon, and a hung one does not answer
            threading.Thread(target=_close, args=(connection,), daemon=True).start()


def _close(connection: libvirt.virConnect) -> None:
    with suppress(libvirt.libvirtError):
        connection.close()


def _alive(connection: libvirt.virConnect) -> bool:
    try:
        return bool(connection.isAlive() == 1)
    except libvirt.libvirtError:
        return False
