"""Facts from domains as they are met in the field, and from hostile ones."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.libvirt.disks import Nic
from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.domain_xml import read_domain
from balancer.planner.model.cluster import GuestCpu
from tests.adapters.libvirt.reading import NAMES, text


def test_debian_guest_by_virt_install():
    """Sizes, processor, machine, backing chain, network and TPM are understood; nothing ties it."""
    facts = read_domain(text("debian"))
    assert (facts.name, facts.uuid[:8]) == ("web-1", "1b4e28ba")
    assert facts.allocation == {"vcpus": 2, "memory": 4096}
    assert (facts.accelerator, facts.architecture, facts.machine) == (
        "kvm",
        "x86_64",
        "pc-q35-7.2",
    )
    assert facts.cpu == GuestCpu(mode="host-passthrough")
    assert [disk.locus for disk in facts.disks] == [
        "/var/lib/libvirt/images/web-1.qcow2",
        "/var/lib/libvirt/images/base.qcow2",
    ]
    assert facts.nics == (Nic("network", "lan", "br0"),)
    assert facts.devices == ("tpm-emulator",)
    assert facts.balloon_period == 5
    assert facts.metadata == {"libosinfo/os.id": "http://debian.org/debian/12"}
    assert (facts.ties, facts.owner, facts.labels) == ((), "", {})


def test_nova_guest():
    """Its owner is known, its metadata flattened, its Ceph disk and Open vSwitch bridge named."""
    facts = read_domain(text("nova"))
    assert facts.owner == "nova"
    assert [(tie.kind, tie.detail) for tie in facts.ties] == [("owner", "placed by nova")]
    assert facts.metadata["nova/project"] == "analytics"
    assert facts.metadata["nova/port.uuid"] == "p1,p2"
    assert facts.cpu == GuestCpu(model="Cascadelake-Server", features=("ss", "vmx"))
    assert [disk.locus for disk in facts.disks] == ["rbd:vms/9c0f6a2e_disk"]
    assert facts.nics == (Nic("bridge", "br-int"),)


def test_pacemaker_guest_on_lvm():
    """Our own metadata names the owner and labels; pinning and a block copy tie it."""
    facts = read_domain(text("pacemaker"))
    assert (facts.owner, facts.labels) == ("pacemaker", {"role": "storage"})
    assert facts.metadata["site/ticket"] == "OPS-7"
    assert [(tie.kind, tie.detail) for tie in facts.ties] == [
        ("job", "block job (copy) on vda"),
        ("pinned", "vCPUs on CPUs 0-3"),
        ("owner", "placed by pacemaker"),
    ]
    assert [disk.locus for disk in facts.disks] == ["/dev/vg0/nfs-ha", "/srv/copy/nfs-ha.raw"]
    assert facts.nics == (Nic("direct", "eno2"),)


def test_passed_through_devices():
    """Each device that stays behind is named as the operator knows it."""
    details = [tie.detail for tie in read_domain(text("devices")).ties]
    assert details == [
        "PCI 0000:3b:00.0",
        "USB 0529:0001",
        "USB bus 1 device 4",
        "mediated device c2177883-f1bb-47f0-914d-32a22e3a8804",
        "host device scsi scsi_host0",
        "network card, PCI 0000:5e:02.1",
        "network card, vDPA /dev/vhost-vdpa-0",
        "disk vdb is a passed-through device (nvme)",
        "disk vdc is transient: its changes are in a local overlay",
        "shared folder /srv/data",
        "NVDIMM /dev/pmem0",
        "memory shared with the host (ivs)",
        "TPM /dev/tpm0",
        "serial port /dev/ttyS1",
        "3D acceleration",
        "input device /dev/input/event3",
        "its CPU is declared migratable='off'",
        "encrypted memory (sev)",
    ]


def test_hugepages_pinning_and_media():
    """Pages are counted by size and cell; strict NUMA memory, pins and invtsc tie it."""
    facts = read_domain(text("hugepages"))
    assert facts.allocation == {
        "vcpus": 4,
        "memory": 6144,
        "hugepages-2048": 2048,
        "hugepages-1048576": 2,
    }
    assert [tie.detail for tie in facts.ties] == [
        "vCPU 0 on CPUs 4",
        "vCPU 1 on CPUs 5",
        "memory on NUMA cells 0-1",
        "memory on NUMA cells 1",
        "CPU feature invtsc without a fixed TSC frequency",
    ]
    assert [(disk.locus, disk.medium) for disk in facts.disks] == [
        ("pool:san/oracle-1", False),
        ("/isos/debian.iso", True),
    ]
    assert facts.nics == (Nic("bridge", "br120"), Nic("ethernet", ""))


def test_huge_pages_of_the_hosts_own_size():
    """Without a size, the usual one of x86 is counted."""
    xml = text("hugepages")
    plain = re.sub(r"<hugepages>.*</hugepages>", "<hugepages/>", xml, flags=re.DOTALL)
    assert read_domain(plain).allocation["hugepages-2048"] == 3072


def test_a_fixed_tsc_frequency_frees_invtsc():
    """Then QEMU agrees to move it."""
    timer = "<clock><timer name='tsc' frequency='2500000000'/></clock></domain>"
    facts = read_domain(text("hugepages").replace("</domain>", timer))
    assert not [tie for tie in facts.ties if tie.kind == "processor"]


@pytest.mark.parametrize(
    ("xml", "phrase"),
    [
        ("<network/>", "describes a 'network'"),
        ("<domain/>", "names no memory"),
        ("<domain><memory>x</memory></domain>", "memory is 'x'"),
        ("<domain><memory>1</memory><vcpu>-4</vcpu></domain>", "number of vCPUs"),
        (
            (
                "<domain><memory>1</memory><memoryBacking><hugepages>"
                "<page size='2048' nodeset='0-99999999'/></hugepages></memoryBacking>"
                "<cpu><numa><cell memory='1'/></numa></cpu></domain>"
            ),
            "absurdly long",
        ),
    ],
)
def test_what_makes_a_domain_unreadable(xml, phrase):
    """The reason is one phrase about the thing at fault."""
    with pytest.raises(Unreadable, match=phrase):
        read_domain(xml)


PIECES = st.sampled_from(
    [
        "<",
        ">",
        "'",
        "&lt;",
        "<disk",
        "<source file='../../x'/>",
        "-1",
        "0x",
        "KiB",
        "\ud7ff",
        "]]>",
    ]
)


@given(st.data())
def test_mutilated_domains_are_read_or_refused(data):
    """Whatever is cut, doubled or put in, there is a guest or one reason why not."""
    xml = text(data.draw(st.sampled_from(NAMES)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(xml)))
        end = data.draw(st.integers(start, min(len(xml), start + 200)))
        xml = xml[:start] + data.draw(PIECES | st.text(max_size=8)) + xml[end:]
    with suppress(Unreadable):
        assert read_domain(xml).allocation["vcpus"] > 0


@given(st.data())
def test_mutilated_values_are_read_or_refused(data):
    """The same where the document stays well-formed and one value turns to nonsense."""
    xml = text(data.draw(st.sampled_from(NAMES)))
    values = list(re.finditer(r"(?<=')[^'<>]*(?=')", xml)) + list(
        re.finditer(r"(?<=>)\w+(?=<)", xml)
    )
    value = data.draw(st.sampled_from(values))
    odd = data.draw(st.sampled_from(["", "-1", "9" * 30, "0-", ",", "../..", "/", "é", "none"]))
    with suppress(Unreadable):
        read_domain(xml[: value.start()] + odd + xml[value.end() :])
