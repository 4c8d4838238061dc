"""What a trace says, whatever its format: who was there, how large, and what was used."""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import inf
from typing import Final

import numpy as np

from balancer.planner.model.cluster import Host
from balancer.planner.model.rollups import STEP, Cells
from balancer.ports import UsageError

MEMORY_MIB: Final = 4096
"""Of a guest, where a trace does not say."""
ALWAYS: Final = (-inf, inf)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trace:
    """What guests used: a row for each step of five minutes, UNKNOWN where nothing was said."""

    start: int
    """Seconds since the epoch at which the first step begins."""
    names: tuple[str, ...]
    vcpus: tuple[int, ...]
    memory: tuple[int, ...]
    """MiB allocated."""
    cpu: Cells
    """[steps, guests], millicores."""
    rss: Cells | None = None
    """[steps, guests], MiB."""
    stays: tuple[tuple[float, float], ...] = ()
    """When each guest came and when it went, seconds since the epoch; empty: all always there."""
    homes: tuple[str, ...] = ()
    """The host each guest was started on; empty where that is not known."""
    hosts: tuple[Host, ...] = field(default=())
    """Empty where nobody knows what they were."""

    def stay(self, place: int) -> tuple[float, float]:
        """Return when the guest at this place came and went."""
        return self.stays[place] if self.stays else ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The part of a trace that is replayed."""

    skip: float = 0.0
    """Seconds from its beginning that are left out."""
    length: float = inf
    """Seconds, at most."""
    share: float = 1.0
    """Of its guests, chosen by their names: the same everywhere."""


WHOLE: Final = Cut()


def cut(trace: Trace, wanted: Cut) -> Trace:
    """Return that part of the trace. Raises UsageError where nothing is left."""
    first = int(wanted.skip) // STEP
    last = len(trace.cpu) if wanted.length == inf else first + int(wanted.length) // STEP
    start = trace.start + first * STEP
    end = start + STEP * (min(last, len(trace.cpu)) - first)
    kept = [
        place
        for place, name in enumerate(trace.names)
        if chosen(name, wanted.share)
        and trace.stay(place)[0] < end
        and trace.stay(place)[1] > start
    ]
    if not kept or end - start < 2 * STEP:
        raise UsageError("nothing is left of the trace: take a smaller --skip, or a larger --share or --length")  # fmt: skip
    pick = np.array(kept)
    return replace(
        trace,
        start=start,
        names=tuple(trace.names[i] for i in kept),
        vcpus=tuple(trace.vcpus[i] for i in kept),
        memory=tuple(trace.memory[i] for i in kept),
        cpu=trace.cpu[first:last][:, pick],
        rss=None if trace.rss is None else trace.rss[first:last][:, pick],
        stays=tuple(trace.stays[i] for i in kept) if trace.stays else (),
        homes=tuple(trace.homes[i] for i in kept) if trace.homes else (),
    )


def chosen(name: str, share: float) -> bool:
    """True for this share of all names, whatever others there are."""
    return share >= 1 or int(sha256(name.encode()).hexdigest()[:8], 16) < share * 16**8
