"""The fewest hosts that carry what runs, none of them hot, with room for losses if wanted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.capacity.waiting import calm
from balancer.planner.constraints.survive import Survive
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Infeasible, Plan
from balancer.planner.model.power import DEFAULT_WATTS, power
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.model.resources import CPU, MEMORY, VCPUS, Resources, total
from balancer.planner.model.rooming import rooms
from balancer.planner.pipeline import plan_for

HOURS_A_DAY: Final = 24
DAYS_A_YEAR: Final = 365
LOAD_COUNTS: Final = 2
"""Aggressiveness from which goals are heeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """What hosts that have guests draw, at their guests' mean demand; emptied ones are switched off."""

    before: float
    """Watts."""
    after: float
    """Watts."""
    assumed: tuple[str, ...]
    """Hosts of which no power curve is known: `DEFAULT_WATTS` is taken for them."""

    @property
    def saved(self) -> float:
        """Watts."""
        return self.before - self.after

    @property
    def a_day(self) -> float:
        """Saved, kWh."""
        return self.saved * HOURS_A_DAY / 1000

    @property
    def a_year(self) -> float:
        """Saved, kWh."""
        return self.a_day * DAYS_A_YEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrink:
    """The answer."""

    used: int
    """Hosts that have guests now."""
    needed: int
    """Hosts that have guests after the plan."""
    at_least: int
    """No placement needs fewer: their vCPUs, memory or CPU would not suffice, rules apart."""
    emptied: tuple[str, ...]
    decision: Plan | Infeasible
    energy: Energy


def shrink(
    problem: Problem,
    hosts_lost: int = 0,
    effort: Effort = Effort.QUICK,
    keep_going: Callable[[], bool] = lambda: True,
) -> Shrink:
    """Return how few hosts suffice; the policy of `problem` is one that consolidates.

    With `hosts_lost` so many may fail afterwards and everybody still finds a place.
    """
    quiet = calm(problem)
    policy = quiet.policy
    spare = (Survive(hosts_lost=hosts_lost),) if hosts_lost else ()
    asked = replace(
        quiet,
        policy=replace(
            policy, aggressiveness=LOAD_COUNTS, constraints=(*policy.constraints, *spare)
        ),
    )
    made = plan_for(asked, Request(effort=effort), keep_going)
    home = problem.cluster.placement
    actions = made.actions if isinstance(made, Plan) else ()
    reached = {**home, **{a.guest: a.target for a in actions}}
    return Shrink(
        used=len(_in_use(home)),
        needed=len(_in_use(reached)),
        at_least=least(asked),
        emptied=tuple(sorted(_in_use(home) - _in_use(reached))),
        decision=made,
        energy=_energy(problem, reached),
    )


def _energy(problem: Problem, reached: Placement) -> Energy:
    """Return the watts of hosts in use now, and once guests are as `reached`."""
    home = problem.cluster.placement
    used = _in_use(home) | _in_use(reached)
    return Energy(
        before=_watts(problem, home),
        after=_watts(problem, reached),
        assumed=tuple(h.name for h in problem.cluster.hosts if h.name in used and not h.power),
    )


def _watts(problem: Problem, placement: Placement) -> float:
    busy = dict.fromkeys(_in_use(placement), 0)
    for uuid, name in placement.items():
        busy[name] += problem.on(name, uuid, problem.demand.mean).get(CPU, 0)
    hosts = ((problem.host(name), load) for name, load in sorted(busy.items()))
    return sum(
        power(host.power or DEFAULT_WATTS, load / max(1, host.capacity.get(CPU, 0)))
        for host, load in hosts
    )


def _in_use(placement: Placement) -> frozenset[str]:
    return frozenset(placement.values())


def least(problem: Problem) -> int:
    """Return a number of hosts that no placement can do with fewer of: a bound by volume.

    Of each of vCPUs, memory and CPU: as many of the largest hosts as it takes.
    """
    offers = rooms(problem)
    limit = problem.policy.hot.cpu_used
    room: dict[str, Resources] = {
        name: {**offer, CPU: int(limit * problem.host(name).usable.get(CPU, 0))}
        for name, offer in offers.items()
    }
    here = [g for name in room for g in problem.cluster.guests_on[name]]
    elsewhere = len(_in_use(problem.cluster.placement) - room.keys())
    needs = total(
        {
            VCPUS: g.allocation.get(VCPUS, 0),
            MEMORY: g.allocation.get(MEMORY, 0),
            CPU: _least_cpu(problem, g.uuid),
        }
        for g in here
    )
    return elsewhere + max((_hosts_for(needs.get(n, 0), n, room) for n in needs), default=0)


def _least_cpu(problem: Problem, uuid: str) -> int:
    """Return what a guest uses where it uses least."""
    here = problem.demand.mean.get(uuid, {}).get(CPU, 0)
    return min([here, *(problem.cpu_on(h, uuid, here) for h in problem.slower.get(uuid, ()))])


def _hosts_for(need: int, name: str, room: dict[str, Resources]) -> int:
    """Return how many of the largest hosts it takes; all of them where none suffice."""
    sizes = sorted((offer.get(name, 0) for offer in room.values()), reverse=True)
    for number, size in enumerate(sizes):
        if need <= 0:
            return number
        need -= size
    return len(sizes)
