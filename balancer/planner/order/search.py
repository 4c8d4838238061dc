"""Every way there is, for few guests: the shortest sequence of moves, or proof that none exists.

Breadth first over placements, one move at a time. That is enough: carry out any schedule one move
after the other in the order of their starts, and at no instant is more held than was before.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from balancer.planner.model.cluster import HostState
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move

TRIALS: Final = 20_000
"""Moves looked at before a search is given up; about a second."""
At = tuple[str, ...]
"""The host of each guest that may move."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What came of looking everywhere."""

    moves: tuple[Move, ...] | None
    """The way, if one was found; `temporary` where the guest moves on later."""
    placements: int
    whole: bool
    """True if nothing was left unseen: without `moves`, there is no way."""


def search(
    guard: Guard, target: Mapping[str, str], moving: Sequence[str], trials: int = TRIALS
) -> Searched:
    """Return the fewest moves of `moving` that lead to `target`; others stay where they are.

    Guests in `moving` without a target return home. Steps aside are made where the policy lets
    them be.
    """
    return _Search(guard, target, moving, trials).run()


class _Search:
    """The state of one call of `search`."""

    def __init__(
        self, guard: Guard, target: Mapping[str, str], moving: Sequence[str], trials: int
    ) -> None:
        self.guard, self.moving, self.left = guard, moving, trials
        home = guard.problem.cluster.placement
        self.start: At = tuple(home[guest] for guest in moving)
        self.goal: At = tuple(target.get(guest, home[guest]) for guest in moving)
        aside = guard.problem.policy.allow.temporary_moves
        hosts = [h.name for h in guard.problem.cluster.hosts if h.state is HostState.UP]
        self.open = [hosts if aside else [goal] for goal in self.goal]
        self.ledger = guard.ledger()
        self.came: dict[At, tuple[At, int]] = {}

    def run(self) -> Searched:
        seen, queue = {self.start}, deque([self.start])
        while queue:
            here = queue.popleft()
            if here == self.goal:
                return Searched(self._way(here), len(seen), whole=True)
            for number, there in self._steps(here):
                if there not in seen:
                    seen.add(there)
                    self.came[there] = (here, number)
                    queue.append(there)
            if self.left <= 0:
                return Searched(None, len(seen), whole=False)
        return Searched(None, len(seen), whole=True)

    def _steps(self, here: At) -> Iterator[tuple[int, At]]:
        """Yield every move that breaks nothing from `here` on."""
        for guest, host in zip(self.moving, here, strict=True):
            self.ledger.put(guest, host)
        for number, guest in enumerate(self.moving):
            for host in self.open[number]:
                self.left -= 1
                if host != here[number] and not self.guard.blocks(self.ledger, guest, host):
                    yield number, (*here[:number], host, *here[number + 1 :])

    def _way(self, here: At) -> tuple[Move, ...]:
        moves: list[Move] = []
        last: set[int] = set()
        while here != self.start:
            before, number = self.came[here]
            aside = number in last
            last.add(number)
            moves.append(Move(self.moving[number], before[number], here[number], aside))
            here = before
        return tuple(moves[::-1])
