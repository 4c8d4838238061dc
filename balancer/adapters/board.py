"""Shows how the service is: to systemd, and in a file that `balancer status` reads."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from balancer.codec import read_document, write_atomically
from balancer.ports import Progress, Status, UsageError

AT_LEAST_EVERY: Final = 30.0
"""Seconds after which the file is written though nothing changed: a reader sees that we live."""
FORMAT: Final = "balancer-status/1"


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
        document = json.loads(read_document(path))
        told = document["status"]
        running = tuple(Progress(**step) for step in told.pop("in_flight"))
        troubles, fallbacks = tuple(told.pop("troubles")), tuple(told.pop("fallbacks", ()))
        return Status(in_flight=running, troubles=troubles, fallbacks=fallbacks, **told)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise UsageError(
            f"{path} is no status of this version of balancer: restart the service"
        ) from None
