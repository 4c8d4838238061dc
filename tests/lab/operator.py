"""An operator at the laboratory: writes configuration, types commands, reads answers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cluster import Laboratory


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

    def __init__(self, lab: Laboratory, folder: Path) -> None:
        self.lab = lab
        self.folder = folder

    def configure(
        self, policy: str = "", mode: str = "confirm", **hosts: dict[str, Any]
    ) -> Operator:
        """Write config.toml, hosts.toml and the policy; `hosts` says what differs for one."""
        (self.folder / "config.toml").write_text(
            f'mode = "{mode}"\npolicy = "policy.toml"\nhosts = ["hosts.toml"]\n'
            'state = "."\nsample_gap = "2s"\n'
        )
        (self.folder / "policy.toml").write_text(policy)
        known = [host.properties() | hosts.get(host.name, {}) for host in self.lab.hosts.values()]
        (self.folder / "hosts.toml").write_text("\n".join(map(_host_toml, known)))
        return self

    def run(self, *words: str, patience: float = 120) -> Answer:
        """Type `balancer WORDS…` in the folder of the configuration and wait for the answer."""
        done = subprocess.run(
            [sys.executable, "-m", "balancer", *words],
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
