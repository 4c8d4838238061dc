"""What was measured, kept in a SQLite file: raw samples for days, 5-minute means for weeks.

A row is one metric of all guests (or of all hosts) at one time: a thousand guests are one small
blob, so a cycle appends about twenty rows and a forecast reads only the metrics it needs. Who
the cells belong to stands in a roster, stored once for as long as the same guests run. The mean
of the present five minutes is made anew at each append, so a crash loses nothing that was kept.

The history is worth nothing without the present and costs nobody a guest, so its writes are not
forced to disk one by one (`synchronous = NORMAL`): a power cut loses the last of them at most.
What was written is carried from the log into the file now and then, which waits for the disk: by a
thread beside the cycles, so that none of them does.
"""

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from balancer.planner.model.observation import METRICS, Observation, Sample
from balancer.planner.model.rollups import CELL, LARGEST, STEP, UNKNOWN, Block, Cells, Rollups
from balancer.ports import UsageError

APPLICATION: Final = 0x62616C68
"""Marks a SQLite file as a history of ours."""
VERSION: Final = 1
DAY: Final = 86_400.0
TABLES: Final = (
    "CREATE TABLE rosters (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, names BLOB NOT NULL)",
    """
    CREATE TABLE cells (
        raw INTEGER NOT NULL,     -- 1: as sampled; 0: mean of the five minutes from `at` on
        kind TEXT NOT NULL,       -- guests or hosts
        metric TEXT NOT NULL,
        at REAL NOT NULL,         -- seconds since the epoch
        roster INTEGER NOT NULL REFERENCES rosters,
        cells BLOB NOT NULL       -- see `_packed`
    )
    """,
    """
    CREATE TABLE filled (
        source TEXT NOT NULL,     -- where means of the past were fetched from
        since INTEGER NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (source, since)
    )
    """,
    "CREATE UNIQUE INDEX cells_place ON cells (raw, kind, metric, at)",
    "CREATE INDEX cells_age ON cells (raw, at)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)
GUESTS: Final = "guests"
HOSTS: Final = "hosts"
SPARE: Final = 0.95
"""Share of the size allowed that is left after the oldest rows had to go."""
WRITES: Final = 20
"""Transactions after which the log is carried into the file: about three MiB of a thousand guests."""
MOST_PAGES: Final = 16_000
"""Pages of log, 64 MiB, beyond which whoever writes carries them itself: where appends follow each
other so fast that there is no time beside them."""
KEPT_LOG: Final = 8 * 2**20
"""Bytes that the log is cut back to once it was larger."""
AT_ONCE: Final = 200
"""Oldest rows dropped before the size is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept, and how large the file may grow."""

    raw_seconds: float = 2 * DAY
    mean_seconds: float = 31 * DAY
    bytes: int = 2**30


@dataclass(frozen=True, slots=True)
class _Row:
    """One stored row, unpacked."""

    metric: str
    at: float
    names: tuple[str, ...]
    cells: Cells


class SqliteHistory:
    """Implements the port HistoryStore. The file is made at the first append, not before."""

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self._path = path
        self._retention = retention or Retention()
        self._connection: sqlite3.Connection | None = None
        self._rosters: dict[int, tuple[str, ...]] = {}
        self._written = 0
        self._carrier: threading.Thread | None = None

    def append(self, observation: Observation) -> None:
        """Keep what was measured just now, and drop what is too old. Raises UsageError."""
        at, history = observation.at, observation.history
        with self._transaction() as connection:
            for kind, samples in ((GUESTS, history.guests), (HOSTS, history.hosts)):
                newest = {name: taken[-1] for name, taken in samples.items() if taken}
                self._insert(connection, kind, at, newest)
                self._mean(connection, kind, at)
            self._drop_old(connection, at)

    def backfill(self, kind: str, metric: str, rollups: Rollups) -> None:
        """Keep means of the past where none are kept yet. Raises UsageError."""
        blocks = rollups.guests if kind == GUESTS else rollups.hosts
        block = blocks.get(metric)
        if block is None:
            return
        cells = rollups.matrix(block)
        with self._transaction() as connection:
            roster = self._roster(connection, block.names)
            connection.executemany(
                "INSERT OR IGNORE INTO cells VALUES (0, ?, ?, ?, ?, ?)",
                (
                    (
                        kind,
                        metric,
                        rollups.start + STEP * column,
                        roster,
                        _packed(cells[:, column]),
                    )
                    for column in range(rollups.columns)
                    if (cells[:, column] != UNKNOWN).any()
                ),
            )

    def filled(self, source: str, since: int, until: int) -> None:
        """Note that a span was fetched, so that a backfill goes on behind it. Raises UsageError."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO filled VALUES (?, ?, ?)", (source, since, until)
            )

    def is_filled(self, source: str, since: int, until: int) -> bool:
        """True if that span was fetched already."""
        if self._connection is None and not self._path.exists():
            return False
        with self._explained("read"):
            found = self._open().execute(
                "SELECT 1 FROM filled WHERE source = ? AND since = ? AND until >= ?",
                (source, since, until),
            )
            return found.fetchone() is not None

    def rollups(
        self, until: float, seconds: float, metrics: Iterable[str] = tuple(METRICS)
    ) -> Rollups:
        """Return the means of the `seconds` up to `until`, the present five minutes included.

        Raises UsageError if the file cannot be read; one that does not exist yet is empty.
        """
        if self._connection is None and not self._path.exists():
            return Rollups()
        last = int(until) // STEP * STEP
        columns = max(1, int(seconds) // STEP)
        start = last - (columns - 1) * STEP
        wanted = tuple(metrics)
        with self._explained("read"):
            connection = self._open()
            tables = {
                kind: self._blocks(connection, kind, wanted, start, columns)
                for kind in (GUESTS, HOSTS)
            }
        return Rollups(start, columns, tables[GUESTS], tables[HOSTS])

    def span(self) -> tuple[float, float]:
        """Return when the first and the last mean begin; both 0 where there is none."""
        if self._connection is None and not self._path.exists():
            return 0.0, 0.0
        with self._explained("read"):
            ends = "SELECT min(at), max(at) FROM cells WHERE raw = 0"
            first, last = self._open().execute(ends).fetchone()
        return float(first or 0), float(last or 0)

    def close(self) -> None:
        """Let go of the file; harmless if never opened."""
        if self._carrier is not None:
            self._carrier.join()
            self._carrier = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._rosters.clear()

    def _insert(
        self, connection: sqlite3.Connection, kind: str, at: float, newest: Mapping[str, Sample]
    ) -> None:
        names = tuple(sorted(newest))
        if not names:
            return
        roster = self._roster(connection, names)
        values = [newest[name].values for name in names]
        known = sorted({metric for value in values for metric in value})
        for metric in known:
            cells = [max(UNKNOWN, min(v.get(metric, UNKNOWN), LARGEST)) for v in values]
            packed = _packed(np.array(cells, dtype=CELL))
            connection.execute(
                "INSERT OR REPLACE INTO cells VALUES (1, ?, ?, ?, ?, ?)",
                (kind, metric, at, roster, packed),
            )

    def _mean(self, connection: sqlite3.Connection, kind: str, at: float) -> None:
        """Make the means of the five minutes around `at` from their raw samples."""
        start = int(at) // STEP * STEP
        found = connection.execute(
            "SELECT metric, at, roster, cells FROM cells "
            "WHERE raw = 1 AND kind = ? AND metric IN (SELECT DISTINCT metric FROM cells "
            "WHERE raw = 1 AND at = ? AND kind = ?) AND at >= ? AND at < ?",
            (kind, at, kind, start, start + STEP),
        )
        by_metric: dict[str, list[_Row]] = {}
        for row in self._unpacked(connection, found):
            by_metric.setdefault(row.metric, []).append(row)
        for metric, rows in by_metric.items():
            names, cells = _averaged(rows)
            connection.execute(
                "INSERT OR REPLACE INTO cells VALUES (0, ?, ?, ?, ?, ?)",
                (kind, metric, start, self._roster(connection, names), _packed(cells)),
            )

    def _blocks(
        self,
        connection: sqlite3.Connection,
        kind: str,
        metrics: Sequence[str],
        start: int,
        columns: int,
    ) -> dict[str, Block]:
        marks = ", ".join("?" * len(metrics))  # nothing but question marks is put into the text
        found = connection.execute(
            "SELECT metric, at, roster, cells FROM cells "  # noqa: S608  # nosec B608
            f"WHERE raw = 0 AND kind = ? AND metric IN ({marks}) AND at >= ? AND at < ?",
            (kind, *metrics, start, start + columns * STEP),
        )
        by_metric: dict[str, list[_Row]] = {}
        for row in self._unpacked(connection, found):
            by_metric.setdefault(row.metric, []).append(row)
        return {m: _block(rows, start, columns) for m, rows in sorted(by_metric.items())}

    def _unpacked(
        self, connection: sqlite3.Connection, found: Iterable[tuple[str, float, int, bytes]]
    ) -> Iterator[_Row]:
        for metric, at, roster, cells in found:
            names = self._names(connection, roster)
            yield _Row(metric, at, names, _unpacked(cells, len(names)))

    def _names(self, connection: sqlite3.Connection, roster: int) -> tuple[str, ...]:
        if roster not in self._rosters:
            (data,) = connection.execute(
                "SELECT names FROM rosters WHERE id = ?", (roster,)
            ).fetchone()
            self._rosters[roster] = tuple(zlib.decompress(data).decode().split("\n"))
        return self._rosters[roster]

    def _roster(self, connection: sqlite3.Connection, names: Sequence[str]) -> int:
        """Return the id of the roster of `names`, stored now if it is new."""
        text = "\n".join(names).encode()
        digest = blake2b(text, digest_size=16).digest()
        connection.execute(
            "INSERT OR IGNORE INTO rosters (digest, names) VALUES (?, ?)",
            (digest, zlib.compress(text)),
        )
        found = connection.execute("SELECT id FROM rosters WHERE digest = ?", (digest,))
        return int(found.fetchone()[0])

    def _drop_old(self, connection: sqlite3.Connection, now: float) -> None:
        for raw, kept in ((1, self._retention.raw_seconds), (0, self._retention.mean_seconds)):
            connection.execute("DELETE FROM cells WHERE raw = ? AND at < ?", (raw, now - kept))
        if _size(connection) > self._retention.bytes:
            self._drop_most(connection)

    def _drop_most(self, connection: sqlite3.Connection) -> None:
        """Drop the oldest, raw samples before means, until the size allowed is kept again."""
        for raw in (1, 0):
            while _size(connection) > SPARE * self._retention.bytes:
                gone = connection.execute(
                    "DELETE FROM cells WHERE rowid IN (SELECT rowid FROM cells "
                    "WHERE raw = ? ORDER BY at LIMIT ?)",
                    (raw, AT_ONCE),
                )
                if not gone.rowcount:
                    break
        connection.execute("DELETE FROM rosters WHERE id NOT IN (SELECT roster FROM cells)")
        self._rosters.clear()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained("written"):
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._rosters.clear()
                if connection.in_transaction:  # a full disk has SQLite roll back by itself
                    connection.execute("ROLLBACK")
                raise
        self._carry()

    def _carry(self) -> None:
        """Have the log carried into the file every so often, beside whatever comes next."""
        self._written += 1
        busy = self._carrier is not None and self._carrier.is_alive()
        if self._written < WRITES or busy:
            return
        self._written = 0
        self._carrier = threading.Thread(
            target=_carried, args=(self._path,), name="history", daemon=True
        )
        self._carrier.start()

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
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {MOST_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {KEPT_LOG}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not tables:
                for statement in TABLES:
                    connection.execute(statement)
            self._check(connection)
        finally:
            connection.execute("COMMIT")

    def _check(self, connection: sqlite3.Connection) -> None:
        if _pragma(connection, "application_id") != APPLICATION:
            raise UsageError(
                f"{self._path} is a database of another program, not a history: "
                "name another path for the history in config.toml"
            )
        if _pragma(connection, "user_version") != VERSION:
            raise UsageError(
                f"the history {self._path} was written by another release of balancer: "
                "install that release again, or move the file away and a new one is begun"
            )

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """Turn the faults of SQLite and of the file system into one sentence."""
        try:
            yield
        except (sqlite3.Error, zlib.error, ValueError, OSError) as error:
            raise UsageError(
                f"the history {self._path} cannot be {done}: {error}: look at its owner, its mode "
                "and its disk, or move it away and a new one is begun"
            ) from error


def _carried(path: Path) -> None:
    """Carry what is in the log into the file. What cannot be now will be next time."""
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _averaged(rows: Sequence[_Row]) -> tuple[tuple[str, ...], Cells]:
    """Return who was sampled, and the mean of what is known of each."""
    if len(rows) == 1:
        return rows[0].names, rows[0].cells
    names, cells = _aligned(rows)
    known = cells != UNKNOWN
    total = np.where(known, cells, 0).sum(axis=0, dtype=np.int64)
    count = known.sum(axis=0)
    mean = np.rint(total / np.maximum(1, count))
    return names, np.where(count > 0, mean, UNKNOWN).astype(CELL)


def _aligned(rows: Sequence[_Row]) -> tuple[tuple[str, ...], Cells]:
    """Return who was sampled in any row, and [rows, names] what was."""
    if all(row.names is rows[0].names for row in rows):
        return rows[0].names, np.stack([row.cells for row in rows])
    names = tuple(sorted({name for row in rows for name in row.names}))
    number = {name: i for i, name in enumerate(names)}
    cells = np.full((len(rows), len(names)), UNKNOWN, dtype=CELL)
    for place, row in zip(cells, rows, strict=True):
        place[[number[name] for name in row.names]] = row.cells
    return names, cells


def _block(rows: Sequence[_Row], start: int, columns: int) -> Block:
    names = tuple(sorted({name for roster in {row.names for row in rows} for name in roster}))
    number = {name: i for i, name in enumerate(names)}
    by_time = np.full((columns, len(names)), UNKNOWN, dtype=CELL)
    places: dict[tuple[str, ...], Cells] = {}
    for row in rows:
        if row.names not in places:
            places[row.names] = np.array([number[name] for name in row.names], dtype=np.int32)
        by_time[(int(row.at) - start) // STEP, places[row.names]] = row.cells
    return Block.of(names, by_time.T)


def _packed(cells: Cells) -> bytes:
    """Return the cells as bytes: all lowest bytes, then all second ones, …, deflated.

    Most values are small, so most of the higher bytes are alike and vanish.
    """
    little = np.ascontiguousarray(cells, dtype=CELL)
    return zlib.compress(little.view(np.uint8).reshape(-1, 4).T.tobytes(), 1)


def _unpacked(data: bytes, count: int) -> Cells:
    planes = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(4, count)
    return np.ascontiguousarray(planes.T).view(CELL).reshape(count)


def _size(connection: sqlite3.Connection) -> int:
    """Return the bytes in use; pages that became free are used again."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
