"""A test that hangs becomes a test that fails, with its journal in the report.

pytest's own limit raises in the main thread, which does nothing for a call into libvirt that never
returns. So a little later every libvirtd of the laboratory is killed: the call fails then, the
limit's exception gets its turn, and the next test finds its hosts repaired.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.ports import BalancerError

from .cgroup import Group

LIMIT = 180
"""Seconds for one test with all its fixtures, where its own mark says nothing else."""
GRACE = 15
"""Seconds that the exception of the limit gets before libvirtd dies."""


@contextmanager
def watched(laboratory: str, limit: float) -> Iterator[None]:
    """Let go of whatever hangs in libvirt once so many seconds and some more are over."""
    timer = threading.Timer(limit + GRACE, _let_go, (laboratory,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _let_go(laboratory: str) -> None:
    print(f"\nit hangs: every libvirtd of {laboratory} is killed", file=sys.stderr)
    with suppress(
        OSError, ValueError, AttributeError
    ):  # where pytest captured it, there is no file
        faulthandler.dump_traceback(sys.__stderr__, all_threads=True)
    for pid in Group(laboratory).processes():
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "libvirtd":
                os.kill(pid, signal.SIGKILL)


def journals(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each journal below a folder, as a heading and text; one that cannot be read says why."""
    for path in sorted(folder.rglob("journal.sqlite")):
        try:
            with closing(SqliteJournal(path)) as journal:
                lines = [f"{e.at:.3f} {e.kind:10} {e.text}" for e in journal.read()]
        except BalancerError as error:
            lines = [str(error)]
        yield f"journal {path.relative_to(folder)}", "\n".join(lines)
