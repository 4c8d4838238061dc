"""Which processors guests can be given."""

import libvirt
import pytest

from balancer.adapters.libvirt.emulation import Processors, ask
from balancer.adapters.libvirt.host_xml import read_capabilities
from tests.adapters.libvirt.fakes import FakeHost, error
from tests.adapters.libvirt.test_host_xml import CAPABILITIES

DENIED = error(libvirt.VIR_ERR_OPERATION_DENIED, "read only access prevents it")


@pytest.fixture
def config(configs):
    return configs()[0]


def test_by_domain_capabilities(config):
    """Usable models; features with those that the model implies, less what guests do not get."""
    host = FakeHost()
    known = ask(config, host, read_capabilities(CAPABILITIES))
    assert host.kinds == [(None, "x86_64", None, "kvm")]
    assert known.models == ("Cascadelake-Server", "qemu64")
    assert known.features == ("sse2", "vmx")
    assert known.devices == ("tpm-emulator",)
    assert known.doubts == ()


def test_over_a_read_only_connection(config, hosts):
    """The one question it refuses is asked over an ordinary connection, closed at once."""
    known = ask(config, FakeHost(emulation=DENIED), read_capabilities(CAPABILITIES))
    assert known.models == ("Cascadelake-Server", "qemu64")
    assert hosts["a"].opened == ["ordinary"]


def test_by_comparison_where_nothing_else_is_allowed(config, hosts):
    """Without an ordinary connection the host's processor is compared with each model."""
    hosts["a"].failing["open"] = error(libvirt.VIR_ERR_AUTH_FAILED, "login refused")
    known = ask(config, FakeHost(emulation=DENIED), read_capabilities(CAPABILITIES))
    assert known.models == ("qemu64",)
    (doubt,) = known.doubts
    assert "(login refused): judged by the host's processor alone" in doubt


def test_nothing_is_assumed_without_kvm(config):
    """Comparison says nothing of emulated processors."""
    only_tcg = CAPABILITIES.replace("<domain type='kvm'/>", "")
    odd = FakeHost(emulation=error(libvirt.VIR_ERR_INTERNAL_ERROR))
    known = ask(config, odd, read_capabilities(only_tcg))
    assert known.models == ()
    assert "none is assumed" in known.doubts[0]
    unlisted = FakeHost(emulation="<", failing={"getCPUModelNames": error(1)})
    assert ask(config, unlisted, read_capabilities(CAPABILITIES)).models == ()


def test_features_that_cannot_be_expanded(config):
    """What is listed counts; without any processor known there is none."""
    host = FakeHost(failing={"baselineCPU": error(1)})
    assert ask(config, host, read_capabilities(CAPABILITIES)).features == ("vmx",)
    bare = FakeHost(emulation="<domainCapabilities/>")
    assert ask(config, bare, read_capabilities("<capabilities/>")).features == ()


def test_the_answer_is_kept_until_versions_change(config):
    """It is asked once for each host and version."""
    processors, capabilities = Processors(), read_capabilities(CAPABILITIES)
    host = FakeHost(failing={"getVersion": error(3)})
    first = processors.of(config, host, capabilities)
    host.emulation = error(1)
    assert processors.of(config, host, capabilities) is first
    host.failing = {"getLibVersion": ZeroDivisionError()}
    with pytest.raises(ZeroDivisionError):
        processors.of(config, host, capabilities)
