"""Which guest could run where at all, and what stands against it: before any question of room."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from balancer.planner.constraints.tied import bonds_left
from balancer.planner.model.copying import as_it_moves
from balancer.planner.model.fitting import all_why_not, may_be_emulated
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
    """Every further host, and all that speaks against it."""
    would: Mapping[str, str]
    """Of these the hosts that it could run on after what is said; for others nothing would help."""

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
        moving = as_it_moves(problem, guest)
        words = {h.name: all_why_not(moving, home, h, emulation=may) for h in others}
        rows.append(
            Row(
                guest=guest.name,
                home=home.name,
                tied=bonds_left(problem, guest),
                fits=tuple(name for name, why in words.items() if not why),
                against={name: "; ".join(why) for name, why in words.items() if why},
                would={name: help_ for name, why in words.items() if (help_ := would(why))},
            )
        )
    return tuple(rows)


REMEDIES: Final = (
    ("it lacks network", "reach that network there, or declare it"),
    ("it lacks storage", "share that storage there, or declare it"),
    ("it lacks CPU feature", "give the guest a CPU model that both hosts have"),
    ("CPU model", "give the guest a CPU model that both hosts have"),
    ("CPU mode", "give the guest a named CPU model that both hosts have"),
    ("machine type", "upgrade QEMU there, or give the guest an older machine type"),
    ("its QEMU", "upgrade QEMU there"),
    ("the QEMU version", "let balancer see that host's QEMU (balancer doctor)"),
)
"""What would undo an objection, by how it begins; nothing makes another architecture, more cores or
a missing device."""


def would(objections: Iterable[str]) -> str:
    """Return what would undo all of these, in one phrase; empty where there are none, or not all can."""
    found: dict[str, None] = {}
    for said in objections:
        help_ = next((words for begins, words in REMEDIES if said.startswith(begins)), "")
        if not help_:
            return ""
        found[help_] = None
    return "; ".join(found)


def obstacles(rows: tuple[Row, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the guests that each obstacle keeps from some host, by name; the worst first.

    With what would undo it, where something would.
    """
    pairs: Counter[str] = Counter()
    guests: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        said = [(why, row.would.get(host, "")) for host, why in row.against.items()]
        for why, help_ in [(row.tied, "")] if row.tied else said:
            words = f"{why} → {help_}" if help_ else why
            pairs[words] += 1
            guests[words].add(row.guest)
    return {why: tuple(sorted(guests[why])) for why, _ in pairs.most_common()}
