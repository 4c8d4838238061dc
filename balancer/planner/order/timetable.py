"""When each move starts and how fast it goes: event-driven list scheduling.

At every event the moves that wait for nothing more are tried, those with the longest tail of
successors first. A move starts when numbers and links allow it. A link's share is divided among
as many moves as may use it at once, so that moves begun together go on together; what is left of
it is taken from half of such a part upwards, as a move keeps its rate to the end.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from balancer.planner.model.law import link_share
from balancer.planner.model.plan import Prediction
from balancer.planner.order.dependencies import Waits
from balancer.planner.order.moves import Move, Travel, whole


@dataclass(frozen=True, slots=True)
class Timed:
    """A move with its time, seconds from the plan's start, and its rate."""

    start: float
    rate_kib_s: int
    predicted: Prediction

    @property
    def end(self) -> float:
        """When it is expected to have ended."""
        return self.start + self.predicted.seconds


@dataclass(frozen=True, slots=True)
class Wish:
    """When a move would best start and end, seconds, and how fast it would best go."""

    start: float
    end: float
    rate_kib_s: int


def timetable(
    travel: Travel, moves: Sequence[Move], waits: Waits, wishes: Sequence[Wish] = ()
) -> tuple[Timed, ...]:
    """Return the time of each of `moves`, every one of which converges at its best rate.

    With `wishes`, one for each move, rates are as wished and turns in the order of wished starts.
    Needs limits on numbers of at least one.
    """
    work = _Clockwork(travel, moves, waits, wishes)
    while work.running or work.ready:
        work.start_all()
        work.end_next()
    return tuple(work.timed[i] for i in range(len(moves)))


class _Clockwork:
    """The state of one call of `timetable`."""

    def __init__(
        self, travel: Travel, moves: Sequence[Move], waits: Waits, wishes: Sequence[Wish]
    ) -> None:
        self.travel, self.moves, self.wishes = travel, moves, wishes
        self.limits = travel.problem.policy.limits
        self.now = 0.0
        self.timed: dict[int, Timed] = {}
        self.running: list[tuple[float, int]] = []
        self._open = [len(needed) for needed in waits]
        self._after: list[list[int]] = [[] for _ in moves]
        for i, needed in enumerate(waits):
            for k in needed:
                self._after[k].append(i)
        self._out_used: Counter[str] = Counter()
        self._in_used: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self._out_due = Counter(move.source for move in moves)
        self._in_due = Counter(move.target for move in moves)
        self._wakes: list[float] = []
        """When somebody's turn comes, seconds."""
        self._tail = self._tails()
        turns = sorted(range(len(moves)), key=lambda i: (self._turn(i), i))
        self._rank = [0] * len(moves)
        """By move: its place among all turns. Ready moves are sorted by it at every end."""
        for place, i in enumerate(turns):
            self._rank[i] = place
        self.ready: list[int] = []
        self._make_ready(i for i, still in enumerate(self._open) if not still)

    def _tails(self) -> list[float]:
        """Return how long each move and all that must follow it take at best, seconds."""
        tails = [0.0] * len(self.moves)
        for i, move in reversed(list(enumerate(self.moves))):
            follow = max((tails[k] for k in self._after[i]), default=0.0)
            tails[i] = follow + self.travel.seconds(move.guest, move.source, move.target)
        return tails

    def _make_ready(self, numbers: Iterable[int]) -> None:
        for i in numbers:
            insort(self.ready, i, key=self._rank.__getitem__)

    def _turn(self, i: int) -> float:
        return self.wishes[i].start if self.wishes else -self._tail[i]

    def start_all(self) -> None:
        """Start every move that numbers and links allow now.

        Whoever waits for a turn says so anew each time: kept, the same few moments would be woken
        up for again and again, and each time by more.
        """
        self._wakes.clear()
        waiting = []
        for place, i in enumerate(self.ready):
            if len(self.running) >= self.limits.at_once_total:
                waiting += self.ready[place:]
                break
            timed = self._chance(i)
            if timed is None:
                waiting.append(i)
            else:
                self._start(i, timed)
        self.ready = waiting

    def _chance(self, i: int) -> Timed | None:
        """Return how move `i` would go if it started now, or None if it has to wait."""
        move, most = self.moves[i], self.limits.at_once_per_host
        if self._busy[move.source] >= most or self._busy[move.target] >= most:
            return None
        turn = self._turn_of(move.guest)
        if turn > self.now:
            heappush(self._wakes, turn)
            return None
        for rate in self._rates(i):
            predicted = self.travel.predict(move.guest, move.source, move.target, rate)
            if isinstance(predicted, Prediction):
                return Timed(self.now, rate, predicted)
        return None

    def _turn_of(self, guest: str) -> float:
        """Return when the guest may move, by the groups within which it takes turns."""
        problem, found = self.travel.problem, self.now
        for turn in problem.turns(guest):
            past = (t - problem.at for u, t in problem.ended_at.items() if u in turn.members)
            ours = (t.end for i, t in self.timed.items() if self.moves[i].guest in turn.members)
            found = max(found, turn.free_at([*past, *ours]))
        return found

    def _rates(self, i: int) -> tuple[int, ...]:
        """Return the rates to try now, KiB/s: its part, and all that is free where it needs that."""
        move = self.moves[i]
        out = link_share(self.travel.problem, move.source)
        into = link_share(self.travel.problem, move.target)
        most = self.limits.at_once_per_host
        leaving = out // min(most, self._out_due[move.source])
        entering = into // min(most, self._in_due[move.target])
        part = max(1, min(leaving, entering))
        free = min(out - self._out_used[move.source], into - self._in_used[move.target])
        if self.wishes:
            return (self.wishes[i].rate_kib_s,) if self.wishes[i].rate_kib_s <= free else ()
        if free <= 0 or 2 * free < part:
            return ()
        return whole(min(part, free)), whole(free)

    def _start(self, i: int, timed: Timed) -> None:
        self.timed[i] = timed
        self._hold(self.moves[i], timed.rate_kib_s, 1)
        heappush(self.running, (timed.end, i))

    def end_next(self) -> None:
        """Go on to the next end, and let all that end at that instant end; or to the next turn."""
        if self._wakes and (not self.running or self._wakes[0] < self.running[0][0]):
            self.now = heappop(self._wakes)
            return
        self.now = self.running[0][0]
        freed = []
        while self.running and self.running[0][0] == self.now:
            _, i = heappop(self.running)
            move = self.moves[i]
            self._hold(move, -self.timed[i].rate_kib_s, -1)
            self._out_due[move.source] -= 1
            self._in_due[move.target] -= 1
            for k in self._after[i]:
                self._open[k] -= 1
                if not self._open[k]:
                    freed.append(k)
        self._make_ready(freed)

    def _hold(self, move: Move, rate: int, number: int) -> None:
        self._out_used[move.source] += rate
        self._in_used[move.target] += rate
        self._busy[move.source] += number
        self._busy[move.target] += number
