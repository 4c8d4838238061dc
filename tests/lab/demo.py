"""The product at work on real hypervisors: everything piled on one host, then the product runs."""

from __future__ import annotations

import subprocess
import sys

from .cluster import Laboratory
from .guest import GuestSpec, Load
from .paths import RUN

COMMAND = (
    *(sys.executable, "-m", "balancer", "apply", "--now", "--yes"),
    *("--config", "{folder}/config.toml"),
)
"""What is run when nothing else is asked for; ``{folder}`` holds config.toml and hosts.toml."""

CONFIG = """\
mode = "auto"
hosts = ["hosts.toml"]
"""


def demo(command: list[str], hosts: int = 3, guests: int = 4) -> int:
    """Pile guests on h1, run a command, and show who runs where before and after."""
    specs = [
        GuestSpec(f"g{n}", load=Load(set=16, cpu=10), disk="shared") for n in range(1, guests + 1)
    ]
    with Laboratory(hosts, specs, name="lab-demo") as lab:
        folder = RUN / lab.name
        (folder / "hosts.toml").write_text(lab.hosts_toml())
        (folder / "config.toml").write_text(CONFIG)
        show(lab, "before")
        words = [word.replace("{folder}", str(folder)) for word in command or COMMAND]
        print("$", *words, flush=True)
        code = subprocess.run(words, check=False).returncode
        show(lab, "after")
    return code


def show(lab: Laboratory, when: str) -> None:
    """One line per host."""
    print(f"{when}:", flush=True)
    placement = lab.placement()
    for host in lab.hosts:
        print(f"  {host}  {' '.join(sorted(g for g, at in placement.items() if host in at))}")
