"""`balancer serve`: the loop on a management node."""

import signal
import sys
import threading
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Final, Self

import click

from balancer import config
from balancer.adapters.stand_in import SilentTelemetry
from balancer.adapters.systemd import notify
from balancer.cli import logs
from balancer.cli.interrupts import AbortableExecutor
from balancer.cli.logs import Logged
from balancer.cli.options import Session, common
from balancer.config import Config, Mode
from balancer.planner.model.request import Effort
from balancer.ports import Ports, Refused, Telemetry, UsageError
from balancer.render.live import Live
from balancer.render.screen import console
from balancer.service.hearing import HeardJournal
from balancer.service.loop import Service
from balancer.service.world import World
from balancer.wiring import board_of, meters, notifier, only_service, ports_for

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
GRACE: Final = 600
"""Seconds that systemd is asked for while what is in flight ends."""


class Signals:
    """Hears SIGTERM and Ctrl-C (stop), and SIGHUP (reload); handlers only take note."""

    def __init__(self) -> None:
        self._stop = 0
        self._reload = threading.Event()
        self.abort_on_stop = False

    def __enter__(self) -> Self:
        for number in STOPPING:
            signal.signal(number, self._hear_stop)
        signal.signal(signal.SIGHUP, self._hear_reload)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (*STOPPING, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    def _hear_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop += 1
        notify(STOPPING="1", EXTEND_TIMEOUT_USEC=str(GRACE * 1_000_000))

    def _hear_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload.set()

    def stop_requested(self) -> bool:
        """True once nothing more may be started."""
        if self._stop:  # each look asks for the time that finishing takes
            notify(EXTEND_TIMEOUT_USEC=str(GRACE * 1_000_000))
        return self._stop > 0

    def abort_requested(self) -> bool:
        """True once what is in flight shall be aborted: as configured, or told twice."""
        return self._stop > 1 or (self._stop > 0 and self.abort_on_stop)

    def reload_requested(self) -> bool:
        """True once after each SIGHUP."""
        asked = self._reload.is_set()
        self._reload.clear()
        return asked


@click.command("serve")
@common
@click.pass_obj
def command(session: Session) -> None:
    """Look at the cluster every interval, and do what `mode` in config.toml allows.

    observe changes nothing; confirm proposes plans for `balancer approve`; auto carries them out
    within the policy's limits. SIGTERM starts nothing more, SIGHUP reads the configuration anew.
    """
    logs.configure(session.verbose)
    people = console(sys.stderr)
    with Signals() as signals, Live(people, steps=False) as live:
        telemetry = Logged(SilentTelemetry() if session.quiet or logs.under_systemd() else live)
        build = Builder(session, signals, telemetry)
        configuration = build.configuration
        lease = only_service(configuration)
        lease.acquire()
        try:
            world = build()
            build.serve_metrics()
            Service(world, board=board_of(configuration), reload=build.again).run()
        finally:
            lease.release()


class Builder:
    """Makes the world that the configuration describes, and a new one where it changed."""

    def __init__(self, session: Session, signals: Signals, telemetry: Telemetry) -> None:
        self._session = session
        self._signals = signals
        self._telemetry = telemetry
        self.configuration: Config = config.load(session.config)
        self._meters = meters()

    def serve_metrics(self) -> None:
        """Serve /metrics. Raises UsageError where the operator chose a port that is taken."""
        where = self.configuration.metrics
        if where is None:
            return
        try:
            self._meters.serve(where.address, where.port)
        except UsageError as error:
            if where.chosen:
                raise
            self._telemetry.note(str(error))

    def _told(self, notice: str, well: bool, text: str) -> None:  # noqa: FBT001 - a verdict
        """Count a notification; say what became of one that failed."""
        self._meters.told(notice, well=well)
        if text:
            self._telemetry.note(text)

    def again(self) -> World | None:
        """Return a new world if one was asked for. Raises UsageError where it is faulty."""
        if not self._signals.reload_requested():
            return None
        notify(RELOADING="1")
        try:
            fresh = config.load(self._session.config)
            if fresh.state_dir != self.configuration.state_dir:
                raise Refused("`state` cannot change while the service runs: restart it")
            self.configuration = fresh
            return self()
        finally:
            notify(READY="1")

    def __call__(self) -> World:
        """Return the world."""
        known = self.configuration
        for warning in known.warnings:
            self._telemetry.note(warning)
        ports = ports_for(
            known,
            self._telemetry,
            read_only=known.mode is Mode.OBSERVE,
            keep_journal=True,
            stop_requested=self._signals.stop_requested,
        )
        people = notifier(known, self._told)
        heard = HeardJournal(ports.journal, (self._meters, people))
        ports = replace(ports, journal=heard, stays=True)
        closing = partial(_close, ports, people)
        if ports.executor is not None:
            self._signals.abort_on_stop = known.abort_on_stop
            ports = replace(ports, executor=AbortableExecutor(ports.executor, self._signals))
        return World(
            ports=ports,
            policy=known.policy,
            mode=known.mode,
            interval=known.interval_seconds,
            guards=known.guards,
            effort=Effort.QUICK,
            reasons_kept=known.reasons_seconds,
            close=closing,
        )


def _close(ports: Ports, *others: object) -> None:
    """Let go of connections and files, as far as these adapters hold any."""
    for adapter in (ports.inventory, ports.executor, ports.journal, ports.dirty, *others):
        if close := getattr(adapter, "close", None):
            close()
