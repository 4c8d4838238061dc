"""Memory taken in steps, watched, and given back at the first sign of pressure.

By balloon or by virtio-mem (`taps`). A guest that does not answer is put back to what it was. What
is taken stays watched for as long as this process lives; whoever starts anew hands over what an
earlier one took. A guest under pressure gets all of it back without anybody being asked.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Final

import libvirt

from balancer.adapters.libvirt.taps import Tap, tap_of
from balancer.planner.model.resize import Resize, Resized
from balancer.planner.model.result import Result

ANSWERING: Final = 10.0
"""Seconds within which a balloon must have followed."""
POLL: Final = 0.1
WATCH: Final = 1.0
"""Seconds between two looks at guests from which memory was taken."""
FAULTS: Final = 200
"""Major faults between two looks that are pressure."""
KIB: Final = 1024


def inflate(domain: libvirt.virDomain, wanted: Resize) -> str:
    """Take memory step by step; return why not all was taken, and then none is. Raises libvirtError."""
    tap, now = tap_of(domain, wanted.what), wanted.before
    while now > wanted.after:
        now = max(wanted.after, now - (wanted.step or wanted.before))
        if not _follows(tap, now):
            tap.tell(wanted.before)
            return f"{tap.deaf}: put back to {wanted.before} MiB"
        if now > wanted.after and (why := _after_fresh(domain, wanted)):
            tap.tell(wanted.before)
            return f"{why}: put back to {wanted.before} MiB"
    return ""


def deflate(domain: libvirt.virDomain, wanted: Resize) -> str:
    """Give memory; return why not. Raises libvirtError."""
    tap = tap_of(domain, wanted.what)
    return "" if _follows(tap, wanted.after) else tap.deaf


def _follows(tap: Tap, mib: int) -> bool:
    """Tell a guest, and return whether it is there in time."""
    tap.tell(mib)
    deadline = monotonic() + ANSWERING
    while True:
        if tap.there(mib):
            return True
        if monotonic() > deadline:
            return False
        sleep(POLL)


def _after_fresh(domain: libvirt.virDomain, wanted: Resize) -> str:
    """Wait for statistics that know of the last step; return what pressure they show."""
    before = domain.memoryStats()
    deadline = monotonic() + ANSWERING
    while monotonic() < deadline:
        now = domain.memoryStats()
        if now.get("last_update", 0) > before.get("last_update", 0):
            return pressure(before, now, wanted.keep)
        sleep(POLL)
    return "its statistics stand still"


def pressure(before: Mapping[str, int], now: Mapping[str, int], keep: int) -> str:
    """Return what shows between two readings that a guest needs what was taken; empty for nothing."""
    unused = now.get("usable", now.get("unused", 0)) // KIB
    if unused < keep / 2:
        return f"the guest has {unused} MiB unused of the {keep} MiB it is to keep"
    if now.get("swap_in", 0) > before.get("swap_in", 0):
        return "the guest swaps"
    faults = now.get("major_fault", 0) - before.get("major_fault", 0)
    return f"the guest had {faults} major faults" if faults > FAULTS else ""


@dataclass(slots=True)
class _Watched:
    taken: Resize
    seen: Mapping[str, int]


class Keeper:
    """Watches guests from which memory was taken, in a thread of its own."""

    def __init__(
        self, domain: Callable[[Resize], libvirt.virDomain], now: Callable[[], float]
    ) -> None:
        """`domain` finds a guest on the host of its resize; it raises libvirtError."""
        self._domain, self._now = domain, now
        self._watched: dict[str, _Watched] = {}
        self._given: list[Resized] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, taken: Iterable[Resize]) -> None:
        """Watch these, too; of one watched already, where it is now, and all that was taken of it."""
        with self._lock:
            for one in taken:
                known = self._watched.setdefault(one.guest, _Watched(one, {}))
                alike = known.taken.what is one.what
                before = max(one.before, known.taken.before) if alike else one.before
                known.taken = replace(one, before=before)
            if self._watched and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="balloons", daemon=True)
                self._thread.start()

    def forget(self, guest: str) -> None:
        """Watch it no more: it was given what had been taken."""
        with self._lock:
            self._watched.pop(guest, None)

    def given_back(self) -> tuple[Resized, ...]:
        """Return what was given back since last asked."""
        with self._lock:
            given, self._given = tuple(self._given), []
        return given

    def close(self) -> None:
        """Watch no more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(WATCH):
            with self._lock:
                known = dict(self._watched)
            for guest, one in known.items():
                with suppress(libvirt.libvirtError):  # gone, moved, or its host is: next time
                    self._look(guest, one)

    def _look(self, guest: str, one: _Watched) -> None:
        domain = self._domain(one.taken)
        now = domain.memoryStats()
        before, one.seen = one.seen or now, now
        why = pressure(before, now, one.taken.keep)
        if not why:
            return
        began = self._now()
        back = replace(
            one.taken, before=one.taken.after, after=one.taken.before, waits_for=(), reason=why
        )
        fault = deflate(domain, back)
        result = Result.FAILED if fault else Result.DONE
        told = Resized(
            resize=back, result=result, started=began, ended=self._now(),
            reason=fault or f"given back: {why}",
        )  # fmt: skip
        with self._lock:
            self._given.append(told)
            self._watched.pop(guest, None)
