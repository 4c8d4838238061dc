"""How memory crosses a wire while its guest goes on writing: the simulated world's own account.

Pre-copy: the first round sends all memory in use; each later round sends what was written during
the one before. Pages are hit at random, so a second write to a page costs nothing more: during
t seconds a guest that writes D MiB/s into a hot set of H MiB touches

    H * (1 - exp(-D * t / H))

distinct MiB, the expected coverage of H by random writes. When what is left can be sent within
the allowed pause, the guest is halted for that last piece. A guest that is slowed down writes a
share less: a fifth at first, a tenth more after every round that was written faster than half of it
was sent, all but a hundredth at most. After a switch to post-copy what is left follows the guest,
which writes at the target. Streams that share a network card
share it evenly, save that none gets more than it was allowed (max-min fairness).

This deliberately owes nothing to the planner's own model of the same thing: a simulation that
used it would only confirm the planner's mistakes.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SETUP: Final = 0.4
"""Seconds from the call until the first page is sent."""
RESTART: Final = 38.0
"""Seconds from asking a guest to shut down until it runs on another host."""
HANDOVER: Final = 0.03
"""Seconds of pause after the last piece: device state, switching over."""
EFFICIENCY: Final = 0.95
"""Share of a link's nominal rate that is left for memory."""
LEAST_MIB: Final = 1.0
"""What is left below this is always sent with the guest halted."""
NEGLIGIBLE: Final = 1e-9
TOO_FAST: Final = 0.5
"""A guest is slowed down where it writes more than this share of the rate."""
THROTTLE_FIRST: Final = 0.2
THROTTLE_STEP: Final = 0.1
THROTTLE_MOST: Final = 0.99


class Phase(StrEnum):
    """Where a transfer stands."""

    SETUP = "setup"
    DISKS = "disks"
    """Local disks are copied; memory comes after them."""
    COPYING = "copying"
    HALTED = "halted"
    FOLLOWING = "following"
    """Post-copy: the guest runs at the target."""
    OFF = "off"
    """A cold move: shut down here, started there."""
    SWITCHING = "switching"
    ARRIVED = "arrived"


