"""What guests may have is changed where they are, and shows in what they get."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.adapters.libvirt.inventory import LibvirtInventory
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.resize import Resize, What

from .cluster import Laboratory
from .guest import Guest, GuestSpec, Load
from .test_execute import PATIENCE, WallClock, config

BUSY = Load(cpu=100)


@pytest.fixture
def executor(lab: Laboratory) -> Iterator[LibvirtExecutor]:
    """The product's executor."""
    made = LibvirtExecutor([config(h) for h in lab.hosts.values()], WallClock(), PATIENCE)
    yield made
    made.close()


def resize(guest: Guest, what: What, before: int, after: int) -> Resize:
    """A change of a guest on h1."""
    return Resize(
        id="r1",
        guest=guest.uuid,
        name=guest.name,
        host="h1",
        what=what,
        before=before,
        after=after,
    )


def used(guests: list[Guest], seconds: float = 1.0) -> list[float]:
    """Return the cores that the guests' vCPUs get."""

    def read() -> list[int]:
        return [
            sum(cpu["vcpu_time"] for cpu in guest.domain().getCPUStats(False)) for guest in guests
        ]

    before, began = read(), time.monotonic()
    time.sleep(seconds)
    after, span = read(), time.monotonic() - began
    return [(b - a) / 1e9 / span for a, b in zip(before, after, strict=True)]


def knobs(lab: Laboratory) -> dict[str, Knobs | None]:
    """Return what the product sees of the guests' settings, by name."""
    inventory = LibvirtInventory([config(h) for h in lab.hosts.values()], WallClock())
    try:
        return {g.name: g.knobs for g in inventory.observe().cluster.guests}
    finally:
        inventory.close()


def test_shares_and_quota_take_effect_in_the_guests(
    lab: Laboratory, executor: LibvirtExecutor
) -> None:
    """Of two busy guests on one processor one gives way; a quota holds it to so much, and is lifted."""
    one, two = lab.boot(
        GuestSpec("one", load=BUSY, nic=False), GuestSpec("two", load=BUSY, nic=False)
    )
    for guest in (one, two):
        guest.domain().pinVcpu(0, (True, False))
    even = used([one, two])
    assert 0.5 < even[0] / even[1] < 2
    assert executor.resize(resize(two, What.SHARES, 1000, 50)) == ""
    given = used([one, two])
    assert given[0] > 5 * given[1], given
    assert executor.resize(resize(one, What.QUOTA, 0, 200)) == ""
    held = used([one, two])
    assert held[0] < 0.3, held
    assert held[1] > given[1]
    seen = knobs(lab)
    assert (seen["one"].quota, seen["two"].shares) == (200, 50)  # type: ignore[union-attr]
    assert executor.resize(resize(one, What.QUOTA, 200, 0)) == ""
    assert executor.resize(resize(two, What.SHARES, 50, 1000)) == ""
    seen = knobs(lab)
    assert (seen["one"].quota, seen["two"].shares) == (0, 1000)  # type: ignore[union-attr]
    two.destroy()
    assert "Domain not found" in executor.resize(resize(two, What.SHARES, 1000, 50))
