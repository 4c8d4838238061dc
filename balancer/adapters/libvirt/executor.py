"""Moves guests between real hypervisors."""

from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import Final

import libvirt

from balancer.adapters.libvirt import migration
from balancer.adapters.libvirt.assemble import JOBS
from balancer.adapters.libvirt.balloon import Keeper
from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.copying import Copy, no_place, to_copy
from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.errors import NotAnswering, explain
from balancer.adapters.libvirt.execution import LibvirtExecution, Patience
from balancer.adapters.libvirt.preflight import Leaving, block_jobs, held_by, leaving, unfit
from balancer.adapters.libvirt.resizing import resize as make
from balancer.adapters.libvirt.resizing import takes_at_most
from balancer.adapters.libvirt.restarting import ColdExecution, Waits
from balancer.adapters.libvirt.sighting import running_job
from balancer.adapters.libvirt.workers import within
from balancer.config.host import HostConfig
from balancer.planner.model.plan import Action
from balancer.planner.model.resize import Resize, Resized
from balancer.planner.model.resources import HUGEPAGES, Resources
from balancer.ports import Begun, Clock, Execution, Passing

SHUTTING_DOWN: Final = 300.0
"""Seconds that a guest may take to shut down."""
USUAL_PATIENCE: Final = Patience()
USUAL_WAITS: Final = Waits()


class LibvirtExecutor:
    """Implements Executor. Never cuts the power of a guest, and never undefines one that runs."""

    def __init__(
        self,
        hosts: Sequence[HostConfig],
        clock: Clock,
        patience: Patience = USUAL_PATIENCE,
        *,
        objection: Callable[[str], str] = lambda _host: "",
        waits: Waits = USUAL_WAITS,
    ) -> None:
        """Connect to nothing yet; `objection` is asked of both hosts just before a start.

        Long calls and short ones go over connections of their own.
        """
        self._objection = objection
        self._hosts = {host.name: host for host in hosts}
        self._clock = clock
        self._patience = patience
        self._waits = waits
        self._flying: list[Execution] = []
        self._acting = Connections(hosts, read_only=False)
        self._watching = Connections(hosts, read_only=False)
        self._keeping = Connections(hosts, read_only=False)
        self._keeper = Keeper(self._domain, clock.now)

    def look_again(self, action: Action) -> str:
        """Return why `action` must not start at this moment, or an empty string."""
        for host in (action.source, action.target):
            if host not in self._hosts:
                return f"{host} is not configured"
        if not migration.peer_uri(self._hosts[action.target]):
            uri = self._hosts[action.target].uri
            return f"{action.target} has no `peer_uri`, and other hosts cannot reach it as {uri}"
        found: list[Leaving] = []
        copies: list[Copy] = []
        promised = self._promised_kib(action)

        def at_source(connection: libvirt.virConnect) -> str:
            return _at_source(connection, action, found, copies)

        return (
            Passing(self._asked(action.source, at_source))
            or self._asked(
                action.target,
                lambda connection: (
                    _at_target(connection, action, found[0], promised)
                    or _disks_missing(connection, action, copies)
                ),
            )
            or Passing(self._asked(action.source, lambda _: self._objection(action.source)))
            or Passing(self._asked(action.target, lambda _: self._objection(action.target)))
        )

    def start(self, action: Action) -> Execution:
        """Begin `action` and return at once; failures come as an outcome."""
        execution: Execution = (
            ColdExecution(action, self._watching, self._clock, waits=self._waits)
            if action.cold
            else self._live(action)
        )
        self._flying = [*(e for e in self._flying if e.outcome() is None), execution]
        return execution

    def _live(self, action: Action) -> LibvirtExecution:
        return LibvirtExecution(
            action,
            self._acting,
            self._watching,
            self._clock,
            patience=self._patience,
            look_again=self.look_again,
        )

    def follow(self, begun: Begun) -> Execution:
        """Watch what another planner began, by its guest's uuid; never begins it again.

        A guest that was shut down for a cold move is started, whoever shut it down.
        """
        if begun.action.cold:
            return ColdExecution(
                begun.action, self._watching, self._clock, waits=self._waits, begun=begun
            )
        return LibvirtExecution(
            begun.action,
            self._acting,
            self._watching,
            self._clock,
            patience=self._patience,
            begun=begun,
        )

    def _promised_kib(self, action: Action) -> int:
        """Return the memory that others on their way to the same target will still fill."""
        others = (
            e for e in self._flying if e.outcome() is None and e.action.guest != action.guest
        )
        left = (
            p.in_use_mib
            if e.action.cold
            else min(p.mib - p.disk_mib, p.mib - e.progress().mib_sent)
            for e in others
            for p in (e.action.predicted,)
            if e.action.target == action.target
        )
        return 1024 * sum(max(0, mib) for mib in left)

    def resize(self, resize: Resize) -> str:
        """Change one setting of a guest and read it back; empty once it is as wanted."""
        if resize.host not in self._hosts:
            return f"{resize.host} is not configured"
        fault = self._asked(
            resize.host, lambda connection: make(connection, resize), takes_at_most(resize)
        )
        if resize.of_memory and not fault:
            if resize.shrinks:
                self._keeper.watch((resize,))
            else:
                self._keeper.forget(resize.guest)
        return str(fault)

    def watch(self, taken: Sequence[Resize]) -> None:
        """Watch from whom memory was taken before, too."""
        self._keeper.watch(one for one in taken if one.host in self._hosts)

    def given_back(self) -> tuple[Resized, ...]:
        """Return what guests were given back since last asked."""
        return self._keeper.given_back()

    def _domain(self, resize: Resize) -> libvirt.virDomain:
        found: libvirt.virDomain = self._keeping.to(resize.host).lookupByUUIDString(resize.guest)
        return found

    def shut_down(self, guest: str, host: str) -> str:
        """Ask a guest to shut down and wait until it has; never cuts its power.

        One that is defined nowhere would be gone for good, and is not asked.
        """
        limit = self._hosts[host].answer_within
        deadline = monotonic() + SHUTTING_DOWN

        def ask(connection: libvirt.virConnect) -> str:
            domain = connection.lookupByUUIDString(guest)
            if not domain.isPersistent():
                return "it is defined nowhere: once off it would be gone for good"
            domain.shutdown()
            return ""

        def runs(connection: libvirt.virConnect) -> bool:
            return bool(connection.lookupByUUIDString(guest).isActive())

        try:
            if why := within(limit, lambda: ask(self._watching.to(host)), host):
                return why
            while within(limit, lambda: runs(self._watching.to(host)), host):
                if monotonic() > deadline:
                    return f"it does not shut down within {SHUTTING_DOWN:.0f} s"
                sleep(self._patience.poll)
        except (libvirt.libvirtError, NotAnswering) as fault:
            return f"{host}: {explain(fault).reason}"
        return ""

    def close(self) -> None:
        """Close all connections; what is in flight goes on, unwatched."""
        self._keeper.close()
        self._acting.close()
        self._watching.close()
        self._keeping.close()

    def _asked(
        self, host: str, question: Callable[[libvirt.virConnect], str], longer: float = 0.0
    ) -> str:
        """Return the answer of `host`, or why it gives none."""
        limit = self._hosts[host].answer_within + longer
        try:
            return within(limit, lambda: question(self._watching.to(host)), host)
        except (libvirt.libvirtError, NotAnswering, Unreadable) as fault:
            self._watching.drop(host)
            return Passing(f"{host}: {explain(fault).reason}")


