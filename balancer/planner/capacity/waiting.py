"""Guests that have no host yet wait on one that is none: it takes all and is to be emptied.

So everything that the planner knows of emptying a host, rules, proofs and reasons included,
answers where guests could go that are not there yet, or whose host has failed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from balancer.planner.constraints.blackout import Blackout
from balancer.planner.constraints.careful import Careful
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.stay import Stay
from balancer.planner.constraints.survive import Survive
from balancer.planner.model.cluster import Cluster, Guest, GuestCpu, Host, HostState
from balancer.planner.model.policy import Constraint, Limits, Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, DIMENSIONS, HUGEPAGES, MEMORY, Resources

NOWHERE: Final = "(nowhere)"
"""The host that is none."""
PLENTY: Final = 10**12
STAYS_PUT: Final = "it stays where it is"
REPAIRS_ONLY: Final = 1
BOUND_TO_HARDWARE: Final = frozenset({"passthrough", "local-disk", "unknown-storage"})
"""Ties that hold when a guest is started anew; jobs and snapshots of a lost host do not."""
OF_MOVES_AND_SPARES: Final = (Stay, NeverMove, Careful, Survive)
"""Rules that do not speak once a host is lost."""


def calm(problem: Problem) -> Problem:
    """Return the problem without what is of today alone: limits, rest, blackouts, balance."""
    policy = problem.policy
    rules = tuple(rule for rule in policy.constraints if not isinstance(rule, Blackout))
    return replace(
        problem,
        policy=replace(
            policy, aggressiveness=REPAIRS_ONLY, constraints=rules, limits=_unlimited(policy)
        ),
        cooling=frozenset(),
        demand=replace(problem.demand, changing=frozenset()),
        settling=False,
        spent_moves=0,
        spent_mib=0,
    )


def _unlimited(policy: Policy) -> Limits:
    return replace(
        policy.limits,
        moves_per_hour=PLENTY,
        data_per_hour=PLENTY,
        moves_per_hour_per_host=PLENTY,
        hotter_on_the_way=float(PLENTY),
    )


def arriving(
    problem: Problem,
    guests: Iterable[Guest],
    use: Mapping[str, Resources],
    rules: Iterable[Constraint] = (),
) -> Problem:
    """Return the problem with `guests` waiting beside those that run.

    `use` is what each is expected to use, by uuid; `rules` hold beside the policy's.
    """
    waiting = tuple(guests)
    cluster, demand = problem.cluster, problem.demand
    return replace(
        problem,
        cluster=Cluster(
            (*cluster.hosts, _nowhere(waiting)),
            (*cluster.guests, *waiting),
            {**cluster.placement, **{guest.uuid: NOWHERE for guest in waiting}},
            cluster.in_flight,
        ),
        demand=replace(
            demand,
            mean={**demand.mean, **use},
            peak={**demand.peak, **use},
            scenarios=tuple({**future, **use} for future in demand.scenarios),
            recent=tuple({**step, **use} for step in demand.recent),
        ),
        policy=replace(problem.policy, constraints=(*problem.policy.constraints, *rules)),
        ordered=problem.ordered | {guest.uuid for guest in waiting},
    )


def fallen(problem: Problem, hosts: Collection[str]) -> Problem:
    """Return the problem after `hosts` have failed: they are gone, their guests wait.

    They are started, not migrated: what they wrote to memory, who else moves, and a rule that
    keeps them where they are do not keep them down; a device or a disk of the lost host does.
    Room that is kept for a loss is there to be taken.
    """
    cluster, policy = problem.cluster, problem.policy
    down = {u for u, host in cluster.placement.items() if host in hosts}
    guests = tuple(_restarted(g) if g.uuid in down else g for g in cluster.guests)
    lost = tuple(g for g in guests if g.uuid in down)
    return replace(
        problem,
        cluster=Cluster(
            (*(h for h in cluster.hosts if h.name not in hosts), _nowhere(lost)),
            guests,
            {u: NOWHERE if u in down else host for u, host in cluster.placement.items()},
            {u: to for u, to in cluster.in_flight.items() if u not in down and to not in hosts},
        ),
        demand=replace(
            problem.demand,
            unknown=problem.demand.unknown - down,
            blind=problem.demand.blind - frozenset(hosts),
            dirty_mib_s={u: n for u, n in problem.demand.dirty_mib_s.items() if u not in down},
        ),
        policy=replace(
            policy,
            constraints=tuple(
                r for r in policy.constraints if not isinstance(r, OF_MOVES_AND_SPARES)
            ),
        ),
        ordered=frozenset(down),
    )


def _restarted(guest: Guest) -> Guest:
    """Return the guest as it is started anew, by whomever: it sees whatever processor it finds."""
    cpu = guest.cpu if guest.cpu.model else GuestCpu()
    ties = tuple(t for t in guest.ties if t.kind in BOUND_TO_HARDWARE)
    return replace(guest, cpu=cpu, owner="", ties=ties, disks=())


def _nowhere(waiting: Iterable[Guest]) -> Host:
    """Return the host that is none: room for everyone, older than any, and to be emptied."""
    pages = {name for guest in waiting for name in guest.allocation if name.startswith(HUGEPAGES)}
    return Host(
        name=NOWHERE,
        capacity=dict.fromkeys((*DIMENSIONS, *sorted(pages)), PLENTY // 1000),
        state=HostState.DRAINING,
        accelerators=(),
        qemu_version=1,
    )


def adrift(problem: Problem) -> Problem:
    """Return the problem as if every guest were to be started anew: for who could run where."""
    cluster = problem.cluster
    guests = tuple(map(_restarted, cluster.guests))
    return replace(
        problem,
        cluster=Cluster(
            (*cluster.hosts, _nowhere(guests)), guests, {g.uuid: NOWHERE for g in guests}
        ),
    )


def largest(problem: Problem) -> Host | None:
    """Return the largest host that is up, by memory, then by CPU; None if none is."""
    up = (h for h in problem.cluster.hosts if h.state is HostState.UP)
    return max(
        up, key=lambda h: (h.usable.get(MEMORY, 0), h.usable.get(CPU, 0), h.name), default=None
    )


def another(problem: Problem, host: Host, number: int = 1) -> Problem:
    """Return the problem with one more host like `host`, empty; the `number`th that is added."""
    more = replace(host, name=f"{host.name} (another{f' {number}' if number > 1 else ''})")
    cluster = problem.cluster
    return replace(problem, cluster=replace(cluster, hosts=(*cluster.hosts, more)))
