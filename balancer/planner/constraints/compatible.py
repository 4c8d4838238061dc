"""Whether a guest can run on another host at all. What is not known to fit does not."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.fitting import against, misfits
from balancer.planner.model.fitting import why_not as why_not  # noqa: PLC0414 - callers look here
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Compatible:
    """A guest moves only where processor, machine type, QEMU, networks, storage and devices fit.

    Where a cold move is allowed, as they fit a guest that is started anew. Always in force. Staying is always allowed.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "compatible"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return every guest."""
        return problem.everyone

    def post(self, formulation: Formulation) -> None:
        """Forbid what does not fit, once for all guests and hosts that are alike."""
        for members, barred in misfits(formulation.problem):
            formulation.forbid(members, barred, self.label, spare_start=True)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each guest that is away from home where it does not fit."""
        found: list[Violation] = []
        known = problem.once("why not", dict[tuple[str, str], str])
        for uuid, host in problem.moved(occupancy, touched):
            guest = problem.cluster.guest[uuid]
            if (uuid, host) not in known:
                known[uuid, host] = against(problem, guest, host)
            if reason := known[uuid, host]:
                found.append(
                    Violation(
                        rule=self.label,
                        subject=f"{guest.name} on {host}",
                        amount=1,
                        sentence=f"{guest.name} cannot run on {host}: {reason}",
                        guests=(uuid,),
                    )
                )
        return tuple(found)
