"""A part of a cluster that answers for the whole: enough hosts for some guests, and who concerns them.

Where a few guests look for a place and nobody else moves, most hosts change nothing. A place found
in the part is one in the whole, by every rule: rules that look at one guest on one host, or at the
guests of one host, read the same there; of every other rule that speaks of the guests looking, all
guests that it speaks of are in the part, wherever they are. That nothing is found in the part says
nothing of the whole.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.barred import Barred
from balancer.planner.constraints.blackout import Blackout
from balancer.planner.constraints.budget import Budget
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.changing import Changing
from balancer.planner.constraints.compatible import Compatible
from balancer.planner.constraints.cooling import Cooling
from balancer.planner.constraints.drain import Drain
from balancer.planner.constraints.headroom import Headroom
from balancer.planner.constraints.held import Held
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.numa import Numa
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.prefer import Prefer
from balancer.planner.constraints.reachable import Reachable
from balancer.planner.constraints.returning import Returning
from balancer.planner.constraints.stay import Stay
from balancer.planner.constraints.survive import Survive
from balancer.planner.constraints.tied import Tied
from balancer.planner.constraints.unknown_data import UnknownData
from balancer.planner.model.allotment import takes
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.fitting import misfits
from balancer.planner.model.policy import Constraint
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, MEMORY, VCPUS
from balancer.planner.model.rooming import rooms

LOCAL: Final = (
    Avoid,
    Barred,
    Blackout,
    Budget,
    Capacity,
    Changing,
    Compatible,
    Cooling,
    Drain,
    Headroom,
    Held,
    NeverMove,
    Numa,
    OnlyOn,
    Prefer,
    Reachable,
    Returning,
    Stay,
    Tied,
    UnknownData,
)
"""Rules that look at one guest on one host, at the guests of one host, or at who moves. Of any
other it is taken that whoever it speaks of must be seen together."""


@dataclass(frozen=True, slots=True)
class Atlas:
    """What is known of a whole cluster once, for many parts of it."""

    problem: Problem
    roomiest: tuple[str, ...]
    """Hosts that may be given guests, by the share of them that is free, the most first."""
    barred: Mapping[str, frozenset[str]]
    """Hosts on which a guest cannot run, by uuid."""
    bound: tuple[tuple[Constraint, frozenset[str]], ...]
    """Rules that are not `LOCAL`, and the guests of which each speaks."""

    def part(
        self, guests: Collection[str], hosts: int, without: Collection[str] = ()
    ) -> frozenset[str] | None:
        """Return the names of enough hosts for `guests`; None where only the whole will do.

        For each kind of them the `hosts` roomiest that it could run on, those in `without` apart.
        """
        cluster = self.problem.cluster
        names = {cluster.placement[uuid] for uuid in guests}
        for rule, members in self.bound:
            if members.isdisjoint(guests):
                continue
            if isinstance(rule, Survive) or getattr(rule, "evenly", False):
                return None  # every host counts
            names.update(cluster.placement[uuid] for uuid in members)
        for barred in {self.barred[uuid] for uuid in guests}:
            roomy = (n for n in self.roomiest if n not in without and n not in barred)
            names.update(islice(roomy, hosts))
        for uuid, target in cluster.in_flight.items():  # holds room on both ends
            if target in names or cluster.placement[uuid] in names:
                names |= {target, cluster.placement[uuid]}
        return frozenset(names) if 2 * len(names) < len(cluster.hosts) else None

    def loose(self, guests: Collection[str], inside: frozenset[str]) -> Iterator[str]:
        """Yield those of `guests` of whom no rule speaks together with guests that are not `inside`."""
        tied = {u for _, members in self.bound if not members <= inside for u in members}
        yield from (uuid for uuid in guests if uuid not in tied)

    def inside(self, names: Collection[str]) -> Problem:
        """Return the problem of these hosts and of the guests on them, with rules that concern them."""
        found = narrowed(self.problem, names)
        here = found.cluster.guest.keys()
        idle = {id(rule) for rule, members in self.bound if members.isdisjoint(here)}
        rules = tuple(r for r in found.policy.constraints if id(r) not in idle)
        return replace(found, policy=replace(found.policy, constraints=rules))


def atlas(problem: Problem, asked: Problem) -> Atlas:
    """Return what is to be known of `problem` for parts of it.

    `asked` has the same guests and at least its hosts, and says which guest could run where.
    """
    barred: dict[str, frozenset[str]] = {}
    for members, numbers in misfits(asked):
        names = frozenset(asked.cluster.hosts[number].name for number in numbers)
        barred |= dict.fromkeys((asked.cluster.guests[m].uuid for m in members), names)
    return Atlas(
        problem=problem,
        roomiest=_roomiest(problem),
        barred=barred,
        bound=tuple(
            (rule, frozenset(rule.concerns(problem)))
            for rule in problem.policy.constraints
            if not isinstance(rule, LOCAL)
        ),
    )


def _roomiest(problem: Problem) -> tuple[str, ...]:
    taken, peak = takes(problem), problem.demand.peak
    free: dict[str, float] = {}
    for name, room in rooms(problem).items():
        here = problem.cluster.guests_on[name]
        busy = sum(peak.get(g.uuid, {}).get(CPU, 0) for g in here)
        cores = problem.policy.hot.cpu_used * problem.host(name).usable.get(CPU, 0)
        shares = [1 - busy / cores if cores else 0.0]
        for what in (MEMORY, VCPUS):
            held = sum(taken[g.uuid].get(what, 0) for g in here)
            shares.append(1 - held / room[what] if room.get(what, 0) else 0.0)
        free[name] = min(shares)
    return tuple(sorted(free, key=lambda name: (-free[name], name)))


def narrowed(problem: Problem, hosts: Collection[str]) -> Problem:
    """Return the problem of these hosts and of the guests on them alone."""
    cluster, demand = problem.cluster, problem.demand
    chosen = tuple(h for h in cluster.hosts if h.name in hosts)
    guests = tuple(g for h in chosen for g in cluster.guests_on[h.name])
    uuids = frozenset(g.uuid for g in guests)
    names = frozenset(h.name for h in chosen)
    return replace(
        problem,
        cluster=Cluster(
            chosen,
            guests,
            {g.uuid: cluster.placement[g.uuid] for g in guests},
            {u: to for u, to in cluster.in_flight.items() if u in uuids and to in names},
        ),
        demand=replace(demand, pressed={name: of & names for name, of in demand.pressed.items()}),
        passing=problem.passing & names,
        relieve=problem.relieve & names,
        barred={pair: why for pair, why in problem.barred.items() if pair[1] in names},
    )
