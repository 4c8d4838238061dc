"""A guest of another architecture beside the others: translated, and moved to where it can be."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from balancer.adapters.libvirt.baseline import widest
from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.adapters.libvirt.inventory import LibvirtInventory
from balancer.config import default_policy
from balancer.planner.constraints.compatible import why_not
from balancer.planner.model.plan import Infeasible, Migration, Result
from balancer.planner.model.policy import Allow, Policy
from balancer.planner.model.selector import EVERYTHING
from balancer.planner.pipeline import towards

from .binding import libvirt
from .cluster import Laboratory
from .guest import GuestSpec
from .requirements import required
from .settings import NAMESPACE, SHARED
from .test_execute import PATIENCE, WallClock, config, ended

EMULATOR = "qemu-system-aarch64"
PACKAGE = "qemu-system-arm"
IDLE = bytes.fromhex("7f2003d5ffffff17")
"""The whole of an aarch64 kernel: `wfi`, and back to it."""

pytestmark = [pytest.mark.soak]


@pytest.fixture
def emulated(lab: Laboratory) -> Iterator[Laboratory]:
    """The laboratory, one host of which has no emulator for aarch64."""
    if not shutil.which(EMULATOR):
        sentence = f"no guest of another architecture can run here: install {PACKAGE}"
        pytest.fail(sentence) if required() else pytest.skip(sentence)
    lab["h3"].run("mount", "--bind", "/dev/null", f"/usr/bin/{EMULATOR}")
    yield lab
    lab["h3"].run("umount", f"/usr/bin/{EMULATOR}")


def arm(lab: Laboratory) -> Any:
    """Start a guest of aarch64 on h1, which does nothing."""
    (lab["h1"].shared / "idle.bin").write_bytes(IDLE)
    xml = f"""\
<domain type='qemu'>
  <name>arm</name>
  <uuid>{uuid.uuid5(NAMESPACE, "guest/arm")}</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='aarch64' machine='virt'>hvm</type><kernel>{SHARED}/idle.bin</kernel></os>
  <features><tcg><tb-cache unit='MiB'>8</tb-cache></tcg></features>
  <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>cortex-a57</model></cpu>
  <devices>
    <emulator>/usr/bin/{EMULATOR}</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>"""
    domain = lab["h1"].connection().defineXML(xml)
    domain.create()
    return domain


def allowing() -> Policy:
    """The policy that is built in, with the consent."""
    return Policy(
        name="any architecture",
        constraints=default_policy().constraints,
        allow=Allow(emulation=EVERYTHING),
    )


def test_a_guest_of_another_architecture_moves_to_where_it_can_be_translated(
    emulated: Laboratory,
) -> None:
    """To a host that emulates it; elsewhere it is refused with the reason, and without consent, too."""
    emulated.boot(GuestSpec("plain"))
    identity = arm(emulated).UUIDString()
    hosts = [config(host) for host in emulated.hosts.values()]
    seen = LibvirtInventory(hosts, WallClock()).observe()
    h1, h2, h3 = seen.cluster.hosts
    guest, plain = (
        seen.cluster.guest[identity],
        next(g for g in seen.cluster.guests if g.name == "plain"),
    )
    assert (guest.architecture, guest.accelerator) == ("aarch64", "qemu")
    assert (plain.architecture, h1.architecture) == ("x86_64", "x86_64")
    assert "aarch64" in h2.emulates
    assert why_not(guest, h1, h2) == why_not(plain, h1, h3) == ""
    assert why_not(guest, h1, h3) == "it is x86_64 and cannot emulate aarch64"

    refused = towards(seen, allowing(), {identity: "h3"}, "asked for")
    assert isinstance(refused, Infeasible)
    unasked = towards(seen, default_policy(), {identity: "h2"}, "asked for")
    assert isinstance(unasked, Infeasible)
    made = towards(seen, allowing(), {identity: "h2"}, "asked for")
    assert not isinstance(made, Infeasible), made
    (action,) = made.actions
    assert isinstance(action, Migration)

    executor = LibvirtExecutor(hosts, WallClock(), PATIENCE)
    try:
        assert executor.look_again(action) == ""
        outcome = ended(executor.start(action))
    finally:
        executor.close()
    assert outcome.result is Result.DONE, outcome
    moved = emulated["h2"].connection().lookupByUUIDString(identity)
    assert moved.state()[0] == libvirt.VIR_DOMAIN_RUNNING


def test_real_hosts_tell_the_widest_processor_they_all_have(lab: Laboratory) -> None:
    """A guest's <cpu>, by libvirt's own reckoning."""
    hosts = [config(host) for host in lab.hosts.values()]
    xml, doubt = widest(hosts, "x86_64")
    assert doubt == ""
    assert "<model" in xml
