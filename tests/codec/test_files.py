"""Documents in files: whole or not at all."""

import os
from pathlib import Path

import pytest

from balancer.codec import (
    dump_observation,
    dump_plan,
    read_document,
    read_observation,
    read_plan,
    write_atomically,
)
from balancer.codec import files as files_module
from balancer.ports import UsageError
from tests.codec.documents import PLAN, SMALL


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Both kinds of document go to a file and come back."""
    write_atomically(tmp_path / "case.json", dump_observation(SMALL))
    write_atomically(tmp_path / "plan.json", dump_plan(PLAN))
    assert read_observation(tmp_path / "case.json") == SMALL
    assert read_plan(tmp_path / "plan.json") == PLAN


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills while writing: the old content stands, no half file is left behind."""
    path = tmp_path / "plan.json"
    write_atomically(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files_module.os, "fsync", full)
    with pytest.raises(UsageError, match=r"plan\.json: cannot be written: No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_of_a_file_is_kept(tmp_path: Path) -> None:
    """A new file is not for everybody; one that is there keeps its mode; links are followed."""
    path = tmp_path / "plan.json"
    write_atomically(path, "1")
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    write_atomically(tmp_path / "link", "2")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "2"


def test_a_device_is_written_to_not_replaced() -> None:
    """`-o /dev/null` leaves the device where it is."""
    write_atomically(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_faults_of_the_file_system_are_one_sentence(tmp_path: Path) -> None:
    """Missing files, folders, names that cannot be, and files that are too large."""
    with pytest.raises(UsageError, match=r"none\.json: cannot be read: No such file"):
        read_document(tmp_path / "none.json")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_document(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomically(tmp_path / "none" / "plan.json", "x")
    with pytest.raises(UsageError, match="cannot be written: embedded null"):
        write_atomically(tmp_path / "a\0b", "x")
    path = tmp_path / "big.json"
    path.touch()
    os.truncate(path, files_module.TOO_LARGE + 1)
    with pytest.raises(UsageError, match="larger than 1 GiB"):
        read_document(path)
