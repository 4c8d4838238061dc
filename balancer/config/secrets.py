"""Secrets come from files that nobody else can read, or from systemd: never from words typed."""

import os
import stat
from pathlib import Path
from typing import Final

from balancer.config.paths import named
from balancer.ports import UsageError

OTHERS: Final = stat.S_IRWXO | stat.S_IWGRP
"""What may not be allowed: anything to everybody, writing to the group."""


def secret_path(text: str, folder: Path) -> Path | None:
    """Return the path of a secret, relative to `folder`; None where there is none.

    `$CREDENTIALS_DIRECTORY` is where systemd puts what LoadCredential= names.
    """
    return named(os.path.expandvars(text), folder) if text else None


def read_secret(path: Path, key: str) -> str:
    """Return what the file holds. Raises UsageError naming `key` of the configuration.

    The file that is checked is the one that is read, whatever happens to its name meanwhile.
    """
    try:
        with path.open(encoding="utf-8") as file:
            check_private(os.fstat(file.fileno()), path, key)
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"{path}, named by {key}, cannot be read: {why}") from None


def check_key(path: Path, key: str) -> None:
    """Look at a key that a library reads for us. Raises UsageError."""
    try:
        check_private(path.stat(), path, key)
    except OSError as error:
        raise UsageError(f"{path}, named by {key}, cannot be read: {error.strerror}") from None


def check_private(found: os.stat_result, path: Path, key: str) -> None:
    """Refuse a secret that somebody else may read or write. Raises UsageError."""
    mode = stat.S_IMODE(found.st_mode)
    if mode & OTHERS:
        raise UsageError(
            f"{path}, named by {key}, is a secret that others may read or change (mode {mode:04o}): "
            f"chmod 0600 {path}"
        )
    if found.st_uid not in (0, os.geteuid()):
        raise UsageError(
            f"{path}, named by {key}, is a secret that belongs to another user (uid {found.st_uid}): "
            f"chown it to the user that runs balancer, or to root"
        )
