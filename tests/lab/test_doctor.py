"""What doctor finds on real hypervisors, and its probe."""

from __future__ import annotations

import time

import pytest

from balancer.adapters.libvirt.doctor import examine
from balancer.adapters.libvirt.probe import probe
from balancer.ports import Finding, Grade, UsageError

from .cluster import Laboratory
from .guest import GuestSpec
from .test_execute import WallClock, config


def found(findings: tuple[Finding, ...], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


def active(lab: Laboratory) -> list[str]:
    return [d.name() for h in lab.running_hosts() for d in h.connection().listAllDomains()]


def test_examine(lab: Laboratory) -> None:
    """Each fault is found, named and given a remedy; what is well is said in one line."""
    lab.boot(
        GuestSpec("fine", disk="shared"),
        GuestSpec("device", passthrough=True),
        GuestSpec("where", disk="local", host="h2"),
    )
    time.sleep(2.5)  # balloon statistics are taken every 2 s
    hosts = [
        config(lab["h1"]),
        config(lab["h2"], storage=None, peer_uri="", migration_address=""),
        config(lab["h3"], uri="qemu+unix:///system?socket=/nonexistent", answer_within=2.0),
    ]
    findings = examine(hosts, WallClock())
    (summary, lost) = found(findings, "reachable")
    assert summary.sentence == "3 hosts: 2 ok, 1 not"
    assert (lost.subject, lost.grade) == ("h3", Grade.FAULT)
    assert found(findings, "versions")[0].sentence.startswith("libvirt ")
    assert [f.sentence for f in found(findings, "clock")] == []
    assert "cannot reach it as qemu+unix:///system" in found(findings, "trust")[0].sentence
    (storage,) = found(findings, "storage")
    assert (storage.subject, storage.grade) == ("/srv/lab-local", Grade.FAULT)
    assert storage.sentence.endswith("1 guests on h2 stay")
    guests = found(findings, "guests")
    assert guests[0].sentence.startswith("3 guests running: 1 movable; not: ")
    assert {f.subject for f in guests[1:]} == {"device", "where"}
    assert [f for f in findings if f.grade is Grade.FAULT and f.subject and not f.remedy] == []


def test_probe(lab: Laboratory) -> None:
    """A guest made for it moves, is measured, and is gone afterwards; no other is touched."""
    lab.boot(GuestSpec("bystander"))
    hosts = [config(h) for h in lab.hosts.values()]
    finding = probe(hosts, "h1", "h2", WallClock())
    assert finding.grade is Grade.OK, finding
    assert finding.sentence.startswith("a guest of 64 MiB moved in ")
    assert active(lab) == ["bystander"]


def test_probe_where_hosts_do_not_reach_each_other(lab: Laboratory) -> None:
    """The reason is said, and the guest is removed all the same."""
    hosts = [config(lab["h1"]), config(lab["h2"], peer_uri="qemu+tcp://nobody/system")]
    finding = probe(hosts, "h1", "h2", WallClock())
    assert finding.grade is Grade.FAULT
    assert "nobody" in finding.sentence
    assert active(lab) == []
    with pytest.raises(UsageError, match="no host h9 is configured"):
        probe(hosts, "h1", "h9", WallClock())


def test_probe_over_a_dead_link(lab: Laboratory) -> None:
    """A migration network that is cut is found out, and nothing stays behind."""
    lab["h2"].cut("mig")
    lab["h1"].run("ip", "neigh", "flush", "all")  # or h1 goes on trying for a minute
    hosts = [config(h) for h in lab.hosts.values()]
    finding = probe(hosts, "h1", "h2", WallClock())
    assert finding.grade is Grade.FAULT, finding
    assert active(lab) == []
