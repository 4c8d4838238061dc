"""Guests that talk much are near each other."""

from dataclasses import dataclass
from typing import Final

from balancer.planner.formulation import Flow, Formulation
from balancer.planner.model.conversation import Conversation
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector

POINTS_PER_SECOND: Final = 5
"""What a guest-second of waiting counts beside the price of moves: a GiB sent costs its guest
about 0.2 of them (docs/model.md), and one point at aggressiveness 5, where whatever pays is moved."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """`guests` and `others` send each other `rate` in all, evenly between all pairs of them.

    That has a price for distance: hosts, racks and rooms as `[distance]` says. Whoever is moved
    for it must save more waiting than the move costs.
    """

    guests: Selector
    rate: int
    """KiB/s, both ways together."""
    others: Selector | None = None
    """None: each other."""
    request: int = 64
    """KiB sent before somebody waits for an answer."""
    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        others = f" and {self.others.text}" if self.others else ""
        return self.name or f"traffic {self.guests.text}{others}"

    def conversation(self, problem: Problem) -> Conversation:
        """Return who talks to whom, and what they wait for it."""
        requests = self.rate / max(1, self.request)
        one = frozenset(problem.guests(self.guests))
        other = frozenset(problem.guests(self.others)) if self.others else one
        steps = problem.policy.distance.steps()
        return Conversation(
            label=self.label,
            one=one,
            other=other,
            steps=tuple((across, requests * us / 1e6) for across, us in steps),
        )

    def post(self, formulation: Formulation) -> None:
        """Write a flow for each kind of distance: what it costs over the horizon, in points."""
        problem = formulation.problem
        if problem.policy.repairs_only:
            return
        talk = self.conversation(problem)
        for across, wait in talk.steps:
            formulation.add(
                Flow(
                    label=self.label,
                    one=formulation.numbers(sorted(talk.one)),
                    other=formulation.numbers(sorted(talk.other)),
                    domain=formulation.domains(across),
                    points=round(POINTS_PER_SECOND * problem.policy.forecast.horizon * wait),
                )
            )
