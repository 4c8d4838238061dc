"""Hosts are used as evenly as a budget of moves allows, whatever a single move costs."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer.planner.formulation import Formulation, Level, Penalty, Row
from balancer.planner.model.resources import CPU, MEMORY

STEP: Final = 5
"""Per mille between two pieces of the price."""
PIECES: Final = 120


def _square() -> Penalty:
    """Return the square of an excess in per mille, as lines between points STEP apart."""
    starts = [STEP * n for n in range(PIECES)]
    return Penalty(Level.COST, tuple((s, STEP if s == 0 else 2 * STEP) for s in starts))


SQUARE: Final = _square()


@dataclass(frozen=True, kw_only=True)
class Even:
    """The squares of what hosts' mean use is off the cluster's, above and below, are least.

    For mode balance, where a budget bounds what moves; `balance` asks whether a move pays.
    """

    cpu: bool = True
    memory: bool = True

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "even"

    def post(self, formulation: Formulation) -> None:
        """Write two rows for each resource: what is too much, and what is too little."""
        if formulation.problem.policy.repairs_only:
            return
        for name, wanted in ((CPU, self.cpu), (MEMORY, self.memory)):
            if wanted:
                self._rows(formulation, name)

    def _rows(self, formulation: Formulation, name: str) -> None:
        use, usable = formulation.mean(name), formulation.usable(name)
        alike = formulation.sites(formulation.problem.receiving)
        here = np.isin(formulation.start, alike)
        even = int(use[here].sum()) / max(1, int(usable[alike].sum()))
        target = np.rint(usable * even).astype(np.int64)
        full = int(use.sum())
        too_much, too_little = np.full(len(usable), full), np.zeros(len(usable), dtype=np.int64)
        too_much[alike], too_little[alike] = target[alike], -target[alike]
        for way, limit in ((1, too_much), (-1, too_little)):
            formulation.add(
                Row(
                    label=f"{self.label}: {name}",
                    use=way * use,
                    limit=limit,
                    penalty=SQUARE,
                    hard=False,
                    transient=False,
                    scale=np.maximum(1, usable),
                )
            )
