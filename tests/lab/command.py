"""Running other programs, with their words kept when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


class CommandError(RuntimeError):
    """A program failed; the message carries the command and what it said."""


def run(command: Sequence[str | Path], text: str | None = None, cwd: Path | None = None) -> str:
    """Run to the end and return its output; its complaint becomes the exception."""
    done = subprocess.run(
        [str(word) for word in command],
        input=text,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise CommandError(f"{' '.join(map(str, command))}: {said or done.returncode}")
    return done.stdout
