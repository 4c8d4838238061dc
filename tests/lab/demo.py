"""The product at work on real hypervisors: one host is hot, then an operator relieves it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from .cluster import Laboratory
from .guest import GuestSpec, Load
from .operator import SAMPLED, Operator
from .paths import RUN

POLICY = """\
[hot]
cpu_used = "50%"
[[spread]]
name = "zk: one per host"
guests = "zk-*"
"""
ONE_CORE = {"capacity": {"memory": "2GiB", "cpu": 1}}
"""What each host is declared to have: the laboratory's hosts share one machine's processors."""
GUESTS = (
    *(GuestSpec(f"web-{n}", load=Load(set=16, cpu=45)) for n in (1, 2)),
    *(GuestSpec(f"zk-{n}", load=Load(set=24, dirty=2)) for n in (1, 2)),
    GuestSpec("db-1", host="h2", load=Load(set=32, dirty=4)),
)
"""h1 has too much to do, and both of the ZooKeepers."""
STEPS = (
    ("doctor",),
    ("plan", "-o", "plan.json"),
    ("apply", "plan.json", "--yes"),
    ("plan",),
)
"""What the operator types."""


def demo(command: list[str]) -> int:
    """Have an operator relieve h1 (or run `command`), and show who runs where before and after.

    ``{folder}`` in a command is where config.toml and hosts.toml are. Whatever happens, the
    laboratory is taken down.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print("Three hypervisors and five guests are starting …", flush=True)
    with Laboratory(3, GUESTS, name="lab-demo") as lab:
        folder = RUN / lab.name
        hosts = dict.fromkeys(lab.hosts, ONE_CORE)
        Operator(lab, folder).configure(POLICY, more=SAMPLED, **hosts)
        show(lab)
        if command:
            code = typed([word.replace("{folder}", str(folder)) for word in command], folder)
        else:
            code = max([typed(["balancer", *words], folder) for words in STEPS])
        show(lab)
    return code


def typed(words: list[str], folder: Path) -> int:
    """Run a command before the eyes of whoever watches; return its exit code."""
    print("\n$", *words, flush=True)
    if words[0] == "balancer":
        words = [sys.executable, "-m", *words]
    return subprocess.run(words, cwd=folder, check=False).returncode


def show(lab: Laboratory) -> None:
    """Say what libvirt says: one line per host."""
    print("\nAs libvirt has it:", flush=True)
    placement = lab.placement()
    for host in lab.hosts:
        print(f"  {host}  {' '.join(sorted(g for g, at in placement.items() if host in at))}")
