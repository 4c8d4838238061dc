"""A planner in the test's own process: faults are inflicted while it works, and judged afterwards.

It is the product as `balancer apply` wires it, but for its patience, which suits the laboratory.
`in_order` is what must hold after every fault, whatever it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.adapters.libvirt.execution import LibvirtExecution
from balancer.adapters.libvirt.ownership import read
from balancer.config import load
from balancer.planner.model.plan import Action, Infeasible, Outcome, Plan, Result
from balancer.planner.model.request import Effort, Request
from balancer.planner.pipeline import plan
from balancer.ports import Event
from balancer.service import CycleReport, barred, execute, left_open, observe, resume, turn
from balancer.wiring import ports_for
from tests.worlds import Diary

from .binding import libvirt
from .cluster import Laboratory
from .operator import Operator

AT_ONCE = Request(effort=Effort.INSTANT)
HOUR = 3600.0
QUICK: dict[str, float] = {"stalled_after": 3, "least": 40, "settling": 5, "poll": 0.1}
"""What is waited for minutes elsewhere takes seconds here."""


def until(true: Callable[[], Any], patience: float = 60, what: str = "") -> Any:
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited in vain {what}"
        time.sleep(0.05)
    return found


@dataclass
class Turn:
    """One turn of the crank in a thread of its own."""

    work: Callable[[], tuple[Outcome, ...]]
    outcomes: tuple[Outcome, ...] = ()
    error: BaseException | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.outcomes = self.work()
        except BaseException as error:
            self.error = error

    def over(self, patience: float = 90) -> tuple[Outcome, ...]:
        """Wait for its end; raise what it raised."""
        self.thread.join(patience)
        assert not self.thread.is_alive(), "it does not end"
        if self.error is not None:
            raise self.error
        return self.outcomes


@dataclass(frozen=True)
class Journal:
    """The journal, opened for each call: SQLite wants one connection for each thread."""

    path: Path

    def write(self, event: Event) -> None:
        """Keep it."""
        with closing(SqliteJournal(self.path)) as journal:
            journal.write(event)

    def read(self, since: float = 0.0, kinds: Sequence[str] = ()) -> tuple[Event, ...]:
        """Return what is kept."""
        with closing(SqliteJournal(self.path)) as journal:
            return journal.read(since, kinds)


class Planner:
    """Plans and carries out for the operator of a laboratory; hosts are as `operator` declares."""

    def __init__(self, operator: Operator, **patience: float) -> None:
        self.operator = operator
        self.lab = operator.lab
        config = load(operator.folder / "config.toml")
        self.policy = config.policy
        self.diary = Diary()
        ports = ports_for(config, self.diary, read_only=False)
        self.ports = replace(ports, journal=Journal(config.journal_path))
        self.executor: Any = self.ports.executor
        self.flying: list[LibvirtExecution] = []
        self._remember_what_starts()
        self._turn: Turn
        self.executor._patience = replace(self.executor._patience, **(QUICK | patience))

    def _remember_what_starts(self) -> None:
        start = self.executor.start

        def noted(action: Action) -> LibvirtExecution:
            execution: LibvirtExecution = start(action)
            self.flying.append(execution)
            return execution

        self.executor.start = noted

    def plan(self) -> Plan:
        """Return a plan that has something to do."""
        made = plan(observe(self.ports, self.policy), self.policy, AT_ONCE)
        assert isinstance(made, Plan), made
        assert made.actions, made.left
        return made

    def begin(self, made: Plan | None = None) -> Turn:
        """Carry out a plan, by default one made now, meanwhile."""
        chosen = made or self.plan()
        self._turn = Turn(lambda: execute(self.ports, self.policy, chosen))
        return self._turn

    def cycle(self) -> CycleReport:
        """Take up what was left open, observe, plan, and carry out."""
        resume(self.ports)
        request = replace(AT_ONCE, barred=barred(self.ports.journal, time.time() - HOUR))
        return turn.cycle(self.ports, self.policy, request)

    def under_way(self, mib: int = 4) -> Action:
        """Wait until a move has sent so much; return it. Raises what ends the turn before that."""

        def moving() -> Action | None:
            if not self._turn.thread.is_alive():
                self._turn.over()
            return self.moving(mib)

        found: Action = until(moving, what="for a move to begin")
        return found

    def moving(self, mib: int = 4) -> Action | None:
        """Return the move in flight, once it has sent so much."""
        open_ = left_open(self.ports)
        return open_[0].action if open_ and self._sent(open_[0].action) >= mib << 20 else None

    def _sent(self, action: Action) -> int:
        try:
            domain = self.lab[action.source].connection().lookupByUUIDString(action.guest)
            return int(domain.jobStats().get("data_processed", 0))
        except libvirt.libvirtError:
            return 0

    def events(self, *kinds: str) -> tuple[Event, ...]:
        """Return what is in the journal of these kinds."""
        return self.ports.journal.read(0.0, kinds)

    def close(self) -> None:
        """Let go of connections."""
        self.executor.close()
        self.ports.inventory.close()  # type: ignore[attr-defined]


def in_order(
    planner: Planner, lost: Collection[str] = (), by_others: Collection[str] = ()
) -> CycleReport:
    """Assert what must hold after every fault; return the next cycle.

    That cycle completes, and what it moves arrives. Every guest but those `lost` runs exactly
    once, defined there alone, and is part of no migration. What was begun is in the journal with
    its end, once each, and guests are where the journal has them last, but for those that
    somebody else has moved since. Every host that can be asked may be claimed, and given back.
    """
    lab = planner.lab
    report = planner.cycle()
    assert not isinstance(report.decision, Infeasible), report.decision
    assert {o.result for o in report.outcomes} <= {Result.DONE}, report.outcomes
    running = lab.placement()
    assert {name for name, hosts in running.items() if not hosts} == set(lost)
    for name in set(running) - set(lost):
        _alone(lab, name, running[name])
    _journal_agrees(planner, {n: h[0] for n, h in running.items() if h and n not in by_others})
    planner.ports.lease.acquire()  # a claim that a dead planner of ours left may be taken up
    planner.ports.lease.release()
    assert [h.name for h in lab.running_hosts() if read(h.connection())] == []
    return report


def _alone(lab: Laboratory, name: str, hosts: list[str]) -> None:
    guest = lab.guest(name)
    assert guest.whereabouts() == {hosts[0]: libvirt.VIR_DOMAIN_RUNNING}, name
    assert guest.domain().isPersistent(), name
    assert guest.domain().jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_NONE, name


def _journal_agrees(planner: Planner, running: dict[str, str]) -> None:
    open_: dict[str, Event] = {}
    last: dict[str, Event] = {}
    for event in planner.events("started", "ended"):
        if event.kind == "started":
            assert event.guest not in open_, f"{event.text}: begun while it was under way"
            open_[event.guest] = event
        else:
            begun = open_.pop(event.guest)
            assert (begun.plan, begun.action) == (event.plan, event.action)
            last[event.guest] = event
    assert not open_, "begun, and its end not told"
    for name, host in running.items():
        told = last.get(planner.lab.guest(name).uuid)
        if told is not None and told.data["outcome"]["result"] != Result.LOST:  # type: ignore[index]
            assert told.host == host, (name, told)
