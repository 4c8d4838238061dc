"""A migration of a tiny guest of our own making: whether two hosts accept each other's guests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Final
from uuid import uuid4
from xml.sax.saxutils import escape

import libvirt

from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.errors import NotAnswering, explain
from balancer.adapters.libvirt.execution import Patience
from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.adapters.libvirt.host_xml import read_capabilities
from balancer.adapters.libvirt.workers import within
from balancer.config.host import HostConfig
from balancer.planner.model.plan import Migration, Outcome, Prediction, Result
from balancer.ports import Clock, Finding, Grade, UsageError

MEMORY_MIB: Final = 64
PATIENCE: Final = Patience(stalled_after=20, factor=1, least=60, settling=20, poll=0.2)
BOOTING: Final = 30.0
"""Seconds for QEMU to start."""
CLEARING: Final = 30.0
"""Seconds for which removing the guest is tried again."""

XML: Final = """\
<domain type='{kind}'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <description>Made by balancer doctor --probe; may be destroyed at any time.</description>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os><type arch='{architecture}'>hvm</type></os>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""
"""No disk, no network, no system: nothing of it can be lost. KVM or TCG, as the host can."""


def probe(hosts: Sequence[HostConfig], source: str, target: str, clock: Clock) -> Finding:
    """Move a guest made for this from `source` to `target`, measure it, and remove it.

    Raises UsageError if a host is not configured. Whatever happens, no guest but its own is
    touched, and its own is removed from wherever it is.
    """
    known = {host.name: host for host in hosts}
    for name in (source, target):
        if name not in known:
            raise UsageError(f"--probe: no host {name} is configured: see the hosts file")
    if source == target:
        raise UsageError(f"--probe: {source} twice; name two hosts")
    pair = (known[source], known[target])
    left: list[str] = []
    finding = _try(pair, clock, left)
    if not left:
        return finding
    return Finding(
        check="trust",
        subject=finding.subject,
        grade=Grade.FAULT,
        sentence=f"{finding.sentence}; the guest made for it was not removed from {', '.join(left)}",
        remedy="there: virsh list --all, then virsh destroy balancer-probe-…",
    )


def _try(pair: tuple[HostConfig, HostConfig], clock: Clock, left: list[str]) -> Finding:
    source, target = pair
    subject = f"{source.name} → {target.name}"
    try:
        with _own_guest(pair, left) as (uuid, name):
            return _verdict(subject, _move(pair, clock, uuid, name))
    except (libvirt.libvirtError, NotAnswering, ValueError) as fault:
        complaint = explain(fault)
        sentence = f"no guest could be made on {source.name}: {complaint.reason}"
        return Finding(
            check="trust",
            subject=subject,
            grade=Grade.FAULT,
            sentence=sentence,
            remedy=complaint.remedy,
        )


@contextmanager
def _own_guest(pair: tuple[HostConfig, HostConfig], left: list[str]) -> Iterator[tuple[str, str]]:
    """Have a guest on the first host; at the end it is on neither. Notes in `left` where it is."""
    identity = uuid4()
    uuid, name = str(identity), f"balancer-probe-{identity.hex[:8]}"
    connections = Connections(pair, read_only=False)
    try:
        within(BOOTING, lambda: _create(connections, pair[0].name, uuid, name), pair[0].name)
        yield uuid, name
    finally:
        left.extend(h.name for h in pair if not _removed(connections, h, uuid))
        connections.close()


def _create(connections: Connections, host: str, uuid: str, name: str) -> None:
    connection = connections.to(host)
    says = read_capabilities(connection.getCapabilities())
    connection.createXML(
        XML.format(
            kind="kvm" if "kvm" in says.accelerators else "qemu",
            name=name,
            uuid=uuid,
            memory=MEMORY_MIB,
            architecture=escape(says.architecture),
        )
    )


def _move(
    pair: tuple[HostConfig, HostConfig], clock: Clock, uuid: str, name: str
) -> Outcome | str:
    """Return how the move ended, or why it could not begin."""
    source, target = pair
    action = Migration(
        id="probe",
        guest=uuid,
        name=name,
        source=source.name,
        target=target.name,
        rate_kib_s=0,
        downtime_ms=300,
        predicted=Prediction(seconds=2, seconds_p90=30, mib=MEMORY_MIB, downtime_ms=300),
    )
    executor = LibvirtExecutor(pair, clock, PATIENCE)
    try:
        if objection := executor.look_again(action):
            return objection
        execution = executor.start(action)
        while (outcome := execution.outcome()) is None:
            clock.sleep(PATIENCE.poll)
        return outcome
    finally:
        executor.close()


def _verdict(subject: str, outcome: Outcome | str) -> Finding:
    if isinstance(outcome, Outcome) and outcome.result is Result.DONE:
        took = outcome.ended - outcome.started
        pause = "" if outcome.downtime_ms is None else f", paused for {outcome.downtime_ms} ms"
        sentence = f"a guest of {MEMORY_MIB} MiB moved in {took:.1f} s{pause}"
        return Finding(check="trust", subject=subject, grade=Grade.OK, sentence=sentence)
    reason = outcome if isinstance(outcome, str) else outcome.reason
    return Finding(
        check="trust",
        subject=subject,
        grade=Grade.FAULT,
        sentence=f"no guest can be moved: {reason}",
        remedy="check peer_uri and migration_address, the firewall between the hosts, "
        "and that each accepts the other's login",
    )


def _removed(connections: Connections, host: HostConfig, uuid: str) -> bool:
    """Destroy the guest with our own uuid on `host`, if it is there; False if that fails."""
    deadline = monotonic() + CLEARING
    while True:
        try:
            within(host.answer_within, lambda: _remove(connections, host.name, uuid), host.name)
        except (libvirt.libvirtError, NotAnswering):
            if monotonic() > deadline:
                return False
            sleep(PATIENCE.poll)
        else:
            return True


def _remove(connections: Connections, host: str, uuid: str) -> None:
    try:
        domain = connections.to(host).lookupByUUIDString(uuid)
        domain.destroy()
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
