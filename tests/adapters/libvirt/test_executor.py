"""The look just before a start."""

from dataclasses import replace

import libvirt
import pytest

from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.config.host import HostConfig
from balancer.planner.model.plan import Result
from balancer.ports import Passing
from tests.adapters.libvirt.fakes import OUT, arrives, error
from tests.adapters.libvirt.test_execution import ACTION, ended


@pytest.fixture
def executor(configs, clock):
    made = LibvirtExecutor(configs(answer_within=0.5), clock)
    yield made
    made.close()


def test_nothing_speaks_against_it(executor, hosts):
    """Then it may start, and does."""
    hosts["a"].add()
    assert executor.look_again(ACTION) == ""
    hosts["a"].migrate = arrives(hosts["b"])
    assert ended(executor.start(ACTION)).result is Result.DONE


@pytest.mark.parametrize(
    ("known", "objection"),
    [
        ({"now": (libvirt.VIR_DOMAIN_PAUSED, 1)}, "web-1 does not run at this moment"),
        ({"job": OUT}, "web-1: it is being migrated"),
        ({"job": {"type": 1, "operation": 99}}, "web-1: a job runs on it"),
        ({"snapshots": 1}, "web-1 has snapshots"),
        ({"uuid": "another"}, "web-1 is not on a any more"),
        ({"xml": error(libvirt.VIR_ERR_NO_DOMAIN)}, "web-1 is not on a any more"),
        ({"xml": "<domain"}, "a: its XML is malformed"),
    ],
)
def test_objections_at_the_source(executor, hosts, known, objection):
    """What changed since the plan was made is found, whoever changed it."""
    hosts["a"].add(**known)
    found = executor.look_again(ACTION)
    assert found.startswith(objection)
    assert isinstance(found, Passing), "it says nothing of that target"


def test_objections_at_the_target(executor, hosts):
    """A copy, a namesake, too little memory or too few pages in reality."""
    hosts["a"].add()
    here = hosts["b"].add()
    assert executor.look_again(ACTION) == "web-1 is active on b already"
    assert not isinstance(executor.look_again(ACTION), Passing)
    here.uuid = "another"
    assert executor.look_again(ACTION) == "b knows another guest named web-1"
    hosts["b"].domains.clear()
    hosts["b"].memory = {"free": 1 << 20, "cached": 1 << 19}
    assert executor.look_again(ACTION) == (
        "b has 1536 MiB of memory free in reality, web-1 needs 2048 MiB"
    )
    hosts["b"].failing["getMemoryStats"] = error(libvirt.VIR_ERR_NO_SUPPORT)
    assert "1024 MiB" in executor.look_again(ACTION)
    hosts["a"].domains[0].xml = LIVE.replace(
        "<devices>", "<memoryBacking><hugepages/></memoryBacking><devices>"
    )
    assert executor.look_again(ACTION) == ""
    hosts["b"].pages = 1
    assert executor.look_again(ACTION).startswith("b has 1 free pages of")


def test_hosts_that_do_not_answer_or_are_unknown(executor, hosts, clock):
    """The host is named."""
    hosts["a"].failing["lookupByUUIDString"] = error(38, "Connection refused")
    assert executor.look_again(ACTION) == "a: connection refused"
    assert executor.look_again(replace(ACTION, target="c")) == "c is not configured"
    local = [HostConfig(name=name, uri="qemu:///system") for name in ("a", "b")]
    assert "b has no `peer_uri`" in LibvirtExecutor(local, clock).look_again(ACTION)


LIVE = """<domain type='kvm'><uuid>u</uuid><name>web-1</name>
<memory>2097152</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
<cpu mode='custom'><model>Skylake</model><feature policy='require' name='avx'/><numa/></cpu>
<devices><disk type='file'><source file='/images/a'/><target dev='vda'/></disk>
<interface type='network'><source network='prod'/></interface></devices></domain>"""
"""A guest as it runs, with all that the look compares."""


