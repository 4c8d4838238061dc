"""A move that is made for evenness or for traffic alone must pay: save more waiting than it costs.

Repairs, overload, orders, soft rules and whatever else a policy asks for come before: a move
without which any of that would be worse stays.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from math import inf
from typing import Final

import numpy as np

from balancer.planner.formulation import Flow, Formulation, Ints, Row
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Prediction
from balancer.planner.model.problem import Problem
from balancer.planner.order.moves import Travel
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.worth import Currency, Sums

SINGLY: Final = 64
"""Moves that are asked one by one where they cannot be left out together."""


def paying(problem: Problem, formulation: Formulation, target: Ints) -> Ints:
    """Return `target` without the moves that do not pay.

    Each is asked what leaving it out would cost. Those that cost more than what is believed of
    their saving are left out, all at once where that is permitted and makes nothing else worse,
    else one by one; then the rest is asked again.
    """
    moves = bool((target != formulation.start).any())
    if not moves or not any(map(_for_evenness, formulation.primitives)):
        return target
    asked = _Asked(problem, formulation)
    while (left := asked.without(target, asked.doubtful(target))) is not None:
        target = left
    return target


class _Asked:
    """What leaving moves out would do, of one problem."""

    def __init__(self, problem: Problem, formulation: Formulation) -> None:
        self._problem, self._formulation = problem, formulation
        self._moments = [Currency(moment) for moment in _moments(problem)]
        self._now = self._moments[0].sums(problem.cluster.placement)
        self._travel = Travel(problem)
        self._uuids = [guest.uuid for guest in problem.cluster.guests]
        self._hosts = [host.name for host in problem.cluster.hosts]
        self._rest = copy(formulation)
        self._rest.primitives = [p for p in formulation.primitives if not _for_evenness(p)]
        self._rest.move_cost = np.zeros_like(formulation.move_cost)

    def doubtful(self, target: Ints) -> list[int]:
        """Return the numbers of the guests whose moves do not pay, the worst first."""
        placement = self._placement(target)
        reached = [currency.sums(placement) for currency in self._moments]
        movers = np.flatnonzero(target != self._formulation.start).tolist()
        gains = {number: self._gain(number, int(target[number]), reached) for number in movers}
        return sorted((n for n in movers if gains[n] <= 0), key=lambda n: (gains[n], n))

    def without(self, target: Ints, doubtful: list[int]) -> Ints | None:
        """Return `target` without as many of those moves as may be left out; None if none may."""
        if not doubtful:
            return None
        all_home = self._home(target, doubtful)
        if self._harmless(target, all_home):
            return all_home
        found = None
        for number in doubtful[:SINGLY]:
            one_home = self._home(target, [number])
            if self._harmless(target, one_home):
                found = target = one_home
        return found

    def _gain(self, number: int, site: int, reached: Sequence[Sums]) -> float:
        """Return what is believed of a move's saving, less what it costs: the least at any moment.

        A move that cannot be made is not asked: the orderer says why.
        """
        uuid, target = self._uuids[number], self._hosts[site]
        source = self._problem.cluster.placement[uuid]
        takes = self._travel.at_best(uuid, source, target)
        if not isinstance(takes, Prediction):
            return inf
        moments = zip(self._moments, reached, strict=True)
        saved = min(currency.saved(sums, uuid, source, target) for currency, sums in moments)
        now, then = self._moments[0], reached[0]
        spent = now.spent(self._now, then, uuid, (source, target), takes)
        return self._problem.trust * saved - spent

    def _home(self, target: Ints, numbers: list[int]) -> Ints:
        home = target.copy()
        home[numbers] = self._formulation.start[numbers]
        return home

    def _harmless(self, target: Ints, left: Ints) -> bool:
        """True if `left` breaks nothing, and nothing but evenness is worse than with `target`."""
        if not permitted(self._formulation, left):
            return False
        with_all, with_less = score(self._rest, target), score(self._rest, left)
        return (
            with_less.repair <= with_all.repair
            and with_less.overload <= with_all.overload
            and with_less.cost <= with_all.cost
        )

    def _placement(self, target: Ints) -> Placement:
        return {u: self._hosts[s] for u, s in zip(self._uuids, target.tolist(), strict=True)}


def _moments(problem: Problem) -> Iterator[Problem]:
    """Yield the problem as it is expected, and as it was in each of the latest steps.

    What saves waiting must have done so for as long as heat must last: neither a host that seems
    full for a moment nor one that seems empty is a reason to move anybody.
    """
    yield problem
    demand = problem.demand
    for moment in demand.recent:
        yield replace(problem, demand=replace(demand, mean=moment, peak=moment, scenarios=()))


def _for_evenness(primitive: object) -> bool:
    """True if nobody is helped by it but by waiting less: even load, and answers from nearer."""
    return isinstance(primitive, Flow) or (isinstance(primitive, Row) and primitive.for_evenness)
