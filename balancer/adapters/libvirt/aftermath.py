"""After a migration: where the guest really is, asked of both hypervisors, and left in order there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from time import monotonic, sleep
from typing import Any, Final

import libvirt

from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.errors import NotAnswering, message
from balancer.adapters.libvirt.sighting import running_job
from balancer.adapters.libvirt.workers import Beat, Crew, within

GOING: Final = 5.0
"""Seconds that the shell of a guest may take to vanish from a target that it did not reach."""
AGAIN_AFTER: Final = 0.3
"""Seconds between two looks while it is not clear yet where the guest is."""


PART_OF_A_MIGRATION: Final = (
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION),
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP),
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY),
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED),
    (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY),
)
"""State and reason of what is not a whole guest: after a switch to post-copy its memory is on
both hosts, and neither copy may be touched."""


class End(Enum):
    """What one hypervisor knows of the guest."""

    ACTIVE = auto()
    BUSY = auto()
    """Active, and still part of a migration: it may be either the guest or a shell for it."""
    SHUT_OFF = auto()
    """Defined only."""
    ABSENT = auto()
    UNKNOWN = auto()
    """The hypervisor does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the guest was before it was moved."""

    persistent: bool
    autostart: bool
    definition: str = ""
    """XML to define it with, should the target fail to; empty: what it runs with there."""


class Where(Enum):
    """Where the guest turned out to be."""

    TARGET = auto()
    SOURCE = auto()
    BOTH = auto()
    NOWHERE = auto()
    UNCLEAR = auto()


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Where it is, what was put right or could not be, and libvirt's figures."""

    where: Where
    notes: tuple[str, ...] = ()
    left_behind: tuple[str, ...] = ()
    """What it may have left on a host, for somebody to look at: nothing of it is removed by us."""
    mib: int = 0
    downtime_ms: int | None = None
    ends: Mapping[str, End] = field(default_factory=dict)
    stats: Mapping[str, Any] = field(default_factory=dict)
    """libvirt's figures of the finished job."""


