"""Configuration to ports: the only place that names adapters. Each is imported when it is needed."""

import os
import socket
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from balancer.config import Config, Mode
from balancer.ports import (
    Board,
    Experience,
    Finding,
    Inventory,
    Journal,
    Lease,
    Ports,
    Status,
    Telemetry,
    UsageError,
)

if TYPE_CHECKING:
    from balancer.adapters.closed import ClosedHosts
    from balancer.adapters.freeze import FreezeFiles
    from balancer.adapters.history_sqlite import SqliteHistory
    from balancer.adapters.libvirt.dirtying import LibvirtDirtyMeter
    from balancer.adapters.libvirt.ownership import Owner
    from balancer.adapters.meters import Meters
    from balancer.adapters.notify import Notifier, Told
    from balancer.adapters.prometheus import Prometheus


def never() -> bool:
    """Nobody asks to stop."""
    return False


def ports_for(
    config: Config,
    telemetry: Telemetry,
    *,
    read_only: bool,
    keep_journal: bool = False,
    stop_requested: Callable[[], bool] = never,
) -> Ports:
    """Return the world of real hypervisors.

    Read-only, there is no executor, connections can change nothing, and a journal is read where
    there is one but never made, unless `keep_journal`. Raises UsageError where libvirt's Python module is missing or
    the journal cannot be opened.
    """
    from balancer.adapters.clock import WallClock
    from balancer.adapters.experience import JournalExperience
    from balancer.adapters.lease import FileLease

    clock = WallClock()
    executor = None
    lease: Lease = FileLease(config.lock_path)
    inventory = _measured(config, _inventory(config, read_only=read_only))
    if not read_only:
        from balancer.adapters.libvirt.execution import Patience
        from balancer.adapters.libvirt.executor import LibvirtExecutor

        owner = _owner(config, lease)
        executor = LibvirtExecutor(
            config.hosts,
            clock,
            Patience(stalled_after=config.guards.stalled_after),
            objection=owner.objection,
        )
        lease = owner
    journal = _journal(config, read_only=read_only and not keep_journal)
    return Ports(
        inventory=inventory,
        executor=executor,
        journal=journal,
        experience=JournalExperience(journal),
        clock=clock,
        lease=lease,
        telemetry=telemetry,
        brake=brake_of(config),
        stop_requested=stop_requested,
        history=_history(config, read_only=read_only),
        dirty=None if read_only else dirty_meter(config),
    )


def dirty_meter(config: Config) -> "LibvirtDirtyMeter | None":
    """Return who tells how fast guests change their memory; None in mode observe.

    libvirt lets only those ask who may change something.
    """
    if config.mode is Mode.OBSERVE:
        return None
    from balancer.adapters.clock import WallClock
    from balancer.adapters.libvirt.dirtying import LibvirtDirtyMeter

    return LibvirtDirtyMeter(config.hosts, WallClock())


def _owner(config: Config, local: Lease) -> "Owner":
    """Return the claim on every hypervisor, beside the lock on this machine."""
    from balancer.adapters.clock import WallClock
    from balancer.adapters.libvirt.ownership import Owner

    node = socket.gethostname()
    return Owner(
        local=local,
        hosts=config.hosts,
        clock=WallClock(),
        node=f"{node}:{config.lock_path}",
        who=f"pid {os.getpid()} on {node}",
    )


def brake_of(config: Config) -> "FreezeFiles":
    """Return what stops all action here."""
    from balancer.adapters.clock import WallClock
    from balancer.adapters.freeze import FreezeFiles

    return FreezeFiles(config.freeze_path, config.stopped_path, WallClock().now)


def closed_hosts(config: Config) -> "ClosedHosts":
    """Return the hosts that are closed to placement here."""
    from balancer.adapters.closed import ClosedHosts

    return ClosedHosts(config.closed_path)


def journal_of(config: Config, *, read_only: bool = True) -> Journal:
    """Return the journal; read-only, one that is not there yet is empty."""
    return _journal(config, read_only=read_only)


def meters() -> "Meters":
    """Return the service's own metrics."""
    from balancer.adapters.meters import Meters

    return Meters()


def notifier(config: Config, told: "Told") -> "Notifier":
    """Return who tells people outside, as configured."""
    from balancer.adapters.notify import Notifier

    return Notifier(config.notify, told)


def experience_of(config: Config) -> Experience:
    """Return what finished migrations taught, as the journal has it."""
    from balancer.adapters.experience import JournalExperience

    return JournalExperience(_journal(config, read_only=True))


