"""Stand-ins that touch nothing outside this process, for dry runs, simulations and tests."""

from collections.abc import Sequence

from balancer.planner.model.plan import Outcome, Plan
from balancer.ports import Event, Progress


class MemoryJournal:
    """Keeps events for as long as the process lives."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def write(self, event: Event) -> None:
        """Keep `event`."""
        self._events.append(event)

    def read(self, since: float = 0.0, kinds: Sequence[str] = ()) -> tuple[Event, ...]:
        """Return events from `since` on, oldest first, of `kinds` if any are named."""
        return tuple(e for e in self._events if e.at >= since and (not kinds or e.kind in kinds))

    def forget(self, before: float, kinds: Sequence[str]) -> None:
        """Drop the events of `kinds` from before then."""
        self._events = [e for e in self._events if e.at >= before or e.kind not in kinds]


class MemoryBrake:
    """A brake for as long as the process lives."""

    def __init__(self) -> None:
        self._pulled = ""

    def reason(self) -> str:
        """Return why it was pulled; empty if it was not."""
        return self._pulled and f"the service stopped itself: {self._pulled}"

    def pull(self, reason: str) -> None:
        """Stop all action; the first reason stays."""
        self._pulled = self._pulled or reason


class UncontestedLease:
    """For worlds in which nobody else can act."""

    def acquire(self) -> None:
        """Always succeed."""

    def release(self) -> None:
        """Do nothing."""


class SilentTelemetry:
    """Says nothing to nobody."""

    def planned(self, plan: Plan) -> None:
        """Ignore it."""

    def progress(self, running: Sequence[Progress]) -> None:
        """Ignore it."""

    def ended(self, outcome: Outcome) -> None:
        """Ignore it."""

    def note(self, sentence: str) -> None:
        """Ignore it."""
