"""The look just before a start."""

from dataclasses import replace

import libvirt
import pytest

from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.config.host import HostConfig
from balancer.planner.model.plan import Result
from tests.adapters.libvirt.fakes import OUT, arrives, error
from tests.adapters.libvirt.reading import text
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
        ({"xml": "<domain"}, "a: its XML is malformed"),
    ],
)
def test_objections_at_the_source(executor, hosts, known, objection):
    """What changed since the plan was made is found, whoever changed it."""
    hosts["a"].add(**known)
    assert executor.look_again(ACTION).startswith(objection)


def test_objections_at_the_target(executor, hosts):
    """A copy, a namesake, too little memory or too few pages in reality."""
    hosts["a"].add()
    here = hosts["b"].add()
    assert executor.look_again(ACTION) == "web-1 is active on b already"
    here.uuid = "another"
    assert executor.look_again(ACTION) == "b knows another guest named web-1"
    hosts["b"].domains.clear()
    hosts["b"].memory = {"free": 1 << 20, "cached": 1 << 19}
    assert executor.look_again(ACTION) == (
        "b has 1536 MiB of memory free in reality, web-1 needs 2048 MiB"
    )
    hosts["b"].failing["getMemoryStats"] = error(libvirt.VIR_ERR_NO_SUPPORT)
    assert "1024 MiB" in executor.look_again(ACTION)
    hosts["a"].domains[0].xml = text("hugepages")
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
