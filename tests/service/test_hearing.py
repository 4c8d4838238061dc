"""Listeners hear what the journal kept, and what it could not keep."""

import pytest

from balancer.adapters.stand_in import MemoryJournal
from balancer.ports import Event, UsageError
from balancer.service.hearing import HeardJournal


class Ear:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.writes: list[tuple[float, bool]] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def kept(self, seconds: float, *, well: bool) -> None:
        self.writes.append((seconds, well))


class Broken(MemoryJournal):
    """Keeps nothing."""

    def write(self, event: Event) -> None:
        raise UsageError(f"no room for {event.kind}")


def test_what_is_kept_is_heard() -> None:
    """Once it is kept, with the time that took; reading and forgetting are handed on."""
    ear, inner = Ear(), MemoryJournal()
    ticks = iter([1.0, 3.5])
    journal = HeardJournal(inner, [ear], lambda: next(ticks))
    event = Event(at=1.0, kind="cycle")
    journal.write(event)
    assert ear.events == list(journal.read()) == [event]
    assert ear.writes == [(2.5, True)]
    journal.forget(2.0, ("cycle",))
    assert journal.read() == ()
    journal.close()


def test_what_is_not_kept_is_not_heard() -> None:
    """The failure is, and goes on to whoever wrote."""
    ear = Ear()
    with pytest.raises(UsageError, match="no room"):
        HeardJournal(Broken(), [ear]).write(Event(at=1.0, kind="cycle"))
    assert ear.events == []
    assert [well for _, well in ear.writes] == [False]
