"""Many hosts at once, none of which can delay another.

A call into libvirt cannot be interrupted. So every host is asked by a thread of its own, and a
thread that makes no progress for its host's time limit is left behind: it is a daemon thread, it
ends when its connection dies, and until then its host counts as not answering.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final, Generic, Protocol, TypeVar

from balancer.adapters.libvirt.errors import NotAnswering

AT_ONCE: Final = 64
"""Hosts asked at the same time: more would only storm SSH."""

T = TypeVar("T")


class Beat(Protocol):
    """Called by a task after each answer: its time limit starts anew."""

    def __call__(self, grace: float = 0.0) -> None:
        """Note a sign of life; the next may take `grace` seconds longer than the limit."""
        ...


class Worker(Generic[T]):
    """One task in a thread, with the time of its last sign of life."""

    def __init__(
        self, name: str, task: Callable[[Beat], T], limit: float, ended: "SimpleQueue[Worker[T]]"
    ) -> None:
        """Start `task` at once; `limit` is its longest silence in seconds."""
        self.name = name
        self.result: T | Exception = NotAnswering(f"no answer in {limit:g} s")
        self.done = False
        self._limit = limit
        self._heard = monotonic()
        self._ended = ended
        self._task = task
        threading.Thread(target=self._run, name=f"host-{name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self.result = self._task(self.beat)
        except Exception as fault:  # noqa: BLE001 - carried to whoever asks
            self.result = fault
        finally:
            self.done = True
            self._ended.put(self)

    def beat(self, grace: float = 0.0) -> None:
        """Note a sign of life; the next may take `grace` seconds longer."""
        self._heard = monotonic() + grace

    def patience(self) -> float:
        """Return the seconds left until it counts as hung; 0 or less if it does."""
        return self._heard + self._limit - monotonic()


class Crew:
    """Asks hosts in parallel; remembers who is still hung from an earlier question."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """Let at most `at_once` answering hosts be asked at the same time."""
        self._at_once = at_once
        self._hung: dict[str, Worker[Any]] = {}

    def ask(
        self, tasks: Mapping[str, Callable[[Beat], T]], limits: Mapping[str, float]
    ) -> dict[str, T | Exception]:
        """Run every task, by host name; `limits` are each host's longest silence in seconds.

        Returns for each host its answer or what went wrong; never raises for one host. A host
        whose thread still hangs from before gets no second one: it is reported again.
        """
        self._hung = {name: worker for name, worker in self._hung.items() if not worker.done}
        answers: dict[str, T | Exception] = {
            name: NotAnswering(f"no answer in {limits[name]:g} s, nor since then")
            for name in tasks
            if name in self._hung
        }
        waiting = deque(name for name in tasks if name not in answers)
        ended: SimpleQueue[Worker[T]] = SimpleQueue()
        running: dict[str, Worker[T]] = {}
        while waiting or running:
            while waiting and len(running) < self._at_once:
                name = waiting.popleft()
                running[name] = Worker(name, tasks[name], limits[name], ended)
            for worker in _next(running, ended):
                del running[worker.name]
                answers[worker.name] = worker.result
                if not worker.done:
                    self._hung[worker.name] = worker
        return {name: answers[name] for name in tasks}


def _next(
    running: Mapping[str, Worker[T]], ended: "SimpleQueue[Worker[T]]"
) -> tuple[Worker[T], ...]:
    """Wait until a worker ends or one runs out of patience; return those."""
    try:
        worker = ended.get(timeout=max(0.001, min(w.patience() for w in running.values())))
    except Empty:
        return tuple(w for w in running.values() if w.patience() <= 0)
    return (worker,) if running.get(worker.name) is worker else ()


def within(limit: float, task: Callable[[], T], name: str = "once") -> T:
    """Return what `task` returns if it does so within `limit` seconds.

    Raises NotAnswering if not, and whatever `task` raises.
    """
    result = Crew().ask({name: lambda _beat: task()}, {name: limit})[name]
    if isinstance(result, Exception):
        raise result
    return result