def test_what_no_longer_fits_is_found_just_before(executor, hosts):
    """Networks, processor, machine type and emulator of the target as they are at this moment."""
    hosts["a"].add(xml=LIVE)
    assert executor.look_again(ACTION) == ""
    hosts["b"].networks_down = ("prod",)
    down = "web-1 cannot run on b: its network prod is not active"
    assert executor.look_again(ACTION) == down
    hosts["b"].networks_missing = ("prod",)
    assert executor.look_again(ACTION) == down
    asked = []

    def compare(*given):
        asked.append(given)
        return libvirt.VIR_CPU_COMPARE_INCOMPATIBLE

    hosts["b"].compareHypervisorCPU = compare
    said = "web-1 cannot run on b: it cannot give the guest the CPU that it has"
    assert executor.look_again(ACTION) == said
    ((emulator, *kind, cpu),) = asked
    assert (emulator, kind) == (None, ["x86_64", "pc-q35-7.2", "kvm"])
    assert "Skylake" in cpu
    assert "numa" not in cpu
    hosts["b"].failing["getDomainCapabilities"] = error(libvirt.VIR_ERR_INVALID_ARG)
    assert "machine type pc-q35-7.2 and CPU" in executor.look_again(ACTION)
    hosts["b"].failing["getDomainCapabilities"] = error(libvirt.VIR_ERR_NO_SUPPORT)
    assert executor.look_again(ACTION) == down
    hosts["b"].failing["getDomainCapabilities"] = error(libvirt.VIR_ERR_INTERNAL_ERROR, "odd")
    assert executor.look_again(ACTION) == "b: odd"
    hosts["b"].failing.clear()


def test_an_older_emulator_and_an_odd_answer_are_objections(executor, hosts):
    """Back to an older QEMU no guest goes, and what libvirt does not explain is a no."""
    hosts["a"].add(xml=LIVE)
    hosts["b"].failing["networkLookupByName"] = error(libvirt.VIR_ERR_INTERNAL_ERROR, "odd")
    assert executor.look_again(ACTION) == "b: odd"
    hosts["b"].getVersion = lambda: 1
    assert "its QEMU is older" in executor.look_again(ACTION)


def test_a_disk_that_is_being_copied_waits(executor, hosts):
    """A block job is somebody's backup: it is left alone."""
    domain = hosts["a"].add(xml=LIVE)
    domain.blockJobInfo = lambda disk: {"type": 1} if disk == "vda" else {}
    assert executor.look_again(ACTION) == "web-1: a block job runs on its disk vda"


def test_a_guest_is_asked_to_shut_down_and_waited_for(executor, hosts, monkeypatch):
    """It is off in the end, or it is said why not; its power is never cut."""
    domain = hosts["a"].add()
    domain.shutdown = lambda: setattr(domain, "active", False)
    assert executor.shut_down(domain.uuid, "a") == ""
    domain.active = True
    domain.shutdown = lambda: None
    monkeypatch.setattr("balancer.adapters.libvirt.executor.SHUTTING_DOWN", 0.0)
    assert executor.shut_down(domain.uuid, "a") == "it does not shut down within 0 s"
    domain.persistent = False
    assert "defined nowhere" in executor.shut_down(domain.uuid, "a")
    assert executor.shut_down("another", "a").startswith("a: ")
    assert domain.active


STORED = LIVE.replace(
    "<disk type='file'><source file='/images/a'/><target dev='vda'/></disk>",
    "<disk type='file'><source file='/var/lib/libvirt/images/a.qcow2'/><target dev='vda'/></disk>"
    "<disk type='volume'><source pool='images' volume='b.qcow2'/><target dev='vdb'/></disk>",
)


