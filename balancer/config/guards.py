"""`[guards]`: when the service stands back, and when it stops itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from balancer.config.reading import Table
from balancer.config.units import COUNT, RATIO, SECONDS, Unit

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What the service holds against itself."""

    auto_after: float = 3 * DAY
    """Seconds of scored observation without which mode auto is refused."""
    failures_per_hour: int = 2
    moves_by_others_per_hour: int = 3
    reversals_per_day: int = 2
    hosts_unseen_at_most: float = 0.05
    """Share of the hosts; one host may always be missing."""
    failed_guest_again_after: float = 3600.0
    """Seconds."""
    stalled_after: float = 60.0
    """Seconds."""


@dataclass(frozen=True, slots=True)
class GuardKey:
    """One key of `[guards]`."""

    unit: Unit
    sentence: str
    least: float = 0


KEYS: Final[Mapping[str, GuardKey]] = {
    "auto_after": GuardKey(SECONDS, "observation that must have been scored before mode auto is accepted"),
    "failures_per_hour": GuardKey(COUNT, "failed migrations within an hour at which the service stops itself", 1),
    "moves_by_others_per_hour": GuardKey(COUNT, "moves it did not make, within an hour, at which the service stops itself", 1),
    "reversals_per_day": GuardKey(COUNT, "moves of its own undone by others, within a day, at which the service stops itself", 1),
    "hosts_unseen_at_most": GuardKey(RATIO, "share of the hosts that may go unseen (one host always may); beyond it nothing is moved"),
    "failed_guest_again_after": GuardKey(SECONDS, "rest of a guest whose migration failed"),
    "stalled_after": GuardKey(SECONDS, "a migration from which no byte passes for so long has stalled, and is aborted", 5),
}  # fmt: skip


def read_guards(table: Table) -> Guards:
    """Return the guards that the table asks for. Raises UsageError."""
    table.only(KEYS)
    base = Guards()
    values = {}
    for key in table.values:
        entry = KEYS[key]
        values[key] = table.amount(key, entry.unit, getattr(base, key))
        if values[key] < entry.least:
            table.fail(key, f"must be at least {entry.least:g}")
    return Guards(**values)  # type: ignore[arg-type]  # each unit makes what its field holds
