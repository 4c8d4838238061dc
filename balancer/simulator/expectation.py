"""What a scenario promises: `[expect]`, checked when it has run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from balancer.config.reading import Table
from balancer.config.units import COUNT, RATIO, SECONDS, Unit
from balancer.simulator.counting.counted import Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of a scenario, in numbers."""

    cycles: int
    moves: int
    """Migrations that arrived."""
    temporary_moves: int
    failed: int
    """Migrations that were started and did not arrive."""
    refused: int
    """Planned moves that were not started, and plans that were refused as a whole."""
    lost: int
    """Guests that stopped running though nobody shut them down."""
    mib: int
    """Sent by all migrations, in vain or not."""
    longest_pause_ms: int
    rules_broken: int
    """Hard rules broken at the end."""
    hottest: float
    """CPU in use on the busiest host at the end, as a share of what is usable."""
    fullest: float
    """Memory in use on the fullest host at the end, likewise."""
    done_after: float
    """Seconds from the start until the last migration ended."""
    quiet_cycles: int
    """Cycles at the end in which nothing was moved."""
    traffic: float = 0.0
    """Guest-seconds of waiting an hour that declared traffic has, as guests stand at the end."""
    stopped: bool = False
    """Whether the service stopped itself."""
    counted: Counted = field(default_factory=Counted)
    """What the whole run cost."""


@dataclass(frozen=True, slots=True)
class _Promise:
    """One key of `[expect]`."""

    unit: Unit
    figure: Callable[[Figures], float]
    least: bool = False
    """True if the figure must be at least what is expected, else it is at most that."""


KEYS: Final[Mapping[str, _Promise]] = {
    "moves_at_most": _Promise(COUNT, lambda f: f.moves),
    "moves_at_least": _Promise(COUNT, lambda f: f.moves, least=True),
    "temporary_moves_at_most": _Promise(COUNT, lambda f: f.temporary_moves),
    "temporary_moves_at_least": _Promise(COUNT, lambda f: f.temporary_moves, least=True),
    "failed_at_most": _Promise(COUNT, lambda f: f.failed),
    "failed_at_least": _Promise(COUNT, lambda f: f.failed, least=True),
    "lost_at_most": _Promise(COUNT, lambda f: f.lost),
    "rules_broken": _Promise(COUNT, lambda f: f.rules_broken),
    "hottest_below": _Promise(RATIO, lambda f: f.hottest),
    "fullest_below": _Promise(RATIO, lambda f: f.fullest),
    "done_within": _Promise(SECONDS, lambda f: f.done_after),
    "pause_at_most": _Promise(SECONDS, lambda f: f.longest_pause_ms / 1000),
    "stops_itself_at_most": _Promise(COUNT, lambda f: f.stopped),
    "stops_itself_at_least": _Promise(COUNT, lambda f: f.stopped, least=True),
    "traffic_at_most": _Promise(SECONDS, lambda f: f.traffic),
    "contention_at_most": _Promise(SECONDS, lambda f: f.counted.contention),
    "overload_at_most": _Promise(SECONDS, lambda f: f.counted.overload),
    "downtime_at_most": _Promise(SECONDS, lambda f: f.counted.downtime),
    "without_spare_at_most": _Promise(SECONDS, lambda f: f.counted.without_spare),
    "rules_broken_at_most": _Promise(SECONDS, lambda f: f.counted.rules_broken),
    "return_trips_at_most": _Promise(COUNT, lambda f: f.counted.return_trips),
    "never_began_at_most": _Promise(COUNT, lambda f: f.counted.never_began),
    "quiet_cycles": _Promise(COUNT, lambda f: f.quiet_cycles, least=True),
}


@dataclass(frozen=True, slots=True)
class Expect:
    """The figures promised, by key."""

    promised: Mapping[str, float] = field(default_factory=dict)

    def broken_by(self, figures: Figures) -> tuple[str, ...]:
        """Return one sentence for each promise that was not kept."""
        return tuple(
            f"{key} = {limit:g}, but it was {KEYS[key].figure(figures):g}"
            for key, limit in self.promised.items()
            if not _kept(KEYS[key], figures, limit)
        )


def expect(table: Table) -> Expect:
    """Return what `[expect]` promises. Raises UsageError for a key or amount it cannot read."""
    table.only(KEYS)
    return Expect({key: table.amount(key, KEYS[key].unit, 0) for key in table.values})


def _kept(promise: _Promise, figures: Figures, limit: float) -> bool:
    figure = promise.figure(figures)
    return figure >= limit if promise.least else figure <= limit
