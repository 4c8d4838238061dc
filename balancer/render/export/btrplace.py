"""A plan as BtrPlace's JSON: the nearest thing to a standard for reconfiguration plans."""

import json
from math import ceil

from balancer.planner.model.plan import Plan


def btrplace(plan: Plan) -> str:
    """Return the plan with its own guests and hosts numbered; times are whole seconds.

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
    actions = [
        {
            "id": "migrateVM",
            "vm": vm[a.guest],
            "from": node[a.source],
            "to": node[a.target],
            "start": ceil(a.start),
            "end": max(ceil(a.start) + 1, ceil(a.start + a.predicted.seconds)),
            "bw": a.rate_kib_s * 1024 * 8 // 10**6,
            "hooks": {},
        }
        for a in plan.actions
    ]
    model = {
        "mapping": {"readyVMs": [], "onlineNodes": running, "offlineNodes": {}},
        "attributes": {
            "nodes": {str(i): {"name": host} for host, i in node.items()},
            "vms": {str(i): {"uuid": guest, "name": first[guest].name} for guest, i in vm.items()},
        },
        "views": [],
    }
    return json.dumps({"origin": model, "actions": actions}, indent=1) + "\n"
