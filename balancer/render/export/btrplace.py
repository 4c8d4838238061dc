"""A plan as BtrPlace's JSON: the nearest thing to a standard for reconfiguration plans."""

import json
from collections.abc import Iterator, Mapping
from math import ceil

from balancer.planner.model.cold import SHUTTING_DOWN
from balancer.planner.model.plan import Action, Plan


def _steps(a: Action, vm: int, node: Mapping[str, int]) -> Iterator[Mapping[str, object]]:
    """Yield what BtrPlace calls it: one migration, or where it is cold a shutdown and a boot."""
    start = ceil(a.start)
    end = max(start + 1, ceil(a.start + a.predicted.seconds))
    if not a.cold:
        rate = a.rate_kib_s * 1024 * 8 // 10**6
        ends = {"from": node[a.source], "to": node[a.target], "start": start, "end": end}
        yield {"id": "migrateVM", "vm": vm, **ends, "bw": rate, "hooks": {}}
        return
    half = max(start + 1, ceil(a.start + SHUTTING_DOWN))
    steps = (("shutdownVM", a.source, start, half), ("bootVM", a.target, half, max(half + 1, end)))
    for name, host, begins, ends_at in steps:
        when = {"start": begins, "end": ends_at}
        yield {"id": name, "vm": vm, "node": node[host], **when, "hooks": {}}


def btrplace(plan: Plan) -> str:
    """Return the plan with its own guests and hosts numbered; times are whole seconds.

    Resizes have no place there: `left_out` says how many, which readers of BtrPlace pass over.
    Rounded up, both starts and ends, so that what ends before another starts still does.
    """
    hosts = sorted({h for a in plan.actions for h in (a.source, a.target)})
    guests = list(dict.fromkeys(a.guest for a in plan.actions))
    node = {host: i for i, host in enumerate(hosts)}
    vm = {guest: i for i, guest in enumerate(guests)}
    first = {a.guest: a for a in reversed(plan.actions)}
    running = {
        str(node[host]): {
            "runningVMs": [vm[g] for g in guests if first[g].source == host],
            "sleepingVMs": [],
        }
        for host in hosts
    }
    actions = [step for a in plan.actions for step in _steps(a, vm[a.guest], node)]
    model = {
        "mapping": {"readyVMs": [], "onlineNodes": running, "offlineNodes": {}},
        "attributes": {
            "nodes": {str(i): {"name": host} for host, i in node.items()},
            "vms": {str(i): {"uuid": guest, "name": first[guest].name} for guest, i in vm.items()},
        },
        "views": [],
    }
    left_out = {"left_out": {"resizes": len(plan.resizes)}} if plan.resizes else {}
    return json.dumps({"origin": model, "actions": actions, **left_out}, indent=1) + "\n"
