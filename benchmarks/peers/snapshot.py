"""A `peers-snapshot/1` document as the planner's own observation."""

from collections.abc import Mapping
from typing import Any

from balancer.planner.constraints.spread import Spread
from balancer.planner.model.cluster import Cluster, Guest, GuestCpu, Host
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.selector import Selector

AT = 1_750_000_000.0
WINDOW = 300.0
GROUP = "anti-affinity"
MODEL = "any"
"""The bench knows no processors: all run all."""
VERSION = 8_000_000
KIB_S_PER_MBIT = 1_000_000 / 8 / 1024


def observation(snap: Mapping[str, Any]) -> Observation:
    """Return the snapshot as observed: CPU as measured, memory as allocated."""
    groups = {vm: group["id"] for group in snap["anti_affinity"] for vm in group["vms"]}
    link = snap["policy"]["migration_mbps"]
    cluster = Cluster(
        hosts=tuple(_host(host, link) for host in snap["hosts"]),
        guests=tuple(_guest(vm, groups.get(vm["id"], "")) for vm in snap["vms"]),
        placement={vm["id"]: vm["host"] for vm in snap["vms"]},
    )
    samples = {vm["id"]: (_sample(vm),) for vm in snap["vms"]}
    return Observation(at=AT, cluster=cluster, history=History(guests=samples))


def rules(snap: Mapping[str, Any]) -> tuple[Spread, ...]:
    """Return one rule for each group of guests to be kept apart."""
    return tuple(
        Spread(guests=Selector((f"label:{GROUP}={group['id']}",)), name=group["id"])
        for group in snap["anti_affinity"]
    )


def _host(host: Mapping[str, Any], link_mbps: int) -> Host:
    return Host(
        name=host["id"],
        capacity={"cpu": host["cpu_cores"] * 1000, "memory": host["mem_mib"]},
        labels={"rack": host["rack"]},
        cpu_models=(MODEL,),
        qemu_version=VERSION,
        link_kib_s=int(min(host["net_mbps"], link_mbps) * KIB_S_PER_MBIT),
    )


def _guest(vm: Mapping[str, Any], group: str) -> Guest:
    return Guest(
        uuid=vm["id"],
        name=vm["id"],
        allocation={"vcpus": vm["vcpus"], "memory": vm["mem_mib"]},
        labels={GROUP: group} if group else {},
        cpu=GuestCpu(model=MODEL),
    )


def _sample(vm: Mapping[str, Any]) -> Sample:
    """Memory counts as allocated: the bench's limits are about what is given out."""
    return Sample(
        at=AT,
        window=WINDOW,
        values={
            "cpu": round(vm["cpu_used_cores"] * 1000),
            "memory.rss": vm["mem_mib"],
            "dirty": round(vm["dirty_mib_s"]),
        },
    )
