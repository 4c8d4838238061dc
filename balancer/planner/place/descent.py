"""Shift one guest at a time, always the one that gains most, until no shift gains.

The best shift of each guest is remembered. Between two shifts only two sites and the groups of
one guest change, so what is remembered stays a bound from below for nearly all guests, and only
those whose bound is the least of all have to be looked at again (lazy evaluation, as in Minoux's
accelerated greedy, 1978).
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from balancer.planner.formulation import Bools, Ints
from balancer.planner.place.state import LEVELS, UNBOUNDED, State, lexicographic_least

CHUNK: Final = 32
"""Guests looked at together: a compromise between vectors too short and work in vain."""


class Descent:
    """Remembers, for every guest, its best shift, or a bound of what any of its shifts can add."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.steps = 0
        """Guests whose shifts were all evaluated."""
        count = len(state.site)
        self.everyone = np.arange(count)
        self.all_sites = np.arange(state.sites)
        self.bound: Ints = np.zeros((LEVELS, count), dtype=np.int64)
        """[levels, guests]: what the best shift adds if `exact`, else never more than that."""
        self.hope = self.bound.copy()
        """[levels, guests]: bounds that hold until the guest's own site or group changes."""
        self.group_hope = self.bound.copy()
        self.grouped = np.array([bool(groups) for groups in state.groups_of], dtype=np.bool_)
        self.target = np.zeros(count, dtype=np.int64)
        self.exact: Bools = np.zeros(count, dtype=np.bool_)
        self.forget(self.everyone)

    def forget(self, guests: Ints) -> None:
        """Fall back to a plain bound for `guests`: what is remembered of them no longer holds."""
        of_groups = self.state.group_bound(guests)
        self.hope[:, guests] = self.state.potential_without_groups(guests) + of_groups
        self.hope[:, guests[self.state.formulation.held[guests]]] = UNBOUNDED
        self.group_hope[:, guests] = of_groups
        self.bound[:, guests] = self.hope[:, guests]
        self.exact[guests] = False

    def run(self, most_steps: int, keep_going: Callable[[], bool]) -> None:
        """Shift until nothing gains, `most_steps` are spent, or nobody wants more."""
        while self.steps < most_steps and keep_going():
            hopeful = self.everyone[negative(self.bound)]
            if not len(hopeful):
                return
            order = hopeful[np.lexsort(self.bound[::-1, hopeful])]
            first = int(order[0])
            if not self.exact[first]:
                self._evaluate(order[:CHUNK][~self.exact[order[:CHUNK]]])
            elif self._affordable(first):
                self.move(first, int(self.target[first]))
            else:
                self._evaluate(order[:1])

    def _evaluate(self, guests: Ints) -> None:
        """Find the best shift of each of `guests`."""
        added, may = self.state.deltas(guests, self.all_sites)
        self.bound[:, guests], self.target[guests] = lexicographic_least(added, may)
        self.exact[guests] = True
        self.steps += len(guests)

    def _affordable(self, guest: int) -> bool:
        """True if the budgets, which every move draws on, still allow what is remembered."""
        _, may = self.state.deltas(np.array([guest]), self.target[[guest]])
        return bool(may[0, 0])

    def move(self, guest: int, target: int) -> None:
        """Shift `guest`, and correct what is remembered."""
        source, tight = int(self.state.site[guest]), self.state.tight()
        self.state.shift(guest, target)
        self.noted([guest], [source, target], tight=tight)

    def noted(self, guests: list[int], sites: list[int], *, tight: bool) -> None:
        """Take note that `guests` were shifted between `sites`.

        `tight`: a budget kept some guest from moving before that, and may do so no longer.
        """
        state = self.state
        if tight:
            self.forget(self.everyone)
            return
        groups = {id(g): g for guest in guests for g in state.groups_of[guest]}
        kin = [g.members for g in groups.values()]
        self.exact[np.isin(self.target, sites)] = False
        self._offer(np.unique(sites))
        near = self.everyone[np.isin(state.site, sites)]
        self.forget(np.unique(np.concatenate([near, *kin])))

    def _offer(self, sites: Ints) -> None:
        """Let every guest that might gain at all consider `sites`, which may have become better."""
        hopeful = self.everyone[negative(self.hope)]
        added, may = self.state.deltas_without_groups(hopeful, sites)
        least, index = lexicographic_least(added, may)
        taken = least[0] < UNBOUNDED
        hopeful, index = hopeful[taken], index[taken]
        least = least[:, taken] + self.group_hope[:, hopeful]
        better = _less(least, self.bound[:, hopeful])
        self.bound[:, hopeful[better]] = least[:, better]
        self.target[hopeful[better]] = sites[index[better]]
        self.exact[hopeful[better]] = ~self.grouped[hopeful[better]]


def negative(vectors: Ints) -> Bools:
    """True where [levels, a] is lexicographically below zero."""
    return _less(vectors, np.zeros_like(vectors))


def _less(a: Ints, b: Ints) -> Bools:
    less: Bools = np.zeros(a.shape[1], dtype=np.bool_)
    equal: Bools = np.ones(a.shape[1], dtype=np.bool_)
    for left, right in zip(a, b, strict=True):
        less |= equal & (left < right)
        equal &= left == right
    return less
