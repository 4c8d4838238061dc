"""One live migration: started, watched, stopped where it must be, and verified on both ends.

Two threads: one sits in libvirt's call until the migration ends, the other watches it, because
libvirt itself never notices that a migration link went dead.
"""

import shlex
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Any, Final

import libvirt

from balancer.adapters.libvirt import migration
from balancer.adapters.libvirt.aftermath import (
    Aftermath,
    Before,
    End,
    Ends,
    Where,
    memory_of,
    settle,
)
from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.errors import NotAnswering, message
from balancer.adapters.libvirt.figures import passed
from balancer.adapters.libvirt.workers import Crew
from balancer.planner.model.plan import Action, Outcome, Result
from balancer.planner.model.policy import Allow
from balancer.ports import ABANDONED, Begun, Clock, Progress

MIB: Final = 2**20
POST_COPY: Final = (
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY),
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED),
)
"""State and reason of a source whose guest goes on at the target already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what may take; seconds, but for `factor`."""

    stalled_after: float = 60.0
    """Without a byte passing, it is given up."""
    factor: float = 4.0
    """It may take so many times its predicted p90."""
    least: float = 60.0
    """It may take this long in any case."""
    settling: float = 60.0
    """Until it must be clear where the guest is, and until an abort must have taken effect."""
    arriving: float = 2.0
    """A request may still be on its way after whoever sent it died."""
    poll: float = 0.5
    """Between two looks at its progress."""

    def limit(self, action: Action) -> float:
        """Return how long `action` may take."""
        return max(self.least, self.factor * action.predicted.seconds_p90)


