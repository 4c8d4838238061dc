"""The inventory against fake hypervisors and libvirt's own test driver."""

import libvirt
import pytest

from balancer.adapters.libvirt.inventory import LibvirtInventory
from balancer.config.host import HostConfig
from balancer.ports import UsageError
from tests.adapters.libvirt.fakes import error

BROKEN = error(libvirt.VIR_ERR_RPC, "socket is closed", libvirt.VIR_FROM_RPC)


@pytest.fixture
def inventory(configs, clock):
    made = LibvirtInventory(configs(), clock, sample_gap=0.01)
    yield made
    made.close()


def test_test_driver(clock):
    """libvirt's test driver, which supports little, is seen as far as it goes."""
    inventory = LibvirtInventory([HostConfig(name="t", uri="test:///default")], clock)
    seen = inventory.observe()
    (guest,) = seen.cluster.guests
    assert (guest.name, guest.allocation) == ("test", {"vcpus": 2, "memory": 8192})
    assert {tie.kind for tie in guest.ties} == {"unknown-storage", "unknown-network"}
    assert seen.cluster.host["t"].capacity["cpu"] == 16000
    assert "cpu" not in seen.history.guests[guest.uuid][-1].values
    inventory.close()


def test_two_samples(inventory, hosts):
    """Rates come from counters read twice; the second observation needs no second reading."""
    domain = hosts["a"].add()
    stats = iter([10**9, 2 * 10**9, 3 * 10**9, 4 * 10**9])

    class Growing(dict):
        def get(self, key, default=None):
            return next(stats) if key == "cpu.time" else super().get(key, default)

    domain.stats = Growing(domain.stats)
    seen = inventory.observe()
    (sample,) = seen.history.guests[domain.uuid]
    assert sample.values["cpu"] > 0
    assert sample.values["memory.rss"] == 1
    assert seen.history.hosts["a"][-1].values["memory.used"] == 32768
    inventory.observe()
    assert len(list(stats)) in (0, 1)


def test_declared_capacity_makes_the_guests_the_measure(hosts, configs, clock):
    """The machine's counters are not those of the part that was declared."""
    hosts["a"].add()
    inventory = LibvirtInventory(configs(capacity={"memory": 512}), clock, sample_gap=0.01)
    values = inventory.observe().history.hosts["a"][-1].values
    assert values["memory.used"] == 1
    assert hosts["a"].opened == ["read-only"]
    LibvirtInventory(configs(), clock, sample_gap=0.01, read_only=False).observe()
    assert hosts["a"].opened == ["read-only", "ordinary"]


def test_a_kept_connection_that_died_is_tried_anew(inventory, hosts, monkeypatch):
    """One broken answer is not a broken host."""
    answers = [BROKEN]
    real = hosts["a"].getCapabilities

    def once():
        if answers:
            raise answers.pop()
        return real()

    monkeypatch.setattr(hosts["a"], "getCapabilities", once)
    assert inventory.observe().unseen == ()


def test_hosts_that_cannot_be_seen(inventory, hosts):
    """Each has a reason and a remedy; the others are seen."""
    hosts["b"].failing["open"] = error(38, "Connection refused")
    seen = inventory.observe()
    assert [(lost.host, lost.reason) for lost in seen.unseen] == [("b", "connection refused")]
    hosts["a"].capabilities = "<capabilities"
    with pytest.raises(UsageError, match="none of 2 hosts can be seen; a: its XML is malformed"):
        inventory.observe()


def test_a_fault_of_the_program_is_not_hidden(inventory, hosts):
    """Only faults of the world are reported as such."""
    hosts["a"].failing["getInfo"] = KeyError("bug")
    with pytest.raises(KeyError):
        inventory.observe()


def test_the_same_machine_twice(inventory, hosts):
    """Its guests count once."""
    hosts["b"].capabilities = hosts["a"].capabilities
    seen = inventory.observe()
    assert "same host UUID as a" in seen.unseen[0].reason


def test_no_hosts(clock):
    """There is nothing to look at, and it is said where hosts are named."""
    with pytest.raises(UsageError, match=r"hosts\.toml"):
        LibvirtInventory([], clock).observe()


def test_what_vanishes_or_cannot_be_read_between(inventory, hosts):
    """A guest gone meanwhile is no guest; one that libvirt does not show is set aside."""
    hosts["a"].add(uuid="gone", xml=error(libvirt.VIR_ERR_NO_DOMAIN))
    hosts["a"].add(uuid="odd", xml=error(libvirt.VIR_ERR_INTERNAL_ERROR, "cannot show"))
    hosts["a"].add(uuid="bad", xml="<domain", block_job={"type": 1})
    hosts["a"].add(uuid="busy", block_job={"type": 2}, job={"type": 1, "operation": 9})
    mute = hosts["a"].add(uuid="mute", block_job={"type": 2})
    mute.stats = {"balloon.current": 1}
    found = {g.uuid: [t.detail for t in g.ties] for g in inventory.observe().cluster.guests}
    assert found["odd"] == ["libvirt does not show it (cannot show)"]
    assert "malformed" in found["bad"][0]
    assert found["busy"] == ["block job on vda", "a backup runs"]
    assert found["mute"] == ["its QEMU is busy or does not answer"]
    assert "gone" not in found


def test_a_host_without_network_driver(inventory, hosts):
    """With modular daemons a part may be missing: doubtful, not fatal."""
    failing = error(38, "Failed to connect socket to 'virtnetworkd-sock'")
    hosts["a"].failing["listAllNetworks"] = failing
    (doubt,) = inventory.observe().doubts
    assert doubt.startswith("a: its networks cannot be listed (Failed to connect")


def test_old_libvirt_without_nowait(inventory, hosts, monkeypatch):
    """libvirt before 4.5 is asked again without the flag it does not know."""
    real = hosts["a"].getAllDomainStats

    def old(stats, flags):
        if flags & libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT:
            raise error(libvirt.VIR_ERR_INVALID_ARG)
        return real(stats, flags)

    hosts["a"].add()
    monkeypatch.setattr(hosts["a"], "getAllDomainStats", old)
    assert len(inventory.observe().cluster.guests) == 1
    hosts["a"].failing["getAllDomainStats"] = error(libvirt.VIR_ERR_INTERNAL_ERROR, "no stats")
    assert [lost.reason for lost in inventory.observe().unseen] == ["no stats"]
