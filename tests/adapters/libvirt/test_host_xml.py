"""What hypervisors say of themselves."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.host_xml import (
    NetworkFacts,
    PoolFacts,
    read_capabilities,
    read_emulation,
    read_features,
    read_network,
    read_pool,
)

HOSTS = Path(__file__).parent / "hosts"
CAPABILITIES = (HOSTS / "capabilities.xml").read_text()
EMULATION = (HOSTS / "domain_capabilities.xml").read_text()


def test_capabilities():
    """Only what concerns guests of the host's own architecture counts; empty page pools do not."""
    says = read_capabilities(CAPABILITIES)
    assert (says.uuid[:8], says.architecture, says.cpu_model) == (
        "4c4c4544", "x86_64", "Cascadelake-Server",
    )  # fmt: skip
    assert says.accelerators == ("kvm", "qemu")
    assert says.emulates == {"aarch64": ("virt-7.2",)}
    assert says.machines == ("pc", "pc-i440fx-7.2", "pc-q35-7.2", "q35")
    assert [(cell.id, cell.cpus, cell.memory_mib) for cell in says.numa] == [
        (0, 16, 32768),
        (1, 16, 32768),
    ]
    assert says.hugepages == {"hugepages-2048": 1536}
    assert "Cascadelake" in says.cpu_xml


def test_domain_capabilities():
    """Usable models, the host-model to be expanded, features it lacks, and TPM emulation."""
    gives = read_emulation(EMULATION)
    assert gives.cpu_models == ("Cascadelake-Server", "qemu64")
    assert gives.host_model == "Cascadelake-Server"
    assert gives.host_model_xml == (
        '<cpu><arch>x86_64</arch><model>Cascadelake-Server</model><feature name="vmx" /></cpu>'
    )
    assert gives.disabled == {"hle"}
    assert gives.devices == ("tpm-emulator",)


def test_a_host_that_says_nothing():
    """Nothing is known, and nothing is made up."""
    says = read_capabilities("<capabilities/>")
    assert (says.cpu_xml, says.numa, says.machines, says.hugepages) == ("", (), (), {})
    gives = read_emulation("<domainCapabilities/>")
    assert (gives.cpu_models, gives.host_model_xml, gives.devices) == ((), "", ())
    assert read_features("<cpu><feature name='a'/><feature name='b' policy='disable'/></cpu>") == {
        "a"
    }


@pytest.mark.parametrize(
    ("xml", "facts"),
    [
        (
            "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>",
            NetworkFacts("lan", "bridge", "br0"),
        ),
        ("<network><name>n</name><forward/></network>", NetworkFacts("n", "nat", "")),
        ("<network><name>n</name></network>", NetworkFacts("n", "isolated", "")),
    ],
)
def test_networks(xml, facts):
    """No <forward> leads nowhere; one without a mode is NAT."""
    assert read_network(xml) == facts


@pytest.mark.parametrize(
    ("xml", "facts"),
    [
        (
            "<pool type='dir'><name>p</name><target><path>/srv//vm/</path></target></pool>",
            PoolFacts("p", "dir", "/srv/vm", "dir:"),
        ),
        (
            "<pool type='iscsi'><name>p</name><target><path>/dev/disk/by-path</path></target></pool>",
            PoolFacts("p", "iscsi", "", "iscsi:"),
        ),
        (
            "<pool type='rbd'><name>p</name><source><name>vms</name></source></pool>",
            PoolFacts("p", "rbd", "", "rbd:vms"),
        ),
    ],
)
def test_pools(xml, facts):
    """A path shared by all pools of a kind tells none of them apart."""
    assert read_pool(xml) == facts


@given(st.sampled_from([CAPABILITIES, EMULATION]), st.data())
def test_mutilated_hosts_are_read_or_refused(xml, data):
    """Whatever a host says, there is an answer or one reason why not."""
    start = data.draw(st.integers(0, len(xml)))
    end = data.draw(st.integers(start, min(len(xml), start + 100)))
    odd = xml[:start] + data.draw(st.sampled_from(["", "x", "-1", "'", "</cell>"])) + xml[end:]
    for read in (read_capabilities, read_emulation, read_network, read_pool):
        with suppress(Unreadable):
            read(odd)
