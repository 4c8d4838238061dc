"""Why this host and no other: every host a guest could have gone to, and what spoke against it."""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from balancer.planner.explain import MEMORY_USED, WORDS, loads, share
from balancer.planner.formulation import (
    Apart,
    AtMostPerDomain,
    Bools,
    Budget,
    DomainCount,
    Flow,
    Formulation,
    Ints,
    Level,
    Near,
    Packing,
    Primitive,
    Row,
)
from balancer.planner.granted import Grants
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import HostLoad
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU
from balancer.planner.model.weighed import Weighed
from balancer.planner.place.conflict import why_stays
from balancer.planner.place.evaluate import excesses, per_mille
from balancer.planner.place.groups import Streams

SHOWN = 3
"""Hosts left over that are named."""


def weigh(problem: Problem, formulation: Formulation, reached: Placement, uuid: str) -> Weighed:
    """Return what spoke for and against each host for a guest, all others being where `reached`.

    Where the guest cannot be moved, that is why, and no host is looked at.
    """
    return Scales(problem, formulation, reached).weigh(uuid)


class Scales:
    """Weighs guests one after the other, all others being where `reached`.

    What hosts bear there is summed up once; a guest then costs one look at each host, in arrays.
    """

    def __init__(self, problem: Problem, formulation: Formulation, reached: Placement) -> None:
        self._problem = problem
        self._formulation = formulation
        self._reached = reached
        self._placed = formulation.start.copy()
        for uuid, host in reached.items():
            self._placed[formulation.guest_number[uuid]] = formulation.site_number[host]
        self._names = [host.name for host in problem.cluster.hosts]
        self._grants = Grants(problem, reached)
        self._summed: dict[int, Ints] = {}
        """Sums by site or domain that primitives begin from, by their number."""

    def weigh(self, uuid: str) -> Weighed:
        """Return what spoke for and against each host, or why the guest cannot be moved."""
        formulation, problem = self._formulation, self._problem
        guest = formulation.guest_number[uuid]
        moved = self._reached[uuid] != problem.cluster.placement[uuid]
        if not moved and (formulation.held[guest] or not self._elsewhere(guest)):
            why = why_stays(formulation, guest)
            return Weighed(guest=uuid, stays=why, resized=self._grants.of(uuid))
        home = int(formulation.start[guest])
        words = self._against(guest)
        against = {name: words[site] for site, name in enumerate(self._names) if site != home}
        free = sorted((h for h, why in against.items() if not why), key=self._busy_first)
        return Weighed(
            guest=uuid,
            rejected=dict(Counter(filter(None, against.values())).most_common()),
            left=tuple(free[:SHOWN]),
            more=max(0, len(free) - SHOWN),
            otherwise=self._otherwise(uuid, moved=moved),
            resized=self._grants.of(uuid),
        )

    def _elsewhere(self, guest: int) -> bool:
        """True if some host but its own is open to the guest."""
        others = self._formulation.allowed[guest].copy()
        others[self._formulation.start[guest]] = False
        return bool(others.any())

    def _busy_first(self, host: str) -> tuple[float, str]:
        return self._busy[host], host

    @cached_property
    def _busy(self) -> dict[str, float]:
        return {line.host: _busiest(line) for line in loads(self._problem, self._reached)}

    @cached_property
    def _now(self) -> dict[str, HostLoad]:
        problem = self._problem
        return {line.host: line for line in loads(problem, problem.cluster.placement)}

    def _against(self, guest: int) -> list[str]:
        """Return, for each site, the first thing that speaks against the guest there, or nothing."""
        formulation = self._formulation
        words = [""] * len(self._names)
        for label, guests, sites in formulation.bans:
            if guest in guests:
                _note(words, sites.tolist(), label)
        for level, heat in ((Level.REPAIR, ""), (Level.OVERLOAD, "would be hot")):
            for number, primitive in enumerate(formulation.primitives):
                if isinstance(primitive, Budget) or primitive.penalty.level is not level:
                    continue
                worse = self._worse(number, primitive, guest)
                if worse is not None:
                    _note(words, np.flatnonzero(worse).tolist(), heat or primitive.label)
        for label, further in self._further(guest):
            _note(
                words, np.flatnonzero(further).tolist(), f"further from whom it talks to: {label}"
            )
        return words

    def _further(self, guest: int) -> Iterator[tuple[str, Bools]]:
        """Yield, for each conversation the guest has, [sites]: whether it is dearer from there.

        Than from where it is once all have moved.
        """
        cost: dict[str, Ints] = {}
        for primitive in self._formulation.primitives:
            if isinstance(primitive, Flow) and guest in primitive.members:
                sites = np.zeros_like(self._formulation.site_cost)
                steps, _ = Streams(primitive, self._placed).shift(guest, int(self._placed[guest]))
                cost[primitive.label] = cost.get(primitive.label, sites) + steps
        for label, more in cost.items():
            yield label, more > 0

    def _worse(self, number: int, primitive: Primitive, guest: int) -> Bools | None:
        """Return [sites]: whether `primitive` is exceeded by more with the guest there than at home.

        None where the guest has no part in it.
        """
        if isinstance(primitive, Row):
            return self._fuller(number, primitive, guest)
        if isinstance(primitive, Near):
            return self._apart(primitive, guest)
        if isinstance(primitive, AtMostPerDomain | DomainCount):
            return self._crowded(number, primitive, guest)
        return self._reckoned(primitive, guest)

    def _crowded(
        self, number: int, primitive: AtMostPerDomain | DomainCount, guest: int
    ) -> Bools | None:
        if guest not in primitive.members:
            return None
        home = int(self._formulation.start[guest])
        counts = self._counts(number, primitive).copy()
        counts[primitive.domain[self._placed[guest]]] -= 1
        counts[primitive.domain[home]] += 1
        there: Bools = primitive.domain != primitive.domain[home]
        if isinstance(primitive, AtMostPerDomain):
            return there & (counts[primitive.domain] >= primitive.most)
        leaving = int(counts[primitive.domain[home]] == 1)
        used = int(np.count_nonzero(counts))
        after = used + there * ((counts[primitive.domain] == 0).astype(np.int64) - leaving)
        return _beyond(primitive, after) > _beyond(primitive, np.array([used]))

    def _fuller(self, number: int, row: Row, guest: int) -> Bools:
        use = int(row.use[guest])
        without = self._sums(number, row).copy()
        without[self._placed[guest]] -= use
        before, after = _over(row, without), _over(row, without + use)
        worse: Bools = after > before
        worse[self._formulation.start[guest]] = False
        return worse

    def _apart(self, near: Near, guest: int) -> Bools | None:
        if guest not in (near.a, near.b) or near.a == near.b:
            return None
        other = near.b if guest == near.a else near.a
        apart: Bools = near.domain != near.domain[self._placed[other]]
        return apart & (not apart[self._formulation.start[guest]])

    def _reckoned(self, primitive: Primitive, guest: int) -> Bools | None:
        """Reckon the excess anew with the guest on each site: for what has no quicker way."""
        concerned = (
            (*primitive.one, *primitive.other)
            if isinstance(primitive, Apart)
            else primitive.members
            if isinstance(primitive, Packing)
            else ()
        )
        if guest not in concerned:
            return None
        formulation, there = self._formulation, self._placed.copy()
        there[guest] = formulation.start[guest]
        before = excesses(formulation, primitive, there)
        worse = np.zeros(len(self._names), dtype=np.bool_)
        for site in range(len(worse)):
            there[guest] = site
            worse[site] = np.any(excesses(formulation, primitive, there) > before)
        return worse

    def _sums(self, number: int, row: Row) -> Ints:
        """Return [sites]: what a row sums up to."""
        if number not in self._summed:
            sums = np.zeros(len(row.limit), dtype=np.int64)
            np.add.at(sums, self._placed, row.use)
            self._summed[number] = sums
        return self._summed[number]

    def _counts(self, number: int, primitive: AtMostPerDomain | DomainCount) -> Ints:
        """Return [domains]: how many members each has."""
        if number not in self._summed:
            placed = primitive.domain[self._placed[primitive.members]]
            self._summed[number] = np.bincount(placed, minlength=int(primitive.domain.max()) + 1)
        return self._summed[number]

    def _otherwise(self, uuid: str, *, moved: bool) -> str:
        """Return what would have decided otherwise about the guest, in one phrase."""
        home = self._problem.cluster.placement[uuid]
        return otherwise(self._problem, self._now[home], moved=moved)


