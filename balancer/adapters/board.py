"""Shows how the service is: to systemd, and in a file that `balancer status` reads."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from balancer.codec import read_document, write_atomically
from balancer.ports import Status, UsageError

AT_LEAST_EVERY: Final = 30.0
"""Seconds after which the file is written though nothing changed: a reader sees that we live."""
FORMAT: Final = "balancer-status/1"
LATEST: Final = 1e11
"""Seconds since the epoch: times beyond are no times."""


class StatusBoard:
    """Implements the port Board."""

    def __init__(self, path: Path, tell: Callable[..., object]) -> None:
        self._path = path
        self._tell = tell
        self._shown: Status | None = None
        self._ready = False

    def show(self, status: Status) -> None:
        """Write the file where something changed, and tell systemd."""
        shown = self._shown
        same = shown is not None and replace(status, at=shown.at) == shown
        if same and shown and status.at - shown.at < AT_LEAST_EVERY:
            self.beat()
            return
        self._shown = status
        said = {} if self._ready else {"READY": "1"}
        self._ready = True
        self._tell(
            **said, WATCHDOG="1", STATUS=f"{status.mode}, {status.state}: {status.sentence}"
        )
        try:
            write_atomically(
                self._path, json.dumps({"format": FORMAT, "status": asdict(status)}) + "\n"
            )
        except UsageError:
            self._shown = None  # tried again next time; the log has what is wrong

    def beat(self) -> None:
        """Tell the watchdog that we live."""
        self._tell(WATCHDOG="1")


def read_status(path: Path) -> Status | None:
    """Return the status in the file, or None where no service ever wrote one.

    Raises UsageError for a file that holds something else.
    """
    if not path.exists():
        return None
    try:
        return _checked(json.loads(read_document(path))["status"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise UsageError(
            f"{path} is no status of this version of balancer: restart the service"
        ) from None


def _checked(told: object) -> Status:
    """Return the status. Raises ValueError unless every word and number of it is one."""
    status: Status = TypeAdapter(Status).validate_python(told)
    amounts = (status.at, status.began, status.last_cycle, status.predicted_end, status.interval)
    of_moves = (n for step in status.in_flight for n in (step.fraction, step.seconds))
    if not all(0 <= amount < LATEST for amount in (*amounts, *of_moves, status.observed_days)):
        raise ValueError
    return status
