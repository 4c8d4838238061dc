"""A target that somebody else chose, ordered: `python -m benchmarks.peers SNAP PLAN --target T`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.spread import Spread
from balancer.planner.model.cluster import Cluster, Guest, Host
from balancer.planner.model.demand import Demand
from balancer.planner.model.plan import Action
from balancer.planner.model.policy import Limits, Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, MEMORY, VCPUS
from balancer.planner.model.selector import Selector
from balancer.planner.order.schedule import order
from balancer.planner.verify import judge

MANY = 1_000_000_000
THREADS = 2
"""The bench gives 32 vCPUs to guests on hosts of 16 cores, where we want as many cores as a guest has
vCPUs: its cores are read as two threads each, with half the ratio, so that totals stay what they are."""
KIB_PER_MBIT = 1e6 / 8 / 1024


def problem_of(snapshot: Mapping[str, Any], target: Mapping[str, str]) -> Problem:
    """Return the problem; rules that guard against too many moves at a time are left open."""
    policy = snapshot["policy"]
    hosts = tuple(
        Host(
            name=h["id"],
            capacity={CPU: h["cpu_cores"] * 1000 * THREADS, MEMORY: h["mem_mib"]},
            labels={"rack": h["rack"]},
            qemu_version=7_002_000,
            libvirt_version=9_000_000,
            link_kib_s=int(min(policy["migration_mbps"], h["net_mbps"]) * KIB_PER_MBIT),
        )
        for h in snapshot["hosts"]
    )
    guests = tuple(
        Guest(uuid=v["id"], name=v["id"], allocation={VCPUS: v["vcpus"], MEMORY: v["mem_mib"]})
        for v in snapshot["vms"]
    )
    placement = {v["id"]: v["host"] for v in snapshot["vms"]}
    mean = {
        v["id"]: {CPU: int(v["cpu_used_cores"] * 1000), MEMORY: v["mem_active_mib"]}
        for v in snapshot["vms"]
    }
    dirty = {v["id"]: int(v["dirty_mib_s"]) for v in snapshot["vms"]}
    moved = set(target)
    groups = [
        Spread(guests=Selector(tuple(f"{vm}" for vm in group["vms"])), name=group["id"])
        for group in snapshot["anti_affinity"]
        if not moved or moved.intersection(group["vms"])
    ]
    return Problem(
        cluster=Cluster(hosts, guests, placement),
        demand=Demand(mean=mean, peak=mean, dirty_mib_s=dirty),
        policy=Policy(
            name="peers",
            constraints=(Capacity(vcpus_per_core=policy["vcpu_ratio"] / THREADS), *groups),
            limits=Limits(
                moves_per_hour=MANY,
                data_per_hour=MANY,
                at_once_per_host=2,
                at_once_total=policy["max_parallel"],
                migration_link_share=1.0,
            ),
        ),
    )


def plan_of(actions: Sequence[Action]) -> list[dict[str, str]]:
    """Return the migrations in the order of their start, safe one at a time."""
    return [{"vm": a.guest, "src": a.source, "dst": a.target} for a in actions]


def order_target(snapshot: Path, plan: Path, target: Path) -> None:
    """Write the plan that leads from a snapshot to a target, and say how far it gets."""
    wanted = {m["vm"]: m["dst"] for m in json.loads(target.read_text())["migrations"]}
    problem = problem_of(json.loads(snapshot.read_text()), wanted)
    began, wall = process_time(), perf_counter()
    found = order(problem, {**problem.cluster.placement, **wanted})
    spent = process_time() - began
    verdict = judge(problem, found.actions)
    aside = sum(action.temporary for action in found.actions)
    document = {
        "status": "ok" if not found.left else f"{len(found.left)} left",
        "plan_cpu_s": round(spent, 3),
        "plan_wall_s": round(perf_counter() - wall, 3),
        "migrations": plan_of(found.actions),
    }
    plan.write_text(json.dumps(document))
    print(
        f"{len(wanted)} wanted, {len(found.actions)} migrations, {aside} steps aside "
        f"(at least {found.least_aside}), "
        f"{len(found.left)} left, {spent:.2f} s of processor time, "
        f"{'valid' if verdict.valid else verdict.faults[0]}"
    )
    for stay in found.left[:3]:
        print(f"  {stay.subject} {stay.reason}")
