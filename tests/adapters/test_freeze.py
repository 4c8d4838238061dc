"""A file freezes everything, whatever is in it; only its own end or an operator lifts it."""

from pathlib import Path

import pytest

from balancer.adapters.freeze import FreezeFiles, freeze
from balancer.ports import UsageError

NOON = 1_750_000_000.0


def brake(folder: Path, now: float = NOON) -> FreezeFiles:
    return FreezeFiles(folder / "FREEZE", folder / "STOPPED", lambda: now)


def test_a_bare_file_freezes(tmp_path: Path) -> None:
    """`touch FREEZE` is enough; without it nothing is frozen."""
    assert brake(tmp_path).reason() == ""
    (tmp_path / "FREEZE").touch()
    assert (
        brake(tmp_path).reason() == f"frozen: {tmp_path}/FREEZE exists; balancer unfreeze ends it"
    )


def test_a_freeze_may_end_by_itself(tmp_path: Path) -> None:
    """Until its moment it holds, with its reason."""
    freeze(tmp_path / "FREEZE", NOON + 60, "by ann: network work\x1b[2J")
    said = brake(tmp_path).reason()
    assert said.startswith("frozen until 2025-06-15 ")
    assert "by ann: network work?[2J" in said
    assert brake(tmp_path, NOON + 60).reason() == ""


@pytest.mark.parametrize("text", ["until the cows come home", "until", "\xff\x00", "for now"])
def test_what_cannot_be_understood_freezes(tmp_path: Path, text: str) -> None:
    """Whoever made the file meant it."""
    (tmp_path / "FREEZE").write_text(text, encoding="latin-1")
    assert brake(tmp_path).reason().startswith("frozen")


def test_what_cannot_be_read_freezes(tmp_path: Path) -> None:
    """A folder of that name, or one without permission."""
    (tmp_path / "FREEZE").mkdir()
    assert "it cannot be read (Is a directory)" in brake(tmp_path).reason()
    with pytest.raises(UsageError, match="cannot be removed"):
        brake(tmp_path).release()


def test_the_service_stops_itself_across_restarts(tmp_path: Path) -> None:
    """Until somebody releases it."""
    brake(tmp_path).pull("2 migrations failed")
    again = brake(tmp_path)
    assert again.reason() == (
        "the service stopped itself: 2 migrations failed; once that is mended: balancer unfreeze"
    )
    assert again.release()
    assert again.reason() == ""
    assert not again.release()


def test_it_stops_itself_even_where_no_file_can_be_written(tmp_path: Path) -> None:
    """For as long as the process lives."""
    (tmp_path / "a file").touch()
    known = FreezeFiles(tmp_path / "FREEZE", tmp_path / "a file/STOPPED", lambda: NOON)
    known.pull("the disk is full")
    assert "stopped itself: the disk is full" in known.reason()


def test_a_freeze_that_cannot_be_written_is_a_clear_fault(tmp_path: Path) -> None:
    """With what to do instead."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="make the file by hand"):
        freeze(tmp_path / "file/FREEZE", None, "")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_beyond_all_calendars_freezes(tmp_path: Path, moment: str) -> None:
    """An operator who made the file meant it, whatever is in it."""
    (tmp_path / "FREEZE").write_text(f"until {moment}\n")
    brake = FreezeFiles(tmp_path / "FREEZE", tmp_path / "own", lambda: 1e9)
    assert "frozen" in brake.reason()


def test_the_folder_of_the_file_is_made_where_it_is_not_there(tmp_path: Path) -> None:
    """However deep: a freeze must not fail for want of a folder."""
    path = tmp_path / "some" / "where" / "FREEZE"
    freeze(path, None, "so")
    assert path.read_text() == "so\n"
