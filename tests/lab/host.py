"""One host: a set of namespaces around a libvirtd of its own, and ways to break it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import settings
from .binding import libvirt
from .cgroup import Group
from .command import run
from .network import LINKS, Link, Wire
from .paths import DISKS, RUN, SOURCE, cache

if TYPE_CHECKING:
    from .image import Image


@dataclass
class Host:
    """A host of laboratory ``lab``; ``index`` counts from 1. All else is found on the machine.

    Keeping no state in the object lets another process (the command line, after ``up``) take
    hold of a running host by its name alone.
    """

    lab: str
    index: int
    keepalive: tuple[int, int] = (2, 5)
    capacity_memory_mib: int = 1024
    capacity_cpus: int = 2
    labels: dict[str, str] = field(default_factory=dict)
    _connection: Any = field(default=None, repr=False, compare=False)
    _unshare: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)

    # --- names -----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Host name, as its peers know it: h1, h2, ..."""
        return f"h{self.index}"

    @property
    def uuid(self) -> str:
        """UUID that libvirt reports for this host."""
        return str(uuid.uuid5(settings.NAMESPACE, f"{self.lab}/{self.name}"))

    @property
    def folder(self) -> Path:
        """Its folder on the machine: sockets, configuration, logs."""
        return RUN / self.lab / self.name

    @property
    def uri(self) -> str:
        """For clients on the machine."""
        return f"qemu+unix:///system?socket={self.folder}/run/libvirt-sock"

    @property
    def capabilities(self) -> Path:
        """What its libvirt has found out about QEMU."""
        return self.folder / "cache/qemu/capabilities"

    @property
    def peer_uri(self) -> str:
        """For the other hosts: destination of a peer-to-peer migration."""
        return f"qemu+tcp://{self.name}/system"

    @property
    def migration_address(self) -> str:
        """Name of the migration link, for migrate_uri."""
        return f"{self.name}-mig"

    @property
    def group(self) -> Group:
        """Its control groups."""
        return Group(f"{self.lab}/{self.name}")

    @property
    def wire(self) -> Wire:
        """The cables it is plugged into."""
        return Wire(self.lab)

    @property
    def local(self) -> Path:
        """Its local disks, as seen from the machine."""
        return DISKS / self.lab / self.name

    @property
    def shared(self) -> Path:
        """The shared disks, as seen from the machine."""
        return DISKS / self.lab / "shared"

    # --- life ------------------------------------------------------------------------------

    def create(self, image: Image, peers: int) -> None:
        """Lay out its folders and cables and switch it on."""
        for name in ("run/load", "lib", "cache", "log/qemu", "etc"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for disks in (self.local, self.shared):
            disks.mkdir(parents=True, exist_ok=True)
        settings.write(self.folder, self.name, self.uuid, self.keepalive, peers)
        (self.folder / "sharedfs").write_text(str(image.sharedfs))
        if (cache() / "capabilities").exists():  # else libvirt probes QEMU for nine seconds
            shutil.copytree(cache() / "capabilities", self.capabilities, dirs_exist_ok=True)
        self.wire.plug(self.index)
        self.power_on()
        settings.define_resources(self.connection())

    def power_on(self) -> None:
        """Boot: enter the namespaces, start libvirtd, wait until it answers."""
        for link in LINKS:
            self.wire.mend(self.index, link)
        for stale in self.folder.glob("run/libvirt*"):
            stale.unlink()
        # Anew: in version 2 a group that has handed controllers down cannot be entered again.
        self.group.remove()
        self.group.create()
        entrances = [str(path) for path in self.group.entrances()]
        with (self.folder / "log/boot.log").open("ab") as log:
            self._unshare = subprocess.Popen(
                [
                    "sh",
                    str(SOURCE / "shell/outside.sh"),
                    self.wire.namespace(self.index),
                    *entrances,
                ],
                env=os.environ | self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(str(self._wait_for_init(self._unshare)))
        self._wait_for_libvirtd()

    def power_off(self) -> None:
        """A power cut: links dead first, so that nobody is told, then every process at once."""
        self.disconnect()
        for link in LINKS:
            self.wire.cut(self.index, link)
        if pid := self.pid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.group.kill()
        self.reap()

    def reap(self) -> None:
        """Take note of its end, where it was this process that switched it on."""
        if self._unshare is not None:
            self._unshare.wait()
            self._unshare = None

    def is_on(self) -> bool:
        """Whether it has power."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """Process id, on the machine, of its PID 1; None when it is off."""
        try:
            pid = int((self.folder / "pid").read_text())
            name = Path(f"/proc/{pid}/root/etc/hostname").read_text().strip()
        except (OSError, ValueError):
            return None
        return pid if name == self.name else None

    # --- libvirtd --------------------------------------------------------------------------

    def connection(self) -> Any:
        """A connection of the laboratory's own, reopened when it was lost."""
        if self._connection is not None:
            try:
                self._connection.getLibVersion()
            except libvirt.libvirtError:
                self.disconnect()
        if self._connection is None:
            self._connection = libvirt.open(self.uri)
        return self._connection

    def disconnect(self) -> None:
        """Drop the laboratory's own connection."""
        if self._connection is not None:
            with contextlib.suppress(libvirt.libvirtError):
                self._connection.close()
            self._connection = None

    def libvirtd_pids(self) -> list[int]:
        """Process ids, on the machine, of its libvirtd."""
        return self._named("libvirtd")

    def qemu_pids(self) -> list[int]:
        """Process ids, on the machine, of its guests' QEMUs."""
        return self._named("qemu-system-x86")

    def kill_guest(self, name: str) -> None:
        """Kill -9 the QEMU of one guest here, as when the kernel runs out of memory."""
        for pid in self.qemu_pids():
            if f"guest={name}," in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)

    def kill_libvirtd(self) -> None:
        """Kill -9 libvirtd; its guests run on."""
        self.disconnect()
        self._signal(signal.SIGKILL)
        while self.libvirtd_pids():
            time.sleep(0.01)

    def restart_libvirtd(self) -> None:
        """Start libvirtd again after it was killed (kills it first when it runs)."""
        self.kill_libvirtd()
        self.run("sh", str(SOURCE / "shell/libvirtd.sh"))
        self._wait_for_libvirtd()

    def freeze_libvirtd(self) -> None:
        """Stop libvirtd without killing it: connections are accepted but nothing ever answers."""
        self.disconnect()
        self._signal(signal.SIGSTOP)

    def thaw_libvirtd(self) -> None:
        """Undo ``freeze_libvirtd``."""
        self._signal(signal.SIGCONT)

    def lose_cpu_feature(self, name: str) -> None:
        """Have its QEMU unable to emulate a feature of processors, by all that libvirt knows of it.

        What libvirt has probed of QEMU is told otherwise; it answers by that from now on.
        """
        has = f"<property name='{name}' type='boolean' value='true' migratable='yes'/>"
        lacks = f"<property name='{name}' type='boolean' value='false'/>"
        changed = 0
        for known in self.capabilities.glob("*.xml"):
            head, mark, tail = known.read_text().partition("<hostCPU type='tcg'")
            changed += has in tail
            known.write_text(head + mark + tail.replace(has, lacks))
        assert changed, f"{self.name} has no feature {name} that it could lose"
        self.restart_libvirtd()

    def run(self, *command: str) -> str:
        """Run a command on the host, in its namespaces and control groups."""
        pid = self.pid()
        if pid is None:
            raise RuntimeError(f"{self.name} is off")
        join = 'for p in $LAB_PROCS; do echo $$ > "$p"; done; exec nsenter "$@"'
        environment = [f"{key}={value}" for key, value in self._environment().items()]
        return run(["env", *environment, "sh", "-c", join, "sh", "-t", str(pid), "-m", "-u",
                    "-i", "-n", "-p", "-C", "--", *command])  # fmt: skip

    # --- cables ----------------------------------------------------------------------------

    def shape(self, mbit: float | None, link: Link = "mig") -> None:
        """Limit one of its links; None takes the limit off."""
        self.wire.shape(self.index, link, mbit)

    def cut(self, link: Link = "mig") -> None:
        """Pull one of its cables."""
        self.wire.cut(self.index, link)

    def mend(self, link: Link = "mig") -> None:
        """Plug one of its cables in again."""
        self.wire.mend(self.index, link)

    def repair(self) -> None:
        """Bring it back to normal, whatever was done to it."""
        self.wire.repair(self.index)
        if not self.is_on():
            self.power_on()
        self.thaw_libvirtd()
        if self._mend_capabilities() or not self.libvirtd_pids():
            self.restart_libvirtd()

    # --- readings --------------------------------------------------------------------------

    def cpu_seconds(self) -> float:
        """Processor time used by it and its guests."""
        return self.group.cpu_seconds()

    def memory_bytes(self) -> int:
        """Memory used by it and its guests."""
        return self.group.memory_bytes()

    def properties(self) -> dict[str, Any]:
        """What a client needs to know of it, in the words of the product's hosts.toml."""
        return {
            "name": self.name,
            "uri": self.uri,
            "peer_uri": self.peer_uri,
            "migration_address": self.migration_address,
            "labels": self.labels,
            "networks": [settings.NETWORK],
            "storage": [Path(settings.SHARED).name],
            "capacity": {"memory": f"{self.capacity_memory_mib}MiB", "cpu": self.capacity_cpus},
        }

    # --- private ---------------------------------------------------------------------------

    def _mend_capabilities(self) -> bool:
        """Put back what libvirt knew of QEMU; True if it had been told otherwise."""
        changed = False
        for kept in (cache() / "capabilities").glob("*.xml"):
            told = self.capabilities / kept.name
            if told.exists() and told.read_bytes() != kept.read_bytes():
                shutil.copy(kept, told)
                changed = True
        return changed

    def _environment(self) -> dict[str, str]:
        group = self.group
        versions = " ".join(",".join(tree.controllers) for tree in group.trees).strip() or "2"
        return {
            "LAB_HOST": self.name,
            "LAB_FOLDER": str(self.folder),
            "LAB_SHARED": str(self.shared),
            "LAB_LOCAL": str(self.local),
            "LAB_SHELL": str(SOURCE / "shell"),
            "LAB_CGROUPS": versions,
            "LAB_PROCS": " ".join(map(str, group.rooms())),
            "LAB_SHAREDFS": (self.folder / "sharedfs").read_text(),
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin",
        }

    def _wait_for_init(self, unshare: subprocess.Popen[bytes], patience: float = 10) -> int:
        """The one child of ``unshare`` is PID 1 of the new namespace."""
        deadline = time.monotonic() + patience
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
        while unshare.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if found := children.read_text().split():
                    return int(found[0])
            time.sleep(0.01)
        raise RuntimeError(f"{self.name} does not boot: {self._boot_log()}")

    def _wait_for_libvirtd(self, patience: float = 60) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                self.connection()
            except libvirt.libvirtError as error:
                if not self._init_alive() or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"{self.name}: libvirtd does not answer ({error}): {self._boot_log()}"
                    ) from error
                time.sleep(0.02)
            else:
                return

    def _init_alive(self) -> bool:
        return Path("/proc", (self.folder / "pid").read_text(), "root").exists()

    def _boot_log(self) -> str:
        log = self.folder / "log/boot.log"
        return log.read_text()[-2000:] if log.exists() else ""

    def _named(self, name: str) -> list[int]:
        found = []
        for pid in self.group.processes():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{pid}/stat").read_text()
                comm, state = stat.split("(", 1)[1].rsplit(")", 1)
                if comm == name and state.split()[0] != "Z":
                    found.append(pid)
        return found

    def _signal(self, which: signal.Signals) -> None:
        for pid in self.libvirtd_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)
