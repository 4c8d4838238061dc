"""Ctrl-C: the first finishes what is in flight and starts nothing more, the second aborts that.

A signal handler only counts. What follows is done where the service looks anyway, about once a
second, so that no call to a hypervisor is ever cut in two.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any, Final, Protocol, Self

from balancer.planner.model.plan import Action, Outcome
from balancer.planner.model.resize import Resize, Resized
from balancer.ports import Begun, Execution, Executor, Ports, Progress

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
STOP: Final = 1
ABORT: Final = 2


class Interrupts:
    """Hears Ctrl-C (and SIGTERM) while it is entered."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._heard = 0
        self._told = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {known: signal.signal(known, self._hear) for known in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for known, handler in self._before.items():
            signal.signal(known, handler)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._heard += 1

    def stop_requested(self) -> bool:
        """True once nothing more may be started."""
        if self._heard >= STOP and self._told < STOP:
            self._told = STOP
            self._say("what is in flight is finished; Ctrl-C once more aborts it")
        return self._heard >= STOP

    def abort_requested(self) -> bool:
        """True once what is in flight shall be aborted too."""
        if self._heard >= ABORT and self._told < ABORT:
            self._told = ABORT
            self._say("aborting what is in flight; its guests stay where they were")
        return self._heard >= ABORT


class Asked(Protocol):
    """Knows whether what is in flight shall be aborted."""

    def abort_requested(self) -> bool:
        """Return it."""
        ...


class AbortableExecutor:
    """Implements the port Executor: hands on, and aborts what runs once that is asked for."""

    def __init__(self, to: Executor, interrupts: Asked) -> None:
        self._to = to
        self._interrupts = interrupts

    def look_again(self, action: Action) -> str:
        """Hand on."""
        return self._to.look_again(action)

    def start(self, action: Action) -> Execution:
        """Start it, to be aborted on request."""
        return _AbortableExecution(self._to.start(action), self._interrupts)

    def follow(self, begun: Begun) -> Execution:
        """Follow it, to be aborted on request."""
        return _AbortableExecution(self._to.follow(begun), self._interrupts)

    def resize(self, resize: Resize) -> str:
        """Hand on."""
        return self._to.resize(resize)

    def watch(self, taken: Sequence[Resize]) -> None:
        """Hand on."""
        self._to.watch(taken)

    def given_back(self) -> tuple[Resized, ...]:
        """Hand on."""
        return self._to.given_back()

    def shut_down(self, guest: str, host: str) -> str:
        """Hand on."""
        return self._to.shut_down(guest, host)


class _AbortableExecution:
    """Implements the port Execution."""

    def __init__(self, to: Execution, interrupts: Asked) -> None:
        self._to = to
        self._interrupts = interrupts
        self._asked = False

    @property
    def action(self) -> Action:
        return self._to.action

    def progress(self) -> Progress:
        return self._to.progress()

    def outcome(self) -> Outcome | None:
        """Abort if that was asked for; return how it ended, or None while it runs."""
        if not self._asked and self._interrupts.abort_requested():
            self._asked = True
            self.abort("the operator stopped it")
        return self._to.outcome()

    def room(self, rate_kib_s: int) -> None:
        self._to.room(rate_kib_s)

    def hasten(self, rate_kib_s: int) -> None:
        self._to.hasten(rate_kib_s)

    def abort(self, reason: str) -> None:
        self._to.abort(reason)


def abortable(ports: Ports, interrupts: Interrupts) -> Ports:
    """Return the same world, in which whatever is started is aborted on request."""
    if ports.executor is None:
        return ports
    return replace(ports, executor=AbortableExecutor(ports.executor, interrupts))
