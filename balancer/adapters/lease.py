"""One planner at a time on this machine: a lock on a file, held by whoever has it open.

The kernel gives the lock up when its holder dies, so no lock can be left behind; what is written
in the file only names the holder for people.
"""

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path

from balancer.ports import Refused, UsageError


class FileLease:
    """A lock on `path`. May be taken several times by its holder; the last release frees it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._depth = 0

    def acquire(self) -> None:
        """Take the lock.

        Raises Refused naming the holder if another planner has it, UsageError if the file
        cannot be made.
        """
        if self._depth == 0:
            self._descriptor = self._lock()
        self._depth += 1

    def release(self) -> None:
        """Give it up; harmless if not held."""
        if self._depth == 0:
            return
        self._depth -= 1
        if self._depth == 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock(self) -> int:
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 300, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise Refused(
                f"another planner is at work ({holder or 'it did not say which'}) and holds "
                f"{self._path}: wait for it to end, or stop it"
            ) from None
        with suppress(OSError):  # a full disk: the lock is held all the same
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return descriptor

    def _open(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(
                f"cannot open the lock file {self._path}: {error.strerror}: run as the service's "
                "user, or name another path for the lease in config.toml"
            ) from error
