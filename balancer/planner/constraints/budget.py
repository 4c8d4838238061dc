"""How many guests and how much memory one plan may move."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from balancer.planner.formulation import Budget as AtMostSpent
from balancer.planner.formulation import Formulation
from balancer.planner.model.copying import sent_mib
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation

MIB_PER_GIB = 1024


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A plan moves at most as many guests and MiB as an hour may, by the policy's limits.

    Always in force, for repairs and orders too: what was moved within the last hour counts, and
    what is left over is for the next hour.
    """

    hard: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "limits"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return every guest."""
        return problem.everyone

    def post(self, formulation: Formulation) -> None:
        """Write both limits as budgets."""
        problem = formulation.problem
        guests = problem.cluster.guests
        data = np.array([sent_mib(problem, g.uuid) for g in guests], dtype=np.int64)
        formulation.add(AtMostSpent("limit moves_per_hour", np.ones_like(data), _left(problem)[0]))
        formulation.add(AtMostSpent("limit data_per_hour", data, _left(problem)[1]))

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return the limits that this many moves exceed; no single host is ever involved."""
        if touched is not None:
            return ()
        moved = tuple(dict.fromkeys(uuid for uuid, _ in problem.moved(occupancy)))
        return tuple(
            Violation(
                rule=self.label, subject=subject, amount=over, sentence=sentence, guests=moved
            )
            for subject, over, sentence in overspent(problem, moved)
        )


def overspent(problem: Problem, uuids: Collection[str]) -> Iterator[tuple[str, int, str]]:
    """Yield what moving all of `uuids`, as often as each is named, exceeds of this hour.

    That is the limit, by how much (moves, or MiB), and a sentence.
    """
    moves_left, data_left = _left(problem)
    data = sum(sent_mib(problem, uuid) for uuid in uuids)
    spent = (
        ("moves_per_hour", len(uuids), moves_left, f"{len(uuids)} moves"),
        ("data_per_hour", data, data_left, f"{data / MIB_PER_GIB:.1f} GiB moved"),
    )
    for subject, amount, limit, words in spent:
        if amount > limit:
            after = _after(problem)
            yield subject, amount - limit, f"{words}, more than the limit {subject} allows{after}"


def affordable(problem: Problem, uuids: Collection[str]) -> bool:
    """True if moving all of `uuids`, as often as each is named, is within what is left of this hour."""
    return not any(overspent(problem, uuids))


def _after(problem: Problem) -> str:
    """Return what else counts, for people."""
    moves = problem.spent_moves
    return f" after {moves} in the last hour" if moves else ""


def _left(problem: Problem) -> tuple[int, int]:
    """Return the moves and the MiB that are left of this hour."""
    limits = problem.policy.limits
    return (
        max(0, limits.moves_per_hour - problem.spent_moves),
        max(0, limits.data_per_hour - problem.spent_mib),
    )
