"""How many guests could fit at most: were all that is free in one piece, and nobody tied anywhere."""

from balancer.planner.capacity.asking import Wanted
from balancer.planner.constraints.survive import Survive
from balancer.planner.model.allotment import takes
from balancer.planner.model.fitting import ANY_QEMU, why_not
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, HUGEPAGES, MEMORY, VCPUS
from balancer.planner.model.rooming import rooms
from balancer.planner.model.survival import LOST_FOR_GOOD


def room_for(problem: Problem, wanted: Wanted) -> int:
    """Return a number of new guests that no placement exceeds.

    By each of vCPUs, memory and huge pages: what hosts may give out, less what their guests hold;
    of hosts that it could run on; with the largest ones lost that may be, where every loss is
    survived today. A guest that needs nothing is bounded by cores.
    """
    given, taken = rooms(problem), takes(problem)
    open_ = [n for n in given if not why_not(wanted.guest, ANY_QEMU, problem.host(n))]
    at = problem.cluster.guests_on
    here = [g for name in given for g in at[name]]
    needed = [g for g in here if not any(tie.kind in LOST_FOR_GOOD for tie in g.ties)]
    lost = wanted.hosts_lost if wanted.hosts_lost and _survived(problem, wanted.hosts_lost) else 0
    bounds = []
    for name, size in wanted.guest.allocation.items():
        if size <= 0 or not (name in (VCPUS, MEMORY) or name.startswith(HUGEPAGES)):
            continue
        bounds.append(sum(given[host].get(name, 0) // size for host in open_))
        room = {  # what is over its limit may stay so
            host: max(given[host].get(name, 0), sum(taken[g.uuid].get(name, 0) for g in at[host]))
            for host in given
        }
        bounds.append((sum(room.values()) - sum(taken[g.uuid].get(name, 0) for g in here)) // size)
        rest = sorted(room.values())[: len(room) - lost]
        held = sum(taken[g.uuid].get(name, 0) for g in needed)
        bounds.append((sum(rest) - held) // size if lost else bounds[-1])
    if not bounds:
        cores = (problem.host(name).capacity.get(CPU, 0) for name in open_)
        bounds.append(sum(cores) // 1000)
    return max(0, min(bounds))


def _survived(problem: Problem, hosts_lost: int) -> bool:
    occupancy = problem.rest(problem.cluster.placement)
    return not Survive(hosts_lost=hosts_lost).violations(problem, occupancy)
