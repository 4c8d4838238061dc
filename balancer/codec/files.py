"""Documents in files: read with a clear fault, written whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from balancer.codec.documents import load_observation, load_plan
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Plan
from balancer.ports import UsageError

TOO_LARGE: Final = 1 << 30
"""Bytes; a document of 10,000 guests has about 10 MB."""


def read_observation(path: Path) -> Observation:
    """Return the observation in the file. Raises UsageError."""
    return load_observation(read_document(path), str(path))


def read_plan(path: Path) -> Plan:
    """Return the plan in the file. Raises UsageError."""
    return load_plan(read_document(path), str(path))


def read_document(path: Path) -> bytes:
    """Return what is in the file. Raises UsageError naming it and why it cannot be read."""
    try:
        if path.stat().st_size > TOO_LARGE:
            raise UsageError(f"{path}: larger than 1 GiB, which no document of ours is")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {_why(error)}") from None


def write_atomically(path: Path, text: str) -> None:
    """Put `text` into the file so that a reader sees the old content or the new, even after a crash.

    Keeps the mode of a file that is there; a new one is the owner's and group's to read.
    Raises UsageError naming the file and why it cannot be written; then nothing has changed.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():  # a pipe or /dev/stdout: no rename there
            target.write_text(text, encoding="utf-8", errors="replace")
            return
        _replace(target, text.encode("utf-8", "replace"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be written: {_why(error)}") from None


def _replace(target: Path, content: bytes) -> None:
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o640
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
