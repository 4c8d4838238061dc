"""A broken rule, said in one sentence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken at one place.

    Two violations with the same `key` are the same fault at different times; `amount` tells
    whether it grew.
    """

    rule: str
    """Label of the rule as the operator knows it: `spread zookeeper across rack`."""
    subject: str
    """The host, domain or guest where it is broken."""
    amount: int
    """How far, in the rule's own unit; positive."""
    sentence: str
    guests: tuple[str, ...] = ()
    """Uuids of the guests concerned, sorted."""
    hard: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the fault over time."""
        return (self.rule, self.subject)


Baseline = Mapping[tuple[str, str], int]
"""Amount by violation key: what was already broken."""


def baseline(violations: Iterable[Violation]) -> Baseline:
    """Return how far each hard rule is broken already, where it is broken most."""
    worst: dict[tuple[str, str], int] = {}
    for violation in violations:
        if violation.hard:
            worst[violation.key] = max(violation.amount, worst.get(violation.key, 0))
    return worst


def worsened(before: Baseline, now: Iterable[Violation]) -> tuple[Violation, ...]:
    """Return the hard violations that are new, or worse than `before`.

    What is broken already may stay broken: no plan is refused for a fault it did not make.
    """
    return tuple(v for v in now if v.hard and v.amount > before.get(v.key, 0))