def _disks_missing(connection: libvirt.virConnect, action: Action, copies: list[Copy]) -> str:
    why = no_place(connection, copies)
    return f"{action.name} cannot take its disks to {action.target}: {why}" if why else ""


def _at_source(
    connection: libvirt.virConnect, action: Action, found: list[Leaving], copies: list[Copy]
) -> str:
    """Return what speaks against moving the guest away; adds what it is to `found`, and its disks."""
    try:
        return _against_leaving(connection, action, found, copies)
    except libvirt.libvirtError as error:  # it may go between any two questions
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return f"{action.name} is not on {action.source} any more"


def _against_leaving(
    connection: libvirt.virConnect, action: Action, found: list[Leaving], copies: list[Copy]
) -> str:
    domain = connection.lookupByUUIDString(action.guest)
    copies += to_copy(domain, action.copies) if action.copies else ()
    if action.cold and not domain.isPersistent():
        return f"{action.name} is defined nowhere: once off it would be gone for good"
    state, _, current_kib, *_ = domain.info()
    guest = leaving(connection, domain, current_kib)
    found.append(guest)
    if state not in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED):
        return f"{action.name} does not run at this moment"
    job = running_job(domain)
    if job is not None:
        return f"{action.name}: {JOBS.get(job, 'a job runs on it')}"
    if disk := block_jobs(domain, guest.facts):
        return f"{action.name}: a block job runs on its disk {disk}"
    if holds := held_by(guest):
        return f"{action.name} is held on {action.source}: {holds}"
    return f"{action.name} has snapshots" if domain.snapshotNum() else ""


def _at_target(
    connection: libvirt.virConnect, action: Action, guest: Leaving, promised_kib: int
) -> str:
    """Return what speaks against the guest's arrival; others on their way still fill so much."""
    for domain in connection.listAllDomains():
        if domain.UUIDString() == action.guest and domain.isActive():
            return f"{action.name} is active on {action.target} already"
        if domain.name() == action.name and domain.UUIDString() != action.guest:
            return f"{action.target} knows another guest named {action.name}"
    if misfit := unfit(connection, guest, action.copies, cold=action.cold):
        return f"{action.name} cannot run on {action.target}: {misfit}"
    return _pages_missing(connection, action, guest.pages) or _memory_missing(
        connection, action, guest, promised_kib
    )


def _pages_missing(connection: libvirt.virConnect, action: Action, needs: Resources) -> str:
    for name, count in needs.items():
        size = int(name.removeprefix(HUGEPAGES))
        cells = connection.getFreePages([size], -1, 1)
        free = sum(pages.get(size, 0) for pages in cells.values())
        if free < count:
            return f"{action.target} has {free} free pages of {size} KiB, {count} are needed"
    return ""


def _memory_missing(
    connection: libvirt.virConnect, action: Action, guest: Leaving, promised_kib: int
) -> str:
    if guest.pages:  # backed by huge pages, counted already
        return ""
    free = max(0, _free_kib(connection) - promised_kib)
    if free >= guest.memory_kib:
        return ""
    return (
        f"{action.target} has {free // 1024} MiB of memory free in reality, "
        f"{action.name} needs {guest.memory_kib // 1024} MiB"
    )


def _free_kib(connection: libvirt.virConnect) -> int:
    """Return the memory that could be had, caches included."""
    try:
        stats = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
        return sum(stats.get(name, 0) for name in ("free", "buffers", "cached"))
    except libvirt.libvirtError:
        return int(connection.getFreeMemory() // 1024)
