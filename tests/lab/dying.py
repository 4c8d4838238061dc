"""The product, killed at a chosen event: `python -m tests.lab.dying NUMBER WHEN ARG...`.

NUMBER counts what it writes into its journal, from 1. WHEN is `before` or `after` that event is
on disk. Nothing is cleaned up: the process kills itself as `kill -9` would.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.cli import run
from balancer.ports import Event
from balancer.service import turn


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def main(number: int, when: str, words: list[str]) -> int:
    """Run `balancer WORDS…` until it writes event `number`."""
    write = SqliteJournal.write
    count = 0

    def counted(journal: SqliteJournal, event: Event) -> None:
        nonlocal count
        count += 1
        if count == number and when == "before":
            die()
        write(journal, event)
        if count == number:
            die()

    SqliteJournal.write = counted  # type: ignore[method-assign]
    turn.POLL = 0.1  # type: ignore[misc]
    return run(words)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
