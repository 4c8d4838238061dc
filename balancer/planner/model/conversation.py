"""Guests that talk to each other, and what they wait because their answers come from afar.

A guest that sends *x* requests a second and has each answered after *l* seconds waits for x l of
them on average (Little's law, docs/model.md). What depends on the placement is how far the
answer comes: from the same host, rack or room, or from beyond.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import fsum

from balancer.planner.model.placement import Placement

Domain = Callable[[str, str], str]
"""Host and what it is looked at by (`host`, or a label) to the domain it is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What guests of `one` and guests of `other` say to each other, evenly between all pairs."""

    label: str
    """Of the goal, for people."""
    one: frozenset[str]
    """Uuids."""
    other: frozenset[str]
    steps: tuple[tuple[str, float], ...]
    """What tells places apart (`host`, or a label of hosts), and the guest-seconds of waiting a
    second that all pairs have to bear which are apart by it."""

    @property
    def pairs(self) -> int:
        """How many ordered pairs of two guests there are; never 0, so that it divides."""
        return max(1, len(self.one) * len(self.other) - len(self.one & self.other))

    @property
    def members(self) -> frozenset[str]:
        """Everybody in it."""
        return self.one | self.other


Counts = tuple[Mapping[str, tuple[int, int]], ...]
"""Of each step of each conversation: how many of one side and of the other are in each domain."""


class Talk:
    """Reckons what all conversations of one problem wait."""

    def __init__(self, conversations: Iterable[Conversation], domain: Domain) -> None:
        self._domain = domain
        self._steps = [(c, across, wait) for c in conversations for across, wait in c.steps]
        self._of: dict[str, list[int]] = {}
        for number, (conversation, _, _) in enumerate(self._steps):
            for uuid in conversation.members:
                self._of.setdefault(uuid, []).append(number)

    def counts(self, placement: Placement) -> Counts:
        """Return who is where."""
        found: list[dict[str, tuple[int, int]]] = []
        for conversation, across, _ in self._steps:
            here: dict[str, tuple[int, int]] = {}
            for uuid in conversation.members:
                place = self._domain(placement[uuid], across)
                one, other = here.get(place, (0, 0))
                here[place] = (
                    one + (uuid in conversation.one),
                    other + (uuid in conversation.other),
                )
            found.append(here)
        return tuple(found)

    def waits(self, counts: Counts) -> float:
        """Return the guest-seconds of waiting a second of all of them."""
        return fsum(
            wait * self._apart(conversation, here) / conversation.pairs
            for (conversation, _, wait), here in zip(self._steps, counts, strict=True)
        )

    def nearer(self, counts: Counts, uuid: str, source: str, target: str) -> float:
        """Return what less is waited with the guest on `target`, as `counts` has it, than on `source`."""
        return fsum(gain for _, gain in self._gains(counts, uuid, source, target))

    def whom(self, counts: Counts, uuid: str, source: str, target: str) -> str:
        """Return the label of the conversation that gains most by it; empty where none does."""
        gains: dict[str, float] = {}
        for label, gain in self._gains(counts, uuid, source, target):
            gains[label] = gains.get(label, 0.0) + gain
        best = max(gains, key=lambda label: gains[label], default="")
        return best if gains.get(best, 0.0) > 0 else ""

    def _gains(
        self, counts: Counts, uuid: str, source: str, target: str
    ) -> Iterator[tuple[str, float]]:
        for number in self._of.get(uuid, ()):
            conversation, across, wait = self._steps[number]
            there, here = self._domain(target, across), self._domain(source, across)
            if here != there:
                sides = (int(uuid in conversation.one), int(uuid in conversation.other))
                more = _beside(counts[number], there, sides, own=True)
                more -= _beside(counts[number], here, sides, own=False)
                yield conversation.label, wait * more / conversation.pairs

    @staticmethod
    def _apart(conversation: Conversation, here: Mapping[str, tuple[int, int]]) -> int:
        """Return how many ordered pairs are not together; nobody is apart from itself."""
        together = sum(one * other for one, other in here.values())
        return len(conversation.one) * len(conversation.other) - together


def _beside(
    here: Mapping[str, tuple[int, int]], place: str, sides: tuple[int, int], *, own: bool
) -> int:
    """Return how many ordered pairs a guest of those sides makes there; `own`: it is counted."""
    one, other = here.get(place, (0, 0))
    first, second = sides
    if own:
        one, other = one - first, other - second
    return first * other + second * one
