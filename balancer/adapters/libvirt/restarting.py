"""One cold move: a guest is asked to shut down, defined on its target and started there.

What holds at every instant: it is started on one host only once the other has said that it is off
there, and its definition is removed from one only once it runs on the other. So whoever finds it
halfway, at whatever step, can tell by both hypervisors' word what is left to do. Its power is
never cut. While it is under way it does not start by itself, wherever a host boots.
"""

import shlex
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, Final

import libvirt

from balancer.adapters.libvirt.aftermath import Before, End, Ends, memory_of
from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.errors import NotAnswering, message
from balancer.adapters.libvirt.workers import within
from balancer.planner.model.plan import Action, Outcome, Result
from balancer.ports import ABANDONED, Begun, Clock, Progress

FAULTS: Final = (libvirt.libvirtError, NotAnswering)
DEFINITION: Final = (
    libvirt.VIR_DOMAIN_XML_INACTIVE
    | libvirt.VIR_DOMAIN_XML_SECURE
    | libvirt.VIR_DOMAIN_XML_MIGRATABLE
)
RUNS: Final = (End.ACTIVE, End.BUSY)
OFF: Final = (End.SHUT_OFF, End.ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long what may take, seconds."""

    shutting_down: float = 300.0
    """Until a guest that was asked is off; afterwards it is not moved any more."""
    lingering: float = 600.0
    """From then on: one that goes off late is started again where it was."""
    starting: float = 120.0
    """Until a hypervisor has started it."""
    settling: float = 60.0
    """Until a hypervisor that does not answer does."""
    arriving: float = 2.0
    """A request may still be on its way after whoever sent it died."""
    poll: float = 0.5


class ColdExecution:
    """Implements Execution. Starts at once; its thread ends by itself."""

    def __init__(
        self,
        action: Action,
        connections: Connections,
        clock: Clock,
        *,
        waits: Waits,
        begun: Begun | None = None,
    ) -> None:
        """Begin; where it is `begun` already, bring it to its end without asking once more."""
        self._action = action
        self._ends = Ends(
            connections=connections, guest=action.guest, source=action.source, target=action.target
        )
        self._clock, self._waits, self._begun = clock, waits, begun
        self._began, self._started = monotonic(), begun.at if begun else clock.now()
        self._before: Before | None = None
        self._stop = ""
        self._doing = "looking"
        self._left: list[str] = []
        self._outcome: Outcome | None = None
        threading.Thread(target=self._follow, name=f"cold-{action.id}", daemon=True).start()

    @property
    def action(self) -> Action:
        """What is being done."""
        return self._action

    def progress(self) -> Progress:
        """Return what it is at; no byte is sent."""
        return Progress(
            action=self._action.id,
            fraction=0.0,
            mib_sent=0,
            mib_left=0,
            seconds=monotonic() - self._began,
            note=self._doing,
        )

    def outcome(self) -> Outcome | None:
        """Return how it ended, verified on both ends, or None while it runs."""
        return self._outcome

    def room(self, rate_kib_s: int) -> None:
        """Ignore it: nothing is sent."""

    def hasten(self, rate_kib_s: int) -> None:
        """Ignore it: nothing is sent."""

    def abort(self, reason: str) -> None:
        """Have it stay where it was; one that shuts down already is started again there."""
        self._stop = self._stop or reason

    def _follow(self) -> None:
        try:
            result, reason = self._finish() if self._begun else self._begin()
        except Exception as fault:  # noqa: BLE001 - failures are outcomes, not exceptions
            result, reason = Result.LOST, f"{message(fault)}; {self._how_to_mend()}"
        now = self._clock.now()
        done = result is Result.DONE
        self._outcome = Outcome(
            action=self._action,
            result=result,
            started=self._started,
            ended=now,
            reason=reason,
            downtime_ms=round(1000 * (now - self._started)) if done else None,
            left_behind=tuple(self._left),
        )

    # --- the steps ---------------------------------------------------------------------------

    def _begin(self) -> tuple[Result, str]:
        """Ask it to shut down and go on from there; nothing has happened before that."""
        source = self._action.source
        try:
            self._before = self._ends.ask(source, memory_of)
            if not self._before.persistent:
                return Result.FAILED, "it is defined nowhere: once off it would be gone for good"
            if self._stop:
                return Result.ABORTED, self._stop
            if self._before.autostart:
                self._autostart(source, on=False)
        except FAULTS as fault:
            return Result.FAILED, message(fault)
        try:
            self._ends.ask(source, lambda domain: domain.shutdown())
        except libvirt.libvirtError as fault:
            self._restored(source)
            return Result.FAILED, f"it cannot be asked to shut down ({message(fault)})"
        except NotAnswering as fault:  # it may have heard it all the same
            self._stop = self._stop or message(fault)
        return self._once_off(self._waits.shutting_down)

    def _finish(self) -> tuple[Result, str]:
        """Bring to its end what another planner had begun, from wherever it was left."""
        begun = self._begun
        assert begun is not None  # noqa: S101 - asked by who calls
        self._before = Before(persistent=begun.persistent, autostart=begun.autostart)
        source, target = self._known(self._action.source), self._known(self._action.target)
        if target in RUNS:
            if source in RUNS:
                return Result.LOST, "it runs on both hosts: stop one copy at once"
            if source in OFF:
                return self._landed()
        if source is End.ABSENT:
            known = target is End.SHUT_OFF
            where = f"it is off on {self._action.target}" if known else "it is on neither host"
            return Result.LOST, where
        ago = self._clock.now() - begun.at
        return self._once_off(max(self._waits.arriving, self._waits.shutting_down - ago))

    def _once_off(self, patience: float) -> tuple[Result, str]:
        """Wait until it is off; then start it where it is to be, or where it was."""
        self._doing = "shutting down"
        begun = monotonic()
        while (end := self._ends.end(self._action.source)) is not End.SHUT_OFF:
            waited = monotonic() - begun
            if end is End.ABSENT:
                return Result.LOST, f"somebody removed it from {self._action.source}"
            if waited > patience + (0 if self._begun else self._waits.lingering):
                return self._stays(end)
            if waited > patience:
                self._doing = "does not shut down"
                self._stop = self._stop or f"it did not shut down within {patience:.0f} s"
            sleep(self._waits.poll)
        return self._back(self._stop) if self._stop else self._start_there()

    def _stays(self, end: End) -> tuple[Result, str]:
        """Say that it was left running, and have it start by itself as before."""
        if end is End.UNKNOWN:
            return Result.LOST, f"{self._action.source} does not answer; {self._how_to_mend()}"
        self._restored(self._action.source)
        if self._begun:
            return Result.ABORTED, ABANDONED
        return Result.ABORTED, self._stop

    def _start_there(self) -> tuple[Result, str]:
        """Define it on the target and start it; it is off on its source."""
        source, target = self._action.source, self._action.target
        self._doing = f"starting on {target}"
        found = self._known(target)
        if found in RUNS:
            return self._landed()
        if found is End.UNKNOWN:
            if self._begun:  # it may run there
                return Result.LOST, f"{target} does not answer; {self._how_to_mend()}"
            return self._back(f"{target} does not answer")
        try:
            xml = self._ends.ask(source, lambda domain: domain.XMLDesc(DEFINITION))
            self._at(target, lambda connection: connection.defineXML(xml))
        except FAULTS as fault:
            return self._back(f"it could not be defined on {target} ({message(fault)})")
        why = ""
        try:
            self._create(target)
        except FAULTS as fault:
            why = message(fault)
        return self._judged(why)

    def _judged(self, why: str) -> tuple[Result, str]:
        """Return what came of starting it on the target, by that host's own word."""
        target = self._action.target
        found = self._known(target)
        if found in RUNS:
            return self._landed()
        if found is End.UNKNOWN:
            told = f"{target} was told to start it and does not answer"
            return Result.LOST, f"{told}; {self._how_to_mend()}"
        return self._back(f"it did not start on {target} ({why or 'it went off at once'})")

    def _landed(self) -> tuple[Result, str]:
        """Leave it defined where it runs alone, and starting by itself as before."""
        source, target = self._action.source, self._action.target
        if self._ends.end(source) is End.SHUT_OFF:
            try:
                self._ends.ask(source, _undefine)
            except FAULTS as fault:
                self._left.append(
                    f"{source} still has a definition of it: undefine it there before it is "
                    f"started a second time ({message(fault)})"
                )
        self._restored(target)
        return Result.DONE, ""

    def _back(self, why: str) -> tuple[Result, str]:
        """Start it again where it was; the target does not run it."""
        source, target = self._action.source, self._action.target
        self._doing = f"starting again on {source}"
        with suppress(*FAULTS):
            if self._ends.end(target) is End.SHUT_OFF:
                self._ends.ask(target, _undefine)
        said = ""
        try:
            self._create(source)
        except FAULTS as fault:
            said = message(fault)
        if self._known(source) in RUNS:
            self._restored(source)
            result = Result.ABORTED if why == self._stop else Result.FAILED
            return result, f"{why}: started again on {source}"
        told = f"{why}; it does not start on {source} again ({said})"
        return Result.LOST, f"{told}; {self._how_to_mend()}"

    # --- what they need ----------------------------------------------------------------------

    def _known(self, host: str) -> End:
        """Return what a host knows of it, once it answers; UNKNOWN where it does not for long."""
        deadline = monotonic() + self._waits.settling
        while (end := self._ends.end(host)) is End.UNKNOWN and monotonic() < deadline:
            sleep(self._waits.poll)
        return end

    def _create(self, host: str) -> None:
        """Start it on `host`. Raises libvirtError, NotAnswering."""
        guest, connections = self._action.guest, self._ends.connections

        def start(connection: libvirt.virConnect) -> None:
            domain = connection.lookupByUUIDString(guest)
            if not domain.isActive():
                domain.create()

        within(self._waits.starting, lambda: start(connections.to(host)), host)

    def _at(self, host: str, task: Callable[[libvirt.virConnect], Any]) -> None:
        connections = self._ends.connections
        limit = connections.hosts[host].answer_within
        within(limit, lambda: task(connections.to(host)), host)

    def _autostart(self, host: str, *, on: bool) -> None:
        self._ends.ask(host, lambda domain: domain.setAutostart(int(on)))

    def _restored(self, host: str) -> None:
        """Have it start by itself on `host` if it did so before."""
        if self._before is None or not self._before.autostart:
            return
        try:
            self._autostart(host, on=True)
        except FAULTS as fault:
            self._left.append(f"it does not start by itself on {host} any more ({message(fault)})")

    def _how_to_mend(self) -> str:
        source = self._ends.connections.hosts[self._action.source]
        return (
            f"where it runs on neither {self._action.source} nor {self._action.target}, start it: "
            f"virsh -c {shlex.quote(source.uri)} start {self._action.guest}"
        )


def _undefine(domain: libvirt.virDomain) -> None:
    """Remove a definition that is not needed any more; never that of something that runs."""
    if not domain.isActive():
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
