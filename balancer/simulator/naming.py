"""Whom an event means: guests by globs, hosts by name or rack; unknown ones are refused."""

from fnmatch import fnmatchcase

from balancer.config.reading import Table, nearest
from balancer.simulator.population import Population


def guests_named(table: Table, population: Population) -> tuple[str, ...]:
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


def host_named(table: Table, key: str, population: Population, name: str | None = None) -> str:
    """Return the host that `key` names, of the file or brought by an event above."""
    wanted = table.text(key) if name is None else name
    known = {*population.hosts, *population.later}
    if wanted not in known:
        table.fail(key, f"no such host{nearest(wanted, known)}")
    return wanted


def rack_named(table: Table, population: Population) -> tuple[str, ...]:
    """Return the hosts whose label `rack` is what `rack` says."""
    rack = table.text("rack")
    found = [h.name for h in population.hosts.values() if h.labels.get("rack") == rack]
    if not found:
        racks = {h.labels["rack"] for h in population.hosts.values() if "rack" in h.labels}
        table.fail("rack", f"no host has the label rack = {rack!r}{nearest(rack, racks)}")
    return tuple(found)
