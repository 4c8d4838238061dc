"""A journal that others listen to: what is written is told to them, once it is kept."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Protocol

from balancer.ports import Event, Journal, UsageError


class Listener(Protocol):
    """Hears what the journal keeps. Must neither block nor raise."""

    def hear(self, event: Event) -> None:
        """Take note of an event that was kept."""
        ...

    def kept(self, seconds: float, *, well: bool) -> None:
        """Take note of how long keeping it took, or that it failed."""
        ...


class HeardJournal:
    """Implements the port Journal: hands on to another one, and tells listeners."""

    def __init__(
        self,
        journal: Journal,
        listeners: Sequence[Listener],
        seconds: Callable[[], float] = perf_counter,
    ) -> None:
        self._journal = journal
        self._listeners = tuple(listeners)
        self._seconds = seconds

    def write(self, event: Event) -> None:
        """Keep `event`, then tell. Raises UsageError as the journal does."""
        begun = self._seconds()
        try:
            self._journal.write(event)
        except UsageError:
            self._told(begun, well=False)
            raise
        self._told(begun, well=True)
        for listener in self._listeners:
            listener.hear(event)

    def read(self, since: float = 0.0, kinds: Sequence[str] = ()) -> tuple[Event, ...]:
        """Return what the journal returns."""
        return self._journal.read(since, kinds)

    def forget(self, before: float, kinds: Sequence[str]) -> None:
        """Let the journal forget."""
        self._journal.forget(before, kinds)

    def close(self) -> None:
        """Let go of the journal, if there is anything to let go of."""
        with suppress(AttributeError):
            self._journal.close()  # type: ignore[attr-defined]

    def _told(self, begun: float, *, well: bool) -> None:
        for listener in self._listeners:
            listener.kept(self._seconds() - begun, well=well)
