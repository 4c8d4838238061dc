"""The widest processor that hosts have in common, as libvirt reckons it."""

import libvirt

from balancer.adapters.libvirt.baseline import widest
from tests.adapters.libvirt.fakes import error

ONLY_TCG = "<domain type='kvm'/>"


def test_the_first_is_asked_what_all_can_give(configs, hosts):
    """With every host's own offer, for the hypervisor and architecture they have."""
    assert widest(configs(), "x86_64") == (hosts["a"].baseline, "")
    (question,) = hosts["a"].asked
    assert question[:4] == (None, "x86_64", None, "kvm")
    assert len(question[4]) == 2
    assert all("Cascadelake-Server" in xml for xml in question[4])
    assert hosts["b"].asked == []


def test_what_cannot_be_said_is_told(configs, hosts):
    """Hosts of two kinds, a host that is silent, and one that does not tell."""
    full = hosts["b"].capabilities
    hosts["b"].capabilities = full.replace(ONLY_TCG, "")
    assert widest(configs(), "x86_64")[1].endswith("a kvm, b qemu")
    hosts["b"].capabilities, hosts["b"].emulation = full, "<domainCapabilities/>"
    assert widest(configs(), "x86_64")[1] == "b does not tell what processor it gives guests"
    hosts["b"].failing["open"] = error(libvirt.VIR_ERR_AUTH_FAILED, "login refused")
    assert widest(configs(), "x86_64") == ("", "login refused")
