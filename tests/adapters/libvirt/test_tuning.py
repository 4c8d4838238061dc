"""What of a domain can be changed while it runs, as its live XML tells."""

from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest

from balancer.adapters.libvirt.domain_xml import read_domain
from balancer.adapters.libvirt.tuning import CGROUP_SHARES, Tuning, read_tuning, usual_shares
from balancer.planner.model.knobs import Knobs

DEVICES = (
    "<disk device='disk'><target dev='vda'/></disk>"
    "<interface type='bridge'><mac address='52:54:00:00:00:01'/></interface>"
)
PLAIN = Knobs(balloon=6144, most_vcpus=8, disks=("vda",), nics=("52:54:00:00:00:01",))
BALLOON = "<memballoon model='virtio' autodeflate='on'><stats period='5'/></memballoon>"


def tuning(tune: str = "", balloon: str = BALLOON) -> Tuning:
    """Return what a domain of 4 vCPUs and 8 GiB tells."""
    return read_tuning(
        fromstring(
            "<domain><vcpu current='4'>8</vcpu><memory unit='GiB'>8</memory><currentMemory unit='GiB'>6</currentMemory>"
            f"<cputune>{tune}</cputune><devices>{DEVICES}{balloon}</devices></domain>"
        ),
        vcpus=4,
    )


def test_nothing_set_is_the_usual() -> None:
    """No shares and no quota: the weight all have, and no limit."""
    assert replace(tuning().knobs(1024), missing={}) == PLAIN


@pytest.mark.parametrize(
    ("tune", "knobs"),
    [
        ("<shares>512</shares>", replace(PLAIN, shares=500)),
        ("<quota>25000</quota>", replace(PLAIN, quota=1000)),
        ("<quota>25000</quota><period>50000</period>", replace(PLAIN, quota=2000)),
        ("<quota>-1</quota>", PLAIN),
        ("<global_quota>300000</global_quota>", replace(PLAIN, quota=3000)),
        (
            "<quota>25000</quota><global_quota>300000</global_quota>",
            replace(PLAIN, quota=1000),
        ),
    ],
)
def test_settings_in_the_planners_words(tune: str, knobs: Knobs) -> None:
    """Shares by the usual weight, quotas as what all vCPUs get together."""
    assert replace(tuning(tune).knobs(1024), missing={}) == knobs


@pytest.mark.parametrize(
    ("balloon", "advice"),
    [
        ("", "add <memballoon"),
        ("<memballoon model='none'/>", "add <memballoon"),
        ("<memballoon model='virtio'><stats period='5'/></memballoon>", "autodeflate='on'"),
        ("<memballoon model='virtio' autodeflate='on'/>", "add <stats"),
    ],
)
def test_what_is_missing_for_the_balloon_is_said(balloon: str, advice: str) -> None:
    """With the change to the XML that would allow it."""
    knobs = tuning(balloon=balloon).knobs(1024)
    assert knobs.balloon == 0
    assert advice in knobs.missing["balloon"]


def vcpus(vcpu: str, rest: str = "", kind: str = "kvm", arch: str = "x86_64") -> Knobs:
    """Return what a domain of 2 vCPUs tells."""
    root = fromstring(
        f"<domain type='{kind}'><memory unit='GiB'>8</memory>{vcpu}{rest}"
        f"<os><type arch='{arch}'>hvm</type></os><devices>{DEVICES}{BALLOON}</devices></domain>"
    )
    return read_tuning(root, vcpus=2).knobs(1024)


PLUGGED = """<vcpus>
    <vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>
    <vcpu id='1' enabled='yes' hotpluggable='yes' order='2'/>
    <vcpu id='2' enabled='no' hotpluggable='yes'/>
</vcpus>"""
ONLY = {"plugged"}
LARGE = "<features><tcg><tb-cache unit='MiB'>128</tb-cache></tcg></features>"
SMALL = "<features><tcg><tb-cache unit='MiB'>32</tb-cache></tcg></features>"


