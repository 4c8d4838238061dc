"""An instance written in the planner's algebra, and the three terms that no rule of the product asks.

| the contest's words | here |
|---|---|
| capacity | a hard row |
| load cost | a soft row beyond the safety capacity |
| balance cost | a soft row of one resource less so many times the other |
| conflict | at most one of a service on a machine |
| spread | a service uses at least so many locations |
| process move cost | the price of moving a guest |
| transient usage | a hard row that lingers (`Terms`) |
| dependency | a need between two counts (`Terms`) |
| machine move cost | a price of routes (`Terms`) |
| service move cost | not seen by the search: at most a few hundred points; counted in what is reported |
"""

from itertools import pairwise

import numpy as np

from balancer.planner.formulation import (
    HARD,
    AtMostPerDomain,
    DomainCount,
    Formulation,
    Ints,
    Level,
    Penalty,
    Row,
)
from balancer.planner.model.cluster import Cluster, Guest, Host
from balancer.planner.model.demand import Demand
from balancer.planner.model.policy import Policy
from balancer.planner.model.problem import Problem
from balancer.planner.place.arrays import Terms
from benchmarks.roadef.reading import Instance

ANY = 2**60
MANY = 2**30


def state(instance: Instance) -> tuple[Formulation, Terms]:
    """Return the instance in primitives, and what they do not say."""
    formulation = Formulation(_problem(instance))
    process, _, machine = instance.weights
    formulation.move_cost[:] = process * instance.process_move
    _capacities(formulation, instance)
    _balances(formulation, instance)
    needs = _services(formulation, instance)
    return formulation, Terms(
        lingering=frozenset(_transient(r) for r in np.flatnonzero(instance.transient).tolist()),
        routes=(machine * instance.machine_move).astype(np.int32),
        needs=needs,
    )


def _problem(instance: Instance) -> Problem:
    """Return names and nothing else: what there is to say is said in primitives."""
    machines, processes = len(instance.capacity), len(instance.service)
    hosts = tuple(Host(name=str(m), capacity={}) for m in range(machines))
    guests = tuple(Guest(uuid=str(p), name=str(p), allocation={}) for p in range(processes))
    where = {str(p): str(m) for p, m in enumerate(instance.start.tolist())}
    return Problem(
        cluster=Cluster(hosts, guests, where), demand=Demand({}, {}), policy=Policy(name="roadef")
    )


def _transient(resource: int) -> str:
    return f"transient {resource}"


def _capacities(formulation: Formulation, instance: Instance) -> None:
    for r, weight in enumerate(instance.load_weight.tolist()):
        use = np.ascontiguousarray(instance.requirement[:, r])
        limit = np.ascontiguousarray(instance.capacity[:, r])
        safe = np.ascontiguousarray(instance.safety[:, r])
        price = Penalty(Level.COST, ((0, weight),))
        formulation.add(Row(f"load {r}", use, safe, price, hard=False))
        if instance.transient[r]:
            formulation.add(Row(_transient(r), use, limit, HARD, hard=True))
        else:
            formulation.add(Row(f"capacity {r}", use, limit, HARD, hard=True))


def _balances(formulation: Formulation, instance: Instance) -> None:
    """Target times what is left of one, less what is left of the other, is paid if positive."""
    for n, (one, other, target, weight) in enumerate(instance.balance.tolist()):
        use = instance.requirement[:, other] - target * instance.requirement[:, one]
        limit = instance.capacity[:, other] - target * instance.capacity[:, one]
        price = Penalty(Level.COST, ((0, weight),))
        formulation.add(Row(f"balance {n}", use, limit, price, hard=False))


def _services(
    formulation: Formulation, instance: Instance
) -> tuple[tuple[DomainCount, DomainCount], ...]:
    """Write conflicts and spreads; return what depends on what."""
    machines = np.arange(len(instance.capacity))
    order = np.argsort(instance.service, kind="stable")
    first = np.searchsorted(instance.service[order], np.arange(len(instance.spread) + 1))
    members: list[Ints] = [order[a:b] for a, b in pairwise(first)]
    for service, mine in enumerate(members):
        label = f"service {service}"
        if len(mine) > 1:
            formulation.add(AtMostPerDomain(label, mine, machines, 1, HARD, hard=True))
        least = int(instance.spread[service])
        if least > 1:
            formulation.add(
                DomainCount(label, mine, instance.location, least, MANY, HARD, hard=True)
            )
    counts: dict[int, DomainCount] = {}
    for service in sorted({s for pair in instance.needs for s in pair}):
        where = instance.neighbourhood
        counts[service] = DomainCount(
            f"service {service} in neighbourhoods", members[service], where, 0, MANY, HARD,
            hard=True,
        )  # fmt: skip
        formulation.add(counts[service])
    return tuple((counts[a], counts[b]) for a, b in instance.needs)
