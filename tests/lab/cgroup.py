"""Control groups of the laboratory's hosts: what a host uses, and which processes are its own.

Every host lives in a subtree of its own, for three reasons: two libvirtds would otherwise both
claim ``machine/qemu-1-NAME``; the subtree's counters are the only per-host CPU and memory figures
(the machine's counters are shared by all hosts); and whatever a killed run left behind can be
found and ended through it.

Both versions of control groups are supported. Version 1 has one tree per controller, so a host
has as many folders; version 2 has one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

SHARES = 8192
"""Weight of the laboratory against everything else on the machine (1024 is usual, version 1)."""


@dataclass(frozen=True)
class Tree:
    """One mounted hierarchy; in version 2 ``controllers`` is empty."""

    mountpoint: Path
    controllers: tuple[str, ...]

    @property
    def version(self) -> int:
        """1 or 2."""
        return 1 if self.controllers else 2

    def own(self) -> Path:
        """Where new groups go: under the caller's own (version 1), at the top (version 2).

        Version 2 forbids processes in a group that hands controllers to its children, and the
        caller's group has at least the caller in it.
        """
        if self.version == 2:
            return self.mountpoint
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            if set(self.controllers) <= set(names.split(",")):
                return self.mountpoint / path.strip("/")
        return self.mountpoint


def trees() -> list[Tree]:
    """The hierarchies that carry controllers; only the version 2 one where there is no other."""
    wanted = {"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"}
    v1: dict[tuple[str, ...], Tree] = {}
    v2: list[Tree] = []
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mountpoint, kind, options, *_ = line.split()
        if kind == "cgroup":
            controllers = tuple(o for o in options.split(",") if o in wanted)
            if controllers:
                v1.setdefault(controllers, Tree(Path(mountpoint), controllers))
        elif kind == "cgroup2":
            v2.append(Tree(Path(mountpoint), ()))
    return list(v1.values()) or v2[:1]


class Group:
    """The control group ``path`` (such as ``lab/h1``) in every hierarchy at once."""

    def __init__(self, path: str) -> None:
        """Nothing is made until ``create``."""
        self.path = path
        self.trees = trees()

    def folders(self) -> list[Path]:
        """One folder per hierarchy."""
        return [tree.own() / self.path for tree in self.trees]

    def entrances(self) -> list[Path]:
        """Files to write a process id to, for it to become the group's root."""
        return [folder / "cgroup.procs" for folder in self.folders()]

    def rooms(self) -> list[Path]:
        """Files to write a process id to, for it to stay in the group.

        In version 2 that is a child group: one that hands controllers down holds no process.
        """
        return [
            folder / ("init" if tree.version == 2 else "") / "cgroup.procs"
            for tree, folder in zip(self.trees, self.folders(), strict=True)
        ]

    def create(self) -> None:
        """Make the group and, above it, hand down what children need."""
        for tree in self.trees:
            folder = tree.own()
            for part in Path(self.path).parts:
                if tree.version == 2:
                    _enable_controllers(folder)
                folder /= part
                folder.mkdir(exist_ok=True)
                if "cpuset" in tree.controllers:
                    for name in ("cpuset.cpus", "cpuset.mems"):
                        (folder / name).write_text((folder.parent / name).read_text())
            self.rooms()[self.trees.index(tree)].parent.mkdir(exist_ok=True)
            top = tree.own() / Path(self.path).parts[0]
            if "cpu" in tree.controllers:
                (top / "cpu.shares").write_text(str(SHARES))

    def processes(self) -> list[int]:
        """All processes in the group and below."""
        found: set[int] = set()
        for folder in self.folders()[:1]:
            for below, _, files in os.walk(folder):
                if "cgroup.procs" in files:
                    with contextlib.suppress(OSError):
                        text = Path(below, "cgroup.procs").read_text()
                        found.update(int(pid) for pid in text.split())
        return sorted(found)

    def kill(self, patience: float = 10) -> None:
        """End every process in the group, and wait until they are gone."""
        deadline = time.monotonic() + patience
        while pids := self.processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes {pids} of {self.path} survive SIGKILL")
            time.sleep(0.02)

    def remove(self) -> None:
        """Remove the (empty) group and everything below it."""
        for folder in self.folders():
            for below, _, _ in os.walk(folder, topdown=False):
                _remove_when_idle(Path(below))

    def cpu_seconds(self) -> float:
        """Processor time used by the group since it was made."""
        if nanoseconds := self._read("cpuacct.usage"):
            return int(nanoseconds) / 1e9
        for line in self._read("cpu.stat").splitlines():
            if line.startswith("usage_usec"):
                return int(line.split()[1]) / 1e6
        return 0.0

    def memory_bytes(self) -> int:
        """Memory charged to the group, page cache included."""
        return int(self._read("memory.usage_in_bytes") or self._read("memory.current") or 0)

    def _read(self, name: str) -> str:
        for folder in self.folders():
            if (folder / name).exists():
                return (folder / name).read_text().strip()
        return ""


def _enable_controllers(folder: Path) -> None:
    for name in (folder / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):  # one that cannot be had must not cost the others
            (folder / "cgroup.subtree_control").write_text(f"+{name}")


def _remove_when_idle(folder: Path, patience: float = 3) -> None:
    # A group stays busy for some milliseconds after its last process has gone.
    deadline = time.monotonic() + patience
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
