"""One move after the other, each safe when its turn comes; circles are opened by stepping aside.

Moves are tried in turns that let guests leave before others arrive. When all that is left is
blocked, a guest that must leave a wanted host anyway steps aside to a third host, if that opens
the way for another. A guest steps aside once at most, and a step that never leads on is undone
together with what was built upon it, so that nobody ends where nobody wanted it.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from balancer.planner.model.ledger import Ledger
from balancer.planner.model.resources import MEMORY
from balancer.planner.order.graph import ranks
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move, Travel


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Moves in an order in which each is safe after those before it, and what is left."""

    done: tuple[Move, ...]
    left: tuple[Move, ...]
    rest: Ledger
    """Who holds what after `done`."""
    least: int = 0
    """Steps aside that any order of `done` has; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A point to which one can return: everybody is at home or at the target."""

    done: int
    pending: Mapping[str, Move]
    ledger: Ledger
    stepped: frozenset[str]


def sequence(guard: Guard, travel: Travel, moves: Sequence[Move]) -> Sequenced:
    """Return as many of `moves` as can be made one at a time, with steps aside where allowed."""
    work = _Work(guard, travel, moves)
    work.advance()
    while work.open_a_circle() or work.undo():
        work.advance()
    return Sequenced(tuple(work.done), tuple(work.in_turn(work.pending.values())), work.ledger)


class _Work:
    """The state of one call of `sequence`."""

    def __init__(self, guard: Guard, travel: Travel, moves: Sequence[Move]) -> None:
        self.guard, self.travel = guard, travel
        self.ledger = guard.ledger()
        self.pending = {move.guest: move for move in moves}
        self.done: list[Move] = []
        rank = ranks(moves) if moves else {}
        self._turn = {
            move.guest: (rank[move], -travel.volume(move.guest), guard.problem.name(move.guest))
            for move in moves
        }
        self._stepped: set[str] = set()
        self._barred: set[str] = set()
        self._mark: _Mark | None = None
        self._thirds: dict[str, str] = {}
        """Where each guest could step aside to if it were the first; empty for nowhere."""

    def in_turn(self, moves: Iterable[Move]) -> list[Move]:
        """Return `moves` in the order in which they are tried."""
        return sorted(moves, key=lambda move: (self._turn[move.guest], move.guest))

    def advance(self) -> None:
        """Make every move that is safe, until none is."""
        while self._sweep():
            pass

    def _sweep(self) -> bool:
        """Try all pending moves, and again those whose target was left; True if any was made."""
        before = len(self.done)
        queue = deque(self.in_turn(self.pending.values()))
        blocked: dict[str, list[Move]] = defaultdict(list)
        while queue:
            move = queue.popleft()
            if self._blocked(move):
                blocked[move.target].append(move)
            else:
                self._make(move)
                queue.extend(blocked.pop(move.source, ()))
        return len(self.done) > before and bool(self.pending)

    def _blocked(self, move: Move) -> bool:
        return bool(self.guard.blocks(self.ledger, move.guest, move.target))

    def _make(self, move: Move) -> None:
        """Let `move` happen; the guest of a temporary one stays pending, from its third host."""
        self.ledger.put(move.guest, move.target)
        self.done.append(move)
        final = self.pending.pop(move.guest)
        if move.temporary:
            self.pending[move.guest] = replace(final, source=move.target)
        elif self._mark and not self._aside():
            self._mark = None

    def _aside(self) -> list[str]:
        """Return the guests that wait on a third host."""
        return [guest for guest in self.pending if self.ledger[guest] != (self._home(guest),)]

    def _home(self, guest: str) -> str:
        return self.guard.problem.cluster.placement[guest]

    def open_a_circle(self) -> bool:
        """Let guests step aside so that another can move; False if that opens nothing."""
        if not self.guard.problem.policy.allow.temporary_moves:
            return False
        self._thirds.clear()
        for move in self.in_turn(self.pending.values()):
            steps = self._steps_for(move)
            if steps:
                self._mark = self._mark or self._here()
                for step in steps:
                    self._stepped.add(step.guest)
                    self._make(step)
                return True
        return False

    def _here(self) -> _Mark:
        return _Mark(
            len(self.done), dict(self.pending), self.ledger.twin(), frozenset(self._stepped)
        )

    def _steps_for(self, move: Move) -> list[Move]:
        """Return the steps aside, as few and small as can be, that free `move`; or none."""
        leaving = [
            self.pending[guest]
            for guest in self.ledger.on(move.target)
            if guest in self.pending and guest not in self._stepped | self._barred
        ]
        leaving.sort(key=lambda m: (self.travel.volume(m.guest), self._turn[m.guest], m.guest))
        for one in leaving:
            steps = self._try_steps(move, [one])
            if steps:
                return steps
        return self._try_steps(move, leaving[::-1]) if len(leaving) > 1 else []

    def _try_steps(self, move: Move, leaving: Sequence[Move]) -> list[Move]:
        """Return the steps of as many of `leaving`, from the front, as free `move`; or none."""
        steps: list[Move] = []
        try:
            for one in leaving:
                if self._third_of(one) and (third := self._third_of(one, after=len(steps))):
                    steps.append(Move(one.guest, one.source, third, True, move.guest))
                    self.ledger.put(one.guest, third)
                    if not self._blocked(move):
                        return steps
            return []
        finally:
            for step in steps:
                self.ledger.put(step.guest, step.source)

    def _third_of(self, move: Move, after: int = 0) -> str:
        """Return the guest's third host; `after` other steps there may be less room, never more."""
        if move.guest not in self._thirds:
            self._thirds[move.guest] = self._third_host(move)
        return self._third_host(move) if after else self._thirds[move.guest]

    def _third_host(self, move: Move) -> str:
        """Return the host with most room, and least wanted by others, that can take the guest."""
        wanted = {m.target for m in self.pending.values()}
        hosts = set(self.guard.problem.receiving) - {move.source, move.target}
        for host in sorted(hosts, key=lambda h: (h in wanted, -self.free(h), h)):
            there = self.travel.seconds(move.guest, move.source, host)
            onwards = self.travel.seconds(move.guest, host, move.target)
            if isfinite(there + onwards) and not self.guard.blocks(self.ledger, move.guest, host):
                return host
        return ""

    def free(self, host: str) -> int:
        """Return the memory not allocated on `host`, MiB."""
        needs = self.guard.problem.needs
        used = sum(needs[guest].get(MEMORY, 0) for guest in self.ledger.on(host))
        return self.guard.problem.host(host).usable.get(MEMORY, 0) - used

    def undo(self) -> bool:
        """Return to before the first step aside that led nowhere; False if there is none.

        Whoever is stranded then does not step aside again, so this ends.
        """
        if self._mark is None:
            return False
        self._barred.update(self._aside())
        self._stepped = set(self._mark.stepped)
        del self.done[self._mark.done :]
        self.pending, self.ledger = dict(self._mark.pending), self._mark.ledger
        self._mark = None
        return True
