"""`vmig-instance/1` to a yard, and a schedule to `vmig-plan/1`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from balancer.planner.order.yard import Ints, Yard

STORE_RATE = 1000.0
KINDS = ("live", "suspend", "resume")


@dataclass(frozen=True, slots=True)
class Read:
    """An instance as arrays, and the names of their numbers."""

    name: str
    yard: Yard
    hosts: Sequence[str]
    movers: Sequence[str]
    idle: Ints
    """[others, resources]: what guests need that need not move, but might."""


def read(instance: Mapping[str, Any]) -> Read:
    """Return the arrays of `instance`; its field `known` is not looked at."""
    hosts, vms = instance["hosts"], {v["id"]: v for v in instance["vms"]}
    at = {h["id"]: i for i, h in enumerate(hosts)}
    moves = [m for m in instance["moves"] if vms[m["vm"]]["host"] != m["to"]]
    movers = [vms[m["vm"]] for m in moves]
    number = {v["id"]: i for i, v in enumerate(movers)}
    room = np.array([h["cap"] for h in hosts], dtype=np.int64)
    for v in vms.values():
        room[at[v["host"]]] -= np.array(v["use"], dtype=np.int64)
    rate, count, channel = _channels(instance)
    groups, domain, places = _groups(instance, vms, number, at)
    limits = instance["limits"]
    use = np.array([v["use"] for v in movers], dtype=np.int64).reshape(len(movers), room.shape[1])
    everywhere = np.ones((len(movers), len(hosts)), dtype=np.bool_)
    for vm, barred in instance["rules"].get("forbidden", []):
        if vm in number:
            everywhere[number[vm], [at[h] for h in barred]] = False
    racks: dict[object, int] = {}
    zone = [
        -1 if h.get("rack") is None else racks.setdefault(h["rack"], len(racks)) for h in hosts
    ]
    yard = Yard(
        source=np.array([at[v["host"]] for v in movers], dtype=np.int64),
        target=np.array([at[m["to"]] for m in moves], dtype=np.int64),
        need=use,
        room=room,
        volume=np.array([v["V"] for v in movers], dtype=np.float64),
        dirty=np.array([v["D"] for v in movers], dtype=np.float64),
        hot=np.full(len(movers), -1.0),
        setup=np.array([v["t0"] for v in movers], dtype=np.float64),
        top=np.array([v["max_bw"] for v in movers], dtype=np.float64),
        rate=np.array(rate, dtype=np.float64),
        number=np.array(count, dtype=np.int64),
        leaving=np.array([[0, channel["out", h["id"]]] for h in hosts], dtype=np.int64),
        entering=np.array([[channel["in", h["id"]]] for h in hosts], dtype=np.int64),
        leaving_zone=_links(hosts, "links_out", channel),
        entering_zone=_links(hosts, "links_in", channel),
        zone=np.array(zone, dtype=np.int64),
        groups=groups,
        domain=domain,
        places=places,
        allowed=everywhere,
        temporary=bool(limits.get("temp_moves", True)),
        cold=np.array([bool(limits.get("cold")) and v.get("cold_ok", False) for v in movers]),
        store=use[:, 0] / float(limits.get("store_bw", STORE_RATE)),
    )
    others = [v["use"] for v in vms.values() if v["id"] not in number and not v.get("pinned")]
    idle = np.array(others, dtype=np.int64).reshape(len(others), room.shape[1])
    return Read(instance["name"], yard, [h["id"] for h in hosts], [v["id"] for v in movers], idle)


def _channels(
    instance: Mapping[str, Any],
) -> tuple[list[float], list[int], dict[tuple[str, str], int]]:
    """Return rates, numbers, and the number of each channel; 0 is the limit on everything."""
    many = 1 << 40
    rate, count = [1e18], [instance["limits"].get("max_parallel") or many]
    channel: dict[tuple[str, str], int] = {}
    for h in instance["hosts"]:
        for way in ("out", "in"):
            channel[way, h["id"]] = len(rate)
            rate.append(h[f"bw_{way}"])
            count.append(h.get(f"max_{way}") or many)
    for link in instance.get("links", []):
        channel["link", link["id"]] = len(rate)
        rate.append(link["bw"])
        count.append(many)
    return rate, count, channel


def _links(
    hosts: Sequence[Mapping[str, Any]], which: str, channel: Mapping[tuple[str, str], int]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    width = max([1, *(len(h.get(which, [])) for h in hosts)])
    found = np.full((len(hosts), width), -1, dtype=np.int64)
    for i, h in enumerate(hosts):
        for k, link in enumerate(h.get(which, [])):
            found[i, k] = channel["link", link]
    return found


def _groups(
    instance: Mapping[str, Any],
    vms: Mapping[str, Any],
    number: Mapping[str, int],
    at: Mapping[str, int],
) -> tuple[list[list[int]], list[Any], list[Any]]:
    groups: list[list[int]] = [[] for _ in number]
    domain, places = [], []
    hosts = np.arange(len(at), dtype=np.int64)
    for members in instance["rules"].get("anti_affinity", []):
        if not any(vm in number for vm in members):
            continue
        free = np.ones(len(at), dtype=np.int64)
        for vm in members:
            free[at[vms[vm]["host"]]] -= 1
            if vm in number:
                groups[number[vm]].append(len(domain))
        domain.append(hosts)
        places.append(free)
    return groups, domain, places
