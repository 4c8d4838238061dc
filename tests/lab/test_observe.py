"""What the inventory sees of real hypervisors, healthy and broken."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import pytest

from balancer.adapters.libvirt.dirtying import LibvirtDirtyMeter
from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.adapters.libvirt.inventory import LibvirtInventory
from balancer.planner.constraints.compatible import why_not
from balancer.planner.model.cluster import Cluster, Guest
from balancer.ports import UsageError

from .cluster import Laboratory
from .guest import GuestSpec, Load
from .planner import until
from .test_execute import PATIENCE, WallClock, config, ended, move, under_way

NOVA = (
    "<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>"
    "<nova:owner><nova:project uuid='1'>analytics</nova:project></nova:owner></nova:instance>"
)
OURS = "<b:guest xmlns:b='urn:balancer:guest:1'><b:label name='role' value='broker'/></b:guest>"


@pytest.fixture
def inventory(lab: Laboratory) -> Iterator[LibvirtInventory]:
    made = LibvirtInventory([config(h) for h in lab.hosts.values()], WallClock(), sample_gap=1)
    yield made
    made.close()


def named(cluster: Cluster, name: str) -> Guest:
    (found,) = [guest for guest in cluster.guests if guest.name == name]
    return found


def kinds(cluster: Cluster, name: str) -> set[str]:
    return {tie.kind for tie in named(cluster, name).ties}


def dirtying(lab: Laboratory, where: dict[str, str]) -> Mapping[str, float]:
    """How many MiB/s the guests dirty now."""
    meter = LibvirtDirtyMeter([config(h) for h in lab.hosts.values()], WallClock())
    rates = meter.rates(where)
    meter.close()
    return rates


def test_everything_about_healthy_hosts(lab: Laboratory, inventory: LibvirtInventory) -> None:
    """Hosts, guests, what ties them, and rates are as they were set up, over read-only links."""
    lab.boot(
        GuestSpec("free", disk="shared", load=Load(cpu=40, set=24, dirty=20), metadata=OURS),
        GuestSpec("device", passthrough=True, host="h2"),
        GuestSpec("local", disk="local", host="h2"),
        GuestSpec("nova", metadata=NOVA, host="h3"),
    )
    seen = inventory.observe()
    assert (seen.unseen, seen.doubts) == ((), ())
    h1, h2, h3 = seen.cluster.hosts
    assert h1.capacity == {"cpu": 2000, "memory": 1024}
    assert (h1.networks, h1.storage, h1.labels) == (("guest",), ("lab-shared",), {"rack": "r1"})
    assert "qemu64" in h1.cpu_models
    assert h1.qemu_version >= 7_000_000
    free = named(seen.cluster, "free")
    assert (free.ties, free.labels) == ((), {"role": "broker"})
    assert (free.networks, free.storage) == (("guest",), ("lab-shared",))
    assert why_not(free, h1, h2) == why_not(free, h1, h3) == ""
    assert kinds(seen.cluster, "device") == {"passthrough"}
    assert kinds(seen.cluster, "local") == {"local-disk"}
    assert kinds(seen.cluster, "nova") == {"owner"}
    assert named(seen.cluster, "nova").metadata["nova/project"] == "analytics"
    values = seen.history.guests[free.uuid][-1].values
    assert 200 < values["cpu"] < 900
    assert values["memory.assigned"] == 128
    assert 0 < values["memory.unused"] < 128
    assert seen.history.hosts["h1"][-1].values["cpu"] == values["cpu"]
    assert seen.cluster.placement[free.uuid] == "h1"
    nova = named(seen.cluster, "nova")
    where = {free.uuid: "h1", nova.uuid: "h3", "nobody": "h2"}
    until(lambda: dirtying(lab, where)[nova.uuid] < 4, 20, "for an idle guest to have booted")
    rates = dirtying(lab, where)
    assert rates.keys() == {free.uuid, nova.uuid}
    assert 4 < rates[free.uuid] < 40


def test_rates_reach_back_to_the_look_before(lab: Laboratory, inventory: LibvirtInventory) -> None:
    """The second observation waits for nothing: its rates are averages since the first."""
    (guest,) = lab.boot(GuestSpec("steady"))
    inventory.observe()
    time.sleep(1)
    begin = time.monotonic()
    sample = inventory.observe().history.guests[guest.uuid][-1]
    assert time.monotonic() - begin < 0.9
    assert sample.window >= 1
    assert "cpu" in sample.values


def test_a_hung_and_a_dead_host_delay_nobody(lab: Laboratory, inventory: LibvirtInventory) -> None:
    """They are reported with a remedy within their time limit, and come back by themselves."""
    (guest,) = lab.boot(GuestSpec("seen"))
    inventory.observe()
    lab["h2"].freeze_libvirtd()
    lab["h3"].power_off()
    begin = time.monotonic()
    seen = inventory.observe()
    assert time.monotonic() - begin < 6
    assert [host.name for host in seen.cluster.hosts] == ["h1"]
    assert {lost.host: lost.reason.split(" in ")[0] for lost in seen.unseen} == {
        "h2": "no answer",
        "h3": "connection refused",
    }
    assert all(lost.remedy for lost in seen.unseen)
    assert guest.uuid in seen.cluster.guest
    begin = time.monotonic()
    assert len(inventory.observe().unseen) == 2
    assert time.monotonic() - begin < 1.5  # the hung thread is not joined by a second one
    lab["h2"].thaw_libvirtd()
    lab["h3"].power_on()
    time.sleep(0.5)
    assert inventory.observe().unseen == ()


def test_a_guest_in_flight_is_one_guest(lab: Laboratory, inventory: LibvirtInventory) -> None:
    """Both hosts list it; it is on its source, in flight to its target, and tied by its job."""
    (guest,) = lab.boot(GuestSpec("flying", load=Load(set=32)))
    lab["h2"].shape(40)
    executor = LibvirtExecutor([config(h) for h in lab.hosts.values()], WallClock(), PATIENCE)
    execution = executor.start(move(guest, "h2"))
    under_way(execution)
    cluster = inventory.observe().cluster
    assert [g.uuid for g in cluster.guests] == [guest.uuid]
    assert cluster.placement == {guest.uuid: "h1"}
    assert cluster.in_flight == {guest.uuid: "h2"}
    assert kinds(cluster, "flying") == {"job"}
    execution.abort("enough seen")
    ended(execution)
    executor.close()


def test_a_guest_defined_twice_is_doubtful(lab: Laboratory, inventory: LibvirtInventory) -> None:
    """A second definition is named, for it may be started by mistake."""
    (guest,) = lab.boot(GuestSpec("twin"))
    lab["h3"].connection().defineXML(guest.domain().XMLDesc())
    (doubt,) = inventory.observe().doubts
    assert doubt.startswith("guest twin runs on h1 and is also defined on h3")


def test_undeclared_storage_and_networks(lab: Laboratory) -> None:
    """Nothing declared: the disk's storage is unknown; a bridged libvirt network is offered."""
    lab.boot(GuestSpec("undeclared", disk="shared"))
    hosts = [config(h, networks=None, storage=None) for h in lab.hosts.values()]
    inventory = LibvirtInventory(hosts, WallClock(), sample_gap=0.2)
    cluster = inventory.observe().cluster
    assert kinds(cluster, "undeclared") == {"unknown-storage"}
    assert named(cluster, "undeclared").networks == ("guest",)
    assert all(host.networks == ("guest",) for host in cluster.hosts)
    inventory.close()


