"""Which guest could run where at all, and what stands against it: before any question of room."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from balancer.planner.constraints.compatible import why_not
from balancer.planner.constraints.tied import bonds
from balancer.planner.model.fitting import may_be_emulated
from balancer.planner.model.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One guest."""

    guest: str
    """Its name."""
    home: str
    tied: str
    """What ties it to its host, whatever others offer; empty if nothing does."""
    fits: tuple[str, ...]
    """Other hosts that it could run on."""
    against: Mapping[str, str]
    """Every further host, and the first thing that speaks against it."""

    @property
    def movable(self) -> bool:
        """True if it could move to some host."""
        return bool(self.fits) and not self.tied


def matrix(problem: Problem) -> tuple[Row, ...]:
    """Return a row for each guest, by name."""
    cluster = problem.cluster
    rows = []
    for guest in sorted(cluster.guests, key=lambda g: (g.name, g.uuid)):
        home = cluster.host[cluster.placement[guest.uuid]]
        others = [h for h in cluster.hosts if h.name != home.name]
        may = may_be_emulated(problem, guest)
        words = {host.name: why_not(guest, home, host, emulation=may) for host in others}
        rows.append(
            Row(
                guest=guest.name,
                home=home.name,
                tied=bonds(guest),
                fits=tuple(name for name, why in words.items() if not why),
                against={name: why for name, why in words.items() if why},
            )
        )
    return tuple(rows)


def obstacles(rows: tuple[Row, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the guests that each obstacle keeps from some host, by name; the worst first."""
    pairs: Counter[str] = Counter()
    guests: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for why in [row.tied] if row.tied else row.against.values():
            pairs[why] += 1
            guests[why].add(row.guest)
    return {why: tuple(sorted(guests[why])) for why, _ in pairs.most_common()}
