"""What moves are for and what they take, in one currency: guest-seconds of waiting.

Saved: what leaving a move out would cost over the horizon. Spent: what carrying it out costs, by
the predicted copy and pause. docs/model.md tells the formulas, `model.waiting` holds the first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum, sqrt
from statistics import NormalDist
from typing import Final

from balancer.planner.model.cluster import Guest, Host
from balancer.planner.model.conversation import Counts, Talk
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Action, Prediction, Worth
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, MEMORY, VCPUS
from balancer.planner.model.slowness import PER_MILLE
from balancer.planner.model.usage import MILLICORES
from balancer.planner.model.waiting import Burden, Room, together, waiting

SLOWED: Final = 0.1
"""Share of its time that a guest loses while its memory is copied: each first write to a page is
trapped."""
THROTTLED: Final = 0.2
"""The same where a guest may be slowed down so that it converges: QEMU begins with that."""
SENDER: Final = Burden(running=1.0)
"""What sending, and what receiving, puts on a host meanwhile: one thread that copies."""


@dataclass(frozen=True, slots=True)
class Sums:
    """One placement, summed up."""

    loads: tuple[Mapping[str, Burden], ...]
    """What hosts bear, by name, in each future that is looked at."""
    talk: Counts
    """Who is where of those who talk to each other."""


class Currency:
    """Reckons for one problem."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.horizon = problem.policy.forecast.horizon
        self._room = {host.name: _room(host) for host in problem.cluster.hosts}
        self._futures = _futures(problem)
        self._elsewhere = [_elsewhere(problem, future) for future in self._futures]
        self._talk = Talk(problem.conversations, problem.domain)

    def sums(self, placement: Placement) -> Sums:
        """Return what each host bears where guests are placed so."""
        guests: dict[str, list[str]] = {host: [] for host in self._room}
        for uuid, host in placement.items():
            guests[host].append(uuid)
        loads = tuple(
            {host: together(self._on(host, n, u) for u in here) for host, here in guests.items()}
            if self._elsewhere[n]
            else {host: together(future[u] for u in here) for host, here in guests.items()}
            for n, future in enumerate(self._futures)
        )
        return Sums(loads, self._talk.counts(placement))

    def total(self, sums: Sums) -> float:
        """Return the guest-seconds of waiting a second in the whole cluster."""
        return self._talk.waits(sums.talk) + fsum(
            self._waits(host, load) for loads in sums.loads for host, load in loads.items()
        ) / len(sums.loads)

    def waits(self, placement: Placement, hosts: Iterable[str]) -> tuple[float, ...]:
        """Return the guest-seconds of waiting a second on each of these hosts, for its load."""
        sums = self.sums(placement).loads
        return tuple(
            fsum(self._waits(host, loads[host]) for loads in sums) / len(sums) for host in hosts
        )

    def spread(self, placement: Placement, host: str) -> tuple[float, float]:
        """Return how many vCPUs want to run on a host: the mean, and by how much that varies."""
        loads = [sums[host] for sums in self.sums(placement).loads]
        variance = fsum(load.variance for load in loads) / len(loads)
        return fsum(load.running for load in loads) / len(loads), sqrt(max(0.0, variance))

    def saved(self, reached: Sums, uuid: str, source: str, target: str) -> float:
        """Return what the guest's being on `target` and not on `source` saves over the horizon.

        `reached` is with the guest on `target`: all other moves are made.
        """
        gain = 0.0
        for number, loads in enumerate(reached.loads):
            here, there = loads[source], loads[target]
            left, came = self._on(source, number, uuid), self._on(target, number, uuid)
            gain += self._waits(source, here.plus(left)) - self._waits(source, here)
            gain += self._waits(target, there.plus(came, -1)) - self._waits(target, there)
        load = self.horizon * gain / len(reached.loads)
        return load + self.nearer(reached, uuid, source, target)

    def nearer(self, reached: Sums, uuid: str, source: str, target: str) -> float:
        """Return the part of `saved` that is declared traffic's: answers come from nearer."""
        return self.horizon * self._talk.nearer(reached.talk, uuid, source, target)

    def all_nearer(self, now: Sums, reached: Sums) -> float:
        """Return what declared traffic waits less over the horizon where all moves are made."""
        return self.horizon * (self._talk.waits(now.talk) - self._talk.waits(reached.talk))

    def spent(
        self, now: Sums, reached: Sums, uuid: str, way: tuple[str, str], takes: Prediction
    ) -> float:
        """Return what moving the guest from way[0] to way[1] costs."""
        source, target = way
        slowed = self._problem.consented(self._problem.policy.allow.auto_converge, uuid)
        share = THROTTLED if slowed else SLOWED
        cost = 0.0
        for before, after, future in zip(now.loads, reached.loads, self._futures, strict=True):
            runs = max(1.0, future[uuid].running)
            cost += runs * (share * takes.seconds + takes.downtime_ms / 1000)
            cost += takes.seconds * self._more(source, before[source])
            cost += takes.seconds * self._more(target, after[target])
        return cost / len(now.loads)

    def _on(self, host: str, future: int, uuid: str) -> Burden:
        """Return what a guest puts on that host."""
        other = self._elsewhere[future].get((uuid, host))
        return self._futures[future][uuid] if other is None else other

    def _more(self, host: str, load: Burden) -> float:
        """Return how much more the guests of a host wait while it sends or receives."""
        return self._waits(host, load.plus(SENDER)) - self._waits(host, load)

    def _waits(self, host: str, load: Burden) -> float:
        return waiting(load, self._room[host])


