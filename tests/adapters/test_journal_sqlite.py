"""The journal keeps what it is given, for good, and says in one sentence when it cannot."""

import json
import shutil
import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from balancer.adapters import journal_sqlite
from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.ports import Event, UsageError

STARTED = Event(
    at=10.5,
    kind="started",
    plan="P-1",
    action="1",
    guest="u-1",
    host="kvm02",
    text="web-1 to kvm02",
    data={"mib": 8192, "nested": {"list": [1, 2, "three"]}, "none": None},
)


def test_what_is_written_is_read_by_another_process_unchanged(tmp_path: Path) -> None:
    """A second connection sees each event as soon as write returns, field for field."""
    SqliteJournal(tmp_path / "new" / "journal.sqlite").write(STARTED)
    assert SqliteJournal(tmp_path / "new" / "journal.sqlite").read() == (STARTED,)


def test_old_events_of_some_kinds_are_forgotten(tmp_path: Path) -> None:
    """Nothing else is; a file that is not there is not made for that."""
    SqliteJournal(tmp_path / "none.sqlite").forget(1.0, ("stood",))
    assert not (tmp_path / "none.sqlite").exists()
    journal = SqliteJournal(tmp_path / "j.sqlite")
    for at, kind in ((1.0, "stood"), (1.0, "decided"), (2.0, "stood"), (1.0, "cycle")):
        journal.write(Event(at=at, kind=kind))
    journal.forget(2.0, ("stood", "cycle"))
    assert [(e.at, e.kind) for e in journal.read()] == [(1.0, "decided"), (2.0, "stood")]


def test_events_come_in_the_order_written_and_can_be_chosen(tmp_path: Path) -> None:
    """Reading filters by time and kind; a clock that went back does not change the order."""
    journal = SqliteJournal(tmp_path / "j.sqlite")
    for at, kind in ((5.0, "decided"), (7.0, "started"), (6.0, "ended"), (1.0, "note")):
        journal.write(Event(at=at, kind=kind))
    assert [e.kind for e in journal.read()] == ["decided", "started", "ended", "note"]
    assert [e.kind for e in journal.read(since=6.0)] == ["started", "ended"]
    assert [e.kind for e in journal.read(kinds=["ended", "note"])] == ["ended", "note"]
    assert journal.read(since=7.5, kinds=["ended"]) == ()


def test_reading_a_journal_that_was_never_written_leaves_no_file(tmp_path: Path) -> None:
    """A dry run reads and leaves nothing behind."""
    assert SqliteJournal(tmp_path / "j.sqlite").read() == ()
    assert not (tmp_path / "j.sqlite").exists()


def test_commits_survive_a_power_cut(tmp_path: Path) -> None:
    """The file is in WAL mode and this connection syncs fully at each commit."""
    journal = SqliteJournal(tmp_path / "j.sqlite")
    journal.write(STARTED)
    connection = journal._open()
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert not connection.in_transaction


def test_readers_see_whole_events_while_a_writer_is_at_work(tmp_path: Path) -> None:
    """Reading at the same time neither waits nor sees half an event."""
    path = tmp_path / "j.sqlite"
    SqliteJournal(path).write(STARTED)
    stop = threading.Event()
    seen: list[int] = []

    def read() -> None:
        journal = SqliteJournal(path)
        while not stop.is_set():
            events = journal.read()
            seen.append(sum(event == STARTED for event in events))
        journal.close()

    thread = threading.Thread(target=read)
    thread.start()
    writer = SqliteJournal(path)
    for _ in range(30):
        writer.write(STARTED)
    stop.set()
    thread.join()
    assert seen == sorted(seen)
    assert len(writer.read()) == 31


