"""One live migration: started, watched, stopped where it must be, and verified on both ends.

Two threads: one sits in libvirt's call until the migration ends, the other watches it, because
libvirt itself never notices that a migration link went dead.
"""

import shlex
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Any, Final, TypeVar

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
from balancer.adapters.libvirt.copying import Copy, clear, left_over, make, to_copy, unmake
from balancer.adapters.libvirt.disks import whole_disks
from balancer.adapters.libvirt.document import Unreadable, parse
from balancer.adapters.libvirt.errors import NotAnswering, message
from balancer.adapters.libvirt.figures import passed
from balancer.adapters.libvirt.workers import Crew, within
from balancer.planner import ladder
from balancer.planner.model.plan import Action, Outcome, Result, Rung, RungKind
from balancer.ports import ABANDONED, Begun, Clock, Progress

T = TypeVar("T")
MIB: Final = 2**20
POST_COPY: Final = (
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY),
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED),
)
"""State and reason of a source whose guest goes on at the target already."""
REMOVING: Final = 120.0
"""Seconds that making or removing a guest's disks may take: file systems are slow with large ones."""
SWITCHED: Final = "switched"
"""Beside libvirt's own statistics: that of POST_COPY was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience(ladder.Patience):
    """How long what may take, beside what the ladder reckons with; seconds."""

    settling: float = 60.0
    """Until it must be clear where the guest is, and until an abort must have taken effect."""
    arriving: float = 2.0
    """A request may still be on its way after whoever sent it died."""
    poll: float = 0.5
    """Between two looks at its progress."""


class LibvirtExecution:
    """Implements Execution. Starts at once; every thread of it ends by itself."""

    def __init__(  # noqa: PLR0913, PLR0915 - all of it is needed, most by name
        self,
        action: Action,
        acting: Connections,
        watching: Connections,
        clock: Clock,
        *,
        patience: Patience,
        look_again: Callable[[Action], str] = lambda _: "",
        begun: Begun | None = None,
    ) -> None:
        """Begin; where it is `begun` already, only watch it to its end.

        `acting` carries the long call, `watching` only short ones; `look_again` is asked before
        it is begun anew.
        """
        self._action = action
        self._acting = acting
        self._ends = Ends(
            connections=watching, guest=action.guest, source=action.source, target=action.target
        )
        self._clock = clock
        self._patience = patience
        self._look_again = look_again
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
        anew = (RungKind.AUTO_CONVERGE,) if begun else ()
        self._climb = ladder.set_out(action, patience, without=anew)
        self._room = action.rate_kib_s
        self._hastened = 0
        """KiB/s it was told to go at since, as others need its links no more; 0: never."""
        """KiB/s that its links allow it."""
        self._pause = action.downtime_ms
        self._slowed = action.auto_converge
        self._anew = threading.Event()
        """It was aborted so as to begin again, slowed."""
        self._downtime_set = False
        self._torn = False
        """Post-copy stands still."""
        self._diverged = False
        self._made: tuple[Copy, ...] = ()
        """Disks that were made for it on the target."""
        self._narrow = len(action.copies) > 1
        """Each of several disks goes at a part of its rate; memory after them may have all."""
        self._outcome: Outcome | None = None
        threading.Thread(target=self._follow, name=f"follow-{action.id}", daemon=True).start()

    @property
    def action(self) -> Action:
        """What is being done."""
        return self._action

    def progress(self) -> Progress:
        """Return how far it was at the last look."""
        sent, left = _sent(self._stats), int(self._stats.get("data_remaining", 0))
        climb = self._climb
        quiet = self._elapsed() - climb.moved_on
        return Progress(
            action=self._action.id,
            fraction=sent / (sent + left) if sent + left else 0.0,
            mib_sent=round(sent / MIB),
            mib_left=round(left / MIB),
            seconds=monotonic() - self._began,
            note=f"no data for {quiet:.0f} s" if quiet > self._patience.stalled_after / 4 else "",
            steps=climb.steps,
            wants_kib_s=climb.wants_kib_s,
        )

    def outcome(self) -> Outcome | None:
        """Return how it ended, verified on both ends, or None while it runs."""
        return self._outcome

    def room(self, rate_kib_s: int) -> None:
        """Let it go at up to this rate, KiB/s, where it needs that."""
        self._room = rate_kib_s

    def hasten(self, rate_kib_s: int) -> None:
        """Let it go at this rate from now on."""
        self._room = max(self._room, rate_kib_s)
        self._hastened = rate_kib_s
        self._nudge.set()

    def abort(self, reason: str) -> None:
        """Ask for it to stop; harmless once it has ended."""
        self._give_up(Result.ABORTED, reason)

    def _elapsed(self) -> float:
        return monotonic() - self._began

    def _give_up(self, result: Result, reason: str) -> None:
        if self._stop is None and not self._climb.switched:
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
                found = replace(found, left_behind=(*found.left_behind, *self._tidied(found)))
        except Exception as fault:  # noqa: BLE001 - failures are outcomes, not exceptions
            found = Aftermath(Where.UNCLEAR)
            result, reason = Result.LOST, f"it cannot be told how it ended ({message(fault)})"
        self._outcome = Outcome(
            action=self._action,
            result=result,
            started=self._started,
            ended=self._clock.now(),
            reason=reason,
            mib=self._mib(found),
            downtime_ms=found.downtime_ms if result is Result.DONE else None,
            passed=passed(found.stats, plain=self._plain),
            steps=self._climb.steps,
            left_behind=found.left_behind,
            diverged=self._diverged and result is Result.ABORTED,
        )

    def _mib(self, found: Aftermath) -> int:
        """Return the MiB sent; of copied disks libvirt knows nothing any more once all has ended."""
        seen = round(_sent(self._stats) / MIB)
        return max(found.mib, seen) if self._action.copies else found.mib or seen

    @property
    def _plain(self) -> bool:
        """True if it went by pre-copy at the rate planned, from its beginning."""
        helped = self._climb.switched or self._action.auto_converge or self._climb.steps
        return not (helped or self._begun or self._hastened)

    def _move(self) -> None:
        """Make the long call, and where it is to begin anew make it again."""
        try:
            while not self._called():
                if why := self._again_not():
                    self._give_up(Result.ABORTED, f"it was not begun anew: {why}")
                    return
        except Exception as fault:  # noqa: BLE001 - judged by whoever follows
            self._fault = fault
        finally:
            self._over.set()
            self._nudge.set()

    def _called(self) -> bool:
        """Make the call; False if it was ended so as to begin anew. Raises what libvirt raises."""
        action = self._action
        domain = self._acting.to(action.source).lookupByUUIDString(action.guest)
        self._before = self._before or memory_of(domain)
        self._downtime_set = self._limits_downtime(domain)
        target = self._acting.hosts[action.target]
        if action.copies and not self._made:
            copies = to_copy(domain, action.copies)
            make(self._acting.to(action.target), copies)
            self._made = copies
        try:
            domain.migrateToURI3(
                migration.peer_uri(target),
                dict(migration.parameters(action, target, self._climb.rate_kib_s)),
                migration.flags(
                    action,
                    persistent=self._before.persistent,
                    slowed=self._slowed,
                ),
            )
        except libvirt.libvirtError:
            if not self._anew.is_set():
                raise
            return False
        return True

    def _again_not(self) -> str:
        """Return why it must not begin anew; the guest rests on its source by then, or never."""
        ends = replace(self._ends, crew=Crew())
        if settle(ends, None, self._patience.settling).where is not Where.SOURCE:
            return "it is not at rest on its source"
        if self._stop is not None:
            return self._stop[1]
        self._anew.clear()
        self._slowed = True
        if made := self._made:
            self._at(self._action.target, lambda there: unmake(there, made))
            self._made = ()
        return self._look_again(self._action)

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
        if self._pause <= 0:
            return True
        with suppress(libvirt.libvirtError):
            domain.migrateSetMaxDowntime(self._pause)
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
            self._stats = self._ends.ask(self._action.source, self._job)

    def _job(self, domain: libvirt.virDomain) -> Mapping[str, Any]:
        stats: Mapping[str, Any] = domain.jobStats()
        if self._begun and tuple(domain.state()) in POST_COPY:
            stats = {**stats, SWITCHED: True}
        if not self._downtime_set and stats.get("type"):
            self._downtime_set = self._limits_downtime(domain)
        return stats

    def _judge(self) -> None:
        """Ask the ladder what to do now, and do it."""
        if self._stop is not None and not self._climb.switched:
            return
        if self._anew.is_set():
            self._begins_anew()
            return
        self._hurry()
        seen = reading(self._stats, self._elapsed(), self._room)
        self._climb, decision = ladder.watch(self._climb, seen)
        match decision:
            case ladder.Raise(rung):
                self._raise(rung)
            case ladder.GiveUp(result, reason, diverged):
                self._diverged = diverged
                self._give_up(result, reason)
            case ladder.Torn():
                self._torn = True
            case None:
                pass

    def _hurry(self) -> None:
        """Have it go as fast as it may by now, where that is more than it was told."""
        if self._narrow and int(self._stats.get("memory_processed", 0)) > 0:
            self._widen()
        if self._hastened > self._climb.rate_kib_s:
            self._go_faster()

    def _widen(self) -> None:
        """Let memory have the whole rate, its disks being there."""
        rate, self._narrow = self._climb.rate_kib_s, False
        with suppress(libvirt.libvirtError, NotAnswering):
            self._ends.ask(
                self._action.source,
                lambda domain: domain.migrateSetMaxSpeed(migration.mib_s(rate)),
            )

    def _tidied(self, found: Aftermath) -> tuple[str, ...]:
        """Remove the copies of its disks that are of no use now; return what is left of them."""
        action = self._action
        if not action.copies:
            return ()
        source, target = self._ends.end(action.source), self._ends.end(action.target)
        there = found.where is Where.TARGET and source is End.ABSENT
        here = found.where is Where.SOURCE and target is End.ABSENT
        try:
            if there:
                return self._cleared()
            if here:
                return self._unmade()
        except (libvirt.libvirtError, NotAnswering, Unreadable) as error:
            return (f"look for an old copy of its disks on both hosts ({message(error)})",)
        unsure = "the other" if found.where in (Where.SOURCE, Where.TARGET) else "each"
        return (f"there may be a copy of its disks on {unsure} host: look before you remove one",)

    def _cleared(self) -> tuple[str, ...]:
        """Remove the old copies where it was, once it runs where it went."""
        action, ends = self._action, self._ends
        xml = ends.ask(action.target, lambda domain: domain.XMLDesc())
        moved = [d for d in whole_disks(parse(xml).root) if d.target in action.copies]
        kept = self._at(action.source, lambda there: clear(there, action.guest, moved))
        return tuple(f"{action.source} keeps its old copy {phrase}" for phrase in kept)

    def _unmade(self) -> tuple[str, ...]:
        """Remove what was made for it where it did not arrive; tell of what another planner made."""
        action, made = self._action, self._made
        if made:
            self._at(action.target, lambda there: unmake(there, made))
            return ()
        copies = self._ends.ask(action.source, lambda domain: to_copy(domain, action.copies))
        left = self._at(action.target, lambda there: left_over(there, copies))
        return tuple(
            f"{action.target} has {path}, likely an unfinished copy: remove it if nobody needs it"
            for path in left
        )

    def _at(self, host: str, task: Callable[[libvirt.virConnect], T]) -> T:
        """Return what `task` finds on a host. Raises libvirtError, NotAnswering."""
        connections = self._ends.connections
        limit = max(REMOVING, connections.hosts[host].answer_within)
        found: T = within(limit, lambda: task(connections.to(host)), host)
        return found

    def _go_faster(self) -> None:
        """Raise its rate; where libvirt does not take that now, it goes on as it is."""
        rate = self._hastened
        with suppress(libvirt.libvirtError, NotAnswering):
            self._ends.ask(
                self._action.source,
                lambda domain: domain.migrateSetMaxSpeed(migration.mib_s(rate)),
            )
        self._climb = ladder.given(self._climb, rate)

    def _begins_anew(self) -> None:
        """Give it up where the abort that should let it begin anew has no effect."""
        if self._elapsed() - self._climb.began > self._patience.settling:
            self._give_up(Result.STALLED, "it could not be ended so as to begin anew: aborted")

    def _raise(self, rung: Rung) -> None:
        """Take one step up; where libvirt does not take it, that is noted and it goes on."""
        rate = min(rung.rate_kib_s, self._room)
        try:
            self._ends.ask(self._action.source, lambda domain: self._step(domain, rung, rate))
        except (libvirt.libvirtError, NotAnswering) as error:
            self._climb = ladder.refused(self._climb, rung, self._elapsed(), message(error))
        else:
            self._climb = ladder.taken(self._climb, rung, self._elapsed(), rate)

    def _step(self, domain: libvirt.virDomain, rung: Rung, rate: int) -> None:
        match rung.kind:
            case RungKind.BANDWIDTH:
                domain.migrateSetMaxSpeed(migration.mib_s(rate))
            case RungKind.DOWNTIME:
                self._pause = rung.downtime_ms
                domain.migrateSetMaxDowntime(rung.downtime_ms)
            case RungKind.AUTO_CONVERGE:
                self._anew.set()  # before: the call may return while this one does
                try:
                    domain.abortJob()
                except libvirt.libvirtError:
                    self._anew.clear()
                    raise
            case RungKind.POST_COPY:
                domain.migrateStartPostCopy()

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


def reading(stats: Mapping[str, Any], at: float, room_kib_s: int) -> ladder.Reading:
    """Return what libvirt's job statistics say; nought where they say nothing."""
    page = int(stats.get("memory_page_size", 4096))
    return ladder.Reading(
        at=at,
        sent=_sent(stats),
        rounds=int(stats.get("memory_iteration", 0)),
        rate=int(stats.get("memory_bps", 0)) / MIB,
        dirty=int(stats.get("memory_dirty_rate", 0)) * page / MIB,
        room_kib_s=room_kib_s,
        switched=bool(stats.get(SWITCHED, False)),
    )


def _sent(stats: Mapping[str, Any]) -> int:
    """Bytes sent so far, memory and disks; libvirt says nothing in the first seconds."""
    return int(stats.get("data_processed", 0))
