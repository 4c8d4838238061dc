"""What each move must wait for: those departures, and no others, that free what it needs.

A move may start once the moves it waits for have ended, *whatever has become of all others before
it*: so its start is tried in the worst case, in which every earlier move is in flight and holds
both its hosts. Occupancy on any host is then at all times within what was tried for the latest
arrival there, so that a run that respects nothing but these waits (and the limits on links and
numbers) breaks no rule and never gets stuck, in whatever order moves end and whichever of them
fail. That holds for rules that more occupancy can only break and less only mend.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from balancer.planner.model.violation import Violation
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move

Waits = tuple[tuple[int, ...], ...]
"""For each move, the numbers of the earlier moves it waits for."""
Choice = Callable[[int], bool]
"""Whether an earlier move, by its number, may be waited for."""


def waits(
    guard: Guard,
    moves: Sequence[Move],
    ended: Callable[[int, int], bool] = lambda _a, _b: True,
    *,
    wished: bool = False,
) -> Waits:
    """Return what each of `moves` waits for, given that they are safe one at a time.

    `ended(k, i)` limits the choice: whether move k has ended when move i starts, on a timetable.
    Where that is only `wished`, and does not suffice, other earlier moves are waited for, too:
    whoever wished may not know every rule.
    """
    worst = _Worst(guard, moves)
    found = []
    for i in range(len(moves)):
        over = partial(_over, ended, i)
        found.append(worst.waits(i, over, partial(_not, over) if wished else _never))
    return tuple(found)


def _over(ended: Callable[[int, int], bool], number: int, earlier: int) -> bool:
    return ended(earlier, number)


def _not(choice: Choice, number: int) -> bool:
    return not choice(number)


def _never(_number: int) -> bool:
    return False


class _Worst:
    """Every move so far in flight."""

    def __init__(self, guard: Guard, moves: Sequence[Move]) -> None:
        self.guard, self.moves = guard, moves
        self.ledger = guard.ledger()
        self._trips: dict[str, list[int]] = {}
        """By guest, the numbers of its moves so far."""
        self._leaving: dict[str, list[int]] = {}
        """By host, the numbers of the moves so far that leave it."""

    def waits(self, number: int, *choices: Choice) -> tuple[int, ...]:
        """Return the fewest that move `number` must wait for; it is then in flight.

        They are of the first of `choices`, and of the next where these do not suffice.
        """
        move = self.moves[number]
        needed = self._trips.setdefault(move.guest, [])[-1:]
        ended = list(needed)
        alone = faults = self._faults(move, ended)
        for choice in choices:
            while faults and (k := self._most_helpful(number, faults, choice, ended)) is not None:
                ended.append(k)
                faults = self._faults(move, ended)
        for k in ended[len(needed) :][::-1]:
            without = [other for other in ended if other != k]
            left = alone if without == needed else self._faults(move, without)
            if len(left) <= len(faults):
                ended = without
        self._trips[move.guest].append(number)
        self._leaving.setdefault(move.source, []).append(number)
        self.ledger.put(move.guest, *self._held(move.guest, ()))
        return tuple(sorted(ended))

    def _most_helpful(
        self, number: int, faults: Sequence[Violation], choice: Choice, ended: Collection[int]
    ) -> int | None:
        """Return the first of `choice` whose end may mend `faults`; else the first, if any is left.

        Only those that leave the target, and other moves of the guests concerned, can help: who
        looks at all of them takes the square of the plan's length.
        """
        target = self.moves[number].target
        concerned = {guest for fault in faults for guest in fault.guests}
        trips = (k for guest in concerned for k in self._trips.get(guest, ()))
        helpful = {*self._leaving.get(target, ())}
        helpful.update(k for k in trips if self.moves[k].target != target)
        for some in (sorted(helpful), range(number)):
            for k in some:
                if k not in ended and choice(k):
                    return k
        return None

    def _faults(self, move: Move, ended: Collection[int]) -> tuple[Violation, ...]:
        """Return what breaks at the target if `move` starts once `ended` have ended."""
        changed = {self.moves[k].guest for k in ended}
        before = {guest: self.ledger[guest] for guest in changed}
        for guest in changed:
            self.ledger.put(guest, *self._held(guest, ended))
        try:
            hosts = (*self.ledger[move.guest], move.target)
            return self.guard.faults(self.ledger, move.guest, hosts, (move.target,))
        finally:
            for guest, held in before.items():
                self.ledger.put(guest, *held)

    def _held(self, guest: str, ended: Collection[int]) -> tuple[str, ...]:
        """Return what `guest` may hold once `ended` have ended and its other moves are going on."""
        trips = self._trips[guest]
        last = max((i for i, k in enumerate(trips) if k in ended), default=-1)
        start = self.moves[trips[0]].source if last < 0 else self.moves[trips[last]].target
        return (start, *(self.moves[k].target for k in trips[last + 1 :]))
