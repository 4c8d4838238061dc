"""Which rules conflict, and what would help: answers where not every rule can hold."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """One change after which the other rules of the conflict can all hold."""

    rule: str
    """Label of the rule that is relaxed."""
    setting: str
    """What to write, as in a policy: `at_most = 2`, `guests = ["zk-*", "!zk-3"]`."""
    guests: int
    """For how many guests the rule then no longer holds: the cheapest has fewest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Hard rules that no placement keeps together, though it could keep all but any one of them."""

    rules: tuple[str, ...]
    """Their labels."""
    helps: tuple[Relaxation, ...] = ()
    """Each would help by itself, cheapest first."""


def advice(conflicts: Iterable[Conflict]) -> str:
    """Return the ways out, cheapest first, as one sentence; empty where there is none."""
    ways = [" or ".join(_said(help_) for help_ in conflict.helps) for conflict in conflicts]
    return "; and ".join(filter(None, ways))


def _said(way: Relaxation) -> str:
    many = f" ({way.guests} guest{'' if way.guests == 1 else 's'})" if way.guests else ""
    return f"{way.rule}: {way.setting}{many}"
