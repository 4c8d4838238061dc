"""An operator at the laboratory: writes configuration, types commands, reads answers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.ports import Event

from .cluster import Laboratory

AT_ONCE = 'sample_gap = "200ms"\n'
SAMPLED = 'sample_gap = "1s"\n'
"""Where it matters how busy guests are."""


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its standard output, as JSON."""
        return json.loads(self.out)


class Operator:
    """Runs the product's own command line against the hosts of a laboratory."""

    def __init__(self, lab: Laboratory, folder: Path, through: Sequence[str] = ()) -> None:
        """`through` is put before each command, such as what enters another namespace."""
        self.lab = lab
        self.folder = folder
        self.through = tuple(through)

    def configure(
        self, policy: str = "", mode: str = "confirm", more: str = "", **hosts: dict[str, Any]
    ) -> Operator:
        """Write config.toml (`more` is added to it), hosts.toml and the policy; `hosts` says what differs for one."""
        (self.folder / "config.toml").write_text(
            f'mode = "{mode}"\npolicy = "policy.toml"\nhosts = ["hosts.toml"]\n'
            f'state = "."\n{more or AT_ONCE}'
        )
        (self.folder / "policy.toml").write_text(policy)
        known = [host.properties() | hosts.get(host.name, {}) for host in self.lab.hosts.values()]
        (self.folder / "hosts.toml").write_text("\n".join(map(_host_toml, known)))
        return self

    def run(self, *words: str, patience: float = 120) -> Answer:
        """Type `balancer WORDS…` in the folder of the configuration and wait for the answer."""
        done = subprocess.run(
            [*self.through, sys.executable, "-m", "balancer", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=patience,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Type a command and leave it running: to be interrupted."""
        return subprocess.Popen(
            [sys.executable, "-m", "balancer", *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, *words: str) -> Answer:
        """`run`, answered in JSON."""
        return self.run("--format", "json", *words)


def _host_toml(known: dict[str, Any]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in known.items()]
    return "\n".join(["[[hosts]]", *lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


class Service:
    """`balancer serve`, running in the folder of an operator's configuration."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.log = operator.folder / "serve.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "balancer", "serve", "-v"],
                cwd=self.operator.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process
        self._process.send_signal(number)

    def wait(self, patience: float = 60) -> int:
        """Wait for its end; return its exit code."""
        assert self._process
        return self._process.wait(patience)

    def status(self) -> dict[str, Any]:
        """Return what `balancer status` reads."""
        try:
            return json.loads((self.operator.folder / "status.json").read_text())["status"]
        except FileNotFoundError:
            return {"cycles": 0, "state": "", "sentence": "", "in_flight": [], "troubles": []}

    def until(
        self, reached: Callable[[dict[str, Any]], object], what: str, patience: float = 60
    ) -> dict[str, Any]:
        """Wait until the status says what is waited for."""
        assert self._process
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            status = self.status()
            if reached(status):
                return status
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"{what}: not so\n{self.status()}\n{self.log.read_text()[-4000:]}")

    def cycles(self, more: int) -> dict[str, Any]:
        """Wait until so many cycles that begin from now on have ended; return the status then."""
        begun = self.status()["cycles"]
        return self.until(lambda s: s["cycles"] > begun + more, f"{more} more cycles")

    def events(self, *kinds: str) -> list[Event]:
        """Return what is in the journal of these kinds."""
        return events_of(self.operator, *kinds)


def events_of(operator: Operator, *kinds: str) -> list[Event]:
    """Return what is in the journal of these kinds."""
    journal = SqliteJournal(operator.folder / "journal.sqlite")
    try:
        return list(journal.read(0.0, kinds))
    finally:
        journal.close()
