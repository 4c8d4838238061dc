"""Guests that something ties to their host."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.cluster import Guest
from balancer.planner.model.copying import REMEDY, holding
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.staying import strayed
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Tied:
    """Guests with a passed-through device, a local disk, a running job, an owner … stay.

    Always in force. One consent unties guests: `copy_local_disks`, from disks that can be copied
    along. Storage of unknown kind is not trusted (declaring it in the hosts file is the way), owners
    are asked by people.
    """

    hard: ClassVar[bool] = True
    singly: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "tied"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return the guests that are tied."""
        return tuple(self._because(problem))

    def _because(self, problem: Problem) -> Mapping[str, str]:
        return problem.once((self, "because"), lambda: because(problem))

    def post(self, formulation: Formulation) -> None:
        """Hold them, each for its own reason."""
        for uuid, reason in self._because(formulation.problem).items():
            formulation.hold([formulation.guest_number[uuid]], reason)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each of them that is away from home."""
        return strayed(problem, occupancy, touched, self.label, self._because(problem))


def because(problem: Problem) -> Mapping[str, str]:
    """Return, for each guest that is tied, by what; ordered by uuid."""
    reasons = {
        guest.uuid: bonds_left(problem, guest)
        for guest in problem.cluster.guests
        if guest.ties or guest.owner
    }
    return {uuid: reason for uuid, reason in sorted(reasons.items()) if reason}


def bonds(guest: Guest) -> str:
    """Return what ties `guest` to its host, whatever is allowed, in one phrase, or nothing."""
    left = [f"{tie.kind}: {tie.detail}" for tie in guest.ties]
    if guest.owner and not any(tie.kind == "owner" for tie in guest.ties):
        left.append(f"owner: {guest.owner}")
    return ", ".join(left)


def bonds_left(problem: Problem, guest: Guest) -> str:
    """Return the same, less what the policy's consents loosen, with the key that would loosen more."""
    said = bonds(replace(guest, ties=holding(problem, guest)))
    more = any(tie.disk for tie in holding(problem, guest))
    return f"{said} ({REMEDY})" if more else said
