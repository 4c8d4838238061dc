"""Files whose mere existence stops all action: the operator's, and the service's own.

Nothing but the file system is needed to freeze: `touch FREEZE` does, whatever else is broken. A
first line `until 2026-12-24T18:00:00+01:00` ends the freeze then; the lines after it say why.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from balancer.ports import UsageError

UNTIL: Final = "until "
LONGEST: Final = 500
"""Characters of a reason that are worth showing."""


class FreezeFiles:
    """Implements the port Brake: the file of the operator, and one the service makes itself."""

    def __init__(self, operators: Path, own: Path, now: Callable[[], float]) -> None:
        self._operators = operators
        self._own = own
        self._now = now
        self._pulled = ""
        """Why the service stopped, where its file could not be written."""

    def reason(self) -> str:
        """Return why nothing may be started; empty if all may."""
        found = _read(self._operators, self._now())
        if found is not None:
            return f"frozen{found}: {self._operators} exists; balancer unfreeze ends it"
        found = _read(self._own, self._now())
        if found is None and not self._pulled:
            return ""
        why = self._pulled or (found or "").removeprefix(", ")
        return f"the service stopped itself: {why}; once that is mended: balancer unfreeze"

    def pull(self, reason: str) -> None:
        """Stop all action; where the file cannot be written, until this process ends."""
        try:
            freeze(self._own, None, reason)
        except UsageError:
            self._pulled = reason

    def release(self) -> bool:
        """Remove both files; return whether there was one. Raises UsageError."""
        self._pulled = ""
        found = False
        for path in (self._operators, self._own):
            try:
                path.unlink()
                found = True
            except FileNotFoundError:
                continue
            except OSError as error:
                raise UsageError(f"{path} cannot be removed: {error.strerror}") from None
        return found


def freeze(path: Path, until: float | None, reason: str) -> None:
    """Make the file. Raises UsageError."""
    end = "" if until is None else f"{UNTIL}{datetime.fromtimestamp(until, UTC).isoformat()}\n"
    line = "".join(c if c.isprintable() else "?" for c in reason)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{end}{line}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}: make the file by hand, or correct "
            "the owner or mode of its directory"
        ) from None


def _read(path: Path, now: float) -> str | None:
    """Return what the file says, after a comma; empty if it says nothing; None if not frozen.

    What cannot be read or understood freezes: an operator who made the file meant it.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:LONGEST]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f", though it cannot be read ({os.strerror(error.errno or 0)})"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first, why = (lines[0] if lines else ""), " ".join(lines)
    if not first.startswith(UNTIL):
        return f", {why}" if why else ""
    try:
        end = datetime.fromisoformat(first.removeprefix(UNTIL)).astimezone(UTC)
        shown = f"{end.astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):
        return f", {why}"
    if end.timestamp() <= now:
        return None
    return f" until {shown}" + "".join(f", {w}" for w in lines[1:])
