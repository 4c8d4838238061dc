"""CP-SAT on windows of schedules that are too large for it: the last trips to start, or the first.

All others stay as they are. Such a window ends the schedule, so that a shorter one shortens it;
one in the middle would only make room. It grows while the solver proves that there is nothing
better in it, and shrinks where it finds no answer.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from balancer.planner.order.kernels.passes import mirrored

if TYPE_CHECKING:
    from balancer.planner.order.arrange import Work

FIRST: Final = 60
LEAST: Final = 30
GROWTH: Final = 1.7
SHRINKING: Final = 0.6
LONGEST: Final = 0.5
"""The share of what is left of the work that one window may take."""
LOOK: Final = 0.005
"""Deterministic seconds that laying out a window counts for at least."""
WORTH: Final = 0.4
"""Seconds that must be left by the clock: loading the solver and laying out a window take time,
which nothing ends."""
MANY: Final = 3000
"""Trips up to which windows are laid out."""


class Windows:
    """How large the next window is, at which end, and how much work may still be done."""

    def __init__(self, work: "Work", left: float) -> None:
        self.work, self.left = work, left
        if len(work.compiled.trips) > MANY:
            self.left = 0.0
        self.size, self.backwards, self.proven = FIRST, False, 0

    def look(self) -> bool:
        """Look through one window if work and time are left; True if the best got better by it."""
        work, best, clock = self.work, self.work.best, self.work.seconds_left()
        if self.left <= 0 or clock < WORTH:
            return False
        from balancer.planner.order.exact import Known, Means, best_starts  # noqa: PLC0415 - slow

        assert best is not None  # noqa: S101 - nothing is polished that was not found
        c, start = work.compiled, best.start
        if self.backwards:
            legs, stock = mirrored(c.legs, c.stock)
            c, start = replace(c, legs=legs, stock=stock), best.seconds - best.end
        shortest = max(work.bound.seconds, work.floor)
        known = Known(start, best.rate, best.seconds, shortest)
        means = Means(LONGEST * self.left, LONGEST * clock)
        answer = best_starts(c, known, means, self.size)
        self.left -= max(LOOK, answer.work)
        found = answer.start
        if found is not None and work.placed_anew(found, best, backwards=self.backwards):
            self.proven = 0
            return True
        self._next(proven=answer.proven)
        return False

    def _next(self, *, proven: bool) -> None:
        """Go on to the other end; larger once both were looked through, smaller if one was not."""
        self.backwards = not self.backwards
        self.proven = self.proven + 1 if proven else 0
        if not proven:
            self.size = int(SHRINKING * self.size)
        elif self.proven > 1:
            if self.size >= len(self.work.compiled.trips):
                self.left = 0.0
            self.size, self.proven = int(GROWTH * self.size), 0
        if self.size < LEAST:
            self.left = 0.0