def memory_of(domain: libvirt.virDomain) -> Before:
    """Return what must be the same after the move. Raises libvirtError."""
    persistent = bool(domain.isPersistent())
    wanted = (
        libvirt.VIR_DOMAIN_XML_INACTIVE
        | libvirt.VIR_DOMAIN_XML_SECURE
        | libvirt.VIR_DOMAIN_XML_MIGRATABLE
    )
    return Before(
        persistent=persistent,
        autostart=persistent and bool(domain.autostart()),
        definition=domain.XMLDesc(wanted) if persistent else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Both hypervisors of one migration, and how to ask them about its guest.

    To be used by one thread. A host that hangs in one question is not asked another meanwhile.
    """

    connections: Connections
    guest: str
    """Uuid."""
    source: str
    target: str
    crew: Crew = field(default_factory=Crew)

    def ask(self, host: str, question: Callable[[libvirt.virDomain], Any]) -> Any:  # noqa: ANN401 - as the question answers
        """Return the answer about the guest on `host`.

        Raises libvirtError, also when it is not there, and NotAnswering.
        """

        def task(_beat: Beat) -> Any:  # noqa: ANN401
            return question(self.connections.to(host).lookupByUUIDString(self.guest))

        limit = self.connections.hosts[host].answer_within
        answer = self.crew.ask({host: task}, {host: limit})[host]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self, host: str) -> End:
        """Return what `host` knows of the guest."""
        try:
            return End(self.ask(host, _end))
        except NotAnswering:
            self.connections.drop(host)
            return End.UNKNOWN
        except libvirt.libvirtError as error:
            absent = error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
            return End.ABSENT if absent else End.UNKNOWN


def _end(domain: libvirt.virDomain) -> End:
    if not domain.isActive():
        return End.SHUT_OFF
    state, reason = domain.state()
    if (state, reason) in PART_OF_A_MIGRATION:
        return End.BUSY
    return End.ACTIVE if running_job(domain) is None else End.BUSY


def settle(ends: Ends, before: Before | None, patience: float) -> Aftermath:
    """Find the guest, waiting at most `patience` seconds for clarity, and put things right.

    Never touches a running copy, but to have a guest that moved defined where it runs, as it was.
    """
    deadline = monotonic() + patience
    while True:
        found = {host: ends.end(host) for host in (ends.source, ends.target)}
        place = where(found[ends.source], found[ends.target])
        if place is not Where.UNCLEAR or monotonic() > deadline:
            break
        sleep(AGAIN_AFTER)
    if place is Where.SOURCE:
        return Aftermath(place, left_behind=_left_at(ends, found[ends.target]), ends=found)
    if place is not Where.TARGET:
        return Aftermath(place, ends=found)
    notes = _put_right(ends, before, found[ends.source]) if before is not None else ()
    stats = _figures(ends)
    return Aftermath(
        place,
        notes,
        left_behind=_unasked(ends, before, found[ends.source]),
        mib=round(stats.get("data_processed", 0) / 2**20),
        downtime_ms=stats.get("downtime"),
        ends=found,
        stats=stats,
    )


def where(source: End, target: End) -> Where:
    """A guest that is active without a job is there for good; only libvirt's word counts."""
    gone = (End.ABSENT, End.SHUT_OFF)
    if source is End.ACTIVE:
        return Where.BOTH if target is End.ACTIVE else Where.SOURCE
    if target is End.ACTIVE and source is not End.BUSY:
        return Where.TARGET
    return Where.NOWHERE if source in gone and target in gone else Where.UNCLEAR


def _figures(ends: Ends) -> Mapping[str, int]:
    """Return the statistics of the finished migration; the target forgets them once they are read."""
    kept = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
    try:
        return dict(ends.ask(ends.target, lambda domain: domain.jobStats(kept)))
    except (libvirt.libvirtError, NotAnswering):
        return {}


def _left_at(ends: Ends, target: End) -> tuple[str, ...]:
    """Return what is left at the target of a guest that stayed; its shell gets a moment to go."""
    deadline = monotonic() + GOING
    while target is End.BUSY and monotonic() < deadline:
        sleep(AGAIN_AFTER)
        target = ends.end(ends.target)
    host = ends.target
    return {
        End.BUSY: (f"{host} still holds the shell of it: restarting libvirtd there removes it",),
        End.SHUT_OFF: (
            f"{host} has a definition of it too: undefine it there if nobody needs it",
        ),
        End.UNKNOWN: (f"{host} did not answer: look there for what is left of it",),
    }.get(target, ())


def _unasked(ends: Ends, before: Before | None, source: End) -> tuple[str, ...]:
    """Return the danger of a source that fell silent: it may start the guest once more."""
    if source is not End.UNKNOWN or (before is not None and not before.persistent):
        return ()
    return (
        f"{ends.source} did not answer: undefine the guest there before it is started a second time",
    )


def _put_right(ends: Ends, before: Before, source: End) -> tuple[str, ...]:
    """Have the guest defined and started by itself exactly where it was, but on the target."""
    if not before.persistent:
        return ()
    notes = []
    try:
        if not ends.ask(ends.target, lambda domain: domain.isPersistent()):
            _define(ends, before)
            notes.append(f"libvirt had not defined it on {ends.target}: done")
        if bool(ends.ask(ends.target, lambda domain: domain.autostart())) is not before.autostart:
            wanted = int(before.autostart)
            ends.ask(ends.target, lambda domain: domain.setAutostart(wanted))
        if source is End.SHUT_OFF:
            ends.ask(ends.source, _undefine)
            notes.append(f"libvirt had left it defined on {ends.source}: undone")
        if not ends.ask(ends.target, lambda domain: _as_it_was(domain, before)):
            notes.append(f"its definition needs a look on {ends.target} (it is not as it was)")
    except (libvirt.libvirtError, NotAnswering) as error:
        notes.append(f"its definition needs a look on {ends.target} ({message(error)})")
    return tuple(notes)


def _as_it_was(domain: libvirt.virDomain, before: Before) -> bool:
    return bool(domain.isPersistent()) and bool(domain.autostart()) is before.autostart


def _define(ends: Ends, before: Before) -> None:
    xml = before.definition or str(ends.ask(ends.target, _as_it_runs))
    connection = ends.connections.to(ends.target)
    limit = ends.connections.hosts[ends.target].answer_within
    within(limit, lambda: connection.defineXML(xml), ends.target)


def _as_it_runs(domain: libvirt.virDomain) -> str:
    wanted = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
    return str(domain.XMLDesc(wanted))


def _undefine(domain: libvirt.virDomain) -> None:
    """Remove a definition that was left behind; never that of something that runs."""
    if not domain.isActive():
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