def test_disks_must_be_where_the_targets_pools_say(executor, hosts):
    """Looked at anew where a pool does not list one; what lies in no pool is left to hosts.toml."""
    hosts["a"].add(xml=STORED)
    hosts["b"].volumes, hosts["b"].listed = ["a.qcow2", "b.qcow2"], []
    assert executor.look_again(ACTION) == ""
    assert hosts["b"].listed == ["a.qcow2", "b.qcow2"]
    hosts["b"].volumes = hosts["b"].listed = ["b.qcow2"]
    assert executor.look_again(ACTION) == (
        "web-1 cannot run on b: its disk vda (/var/lib/libvirt/images/a.qcow2) is not there, "
        "though its pool is"
    )
    hosts["b"].volumes = hosts["b"].listed = ["a.qcow2"]
    assert executor.look_again(ACTION).endswith(
        "its disk vdb (b.qcow2) is not in an active pool images there"
    )
    hosts["a"].domains[0].xml = STORED.replace("pool='images'", "pool='other'")
    assert "an active pool other there" in executor.look_again(ACTION)
    hosts["b"].failing["storagePoolLookupByName"] = error(libvirt.VIR_ERR_NO_SUPPORT)
    hosts["b"].failing["listAllStoragePools"] = error(libvirt.VIR_ERR_NO_SUPPORT)
    assert executor.look_again(ACTION) == ""
    hosts["a"].domains[0].xml = LIVE
    assert executor.look_again(ACTION) == "", "no pool covers /images"


def test_bridges_that_the_source_shows_must_be_at_the_target(executor, hosts):
    """Where the source cannot show any, nothing is concluded from the target's not doing so."""
    hosts["a"].add(xml=LIVE.replace("source network='prod'", "source bridge='br7'"))
    hosts["b"].bridges = []
    assert executor.look_again(ACTION) == ""
    hosts["a"].bridges = ["br7"]
    assert executor.look_again(ACTION) == "web-1 cannot run on b: its bridge br7 is not there"
    hosts["b"].bridges = ["br7"]
    assert executor.look_again(ACTION) == ""


def test_devices_are_looked_at_as_they_are_now(executor, hosts):
    """A device plugged in since the plan was made holds; a TPM needs its emulator there."""
    plugged = "<hostdev type='pci'><source><address bus='0x3b'/></source></hostdev></devices>"
    hosts["a"].add(xml=LIVE.replace("</devices>", plugged))
    assert executor.look_again(ACTION) == ("web-1 is held on a: passthrough: PCI 0000:3b:00.0")
    tpm = "<tpm model='tpm-crb'><backend type='emulator'/></tpm></devices>"
    hosts["a"].domains[0].xml = LIVE.replace("</devices>", tpm)
    assert executor.look_again(ACTION) == ""
    hosts["b"].emulation = "<domainCapabilities/>"
    assert (
        executor.look_again(ACTION) == "web-1 cannot run on b: it cannot emulate its tpm-emulator"
    )


def test_a_guest_that_sees_the_whole_processor_is_compared_by_that(executor, hosts):
    """The source's own processor is what the target must have."""
    whole = LIVE.replace(
        "<cpu mode='custom'><model>Skylake</model>", "<cpu mode='host-passthrough'>"
    )
    hosts["a"].add(xml=whole)
    asked = []
    hosts["b"].compareHypervisorCPU = lambda *given: (
        asked.append(given[-1]) or (libvirt.VIR_CPU_COMPARE_INCOMPATIBLE)
    )
    assert "cannot give the guest the CPU" in executor.look_again(ACTION)
    assert "Cascadelake-Server" in asked[0]
    hosts["a"].failing["getDomainCapabilities"] = error(libvirt.VIR_ERR_NO_SUPPORT)
    assert executor.look_again(ACTION) == ""


def test_memory_that_others_on_their_way_will_fill_is_not_free(executor, hosts):
    """Two at once do not both get the last of it."""
    hosts["a"].add()
    going = hosts["a"].add(uuid="2", _name="web-2", job=OUT)
    hosts["a"].migrate = lambda _domain: hosts["a"].aborted.wait(10)
    other = replace(ACTION, guest="2", name="web-2", predicted=replace(ACTION.predicted, mib=1024))
    execution = executor.start(other)
    hosts["b"].memory = {"free": (2048 + 1000) * 1024}
    assert "b has 2024 MiB of memory free in reality" in executor.look_again(ACTION)
    hosts["b"].memory = {"free": (2048 + 1024) * 1024}
    assert executor.look_again(ACTION) == ""
    going.job = {"type": 0}
    hosts["a"].aborted.set()
    ended(execution)
