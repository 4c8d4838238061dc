"""What finished migrations taught, learned anew from the journal: nothing else has to be kept."""

from typing import Final

from balancer.codec import load_outcome_data
from balancer.planner.calibrate import learned, slower
from balancer.planner.model.calibration import UNCALIBRATED, Calibration
from balancer.ports import Event, Journal, UsageError

REMEMBERED: Final = 30 * 86_400.0
"""Seconds; links and guests change."""


class JournalExperience:
    """Implements Experience. Reads the journal once, then only what is new in it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known = UNCALIBRATED
        self._until = 0.0
        self._seen: set[tuple[str, str, float]] = set()

    def known(self, at: float) -> Calibration:
        """Return what is known at that time. Raises UsageError if the journal cannot be read."""
        since = max(self._until, at - REMEMBERED)
        for event in self._journal.read(since, ("ended", "slowed")):
            key = (event.plan, event.action or event.guest, event.at)
            if event.kind == "slowed" and key not in self._seen:
                self._seen.add(key)
                self._until = max(self._until, event.at)
                self._known = _slower(self._known, event)
                continue
            data = event.data.get("outcome")
            if key in self._seen or not isinstance(data, dict) or not data.get("passed"):
                continue
            self._seen.add(key)
            self._until = max(self._until, event.at)
            try:
                self._known = learned(self._known, load_outcome_data(data))
            except UsageError:  # written by another version: it teaches nothing
                continue
        return self._known


def _slower(known: Calibration, event: Event) -> Calibration:
    """Return what is known once an arrival on another architecture is."""
    told = event.data
    try:
        ratio = float(str(told["ratio"]))
        return slower(known, str(told["guest"]), str(told["host"]), ratio)
    except (KeyError, ValueError):  # written by another version: it teaches nothing
        return known
