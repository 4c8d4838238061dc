"""Connections: prepared once, kept, reopened."""

import threading

import libvirt
import pytest

from balancer.adapters.libvirt.connection import Connections, open_one, prepare
from balancer.adapters.libvirt.errors import NotAnswering
from balancer.config.host import HostConfig
from tests.adapters.libvirt.fakes import FakeHost, error

URI = "test:///default"


def test_a_real_connection_is_kept_and_reopened():
    """libvirt's own test driver: the same connection until it is dropped; read-only stays so."""
    connections = Connections([HostConfig(name="t", uri=URI)], read_only=True)
    first = connections.to("t")
    assert connections.to("t") is first
    with pytest.raises(libvirt.libvirtError, match="read only"):
        first.lookupByName("test").destroy()
    connections.drop("t")
    assert connections.to("t") is not first
    connections.close()


def test_the_event_loop_is_started_once():
    """Preparing again starts no second loop."""
    prepare()
    before = [t for t in threading.enumerate() if t.name == "libvirt-events"]
    open_one(URI, read_only=False).close()
    assert [t for t in threading.enumerate() if t.name == "libvirt-events"] == before
    assert len(before) == 1


def test_a_dead_connection_is_replaced(hosts, configs, monkeypatch):
    """Also one that cannot even say whether it lives, or be closed."""
    connections = Connections(configs(), read_only=True)
    dead = FakeHost("a", failing={"isAlive": error(1), "close": error(1)})
    monkeypatch.setitem(connections._open, "a", dead)
    assert connections.to("a") is hosts["a"]


def test_waiting_for_a_hung_opening_is_limited(configs):
    """A second thread does not hang with the first."""
    connections = Connections(configs(answer_within=0.05), read_only=True)
    with connections._locks["a"], pytest.raises(NotAnswering, match=r"no answer in 0.05 s"):
        connections.to("a")
