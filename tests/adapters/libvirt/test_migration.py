"""How a migration is asked of libvirt."""

from dataclasses import replace

import libvirt
import pytest

from balancer.adapters.libvirt import migration
from balancer.config.host import HostConfig
from balancer.planner.model.plan import Rung, RungKind
from tests.adapters.libvirt.fakes import error
from tests.adapters.libvirt.test_execution import ACTION


def test_flags():
    """A defined guest stays defined, on the target; consents are passed on, nothing else is."""
    plain = migration.flags(ACTION, persistent=False)
    assert plain & libvirt.VIR_MIGRATE_PEER2PEER
    assert plain & libvirt.VIR_MIGRATE_LIVE
    assert not plain & (libvirt.VIR_MIGRATE_UNSAFE | libvirt.VIR_MIGRATE_PERSIST_DEST)
    kept = migration.flags(ACTION, persistent=True)
    assert kept ^ plain == libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    consented = replace(ACTION, unsafe_storage=True)
    allowed = migration.flags(consented, persistent=False, slowed=True)
    assert allowed ^ plain == libvirt.VIR_MIGRATE_AUTO_CONVERGE | libvirt.VIR_MIGRATE_UNSAFE
    slow = replace(ACTION, rungs=(Rung(kind=RungKind.AUTO_CONVERGE),))
    assert migration.flags(slow, persistent=False) == plain
    followed = replace(ACTION, rungs=(Rung(kind=RungKind.POST_COPY),))
    assert migration.flags(followed, persistent=False) ^ plain == libvirt.VIR_MIGRATE_POSTCOPY


@pytest.mark.parametrize(
    ("address", "uri"),
    [("b-mig", "tcp://b-mig"), ("10.0.0.2", "tcp://10.0.0.2"), ("fd00::2", "tcp://[fd00::2]")],
)
def test_parameters(address, uri):
    """Bandwidth is whole MiB/s, never 0, which would mean no limit; addresses are bracketed."""
    target = HostConfig(name="b", uri="x", migration_address=address)
    assert migration.parameters(ACTION, target) == {"bandwidth": 100, "migrate_uri": uri}


def test_parameters_left_to_libvirt():
    """No rate, no address: nothing is said."""
    target = HostConfig(name="b", uri="x")
    assert migration.parameters(replace(ACTION, rate_kib_s=0), target) == {}
    assert migration.parameters(replace(ACTION, rate_kib_s=10), target) == {"bandwidth": 1}
    assert migration.parameters(ACTION, target, 200 * 1024) == {"bandwidth": 200}


def test_peer_uri():
    """A URI that works only from here is none."""
    assert (
        migration.peer_uri(HostConfig(name="b", uri="qemu+ssh://b/system"))
        == "qemu+ssh://b/system"
    )
    assert migration.peer_uri(HostConfig(name="b", uri="qemu:///system")) == ""
    known = HostConfig(name="b", uri="qemu:///system", peer_uri="qemu+tls://b/system")
    assert migration.peer_uri(known) == "qemu+tls://b/system"


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (
            libvirt.VIR_ERR_OPERATION_FAILED,
            "guest CPU doesn't match specification",
            "b cannot give it the CPU",
        ),
        (
            libvirt.VIR_ERR_INTERNAL_ERROR,
            "qemu unexpectedly closed the monitor",
            "its QEMU died on b",
        ),
        (libvirt.VIR_ERR_SYSTEM_ERROR, "unable to connect", "a cannot reach b"),
        (libvirt.VIR_ERR_MIGRATE_UNSAFE, "Unsafe migration", "libvirt calls it unsafe"),
        (libvirt.VIR_ERR_OVERFLOW, "who knows", "who knows"),
    ],
)
def test_blame(code, words, expected):
    """The meaning first, libvirt's own words with it."""
    said = migration.blame(error(code, words), ACTION)
    assert said.startswith(expected)
    assert words in said