def board_of(config: Config) -> Board:
    """Return where the service shows how it is."""
    from balancer.adapters.board import StatusBoard
    from balancer.adapters.systemd import notify

    return StatusBoard(config.status_path, notify)


def status_of(config: Config) -> Status | None:
    """Return how the service says it is, or None where none ever ran. Raises UsageError."""
    from balancer.adapters.board import read_status

    return read_status(config.status_path)


def only_service(config: Config) -> Lease:
    """Return the lock that keeps a second service out; moves have a lock of their own."""
    from balancer.adapters.lease import FileLease

    return FileLease(config.lock_path.with_suffix(".service"))


def saved_ports(observation: Path, telemetry: Telemetry) -> Ports:
    """Return a world that stands still: a saved observation, in which nothing can be done."""
    from balancer.adapters.clock import WallClock
    from balancer.adapters.observation_file import ObservationFile
    from balancer.adapters.stand_in import MemoryJournal, UncontestedLease

    return Ports(
        inventory=ObservationFile(observation),
        executor=None,
        journal=MemoryJournal(),
        clock=WallClock(),
        lease=UncontestedLease(),
        telemetry=telemetry,
    )


def examine(config: Config) -> tuple[Finding, ...]:
    """Return what stands in the way of migrations, and what does not; changes nothing."""
    _need_libvirt()
    from balancer.adapters.clock import WallClock
    from balancer.adapters.libvirt.doctor import examine as look_closely

    return look_closely(config.hosts, WallClock())


def common_processor(config: Config, hosts: Sequence[str], architecture: str) -> tuple[str, str]:
    """Return the widest processor that these hosts can all give guests, or why there is none."""
    _need_libvirt()
    from balancer.adapters.libvirt.baseline import widest

    return widest([host for host in config.hosts if host.name in set(hosts)], architecture)


def probe(config: Config, source: str, target: str) -> tuple[Finding, ...]:
    """Return how moving a tiny guest, made for this, from `source` to `target` went."""
    _need_libvirt()
    from balancer.adapters.clock import WallClock
    from balancer.adapters.libvirt.probe import probe as move_one

    return (move_one(config.hosts, source, target, WallClock()),)


def _need_libvirt() -> None:
    """Raises UsageError where Python's libvirt module is missing."""
    if find_spec("libvirt") is None:
        raise UsageError(
            "hypervisors cannot be reached: Python's libvirt module is missing "
            "(Debian: apt-get install python3-libvirt, then remove .venv and run again); "
            "planning from a file (--from) and the demo work without it"
        )


def _inventory(config: Config, *, read_only: bool) -> Inventory:
    _need_libvirt()
    from balancer.adapters.clock import WallClock
    from balancer.adapters.libvirt.inventory import LibvirtInventory
    from balancer.adapters.own_machine import system_uuid

    closed = closed_hosts(config)
    return LibvirtInventory(
        config.hosts,
        WallClock(),
        config.sample_gap,
        read_only=read_only,
        closed=lambda: tuple(closed.known()),
        own=config.own_guest or system_uuid(),
        workers=config.workers,
    )


def _measured(config: Config, inventory: Inventory) -> Inventory:
    """Return the inventory, completed by the store of metrics that is configured, if any."""
    source = metric_source(config)
    if source is None or config.prometheus is None:
        return inventory
    from balancer.adapters.measured import MeasuredInventory

    return MeasuredInventory(inventory, (source,), config.prometheus.prefer)


def metric_source(config: Config) -> "Prometheus | None":
    """Return the store of metrics that is configured, or None. Raises UsageError."""
    if config.prometheus is None:
        return None
    from balancer.adapters.prometheus import Prometheus

    return Prometheus(config.prometheus)


def _journal(config: Config, *, read_only: bool) -> Journal:
    from balancer.adapters.journal_sqlite import SqliteJournal
    from balancer.adapters.stand_in import MemoryJournal

    if read_only and not config.journal_path.exists():
        return MemoryJournal()
    return SqliteJournal(config.journal_path)


def history(config: Config) -> "SqliteHistory":
    """Return the history of what was measured."""
    from balancer.adapters.history_sqlite import Retention, SqliteHistory

    retention = Retention(mean_seconds=config.history_seconds, bytes=config.history_mib * 2**20)
    return SqliteHistory(config.history_path, retention)


def _history(config: Config, *, read_only: bool) -> "SqliteHistory | None":
    """Return the history; read-only, none where its folder cannot be written to."""
    folder = config.history_path.parent
    if read_only and not (folder.is_dir() and os.access(folder, os.W_OK)):
        return None
    return history(config)