def priced(
    problem: Problem, actions: Sequence[Action], reached: Placement
) -> tuple[tuple[Action, ...], Worth]:
    """Return the actions, each with what it is worth, and what they are worth together.

    A guest that takes two steps saves by the last one, from where it was at first.
    """
    if not actions:
        return (), Worth(saved=0.0, spent=0.0)
    currency = Currency(problem)
    now, then = currency.sums(problem.cluster.placement), currency.sums(reached)
    told = []
    for action in actions:
        way = (action.source, action.target)
        saved = nearer = 0.0
        if not action.temporary:
            ends = (problem.cluster.placement[action.guest], reached[action.guest])
            saved = currency.saved(then, action.guest, *ends)
            nearer = currency.nearer(then, action.guest, *ends)
        spent = currency.spent(now, then, action.guest, way, action.predicted)
        told.append(replace(action, worth=_worth(saved, spent, nearer)))
    saved = currency.horizon * (currency.total(now) - currency.total(then))
    spent = fsum(action.worth.spent for action in told if action.worth)
    return tuple(told), _worth(saved, spent, currency.all_nearer(now, then))


def _worth(saved: float, spent: float, nearer: float) -> Worth:
    return Worth(saved=round(saved, 1), spent=round(spent, 1), nearer=round(nearer, 1))


def _room(host: Host) -> Room:
    usable = host.usable
    return Room(usable.get(CPU, 0) / MILLICORES, float(usable.get(MEMORY, 0)))


def _futures(problem: Problem) -> tuple[Mapping[str, Burden], ...]:
    """Return what each guest puts on its host, in each joint future that is known of, or on average.

    Where futures are known they tell how guests vary together; else each varies by its own band.
    """
    demand = problem.demand
    reach = NormalDist().inv_cdf(problem.policy.forecast.quantile)
    guests = problem.cluster.guests
    if demand.scenarios:
        return tuple(
            {g.uuid: _burden(problem, g, future.get(g.uuid, {}).get(CPU), 0.0) for g in guests}
            for future in demand.scenarios
        )
    return ({g.uuid: _burden(problem, g, None, reach) for g in guests},)


def _elsewhere(problem: Problem, future: Mapping[str, Burden]) -> Mapping[tuple[str, str], Burden]:
    """Return, by uuid and host, what those put there who use more or less CPU than here."""
    found = {}
    for uuid, hosts in problem.slower.items():
        for host in hosts:
            here = round(future[uuid].running * MILLICORES)
            there = problem.cpu_on(host, uuid, here)
            needed = here * hosts[host] // PER_MILLE
            found[uuid, host] = replace(
                future[uuid],
                running=there / MILLICORES,
                variance=future[uuid].variance * (there / here if here else 1.0),
                within=max(0, needed - there) / MILLICORES,
            )
    return found


def _burden(problem: Problem, guest: Guest, cpu: int | None, reach: float) -> Burden:
    """Return the burden of a guest that uses `cpu`, or what is expected of it, within its band."""
    demand, uuid = problem.demand, guest.uuid
    mean, peak = demand.mean.get(uuid, {}), demand.peak.get(uuid, {})
    used = mean.get(CPU, 0) if cpu is None else cpu
    running = (used + demand.delay.get(uuid, 0)) / MILLICORES
    vcpus = max(running, float(guest.allocation.get(VCPUS, 0)))
    own = running * (1 - running / vcpus) if vcpus > 0 else 0.0
    spread = [
        max(0, peak.get(name, 0) - mean.get(name, 0)) / reach if reach > 0 else 0.0
        for name in (CPU, MEMORY)
    ]
    return Burden(
        running=running,
        variance=own + (spread[0] / MILLICORES) ** 2,
        memory=float(mean.get(MEMORY, 0)),
        memory_variance=spread[1] ** 2,
    )
