"""One planner at a time across nodes: each hypervisor keeps a record of who acts on it.

The record is a libvirt secret without a value, kept in the daemon's memory. Two secrets for the
same use cannot be defined, so that of two planners claiming at once one is refused by libvirt
itself. Whoever holds a claim renews it; one that is not renewed runs out, and its successor
removes it by its own uuid, which only one of several can do.
"""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4
from xml.sax.saxutils import escape

import libvirt

from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.document import Unreadable, parse
from balancer.adapters.libvirt.errors import NotAnswering, is_broken_connection
from balancer.adapters.libvirt.workers import within
from balancer.config.host import HostConfig
from balancer.ports import Clock, Lease, Refused

USE: Final = "/balancer/owner"
VALID: Final = 300.0
"""Seconds after its last renewal that a claim holds. Clocks of nodes may differ by a part of it."""
UNSUPPORTED: Final = (
    libvirt.VIR_ERR_NO_SUPPORT,
    libvirt.VIR_ERR_ACCESS_DENIED,
    libvirt.VIR_ERR_OPERATION_DENIED,
)
"""A hypervisor that answers so keeps no records: there only the local lock protects."""
XML: Final = """\
<secret ephemeral='yes' private='yes'><uuid>{uuid}</uuid><description>{text}</description>
<usage type='volume'><volume>{use}</volume></usage></secret>"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who acts on a hypervisor."""

    uuid: str
    node: str
    """Where that planner keeps its state: one at a time there, by its local lock."""
    who: str
    until: float
    """Seconds since the epoch."""


@dataclass
class Owner:
    """Implements Lease: the local lock first, then a claim on every hypervisor that answers."""

    local: Lease
    hosts: Sequence[HostConfig]
    clock: Clock
    node: str
    who: str
    valid: float = VALID
    _uuid: str = field(default_factory=lambda: str(uuid4()))
    _depth: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._connections = Connections(self.hosts, read_only=False)

    def acquire(self) -> None:
        """Raises Refused naming the holder if another planner is at work, here or elsewhere."""
        self.local.acquire()
        if self._depth == 0:
            try:
                self._claim_all()
            except BaseException:
                self.local.release()
                raise
        self._depth += 1

    def release(self) -> None:
        """Give it up; harmless if not held."""
        if self._depth == 0:
            return
        self._depth -= 1
        if self._depth == 0:
            self._over.set()
            self._give_back()
        self.local.release()

    def objection(self, host: str) -> str:
        """Read the record on `host` anew; return why nothing may be started there, if so.

        Raises libvirtError, NotAnswering.
        """
        found: str = within(
            self._connections.hosts[host].answer_within, lambda: self._claim(host), host
        )
        return found

    def _claim_all(self) -> None:
        self._uuid, self._over = str(uuid4()), threading.Event()
        for config in self.hosts:
            with suppress(libvirt.libvirtError, NotAnswering):  # asked again before each start
                if taken := self.objection(config.name):
                    self._give_back()
                    raise Refused(taken)
        threading.Thread(target=self._renew, args=(self._over,), name="owner", daemon=True).start()

    def _renew(self, over: threading.Event) -> None:
        while not over.wait(self.valid / 4):
            for config in self.hosts:
                with suppress(libvirt.libvirtError, NotAnswering):
                    self.objection(config.name)

    def _give_back(self) -> None:
        for config in self.hosts:
            with suppress(libvirt.libvirtError, NotAnswering):
                within(config.answer_within, self._remover(config.name), config.name)

    def _remover(self, host: str) -> Callable[[], None]:
        def remove() -> None:
            self._connections.to(host).secretLookupByUUIDString(self._uuid).undefine()

        return remove

    def _claim(self, host: str) -> str:
        """Claim `host`, or renew the claim; return who has it if that is somebody else."""
        connection = self._connections.to(host)
        try:
            for _ in range(3):  # again where an old claim made room
                if self._defined(connection):
                    return ""
                claim = read(connection)
                if claim is None:
                    continue
                if claim.node != self.node and claim.until > self.clock.now():
                    return f"another planner ({claim.who}) acts on {host}: let only one do so"
                with suppress(libvirt.libvirtError):  # somebody else was faster
                    connection.secretLookupByUUIDString(claim.uuid).undefine()
        except libvirt.libvirtError:
            self._connections.drop(host)
            raise
        return f"another planner claims {host} at this moment: let only one do so"

    def _defined(self, connection: libvirt.virConnect) -> bool:
        """Return whether the record there is ours now, or there can be none."""
        try:
            self._define(connection)
        except libvirt.libvirtError as error:
            if is_broken_connection(error):
                raise
            return error.get_error_code() in UNSUPPORTED
        return True

    def _define(self, connection: libvirt.virConnect) -> None:
        until = self.clock.now() + self.valid
        text = json.dumps({"node": self.node, "who": self.who, "until": until})
        connection.secretDefineXML(XML.format(uuid=self._uuid, text=escape(text), use=USE))


def read(connection: libvirt.virConnect) -> Claim | None:
    """Return the claim on a hypervisor; None if there is none. Raises libvirtError."""
    try:
        secret = connection.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_VOLUME, USE)
        return _claim_of(secret)  # it may be removed between the two
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SECRET:
            raise
        return None


def _claim_of(secret: Any) -> Claim:  # noqa: ANN401 - a virSecret
    """Return what the record says; one that is not understood has run out."""
    try:
        text = parse(secret.XMLDesc()).root.findtext("description") or ""
        said = json.loads(text)
        return Claim(
            secret.UUIDString(), str(said["node"]), str(said["who"])[:100], float(said["until"])
        )
    except (Unreadable, ValueError, KeyError, TypeError):
        return Claim(secret.UUIDString(), "", "", 0.0)
