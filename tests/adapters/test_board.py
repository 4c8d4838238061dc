"""The board tells systemd and a file; a reader gets the status back."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from balancer.adapters.board import StatusBoard, read_status
from balancer.adapters.systemd import notify
from balancer.ports import Progress, Status, UsageError

STATUS = Status(
    at=100.0,
    mode="auto",
    state="moving",
    sentence="P-1: 0 of 1\nmoves ended",
    interval=300.0,
    began=1.0,
    in_flight=(Progress("1", 0.5, 10, 10, 3.0),),
    names={"1": "web-1 to b"},
    troubles=("one",),
)


def test_what_is_shown_can_be_read(tmp_path: Path) -> None:
    """As the value it was; systemd hears of readiness once, and of life each time."""
    told: list[dict[str, str]] = []
    board = StatusBoard(tmp_path / "status.json", lambda **said: told.append(said))
    board.show(STATUS)
    assert read_status(tmp_path / "status.json") == STATUS
    board.show(replace(STATUS, at=101.0))
    assert told[0]["READY"] == "1"
    assert told[0]["STATUS"].startswith("auto, moving: P-1")
    assert told[1] == {"WATCHDOG": "1"}


def test_the_file_is_written_anew_where_something_changed_or_time_passed(tmp_path: Path) -> None:
    """A reader can tell that the service lives."""
    board = StatusBoard(tmp_path / "s", lambda **_: None)
    for at, sentence, written in (
        (100.0, "x", 100.0),
        (110.0, "x", 100.0),
        (111.0, "y", 111.0),
        (141.0, "y", 141.0),
    ):
        board.show(replace(STATUS, at=at, sentence=sentence))
        known = read_status(tmp_path / "s")
        assert known is not None
        assert known.at == written


def test_a_file_that_cannot_be_written_disturbs_nobody(tmp_path: Path) -> None:
    """It is tried again."""
    (tmp_path / "file").touch()
    StatusBoard(tmp_path / "file/s", lambda **_: None).show(STATUS)
    assert read_status(tmp_path / "none") is None


@pytest.mark.parametrize("text", ["", "[]", '{"status": {}}', '{"status": {"in_flight": [1]}}'])
def test_a_file_that_is_no_status_is_one_sentence(tmp_path: Path, text: str) -> None:
    """Naming it and the remedy."""
    (tmp_path / "s").write_text(text)
    with pytest.raises(UsageError, match="restart the service"):
        read_status(tmp_path / "s")


def test_the_service_manager_hears_us(tmp_path: Path) -> None:
    """One datagram, one line a word; line breaks within a value are no new line."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        assert notify({"NOTIFY_SOCKET": path}, READY="1", STATUS="a\nFDSTORE=1")
        assert manager.recv(200) == b"READY=1\nSTATUS=a FDSTORE=1"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0balancer-test")
        assert notify({"NOTIFY_SOCKET": "@balancer-test"}, WATCHDOG="1")
        assert manager.recv(200) == b"WATCHDOG=1"


def test_without_a_service_manager_nothing_is_said() -> None:
    """Nor where it is gone."""
    assert not notify({}, READY="1")
    assert not notify({"NOTIFY_SOCKET": "/nonexistent/socket"}, READY="1")