class LibvirtExecution:
    """Implements Execution. Starts at once; every thread of it ends by itself."""

    def __init__(  # noqa: PLR0913 - all of it is needed, most by name
        self,
        action: Action,
        acting: Connections,
        watching: Connections,
        clock: Clock,
        *,
        patience: Patience,
        allow: Allow,
        begun: Begun | None = None,
    ) -> None:
        """Begin; where it is `begun` already, only watch it to its end.

        `acting` carries the long call, `watching` only short ones.
        """
        self._action = action
        self._acting = acting
        self._ends = Ends(
            connections=watching, guest=action.guest, source=action.source, target=action.target
        )
        self._clock = clock
        self._patience = patience
        self._allow = allow
        self._begun = begun
        self._began, self._started = monotonic(), begun.at if begun else clock.now()
        self._before: Before | None = None
        if begun:
            self._before = Before(persistent=begun.persistent, autostart=begun.autostart)
        self._fault: Exception | None = None
        self._over = threading.Event()
        """The long call returned."""
        self._nudge = threading.Event()
        """There is something to do before the next poll."""
        self._stop: tuple[Result, str] | None = None
        self._stats: Mapping[str, Any] = {}
        self._moved_on = self._began
        """When the number of bytes sent last changed."""
        self._downtime_set = False
        self._post_copied = False
        """Its memory is on both hosts: from then on nothing may be aborted."""
        self._torn = False
        """Post-copy stands still."""
        self._outcome: Outcome | None = None
        threading.Thread(target=self._follow, name=f"follow-{action.id}", daemon=True).start()

    @property
    def action(self) -> Action:
        """What is being done."""
        return self._action

    def progress(self) -> Progress:
        """Return how far it was at the last look."""
        sent, left = _sent(self._stats), int(self._stats.get("data_remaining", 0))
        quiet = monotonic() - self._moved_on
        return Progress(
            action=self._action.id,
            fraction=sent / (sent + left) if sent + left else 0.0,
            mib_sent=round(sent / MIB),
            mib_left=round(left / MIB),
            seconds=monotonic() - self._began,
            note=f"no data for {quiet:.0f} s" if quiet > self._patience.stalled_after / 4 else "",
        )

    def outcome(self) -> Outcome | None:
        """Return how it ended, verified on both ends, or None while it runs."""
        return self._outcome

    def abort(self, reason: str) -> None:
        """Ask for it to stop; harmless once it has ended."""
        self._give_up(Result.ABORTED, reason)

    def _give_up(self, result: Result, reason: str) -> None:
        if self._stop is None and not self._post_copied:
            self._stop = (result, reason)
        self._nudge.set()

    def _follow(self) -> None:
        try:
            task = self._rejoin if self._begun else self._move
            threading.Thread(target=task, name="migrate", daemon=True).start()
            self._watch()
            if self._torn:
                found = Aftermath(Where.UNCLEAR)
                result, reason = Result.LOST, self._how_to_mend()
            else:
                found = settle(self._ends, self._before, self._patience.settling)
                result, reason = self._verdict(found)
        except Exception as fault:  # noqa: BLE001 - failures are outcomes, not exceptions
            found = Aftermath(Where.UNCLEAR)
            result, reason = Result.LOST, f"it cannot be told how it ended ({message(fault)})"
        self._outcome = Outcome(
            action=self._action,
            result=result,
            started=self._started,
            ended=self._clock.now(),
            reason=reason,
            mib=found.mib or round(_sent(self._stats) / MIB),
            downtime_ms=found.downtime_ms if result is Result.DONE else None,
            passed=passed(found.stats, plain=not self._post_copied and not self._begun),
        )

    def _move(self) -> None:
        """Make the long call."""
        action = self._action
        try:
            domain = self._acting.to(action.source).lookupByUUIDString(action.guest)
            self._before = memory_of(domain)
            self._downtime_set = self._limits_downtime(domain)
            target = self._acting.hosts[action.target]
            domain.migrateToURI3(
                migration.peer_uri(target),
                dict(migration.parameters(action, target)),
                migration.flags(persistent=self._before.persistent, allow=self._allow),
            )
        except Exception as fault:  # noqa: BLE001 - judged by whoever follows
            self._fault = fault
        finally:
            self._over.set()
            self._nudge.set()

    def _rejoin(self) -> None:
        """Wait while a migration of the guest runs that nobody waits for any more.

        A request that was on its way when its planner died gets time to become a job.
        """
        ends, source = replace(self._ends, crew=Crew()), self._action.source
        try:
            while self._outcome is None:
                end = ends.end(source)
                quiet = monotonic() - self._began > self._patience.arriving
                if end in (End.ABSENT, End.SHUT_OFF) or (end is End.ACTIVE and quiet):
                    return
                sleep(self._patience.poll)
        except Exception as fault:  # noqa: BLE001 - judged by whoever follows
            self._fault = fault
        finally:
            self._over.set()
            self._nudge.set()

    def _limits_downtime(self, domain: libvirt.virDomain) -> bool:
        """Set the longest pause; libvirt before 3.7 accepts it only once the migration runs."""
        if self._action.downtime_ms <= 0:
            return True
        with suppress(libvirt.libvirtError):
            domain.migrateSetMaxDowntime(self._action.downtime_ms)
            return True
        return False

    def _watch(self) -> None:
        """Look at the migration until its call returns, or an abort has no effect for too long."""
        stopped_at = None
        while not self._over.is_set():
            self._nudge.wait(self._patience.poll)
            self._nudge.clear()
            if self._over.is_set():
                return
            self._look()
            self._judge()
            if self._torn:
                return
            if self._stop is None:
                continue
            stopped_at = stopped_at or monotonic()
            self._abort_job()
            if monotonic() - stopped_at > self._patience.settling:
                return

    def _look(self) -> None:
        """Read the progress; what cannot be read counts as no progress."""
        with suppress(libvirt.libvirtError, NotAnswering):
            stats = self._ends.ask(self._action.source, self._job)
            if _sent(stats) != _sent(self._stats):
                self._moved_on = monotonic()
            self._stats = stats

    def _job(self, domain: libvirt.virDomain) -> Mapping[str, Any]:
        stats: Mapping[str, Any] = domain.jobStats()
        if self._begun and tuple(domain.state()) in POST_COPY:
            self._post_copied = True
        if not self._downtime_set and stats.get("type"):
            self._downtime_set = self._limits_downtime(domain)
        return stats

    def _judge(self) -> None:
        quiet, took = monotonic() - self._moved_on, monotonic() - self._began
        limit = self._patience.limit(self._action)
        stalled = self._patience.stalled_after
        if self._post_copied:
            self._torn = quiet >= stalled
            return
        if self._allow.post_copy and took >= limit / 2 and quiet < stalled / 4 and self._switch():
            return
        if quiet >= stalled or (took >= limit and quiet >= stalled / 4):
            self._give_up(Result.STALLED, f"no data for {quiet:.0f} s: aborted")
        elif took >= limit:
            predicted = self._action.predicted.seconds_p90
            self._give_up(
                Result.ABORTED,
                f"not done in {limit:.0f} s ({predicted:.0f} s predicted at worst): aborted",
            )

    def _switch(self) -> bool:
        """Have the guest go on at the target while its memory follows; True if libvirt did so."""
        if self._stop is not None:
            return False
        with suppress(libvirt.libvirtError, NotAnswering):
            self._ends.ask(self._action.source, lambda domain: domain.migrateStartPostCopy(0))
            self._post_copied, self._moved_on = True, monotonic()
        return self._post_copied

    def _how_to_mend(self) -> str:
        source = self._ends.connections.hosts[self._action.source]
        target = self._ends.connections.hosts[self._action.target]
        given = migration.parameters(self._action, target)
        address = str(given.get(libvirt.VIR_MIGRATE_PARAM_URI, ""))
        return (
            f"post-copy stands still, its memory is on {source.name} and on {target.name}: touch "
            "neither copy; once the link between them is mended, and if it does not go on by itself: "
            f"virsh -c {shlex.quote(source.uri)} migrate --live --p2p --postcopy --postcopy-resume "
            f"{self._action.guest} {shlex.quote(migration.peer_uri(target))}"
            + (f" --migrateuri {shlex.quote(address)}" if address else "")
        )

    def _abort_job(self) -> None:
        with suppress(libvirt.libvirtError, NotAnswering):
            self._ends.ask(self._action.source, lambda domain: domain.abortJob())

    def _verdict(self, found: Aftermath) -> tuple[Result, str]:
        """Judge by where the guest is, not by what the call returned."""
        source, target = self._action.source, self._action.target
        if found.where is Where.TARGET:
            return Result.DONE, "; ".join(found.notes)
        if found.where is Where.SOURCE:
            return self._stop or self._stayed()
        if found.where is Where.BOTH:
            return Result.LOST, f"it runs on {source} and on {target}: stop one copy at once"
        if found.where is Where.NOWHERE:
            if elsewhere := self._elsewhere():
                return Result.FAILED, f"somebody else moved it to {elsewhere}"
            return Result.LOST, f"it runs on neither {source} nor {target} ({self._cause()})"
        states = ", ".join(f"{host}: {end.name.lower()}" for host, end in found.ends.items())
        return Result.LOST, f"it cannot be told where it runs ({states}; {self._cause()})"

    def _stayed(self) -> tuple[Result, str]:
        if self._begun and self._fault is None:
            return Result.ABORTED, ABANDONED
        return Result.FAILED, self._cause()

    def _elsewhere(self) -> str:
        """Return the host that runs the guest beside the two it was to be on; empty if none."""
        ends, known = self._ends, (self._action.source, self._action.target)
        others = (host for host in ends.connections.hosts if host not in known)
        return next((host for host in others if ends.end(host) is End.ACTIVE), "")

    def _cause(self) -> str:
        if isinstance(self._fault, libvirt.libvirtError):
            return migration.blame(self._fault, self._action)
        if self._fault is not None:
            return message(self._fault)
        return self._stop[1] if self._stop else "libvirt reported no error"


def _sent(stats: Mapping[str, Any]) -> int:
    """Bytes sent so far, memory and disks; libvirt says nothing in the first seconds."""
    return int(stats.get("data_processed", 0))