def test_an_older_file_is_led_up_and_keeps_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a version-1 file with a program that knows version 2 upgrades it in place."""
    path = tmp_path / "j.sqlite"
    SqliteJournal(path).write(STARTED)
    added = ("ALTER TABLE events ADD COLUMN cycle INTEGER NOT NULL DEFAULT 0",)
    monkeypatch.setattr(journal_sqlite, "UPGRADES", (*journal_sqlite.UPGRADES, added))
    journal = SqliteJournal(path)
    assert journal.read() == (STARTED,)
    assert journal._open().execute("PRAGMA user_version").fetchone()[0] == 2
    assert journal._open().execute("SELECT cycle FROM events").fetchone()[0] == 0


def test_a_failed_upgrade_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps of an upgrade are taken, or none."""
    path = tmp_path / "j.sqlite"
    SqliteJournal(path).write(STARTED)
    bad = ("ALTER TABLE events ADD COLUMN cycle INTEGER", "no such statement")
    with monkeypatch.context() as patch:
        patch.setattr(journal_sqlite, "UPGRADES", (*journal_sqlite.UPGRADES, bad))
        with pytest.raises(UsageError):
            SqliteJournal(path).read()
    assert SqliteJournal(path).read() == (STARTED,)
    columns = sqlite3.connect(path).execute("SELECT * FROM events").description
    assert "cycle" not in [column[0] for column in columns]


def test_a_file_of_a_newer_release_is_refused_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal with a later version is not written by guess."""
    path = tmp_path / "j.sqlite"
    SqliteJournal(path).write(STARTED)
    monkeypatch.setattr(journal_sqlite, "UPGRADES", ())
    with pytest.raises(UsageError, match=r"j\.sqlite was written by a newer balancer \(version 1"):
        SqliteJournal(path).write(STARTED)


def test_a_database_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    """A path that names something else's database is an error, not a place to add tables."""
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    with pytest.raises(UsageError, match="database of another program"):
        SqliteJournal(path).write(STARTED)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    """Rubbish instead of a journal is explained with the remedy."""
    path = tmp_path / "j.sqlite"
    path.write_text("this is not a database, however long one makes it " * 100)
    with pytest.raises(UsageError, match=r"j\.sqlite cannot be written: .* move it away"):
        SqliteJournal(path).write(STARTED)


def test_a_damaged_journal_is_one_sentence(tmp_path: Path) -> None:
    """Pages overwritten with noise are reported, not raised as SQLite's own error."""
    path = tmp_path / "j.sqlite"
    journal = SqliteJournal(path)
    for _ in range(200):
        journal.write(STARTED)
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(UsageError, match=r"cannot be (read|written)"):
        SqliteJournal(path).read()


def test_a_full_disk_fails_the_write_and_nothing_is_half_kept(tmp_path: Path) -> None:
    """When the file cannot grow, write raises; what was there stays readable."""
    path = tmp_path / "j.sqlite"
    journal = SqliteJournal(path)
    journal.write(STARTED)
    pages = journal._open().execute("PRAGMA page_count").fetchone()[0]
    journal._open().execute(f"PRAGMA max_page_count = {pages}")
    big = Event(at=11.0, kind="decided", data={"plan": "x" * 100_000})
    with pytest.raises(UsageError, match="file system is full: free some space"):
        journal.write(big)
    assert SqliteJournal(path).read() == (STARTED,)


def test_a_disk_that_sqlite_calls_broken_may_just_be_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no room is left the remedy is to free some, whatever SQLite calls the fault."""
    journal = SqliteJournal(tmp_path / "j.sqlite")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))

    def broken() -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(journal, "_open", broken)
    with pytest.raises(UsageError, match="cannot be written: its file system is full"):
        journal.write(STARTED)


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A path below a plain file is explained."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        SqliteJournal(tmp_path / "file" / "j.sqlite").write(STARTED)


def test_a_directory_one_may_not_look_into_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a journal that belongs to somebody else is explained too."""

    def forbidden(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", forbidden)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        SqliteJournal(tmp_path / "j.sqlite").read()


def test_a_locked_journal_is_one_sentence(tmp_path: Path) -> None:
    """A writer that never lets go is named as the cause."""
    path = tmp_path / "j.sqlite"
    journal = SqliteJournal(path)
    journal.write(STARTED)
    journal._open().execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UsageError, match="another process keeps it locked"):
        journal.write(STARTED)
    other.close()


def test_names_that_are_not_text_are_kept_readable(tmp_path: Path) -> None:
    """A name with bytes that are no UTF-8 neither breaks the journal nor gets lost."""
    journal = SqliteJournal(tmp_path / "j.sqlite")
    journal.write(Event(at=1.0, kind="note", text="guest \udcff", data={"name": "\udcff"}))
    (event,) = journal.read()
    assert event.text == r"guest \udcff"
    assert json.loads(json.dumps(event.data)) == {"name": "\udcff"}
