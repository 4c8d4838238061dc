"""What the bench asks, as a policy an operator could have written."""

from collections.abc import Mapping
from typing import Any

from balancer.planner.constraints.capacity import Capacity
from balancer.planner.model.policy import Hot, Limits, Objective, Policy
from balancer.planner.objectives.even import Even
from balancer.planner.objectives.overload import Overload
from balancer.planner.objectives.stability import Stability
from benchmarks.peers.snapshot import rules

NO_LIMIT = 10**9
MIB = 1024


def policy(snap: Mapping[str, Any], mode: str, gib: float | None, minimise: str) -> Policy:
    """Return the policy for `mode`: clear every overload, then cheaply, or as evenly as can be."""
    asked = snap["policy"]
    data = NO_LIMIT if gib is None else int(gib * MIB)
    return Policy(
        name=f"peers-{mode}",
        constraints=(Capacity(vcpus_per_core=asked["vcpu_ratio"]), *rules(snap)),
        objectives=goals(mode, minimise),
        hot=Hot(
            cpu_used=asked["cpu_overload_pct"] / 100, memory_used=asked["mem_overload_pct"] / 100
        ),
        limits=Limits(
            migration_link_share=1.0,
            pause_at_most=1000,
            moves_per_hour=NO_LIMIT,
            data_per_hour=data,
            minimum_gain=0.0,
        ),
    )


def goals(mode: str, minimise: str) -> tuple[Objective, ...]:
    """Return what is aimed at."""
    if mode == "balance":
        return (Overload(margin=0.0), Even(cpu=1, memory=1), Stability(points_per_gib=1))
    return (Overload(margin=0.0), Stability(minimise=minimise, points_per_gib=MIB))
