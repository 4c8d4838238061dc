"""The journal in a SQLite file: each event is on disk before `write` returns.

Write-ahead logging lets others read while the planner writes; `synchronous = FULL` makes every
commit survive a power cut. The file's `user_version` is the version of its tables, and UPGRADES
leads from any older one to this one.
"""

import json
import math
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from balancer.ports import Event, UsageError

APPLICATION: Final = 0x62616C61
"""Marks a SQLite file as a journal of ours."""

UPGRADES: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            plan TEXT NOT NULL,
            action TEXT NOT NULL,
            guest TEXT NOT NULL,
            host TEXT NOT NULL,
            text TEXT NOT NULL,
            data TEXT NOT NULL CHECK (json_valid(data))
        )
        """,
        "CREATE INDEX events_at ON events (at)",
        "CREATE INDEX events_kind ON events (kind, at)",
        "CREATE INDEX events_plan ON events (plan) WHERE plan <> ''",
        "CREATE INDEX events_guest ON events (guest, at) WHERE guest <> ''",
        "CREATE INDEX events_host ON events (host, at) WHERE host <> ''",
        f"PRAGMA application_id = {APPLICATION}",
    ),
)
"""The statements at index n lead from version n to n + 1. Append only: old files exist."""

FULL: Final = "its file system is full: free some space"
REMEDIES: Final[Mapping[str, str]] = {
    "SQLITE_FULL": FULL,
    "SQLITE_READONLY": "it is read-only for this user: correct its owner or mode",
    "SQLITE_CANTOPEN": "it cannot be opened: correct the owner or mode of its directory",
    "SQLITE_PERM": "access is denied: correct its owner or mode",
    "SQLITE_NOTADB": "it is not a journal or is damaged: move it away and a new one is begun",
    "SQLITE_CORRUPT": "it is damaged: move it away and a new one is begun",
    "SQLITE_BUSY": "another process keeps it locked: end that process",
    "SQLITE_IOERR": "the disk reports errors: check its file system",
}
"""What to do, by the primary name of SQLite's result code."""


LEAST_FREE: Final = 64 * 1024
"""Bytes: what one event and the index of the write-ahead log take."""


class SqliteJournal:
    """Implements the port Journal. The file is made at the first write, not before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def write(self, event: Event) -> None:
        """Keep `event` durably before returning. Raises UsageError if it cannot be kept."""
        with self._explained("written"):
            self._open().execute(
                "INSERT INTO events (at, kind, plan, action, guest, host, text, data) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (event.at, event.kind, *_texts(event), json.dumps(event.data, sort_keys=True)),
            )

    def read(self, since: float = 0.0, kinds: Sequence[str] = ()) -> tuple[Event, ...]:
        """Return events from `since` on, in the order written, of `kinds` if any are named.

        Raises UsageError if the file cannot be read; one that does not exist yet is empty.
        """
        chosen = f"AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        with self._explained("read"):
            if self._connection is None and not self._path.exists():
                return ()
            # only question marks are put in
            rows = self._open().execute(
                "SELECT at, kind, plan, action, guest, host, text, data FROM events "  # noqa: S608 # nosec
                f"WHERE at >= ? {chosen} ORDER BY id",
                (since, *kinds),
            )
            return tuple(_event(row) for row in rows)

    def forget(self, before: float, kinds: Sequence[str]) -> None:
        """Drop the events of `kinds` from before then. Raises UsageError if that fails."""
        with self._explained("written"):
            if self._connection is None and not self._path.exists():
                return
            marks = ", ".join("?" * len(kinds))  # only question marks are put in
            self._open().execute(
                f"DELETE FROM events WHERE kind IN ({marks}) AND at < ?",  # noqa: S608 # nosec
                (*kinds, before),
            )

    def close(self) -> None:
        """Let go of the file; harmless if never opened."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        self._check_version(_pragma(connection, "user_version"))
        self._check_origin(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if _pragma(connection, "user_version") < len(UPGRADES):
            _upgrade(connection)

    def _check_version(self, version: int) -> None:
        if version > len(UPGRADES):
            raise UsageError(
                f"the journal {self._path} was written by a newer balancer (version {version} of "
                f"its tables, this one knows {len(UPGRADES)}): install that release again"
            )

    def _check_origin(self, connection: sqlite3.Connection) -> None:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and _pragma(connection, "application_id") != APPLICATION:
            raise UsageError(
                f"{self._path} is a database of another program, not a journal: "
                "name another path for the journal in config.toml"
            )

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """Turn the faults of SQLite and of the file system into one sentence."""
        try:
            yield
        except (sqlite3.Error, ValueError, RecursionError, OSError) as error:
            remedy = FULL if _is_full(self._path.parent) else _remedy(error)
            raise UsageError(f"the journal {self._path} cannot be {done}: {remedy}") from error


def _event(row: tuple[Any, ...]) -> Event:
    """Return the event. Raises ValueError if the row holds what we never write."""
    at, kind, plan, action, guest, host, text, data = row
    told = json.loads(data)
    sound = isinstance(told, dict) and all(isinstance(word, str) for word in row[1:-1])
    if not sound or not isinstance(at, float) or not math.isfinite(at):
        raise ValueError
    return Event(at, kind, plan, action, guest, host, text, told)


def _texts(event: Event) -> tuple[str, ...]:
    """Return the event's words; SQLite takes no lone surrogates, names may hold some."""
    words = (event.plan, event.action, event.guest, event.host, event.text)
    return tuple(word.encode(errors="backslashreplace").decode() for word in words)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _upgrade(connection: sqlite3.Connection) -> None:
    """Lead the file to the newest version, all steps or none; another process may be faster."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in UPGRADES[_pragma(connection, "user_version") :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(UPGRADES)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise


def _is_full(folder: Path) -> bool:
    """Tell whether nothing more fits there; SQLite calls that an error of the disk at times."""
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE
    except OSError:
        return False


def _remedy(error: Exception) -> str:
    damaged = isinstance(error, ValueError | RecursionError)
    name = "SQLITE_CORRUPT" if damaged else getattr(error, "sqlite_errorname", "")
    for code, remedy in REMEDIES.items():
        if name == code or name.startswith(code + "_"):
            return remedy
    return f"{getattr(error, 'strerror', None) or error}: check its directory and disk"