def otherwise(problem: Problem, line: HostLoad, *, moved: bool) -> str:
    """Return what would have decided otherwise about the guests of a host, in one phrase."""
    limits = problem.policy.hot
    used = ((CPU, "cpu_used", limits.cpu_used), (MEMORY_USED, "memory_used", limits.memory_used))
    over = [(key, share(line, name)) for name, key, limit in used if share(line, name) > limit]
    if moved and over:
        key, level = over[0]
        return f"it would stay if hot.{key} were above {level:.0%}, or under [[stay]]"
    if moved:
        return "it would stay under [[stay]] or in a [[blackout]]"
    name, key, limit = max(used, key=lambda item: share(line, item[0]) - item[2])
    return (
        f"it would be considered if {line.host} used more than {limit:.0%} of its {WORDS[name]} "
        f"(hot.{key}; now {share(line, name):.0%}), or broke a rule where it is"
    )


def _note(words: list[str], sites: list[int], label: str) -> None:
    """Keep `label` for each of `sites` that nothing spoke against so far."""
    for site in sites:
        words[site] = words[site] or label


def _over(row: Row, sums: Ints) -> Ints:
    over: Ints = np.maximum(0, sums - row.limit)
    return over if row.scale is None else per_mille(over, row.scale)


def _beyond(primitive: DomainCount, used: Ints) -> Ints:
    """Return by how much so many domains are too few or too many."""
    beyond: Ints = np.maximum(0, np.maximum(primitive.least - used, used - primitive.most))
    return beyond


def _busiest(line: HostLoad) -> float:
    return max(share(line, CPU, after=True), share(line, MEMORY_USED, after=True))
