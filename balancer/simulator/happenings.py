"""What befalls a scenario: `[[events]]`, each one thing at one time."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from balancer.config.reading import Table
from balancer.config.units import KIB_S, MIB, RATIO, SECONDS
from balancer.planner.model.cluster import HostState
from balancer.planner.model.resources import DISK, NETWORK
from balancer.simulator import arrivals
from balancer.simulator.naming import guests_named, host_named, rack_named
from balancer.simulator.population import Population, workload
from balancer.simulator.world import World

Happening = Callable[[World], None]

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "load": ("guests", "cpu", "noise", "dirty", "disk", "network"),
    "guest_stops": ("guests",),
    "wakes": ("guests", "working"),
    "moved_by_hand": ("guests", "to"),
    "migration_fails": ("guests", "after", "reason"),
    "host_dies": ("host",),
    "host_returns": ("host",),
    "drain": ("host",),
    "undrain": ("host",),
    "link": ("host", "share"),
    "rack_dies": ("rack",),
    "rack_returns": ("rack",),
    "metrics_lost": ("guests", "host"),
    "metrics_return": (),
    **arrivals.KEYS,
}
"""Keys of each kind of event, beside `at` and `what`."""


def happening(table: Table, population: Population) -> tuple[float, Happening]:
    """Return when an event of the file takes place, seconds since the epoch, and what it does."""
    kind = table.choice("what", KEYS, "")
    table.only(("at", "what", *KEYS[kind]))
    at = population.start + table.amount("at", SECONDS, 0)
    return at, _OF_KIND[kind](table, population)


def _wakes(table: Table, population: Population) -> Happening:
    uuids = guests_named(table, population)
    working = int(table.amount("working", MIB, 0))

    def happen(world: World) -> None:
        for uuid in uuids:
            world.works_with(uuid, working)

    return happen


def _load(table: Table, population: Population) -> Happening:
    uuids = guests_named(table, population)

    def happen(world: World) -> None:
        for uuid in uuids:
            if uuid not in world.guests:
                continue
            guest = world.guests[uuid]
            changed = replace(
                guest,
                dirty_mib_s=dirty or guest.dirty_mib_s,
                disk_kib_s=traffic.get(DISK, guest.disk_kib_s),
                network_kib_s=traffic.get(NETWORK, guest.network_kib_s),
            )
            if wanted is not None:
                changed = replace(changed, cpu=wanted)
            world.guests[uuid] = changed

    dirty = int(table.amount("dirty", KIB_S, 0)) // 1024
    traffic = {n: int(table.amount(n, KIB_S, 0)) for n in (DISK, NETWORK) if n in table.values}
    wanted = workload(table, population.start, population.seed) if "cpu" in table.values else None
    return happen


def _guest_stops(table: Table, population: Population) -> Happening:
    uuids = guests_named(table, population)

    def happen(world: World) -> None:
        for uuid in uuids:
            world.shut_down(uuid)

    return happen


def _moved_by_hand(table: Table, population: Population) -> Happening:
    uuids, target = guests_named(table, population), host_named(table, "to", population)

    def happen(world: World) -> None:
        for uuid in uuids:
            world.put(uuid, target)

    return happen


def _migration_fails(table: Table, population: Population) -> Happening:
    uuids = guests_named(table, population)
    after = float(table.amount("after", SECONDS, 1.0))
    reason = table.text("reason", "qemu unexpectedly closed the monitor")

    def happen(world: World) -> None:
        world.dooms.update(dict.fromkeys(uuids, (after, reason)))

    return happen


def _host_dies(table: Table, population: Population) -> Happening:
    host = host_named(table, "host", population)
    return lambda world: world.die(host)


def _host_returns(table: Table, population: Population) -> Happening:
    host = host_named(table, "host", population)
    return lambda world: world.revive(host)


def _drain(table: Table, population: Population) -> Happening:
    host = host_named(table, "host", population)
    return lambda world: world.set_state(host, HostState.DRAINING)


def _undrain(table: Table, population: Population) -> Happening:
    host = host_named(table, "host", population)
    return lambda world: world.set_state(host, HostState.UP)


def _link(table: Table, population: Population) -> Happening:
    host = host_named(table, "host", population)
    if "share" not in table.values:
        table.fail("share", 'missing: what is left of the link, "0%" for a cut, "100%" for healed')
    share = min(1.0, float(table.amount("share", RATIO, 1.0)))
    return lambda world: world.set_link(host, share)


def _rack_dies(table: Table, population: Population) -> Happening:
    hosts = rack_named(table, population)

    def happen(world: World) -> None:
        for host in hosts:
            world.die(host)

    return happen


def _rack_returns(table: Table, population: Population) -> Happening:
    hosts = rack_named(table, population)

    def happen(world: World) -> None:
        for host in hosts:
            world.revive(host)

    return happen


def _metrics_lost(table: Table, population: Population) -> Happening:
    if not {"guests", "host"} & table.values.keys():
        table.fail("guests", 'missing: of whom nothing is measured any more, as "web-*", or host')
    silent = set(guests_named(table, population)) if "guests" in table.values else set()
    if "host" in table.values:
        silent.add(host_named(table, "host", population))
    return lambda world: world.silent.update(silent)


def _metrics_return(table: Table, population: Population) -> Happening:
    del table, population
    return lambda world: world.silent.clear()


_OF_KIND: Final[Mapping[str, Callable[[Table, Population], Happening]]] = {
    "load": _load,
    "guest_stops": _guest_stops,
    "wakes": _wakes,
    "moved_by_hand": _moved_by_hand,
    "migration_fails": _migration_fails,
    "host_dies": _host_dies,
    "host_returns": _host_returns,
    "drain": _drain,
    "undrain": _undrain,
    "link": _link,
    "rack_dies": _rack_dies,
    "rack_returns": _rack_returns,
    "metrics_lost": _metrics_lost,
    "metrics_return": _metrics_return,
    "host_added": arrivals.host_added,
    "host_removed": arrivals.host_removed,
    "guests_boot": arrivals.guests_boot,
    "growth": arrivals.growth,
}
