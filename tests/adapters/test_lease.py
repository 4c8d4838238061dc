"""Two planners never both hold the lease, and a dead one holds nothing."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from balancer.adapters.lease import FileLease
from balancer.ports import Refused, UsageError

HOLDER = """
import sys
from pathlib import Path
from balancer.adapters.lease import FileLease
FileLease(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_planner_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    """The refusal names process, machine and file."""
    path = tmp_path / "run" / "lease"
    first, second = FileLease(path), FileLease(path)
    first.acquire()
    with pytest.raises(Refused, match=f"pid {os.getpid()} on {socket.gethostname()}") as refusal:
        second.acquire()
    assert str(path) in str(refusal.value)
    first.release()
    second.acquire()
    second.release()


def test_a_killed_planner_leaves_no_lock_behind(tmp_path: Path) -> None:
    """After kill -9 of the holder the next planner gets the lease at once."""
    path = tmp_path / "lease"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Refused, match=f"pid {holder.pid} "):
            FileLease(path).acquire()
        holder.kill()
        holder.wait()
        lease = FileLease(path)
        lease.acquire()
        lease.release()


def test_a_holder_may_take_it_again_and_keeps_it_until_the_last_release(tmp_path: Path) -> None:
    """A service that holds the lease can run a plan that asks for it too."""
    outer, other = FileLease(tmp_path / "lease"), FileLease(tmp_path / "lease")
    outer.acquire()
    outer.acquire()
    outer.release()
    with pytest.raises(Refused):
        other.acquire()
    outer.release()
    other.acquire()
    other.release()


def test_releasing_what_is_not_held_is_harmless(tmp_path: Path) -> None:
    """A clean-up may always release."""
    FileLease(tmp_path / "lease").release()
    assert not (tmp_path / "lease").exists()


def test_a_holder_that_wrote_nothing_is_still_respected(tmp_path: Path) -> None:
    """The lock counts, not the text; a holder seen before it wrote is reported as unnamed."""
    path = tmp_path / "lease"
    first = FileLease(path)
    first.acquire()
    os.truncate(path, 0)
    with pytest.raises(Refused, match="it did not say which"):
        FileLease(path).acquire()
    first.release()


def test_a_path_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A lease below a plain file names the file and the remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot open the lock file .*file/lease"):
        FileLease(tmp_path / "file" / "lease").acquire()


def test_a_full_disk_hides_the_holder_but_not_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds it cannot be written down; the second planner is refused all the same."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    first = FileLease(tmp_path / "lease")
    first.acquire()
    with pytest.raises(Refused, match="it did not say which"):
        FileLease(tmp_path / "lease").acquire()
    first.release()
