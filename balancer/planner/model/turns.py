"""Guests that take turns: at most so many of them moving at once, with a wait between."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One group of guests of which only a few move at a time."""

    label: str
    """Of the rule, for people."""
    members: frozenset[str]
    """Uuids."""
    most: int
    """Places: moves of members at once."""
    wait: float
    """Seconds after a move of a member has ended until its place is free again."""

    def free_at(self, ends: Iterable[float]) -> float:
        """Return from when on a place is free, given when moves of members end or ended.

        Ends are on any one clock, infinite for what runs still; minus infinity is always.
        """
        busy = sorted(ends, reverse=True)
        return busy[self.most - 1] + self.wait if len(busy) >= self.most else -inf
