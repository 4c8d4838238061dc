"""Room for the guests of hosts that are lost."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from balancer.planner.formulation import HARD, SOFT, Formulation, Refuge
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.survival import Losses, Watch, losses
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, kw_only=True)
class Survive:
    """When any `hosts_lost` hosts, or values of the label `across`, are lost, their guests find room.

    On the others, as they are filled, while nobody else moves: N+1. Room is what `[capacity]` gives
    out, and the hardware must fit; other rules do not count then. Every single loss is looked at, up
    to 500 hosts; of more, or of several at a time, those of the fullest hosts, and that is said.
    """

    hosts_lost: int = 1
    across: str = "host"
    hard: bool = True
    name: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for no loss at all."""
        if self.hosts_lost < 1:
            raise ValueError("hosts_lost must be 1 or more")

    @property
    def label(self) -> str:
        """What the operator calls it."""
        many = "" if self.hosts_lost == 1 else "s"
        return self.name or f"survive {self.hosts_lost} {self.across}{many} lost"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return every guest: each takes room that others may need."""
        return problem.everyone

    def _losses(self, problem: Problem) -> Losses:
        return losses(problem, self.hosts_lost, self.across)

    def caveat(self, problem: Problem) -> str:
        """Return what is not proven, in one phrase; empty where all losses are looked at."""
        known = self._losses(problem)
        return (
            "" if known.complete else f"unproven: the {len(known.sets)} fullest losses looked at"
        )

    def post(self, formulation: Formulation) -> None:
        """Write the losses as sites to take refuge from."""
        problem = formulation.problem
        known = self._losses(problem)
        guests = [g.uuid for g in problem.cluster.guests]
        hosts = [h.name for h in problem.cluster.hosts]
        nothing = (0,) * len(known.sizes)
        may = np.zeros((len(guests), len(hosts)), dtype=np.bool_)
        may[:, formulation.sites(known.rooms)] = True
        for number, uuid in enumerate(guests):
            may[number, formulation.sites(known.barred[uuid])] = False
            may[number] &= uuid in known.counted
        use = [known.wants[uuid] for uuid in guests]
        room = [known.rooms.get(host, nothing) for host in hosts]
        shape = (-1, len(known.sizes))
        formulation.add(
            Refuge(
                label=self.label,
                use=np.array(use, dtype=np.int64).reshape(shape),
                room=np.array(room, dtype=np.int64).reshape(shape),
                may=may,
                lost=tuple(formulation.sites(hosts) for hosts in known.sets),
                penalty=HARD if self.hard else SOFT,
                hard=self.hard,
                complete=known.complete,
            )
        )

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each loss after which some guests find no room; any change concerns all."""
        del touched
        known = self._losses(problem)
        watch = problem.once((self, "watch"), lambda: Watch(problem, known))
        return tuple(
            self._stranded(problem, known.names[number], left)
            for number, left in sorted(watch.look(occupancy).items())
        )

    def _stranded(self, problem: Problem, lost: str, left: tuple[str, ...]) -> Violation:
        names = ", ".join(sorted(map(problem.name, left)))
        return Violation(
            rule=self.label,
            subject=lost,
            amount=len(left),
            sentence=f"if {lost} were lost, {names} would find no room elsewhere",
            guests=tuple(sorted(left)),
            hard=self.hard,
        )
