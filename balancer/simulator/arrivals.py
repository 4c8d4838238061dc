"""Events that change who is there: hosts come and go, guests are booted, everything grows."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final
from uuid import NAMESPACE_DNS, uuid5

from balancer.config.reading import Table
from balancer.config.units import COUNT, MILLICORES, RATIO, SECONDS
from balancer.simulator.naming import guests_named, host_named
from balancer.simulator.population import GUEST_KEYS, HOST_KEYS, Dice, Population, drawn, names
from balancer.simulator.workloads import Booting, Scaled
from balancer.simulator.world import SimulatedGuest, World

Happening = Callable[[World], None]

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "host_added": HOST_KEYS,
    "host_removed": ("host",),
    "guests_boot": (*GUEST_KEYS, "boot_cpu", "boot_for"),
    "growth": ("guests", "times", "load"),
}


def host_added(table: Table, population: Population) -> Happening:
    """Return what lets the hosts described join, empty."""
    fresh = population.described(table)
    population.later.update({host.spec.name: host for host in fresh})

    def happen(world: World) -> None:
        for host in fresh:
            world.add_host(replace(host))  # the next run begins with one unharmed

    return happen


def host_removed(table: Table, population: Population) -> Happening:
    """Return what takes a host away for good."""
    host = host_named(table, "host", population)

    def happen(world: World) -> None:
        if host in world.hosts:
            world.remove_host(host)

    return happen


def guests_boot(table: Table, population: Population) -> Happening:
    """Return what boots the guests described: busy for a while, then what `cpu` says."""
    wanted = Table(
        table.file, table.path, {k: v for k, v in table.values.items() if k in GUEST_KEYS}
    )
    homes = [host_named(wanted, "on", population, word) for word in wanted.texts("on")]
    dice = Dice(population.seed * 1009 + len(population.guests))
    fresh = [population.guest(drawn(wanted, dice), name) for name in names(wanted)]
    for guest in fresh:
        if guest.spec.uuid in population.guests:
            table.fail("names", f"{guest.spec.name} is there from the beginning")
    cores = int(table.amount("boot_cpu", MILLICORES, 0))
    lasting = float(table.amount("boot_for", SECONDS, 300))

    def happen(world: World) -> None:
        for index, guest in enumerate(fresh):
            cpu = (
                Booting(cpu=cores, until=world.now + lasting, then=guest.cpu)
                if cores
                else guest.cpu
            )
            world.boot(replace(guest, cpu=cpu), homes[index % len(homes)] if homes else "")

    return happen


def growth(table: Table, population: Population) -> Happening:
    """Return what makes guests more (each `times` as many) and busier (`load` times as much)."""
    uuids = guests_named(table, population)
    times = max(1, int(table.amount("times", COUNT, 1)))
    factor = float(table.amount("load", RATIO, 1.0))
    if times == 1 and "load" not in table.values:
        table.fail("times", 'missing: how many times as many guests, or load = "150%"')

    def happen(world: World) -> None:
        for uuid in uuids:
            if uuid not in world.guests:
                continue
            grown = world.guests[uuid]
            grown = replace(grown, cpu=Scaled(calm=grown.cpu, factor=factor, since=world.now))
            world.guests[uuid] = grown
            for number in range(2, times + 1):
                world.boot(_like(grown, number))

    return happen


def _like(guest: SimulatedGuest, number: int) -> SimulatedGuest:
    """Return another guest that behaves as `guest` does."""
    name = f"{guest.spec.name}.{number}"
    spec = replace(guest.spec, uuid=str(uuid5(NAMESPACE_DNS, name)), name=name)
    return replace(guest, spec=spec)