def test_how_many_vcpus_it_can_have_and_which_were_plugged() -> None:
    """Only those that it did not boot with can be taken."""
    found = vcpus("<vcpu current='2'>4</vcpu>")
    assert (found.most_vcpus, found.plugged_vcpus, found.missing.keys()) == (4, 0, ONLY)
    found = vcpus("<vcpu placement='static' current='2'>3</vcpu>", PLUGGED)
    assert (found.most_vcpus, found.plugged_vcpus, found.missing.keys()) == (3, 1, ONLY)
    assert vcpus("<vcpu>2</vcpu>", PLUGGED).missing.keys() == ONLY
    assert vcpus("<vcpu current='2'>4</vcpu>", LARGE, kind="qemu").missing.keys() == ONLY


@pytest.mark.parametrize(
    ("found", "advice"),
    [
        (vcpus("<vcpu>2</vcpu>"), "write <vcpu current='2'>4</vcpu>"),
        (vcpus("<vcpu current='2'>4</vcpu>", arch="aarch64"), "no machine of aarch64"),
        (vcpus("<vcpu current='2'>4</vcpu>", kind="qemu"), "<tb-cache unit='MiB'>128"),
        (vcpus("<vcpu current='2'>4</vcpu>", SMALL, kind="qemu"), "<tb-cache unit='MiB'>128"),
    ],
)
def test_what_is_missing_for_another_vcpu_is_said(found: Knobs, advice: str) -> None:
    """With the change to the XML that would allow it."""
    assert advice in found.missing["vcpus"]


def plugged(*devices: str, balloon: str = BALLOON) -> Knobs:
    """Return what a domain of 2 GiB and these memory devices tells; also what it is allocated."""
    held = "".join(f"<memory model='virtio-mem'><target>{d}</target></memory>" for d in devices)
    text = (
        "<domain type='kvm'><uuid>u</uuid><name>n</name><vcpu>2</vcpu>"
        f"<memory unit='GiB'>{2 + 4 * len(devices)}</memory><currentMemory unit='GiB'>3</currentMemory>"
        f"<devices><memory model='dimm'/>{held}{balloon}</devices></domain>"
    )
    facts = read_domain(text)
    found = facts.tuning.knobs(1024)
    assert facts.allocation["memory"] == 2048 + found.plugged
    return found


SOME = (
    "<size unit='GiB'>4</size><block unit='MiB'>2</block>"
    "<requested unit='GiB'>1</requested><current unit='KiB'>1048576</current>"
)


def test_memory_that_can_be_plugged_is_allocated_once_it_is() -> None:
    """What was asked for, or what its kernel still keeps; its balloon is then left alone."""
    found = plugged(SOME)
    assert (found.plugged, found.most_plugged, found.plug_block, found.balloon) == (
        1024,
        4096,
        2,
        0,
    )
    assert found.missing.keys() >= {"balloon", "vcpus"}
    assert "plugged" not in found.missing
    kept = plugged(SOME.replace("1048576", "2097152"))
    assert (kept.plugged, kept.most_plugged) == (2048, 4096)
    none = plugged("<size unit='GiB'>4</size><requested>0</requested>")
    assert (none.plugged, none.plug_block) == (0, 1)
    several = plugged(SOME, SOME)
    assert (several.plugged, several.most_plugged) == (2048, 8192)
    assert "keep one" in several.missing["plugged"]
    silent = plugged(SOME, balloon="<memballoon model='none'/>")
    assert "<stats period='5'/>" in silent.missing["plugged"]


def test_what_is_missing_for_memory_to_be_plugged_is_said() -> None:
    """The elements of its XML that are not there, with its own numbers."""
    told = plugged().missing["plugged"]
    assert told.startswith("add <maxMemory slots='1' unit='MiB'>4096</maxMemory>, <numa>")
    assert "cpus='0-1' memory='2048'" in told
    assert told.endswith("<requested>0</requested></target></memory> within <devices>")


def test_the_usual_weight_is_asked_of_those_that_have_it() -> None:
    """Version 2 of cgroups has another one; where nobody can be asked it is version 1's."""

    class Domain:
        def schedulerParametersFlags(self, _: int) -> dict[str, int]:  # noqa: N802
            return {"cpu_shares": 100}

    assert usual_shares([Domain()]) == 100  # type: ignore[list-item]
    assert usual_shares([]) == CGROUP_SHARES