def test_a_snapshot_or_a_paused_guest_ties(lab: Laboratory, inventory: LibvirtInventory) -> None:
    """What libvirt would refuse to move, or nobody knows why it stands still, stays."""
    (guest,) = lab.boot(GuestSpec("halted"))
    guest.domain().suspend()
    assert kinds(inventory.observe().cluster, "halted") == {"state"}


def test_nothing_to_be_seen_is_an_error(lab: Laboratory) -> None:
    """Without a single host there is no observation, and the reason is said."""
    hosts = [config(lab["h1"], uri="qemu+unix:///system?socket=/nonexistent")]
    with pytest.raises(UsageError, match="h1: no libvirt socket there; start libvirtd"):
        LibvirtInventory(hosts, WallClock()).observe()
    with pytest.raises(UsageError, match="no hosts are configured"):
        LibvirtInventory([], WallClock()).observe()


def test_the_same_host_by_two_names_counts_once(lab: Laboratory) -> None:
    """Its guests are not seen twice, and the second name is reported."""
    lab.boot(GuestSpec("once"))
    hosts = [config(lab["h1"]), config(lab["h1"], name="also-h1")]
    inventory = LibvirtInventory(hosts, WallClock(), sample_gap=0.2)
    seen = inventory.observe()
    assert [lost.host for lost in seen.unseen] == ["also-h1"]
    assert "same host UUID as h1" in seen.unseen[0].reason
    assert len(seen.cluster.guests) == 1
    inventory.close()