@dataclass(slots=True)
class Transfer:
    """One guest's memory on its way. Changed only by `advance`."""

    memory_mib: float
    """In use: empty pages cost next to nothing on the wire."""
    dirty_mib_s: float
    hot_set_mib: float
    pause_allowed: float
    """Seconds."""
    disk_mib: float = 0.0
    """Of local disks, to be sent first."""
    off: float = 0.0
    """Seconds that the guest is off, where nothing is sent and it is started anew; 0: it is live."""
    phase: Phase = Phase.SETUP
    left_mib: float = 0.0
    """Of this round."""
    sent_mib: float = 0.0
    rounds: int = 0
    paused: float = 0.0
    """Seconds the guest was halted."""
    slowed: bool = False
    """Whether the guest may be slowed down so that it converges."""
    throttle: float = 0.0
    """The share it writes less."""
    dirtied_mib_s: float = 0.0
    """What was written in the last round, distinct MiB a second."""
    _in_phase: float = 0.0
    """Seconds since this phase, or this round of it, began."""

    def next_change(self, rate: float) -> float:
        """Return the seconds until this phase or round ends at `rate` MiB/s."""
        match self.phase:
            case Phase.SETUP:
                return SETUP - self._in_phase
            case Phase.SWITCHING | Phase.OFF:
                return (self.off or HANDOVER) - self._in_phase
            case Phase.ARRIVED:
                return math.inf
            case _:
                return self.left_mib / rate if rate > NEGLIGIBLE else math.inf

    def advance(self, seconds: float, rate: float) -> None:
        """Let `seconds` pass at `rate` MiB/s; not beyond `next_change`."""
        self._in_phase += seconds
        match self.phase:
            case Phase.SETUP if self._in_phase >= SETUP - NEGLIGIBLE:
                self._set_out()
            case Phase.DISKS | Phase.COPYING if self._all_sent(seconds * rate):
                self._end_round(rate)
            case Phase.HALTED:
                self.paused += seconds
                if self._all_sent(seconds * rate):
                    self._next_round(0.0, Phase.SWITCHING)
            case Phase.SWITCHING | Phase.OFF:
                self.paused += seconds
                if self._in_phase >= (self.off or HANDOVER) - NEGLIGIBLE:
                    self.phase = Phase.ARRIVED
            case Phase.FOLLOWING if self._all_sent(seconds * rate):
                self.phase = Phase.ARRIVED
            case _:
                pass

    def _set_out(self) -> None:
        if self.off:
            self._next_round(0.0, Phase.OFF)
        elif self.disk_mib:
            self._next_round(self.disk_mib, Phase.DISKS)
        else:
            self._next_round(self.memory_mib, Phase.COPYING)

    def _all_sent(self, mib: float) -> bool:
        """Send `mib` of this round; True if that was the last of it."""
        mib = min(mib, self.left_mib)
        self.sent_mib += mib
        self.left_mib -= mib
        return self.left_mib <= NEGLIGIBLE

    def switch(self) -> bool:
        """Have the guest go on at the target; False where it is too early or too late for that."""
        if self.phase is not Phase.COPYING:
            return False
        self._next_round(self.left_mib + self._written(), Phase.FOLLOWING)
        self.paused += HANDOVER
        return True

    def _written(self) -> float:
        """Return the distinct MiB written since this round began."""
        dirty = self.dirty_mib_s * (1 - self.throttle)
        return touched(dirty, self.hot_set_mib, self._in_phase)

    def _end_round(self, rate: float) -> None:
        if self.phase is Phase.DISKS:
            self._next_round(self.memory_mib, Phase.COPYING)
            return
        written = self._written()
        self.dirtied_mib_s = written / self._in_phase
        if self.slowed and self.dirtied_mib_s > rate * TOO_FAST:
            step = THROTTLE_STEP if self.throttle else THROTTLE_FIRST
            self.throttle = min(THROTTLE_MOST, self.throttle + step)
        fits_in_pause = written <= max(LEAST_MIB, rate * self.pause_allowed)
        self.rounds += 1
        self._next_round(written, Phase.HALTED if fits_in_pause else Phase.COPYING)

    def _next_round(self, mib: float, phase: Phase) -> None:
        self.phase = phase
        self.left_mib = mib
        self._in_phase = 0.0


def touched(dirty_mib_s: float, hot_set_mib: float, seconds: float) -> float:
    """Return the distinct MiB written in `seconds`: random coverage of the hot set."""
    if hot_set_mib <= 0:
        return 0.0
    return hot_set_mib * -math.expm1(-dirty_mib_s * seconds / hot_set_mib)


@dataclass(frozen=True, slots=True)
class Stream:
    """What one transfer may take of which links."""

    links: tuple[str, ...]
    at_most: float
    """MiB/s."""


def share(streams: Sequence[Stream], room: Mapping[str, float]) -> tuple[float, ...]:
    """Return each stream's rate: all grow together until they or a link of theirs is full.

    `room` is MiB/s by link.
    """
    rates = [0.0] * len(streams)
    free = dict(room)
    growing = set(range(len(streams)))
    while growing:
        users = Counter(link for i in growing for link in streams[i].links)
        step = min(
            *(free[link] / count for link, count in users.items()),
            *(streams[i].at_most - rates[i] for i in growing),
        )
        for i in growing:
            rates[i] += step
        for link, count in users.items():
            free[link] -= step * count
        full = {link for link in users if free[link] <= NEGLIGIBLE}
        growing = {
            i
            for i in growing
            if streams[i].at_most - rates[i] > NEGLIGIBLE and full.isdisjoint(streams[i].links)
        }
    return tuple(rates)
