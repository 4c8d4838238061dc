"""Findings, from views of hosts in memory."""

from dataclasses import replace

import pytest

from balancer.adapters.libvirt.doctor import clock_offset, conclude, examine, version
from balancer.adapters.libvirt.inventory import Glance, View
from balancer.config.host import HostConfig
from balancer.planner.model.observation import Unseen
from balancer.ports import Grade
from tests.adapters.libvirt.fakes import error
from tests.adapters.libvirt.reading import domain, sighting


def config(name: str, **known) -> HostConfig:
    given = {
        "uri": f"qemu+ssh://{name}/system",
        "migration_address": f"{name}-mig",
    }
    return HostConfig(name=name, **(given | known))


def findings(*sightings, unseen=(), hosts=()):
    view = View(tuple(Glance(s, s.reading) for s in sightings), tuple(unseen))
    return conclude(hosts or [s.config for s in sightings], view)


def said(found, check, *, about=None):
    return [
        (f.grade, f.sentence) for f in found if f.check == check and about in (None, f.subject)
    ]


def test_a_healthy_cluster():
    """No fault is found where there is none."""
    found = findings(sighting("a", config=config("a")), sighting("b", config=config("b")))
    assert {f.grade for f in found} == {Grade.OK}
    assert said(found, "reachable") == [(Grade.OK, "2 hosts: 2 ok")]
    assert (Grade.OK, "libvirt 9.0.0 on 2; QEMU 7.2.0 on 2") in said(found, "versions")
    assert (Grade.OK, "0 guests running: 0 movable") in said(found, "guests")


def test_unseen_hosts():
    """Each is a fault with its remedy."""
    found = findings(sighting(), unseen=[Unseen("b", "connection refused", "start libvirtd")])
    assert said(found, "reachable")[0] == (Grade.FAULT, "1 hosts: 0 ok, 1 not")
    assert said(found, "reachable", about="b") == [(Grade.FAULT, "connection refused")]


def test_unlike_versions_and_modular_daemons():
    """Guests cannot move back to an older QEMU; what is certainly modular is counted."""
    old = sighting("a", qemu_version=5_002_000, config=config("a", uri="x?socket=virtqemud-sock"))
    texts = said(findings(old, sighting("b")), "versions")
    assert texts[0][0] is Grade.NOTE
    assert texts[0][1].startswith("libvirt 9.0.0 on 2; QEMU 5.2.0 on 1, 7.2.0 on 1: guests move")
    assert texts[1][1].startswith("1 of 2 hosts certainly use modular daemons")
    assert version(0) == "unknown"


@pytest.mark.parametrize(
    ("stamp", "offset"), [(1060, 60), (1000, 0), (996, 0), (900, -94), (None, None), (0, None)]
)
def test_clocks(stamp, offset):
    """A stamp of the future proves a clock ahead; one of the past within the period, nothing."""
    stats = {} if stamp is None else {"balloon.last-update": stamp, "balloon.unused": 1}
    host = sighting("a", domain(stats=stats), domain(xml="<"))
    assert clock_offset(host) == offset
    sentences = [sentence for _, sentence in said(findings(host), "clock")]
    if offset is None:
        assert "cannot be told" in sentences[0]
    elif offset:
        way = "ahead" if offset > 0 else "behind"
        assert sentences == [f"its clock seems {way} by {abs(offset)} s"]
    else:
        assert sentences == []


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ({"uri": "qemu:///system"}, "other hosts cannot reach it as qemu:///system"),
        ({"peer_uri": "kvm1"}, "its peer URI kvm1 names no host"),
        ({"peer_uri": "qemu+tls://[::1/system"}, "is malformed"),
        ({"peer_uri": "qemu+tcp://localhost/system"}, "leads every host to itself"),
        ({"migration_address": ""}, "no `migration_address`"),
    ],
)
def test_trust(known, sentence):
    """What the configuration alone tells of how hosts reach each other."""
    found = said(findings(sighting("a", config=config("a", **known))), "trust", about="a")
    assert sentence in found[0][1]


def test_two_hosts_with_one_peer_uri():
    """One of them would be given the other's guests."""
    hosts = [config(name, peer_uri="qemu+tls://kvm/system") for name in "ab"]
    found = said(findings(sighting(), hosts=hosts), "trust", about="a")
    assert found == [(Grade.FAULT, "a, b have the same peer URI qemu+tls://kvm/system")]


def test_storage_and_networks_that_cannot_be_told_apart():
    """One finding for each place, however many guests are on it."""
    nova = replace(domain("nova"), uuid="n")
    found = findings(sighting("a", domain(), nova), sighting("b", replace(domain(), uuid="2")))
    assert said(found, "storage", about="/var/lib/libvirt/images") == [
        (Grade.FAULT, "cannot tell if it is the same elsewhere: 2 guests on a, b stay")
    ]
    assert said(found, "storage", about="rbd:vms") != []
    assert [f.subject for f in found if f.check == "networks"] == [
        "br-int (bridge)",
        "lan (network)",
    ]


def test_guests_that_stay_and_guests_without_statistics():
    """Why each stays, and how many report no memory."""
    many = [replace(domain("devices"), uuid=str(n), name=f"gpu-{n}") for n in range(6)]
    found = findings(sighting("a", *many))
    summary, first = said(found, "guests")[:2]
    assert summary[1].startswith("6 guests running: 0 movable; not: local-disk 6, passthrough 6")
    assert first[1].startswith("stays on a: PCI 0000:3b:00.0; USB")
    assert (
        "6 guests without balloon statistics (gpu-0, gpu-1, gpu-2, gpu-3 and 2 more)"
        in (said(found, "guests")[-1][1])
    )


def test_doubts_are_findings():
    """What is defined twice is a fault; what a host does not tell is a note."""
    guest = domain()
    doubtful = sighting("b", defined={guest.uuid: "web-1"}, doubts=("b: it says nothing: ask it",))
    found = findings(sighting("a", guest), doubtful)
    assert said(found, "hosts", about="b") == [(Grade.NOTE, "it says nothing")]
    (fault, sentence) = said(found, "twice")[0]
    assert (fault, sentence) == (Grade.FAULT, "guest web-1 runs on a and is also defined on b")


def test_examine_asks_the_hosts(hosts, configs, clock):
    """The whole way, over connections."""
    hosts["a"].add()
    found = examine(configs(), clock)
    assert said(found, "reachable") == [(Grade.OK, "2 hosts: 2 ok")]
    assert hosts["a"].opened == hosts["b"].opened == ["read-only"]
    assert said(found, "guests")[0] == (Grade.OK, "1 guests running: 1 movable")


def test_where_no_host_answers_each_is_named_with_its_remedy(hosts, configs, clock):
    """That is when a doctor is needed most."""
    for host in hosts.values():
        host.failing["open"] = error(38, "Connection refused")
    found = examine(configs(), clock)
    assert [f.sentence for f in found] == ["2 hosts: 0 ok, 2 not", *["connection refused"] * 2]
    assert all(f.grade is Grade.FAULT for f in found)
    assert all(f.remedy for f in found if f.subject)
