"""What befalls a scenario: `[[events]]`, each one thing at one time."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from balancer.config.reading import Table, nearest
from balancer.config.units import KIB_S, RATIO, SECONDS
from balancer.planner.model.cluster import HostState
from balancer.simulator.population import Population, workload
from balancer.simulator.world import World

Happening = Callable[[World], None]

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "load": ("guests", "cpu", "noise", "dirty"),
    "guest_stops": ("guests",),
    "moved_by_hand": ("guests", "to"),
    "migration_fails": ("guests", "after", "reason"),
    "host_dies": ("host",),
    "host_returns": ("host",),
    "drain": ("host",),
    "undrain": ("host",),
    "link": ("host", "share"),
}
"""Keys of each kind of event, beside `at` and `what`."""


def happening(table: Table, population: Population) -> tuple[float, Happening]:
    """Return when an event of the file takes place, seconds since the epoch, and what it does."""
    kind = table.choice("what", KEYS, "")
    table.only(("at", "what", *KEYS[kind]))
    at = population.start + table.amount("at", SECONDS, 0)
    return at, _OF_KIND[kind](table, population)


def _load(table: Table, population: Population) -> Happening:
    uuids = _guests(table, population)

    def happen(world: World) -> None:
        for uuid in uuids:
            if uuid not in world.guests:
                continue
            guest = world.guests[uuid]
            changed = replace(guest, dirty_mib_s=dirty or guest.dirty_mib_s)
            if wanted is not None:
                changed = replace(changed, cpu=wanted)
            world.guests[uuid] = changed

    dirty = int(table.amount("dirty", KIB_S, 0)) // 1024
    wanted = workload(table, population.start, population.seed) if "cpu" in table.values else None
    return happen


def _guest_stops(table: Table, population: Population) -> Happening:
    uuids = _guests(table, population)

    def happen(world: World) -> None:
        for uuid in uuids:
            world.shut_down(uuid)

    return happen


def _moved_by_hand(table: Table, population: Population) -> Happening:
    uuids, target = _guests(table, population), _host(table, "to", population)

    def happen(world: World) -> None:
        for uuid in uuids:
            world.put(uuid, target)

    return happen


def _migration_fails(table: Table, population: Population) -> Happening:
    uuids = _guests(table, population)
    after = float(table.amount("after", SECONDS, 1.0))
    reason = table.text("reason", "qemu unexpectedly closed the monitor")

    def happen(world: World) -> None:
        world.dooms.update(dict.fromkeys(uuids, (after, reason)))

    return happen


def _host_dies(table: Table, population: Population) -> Happening:
    host = _host(table, "host", population)
    return lambda world: world.die(host)


def _host_returns(table: Table, population: Population) -> Happening:
    host = _host(table, "host", population)
    return lambda world: world.revive(host)


def _drain(table: Table, population: Population) -> Happening:
    host = _host(table, "host", population)
    return lambda world: world.set_state(host, HostState.DRAINING)


def _undrain(table: Table, population: Population) -> Happening:
    host = _host(table, "host", population)
    return lambda world: world.set_state(host, HostState.UP)


def _link(table: Table, population: Population) -> Happening:
    host = _host(table, "host", population)
    if "share" not in table.values:
        table.fail("share", 'missing: what is left of the link, "0%" for a cut, "100%" for healed')
    share = min(1.0, float(table.amount("share", RATIO, 1.0)))
    return lambda world: world.set_link(host, share)


_OF_KIND: Final[Mapping[str, Callable[[Table, Population], Happening]]] = {
    "load": _load,
    "guest_stops": _guest_stops,
    "moved_by_hand": _moved_by_hand,
    "migration_fails": _migration_fails,
    "host_dies": _host_dies,
    "host_returns": _host_returns,
    "drain": _drain,
    "undrain": _undrain,
    "link": _link,
}


def _guests(table: Table, population: Population) -> tuple[str, ...]:
    """Return the uuids of the guests whose names match one of the globs in `guests`."""
    globs = table.texts("guests")
    found = tuple(
        uuid
        for uuid, guest in population.guests.items()
        if any(fnmatchcase(guest.spec.name, glob) for glob in globs)
    )
    if not found:
        known = [guest.spec.name for guest in population.guests.values()]
        table.fail("guests", f"matches no guest{nearest(globs[0] if globs else '', known, '')}")
    return found


def _host(table: Table, key: str, population: Population) -> str:
    name = table.text(key)
    if name not in population.hosts:
        table.fail(key, f"no such host{nearest(name, population.hosts)}")
    return name
