"""Guests that are moved a few at a time, such as the members of a quorum."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import floor
from typing import ClassVar, Final

from balancer.planner.formulation import Formulation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector
from balancer.planner.model.turns import Turn
from balancer.planner.model.violation import Violation

ROUNDING: Final = 1e-9
"""So that 29 % of 100 are 29, whatever a binary fraction makes of it."""


@dataclass(frozen=True, kw_only=True)
class Careful:
    """Of these guests at most `moving_at_once` are moving at any time, orders and drains included.

    After one has moved the next waits for `wait_between`, also across plans. It says nothing on
    where guests are: only on when they move, and how long they may pause. With `share_at_once`
    so large a part of a group may move in place of a number, rounded down, but always one.
    """

    hard: ClassVar[bool] = True

    guests: Selector
    moving_at_once: int = 1
    share_at_once: float = 0.0
    wait_between: float = 0.0
    pause_at_most: int = 0
    each_group_alone: bool = False
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or f"careful {self.guests.text}"

    def turns(self, problem: Problem) -> tuple[Turn, ...]:
        """Return its groups: one for each pattern where each is alone."""
        patterns = [p for p in self.guests.patterns if not p.startswith("!")]
        excluded = [p for p in self.guests.patterns if p.startswith("!")]
        alone = self.each_group_alone and len(patterns) > 1
        selectors = (
            [Selector((p, *excluded), may_be_empty=True) for p in patterns]
            if alone
            else [self.guests]
        )
        groups = ((selector, frozenset(problem.guests(selector))) for selector in selectors)
        return tuple(
            Turn(
                label=f"{self.label}: {selector.text}" if alone else self.label,
                members=members,
                most=self._most(len(members)),
                wait=self.wait_between,
            )
            for selector, members in groups
        )

    def _most(self, members: int) -> int:
        """Return how many of so many may move at a time."""
        if not self.share_at_once:
            return self.moving_at_once
        return max(1, floor(self.share_at_once * members + ROUNDING))

    def pauses(self, problem: Problem) -> Mapping[str, int]:
        """Return the longest pause of each of its guests, milliseconds; nothing where it says none."""
        members = problem.guests(self.guests) if self.pause_at_most else ()
        return dict.fromkeys(members, self.pause_at_most)

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return nobody: where guests are is not its business."""
        del problem
        return ()

    def post(self, formulation: Formulation) -> None:
        """Write nothing."""

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return nothing; the judge reads its turns off the timetable."""
        del problem, occupancy, touched
        return ()
