"""A guest of our own making, moved and removed."""

import libvirt
import pytest

from balancer.adapters.libvirt import probe as module
from balancer.adapters.libvirt.probe import probe
from balancer.ports import Grade, UsageError
from tests.adapters.libvirt.fakes import arrives, error


@pytest.fixture
def names(hosts):
    """Have the fakes read the guest's name and find it by it."""

    def create(host):
        def make(xml):
            uuid = xml.split("<uuid>")[1].split("<")[0]
            name = xml.split("<name>")[1].split("<")[0]
            host.created.append(name)
            host.add(uuid=uuid, _name=name, persistent=False, xml=xml)

        return make

    for host in hosts.values():
        host.createXML = create(host)


@pytest.mark.usefixtures("names")
def test_it_moves_and_is_gone(hosts, configs, clock):
    """Measured on the way; others' guests are not touched."""
    hosts["b"].add(uuid="other", _name="other")
    hosts["a"].migrate = arrives(hosts["b"])
    finding = probe(configs(), "a", "b", clock)
    assert finding.grade is Grade.OK
    assert (finding.subject, finding.check) == ("a → b", "trust")
    assert finding.sentence.endswith("paused for 42 ms")
    assert hosts["a"].domains == []
    assert [domain.uuid for domain in hosts["b"].domains] == ["other"]


@pytest.mark.usefixtures("names")
def test_a_move_that_fails(hosts, configs, clock):
    """The reason is said, and the guest removed from where it stayed."""

    def refuse(_domain):
        raise error(libvirt.VIR_ERR_AUTH_FAILED, "authentication failed")

    hosts["a"].migrate = refuse
    finding = probe(configs(), "a", "b", clock)
    assert finding.grade is Grade.FAULT
    assert "b refuses the login of a" in finding.sentence
    assert finding.remedy
    assert hosts["a"].domains == []


@pytest.mark.usefixtures("names")
def test_a_guest_that_cannot_be_made_or_started(hosts, configs, clock):
    """Both are findings, not tracebacks."""
    hosts["a"].failing["createXML"] = error(1, "no QEMU there")
    assert (
        "no guest could be made on a: no QEMU there" in probe(configs(), "a", "b", clock).sentence
    )
    del hosts["a"].failing["createXML"]
    hosts["b"].memory = {"free": 1}
    finding = probe(configs(), "a", "b", clock)
    assert "free in reality" in finding.sentence
    assert hosts["a"].domains == []


@pytest.mark.usefixtures("names")
def test_a_guest_that_cannot_be_removed(hosts, configs, clock, monkeypatch):
    """The operator is told where it is."""
    monkeypatch.setattr(module, "CLEARING", 0.0)
    hosts["a"].migrate = arrives(hosts["b"])
    real = hosts["b"].lookupByUUIDString

    def stubborn(uuid):
        domain = real(uuid)

        def fail():
            raise error(libvirt.VIR_ERR_OPERATION_FAILED)

        domain.destroy = fail
        return domain

    hosts["b"].lookupByUUIDString = stubborn
    finding = probe(configs(), "a", "b", clock)
    assert finding.grade is Grade.FAULT
    assert finding.sentence.endswith("was not removed from b")


def test_hosts_must_be_two_and_known(configs, clock):
    """Bad arguments are one sentence."""
    with pytest.raises(UsageError, match="no host c is configured"):
        probe(configs(), "a", "c", clock)
    with pytest.raises(UsageError, match="name two hosts"):
        probe(configs(), "a", "a", clock)
