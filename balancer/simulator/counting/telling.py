"""What is counted, in words and in the unit people read it in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from balancer.simulator.counting.counted import Counted

MINUTE: Final = 60.0
GIB: Final = 1024.0
KILO: Final = 1000.0
SMALL: Final = 10.0
"""Below this a digit after the point is worth showing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure as people see it."""

    key: str
    label: str
    unit: str
    amount: Callable[[Counted], float]
    meaning: str


LINES: Final = (
    Line("contention", "contention", "guest-seconds", lambda c: c.contention,
         "vCPU time wanted and not given, because a host was asked for more than it has"),
    Line("borne", "of it borne", "guest-seconds", lambda c: c.borne,
         "by guests whose waiting nobody minds (`patient = true`)"),
    Line("overload", "overload", "host-minutes", lambda c: c.overload / MINUTE,
         "during which more CPU was wanted of a host than it has"),
    Line("migrations", "migrations", "", lambda c: c.migrations, "that arrived"),
    Line("return_trips", "return trips", "", lambda c: c.return_trips,
         "migrations back to a host that the guest had left in the same run"),
    Line("sent", "sent", "GiB", lambda c: c.mib / GIB, "by all migrations, in vain or not"),
    Line("downtime", "downtime", "s", lambda c: c.downtime,
         "that guests stood still at the end of their migrations, together"),
    Line("energy", "energy", "kWh", lambda c: c.energy / KILO, "of all living hosts, by their power curves"),
    Line("energy_empty", "of it by empty hosts", "kWh", lambda c: c.energy_empty / KILO,
         "drawn by hosts without a guest: what switching them off would have saved"),
    Line("without_spare", "without N+1", "minutes", lambda c: c.without_spare / MINUTE,
         "during which the loss of some one host could not have been borne"),
    Line("rules_broken", "rules broken", "rule-minutes", lambda c: c.rules_broken / MINUTE,
         "hard rules, each for as long as it was broken"),
    Line("never_began", "found no room", "guests", lambda c: c.never_began,
         "that were to be booted"),
)  # fmt: skip


def figure(amount: float) -> str:
    """Return an amount with as many digits as are worth reading."""
    if amount and amount < SMALL and amount != round(amount):
        return f"{amount:.2f}".rstrip("0").rstrip(".")
    return f"{amount:,.0f}"


def sentence(counted: Counted) -> str:
    """Return everything that was counted on one line."""
    told = (f"{line.label} {figure(line.amount(counted))} {line.unit}".strip() for line in LINES)
    return "Counted: " + ", ".join(told) + "."
