"""The laboratory: hosts, cables and guests together, brought up quickly and taken down wholly."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .binding import libvirt
from .cgroup import Group
from .guest import Guest, GuestSpec, remove
from .host import Host
from .image import Image, image
from .network import Wire
from .paths import DISKS, RUN, cache

AT_ONCE = 4
"""Guests booted together: more do not boot faster on two cores."""

PATIENCE = 15
"""Seconds that guests in the midst of a migration may take to go."""


class Laboratory:
    """Some hosts ``h1``, ``h2``, ... and their guests; a context manager.

    All it makes carries its name: network namespaces ``NAME-h1``, control groups ``NAME/h1``,
    folders below /run/balancer-lab/NAME and /var/lib/balancer-lab/NAME. Two laboratories of
    different names live side by side; one of the same name waits for the other to end, and
    sweeps up what a killed one left behind.
    """

    def __init__(
        self,
        hosts: int = 3,
        guests: Sequence[GuestSpec] = (),
        *,
        name: str = "lab",
        keepalive: tuple[int, int] = (2, 5),
    ) -> None:
        """Only notes what is wanted; ``up`` or ``with`` makes it."""
        if not name.startswith("lab"):
            raise ValueError(f"a laboratory's name starts with 'lab', not {name!r}")
        self.name = name
        self.specs = tuple(guests)
        self.guests: dict[str, Guest] = {}
        self.hosts = {
            f"h{index}": Host(name, index, keepalive, labels={"rack": f"r{index}"})
            for index in range(1, hosts + 1)
        }
        self.used = False
        """Whether a test has it, or left it as it was."""
        self._image: Image | None = None
        self._lock: int | None = None

    def __getitem__(self, name: str) -> Host:
        """Host by name."""
        return self.hosts[name]

    def __enter__(self) -> Self:
        """Bring it up."""
        try:
            return self.up()
        except BaseException:
            if self._lock is not None:  # else it is somebody else's that stands in the way
                self.down()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it down, whatever happened."""
        self.down()

    @property
    def image(self) -> Image:
        """What guests boot from."""
        if self._image is None:
            self._image = image()
        return self._image

    # --- life ------------------------------------------------------------------------------

    def up(self) -> Self:
        """Hosts first, one after the other (a fifth of a second each), then guests."""
        self._acquire()
        self.sweep()
        built = self.image
        (RUN / self.name).mkdir(parents=True)
        Wire(self.name).create()
        for host in self.hosts.values():
            host.create(built, len(self.hosts))
        self.save()
        self._keep_capabilities()
        self.boot(*self.specs)
        return self

    def down(self) -> None:
        """Take everything away; safe at any time, also when ``up`` failed halfway.

        Refuses (TimeoutError) while another process has a laboratory of this name up.
        """
        if self._lock is None:
            self._acquire(patience=0)
        for host in self.hosts.values():
            host.disconnect()
        self.guests.clear()
        self.sweep()
        self._release()

    def sweep(self) -> None:
        """Remove all that carries this laboratory's name, made by whatever process."""
        group = Group(self.name)
        group.kill()
        for host in self.hosts.values():
            host.reap()
        Wire(self.name).remove()
        group.remove()
        for folder in (RUN / self.name, DISKS / self.name):
            shutil.rmtree(folder, ignore_errors=True)

    def leftovers(self) -> list[str]:
        """What exists on this machine under this laboratory's name; empty after ``down``."""
        group = Group(self.name)
        found = [f"process {pid}" for pid in group.processes()]
        found += [f"cgroup {folder}" for folder in group.folders() if folder.exists()]
        found += [f"network namespace {name}" for name in Wire(self.name).existing()]
        with open("/proc/self/mounts") as mounts:
            found += [f"mount {line}" for line in mounts if f"balancer-lab/{self.name}/" in line]
        folders = (RUN / self.name, DISKS / self.name)
        found += [f"folder {folder}" for folder in folders if folder.exists()]
        return found

    def clear(self) -> None:
        """Back to empty, healthy hosts: repairs every host, removes every guest and claim."""
        for host in self.hosts.values():
            host.repair()
            for claim in host.connection().listAllSecrets():
                claim.undefine()
        deadline = time.monotonic() + PATIENCE
        while domains := [d for h in self.hosts.values() for d in h.connection().listAllDomains()]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"guests {[d.name() for d in domains]} cannot be removed")
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(remove, domains))
        for folder in (DISKS / self.name).iterdir():
            for disk in folder.iterdir():
                disk.unlink()
        self.guests.clear()

    # --- guests ----------------------------------------------------------------------------

    def boot(self, *specs: GuestSpec) -> list[Guest]:
        """Start guests and wait until their load programs run, some at a time."""

        def start(spec: GuestSpec) -> Guest:
            return Guest(self, spec).start().wait_ready()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            started = list(pool.map(start, specs))
        self.guests |= {guest.name: guest for guest in started}
        self.save()
        return started

    def guest(self, name: str) -> Guest:
        """Guest by name."""
        return self.guests[name]

    def running_hosts(self) -> Iterator[Host]:
        """Hosts that are on and whose libvirtd answers."""
        for host in self.hosts.values():
            if host.is_on():
                try:
                    host.connection()
                except libvirt.libvirtError:
                    continue
                yield host

    def placement(self) -> dict[str, list[str]]:
        """Guest name to the hosts it runs on, by libvirt's word."""
        found: dict[str, list[str]] = {name: [] for name in self.guests}
        for host in self.running_hosts():
            running = host.connection().listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_RUNNING)
            for domain in running:
                found.setdefault(domain.name(), []).append(host.name)
        return found

    # --- telling others --------------------------------------------------------------------

    def hosts_toml(self) -> str:
        """The hosts as a hosts.toml for the product."""
        return "\n".join(
            "\n".join(["[[hosts]]", *_toml(host.properties())]) + "\n"
            for host in self.hosts.values()
        )

    def save(self) -> None:
        """Note what exists, for a later process to ``attach`` to."""
        state = {
            "hosts": len(self.hosts),
            "guests": {g.name: {"host": g.spec.host} for g in self.guests.values()},
        }
        (RUN / self.name / "state.json").write_text(json.dumps(state))

    @classmethod
    def attach(cls, name: str = "lab") -> Laboratory:
        """Take hold of a laboratory that an earlier process left up."""
        try:
            state = json.loads((RUN / name / "state.json").read_text())
        except FileNotFoundError:
            raise LookupError(f"no laboratory {name!r} is up") from None
        lab = cls(state["hosts"], name=name)
        lab.guests = {
            guest: Guest(lab, GuestSpec(guest, **known))
            for guest, known in state["guests"].items()
        }
        return lab

    # --- private ---------------------------------------------------------------------------

    def _keep_capabilities(self) -> None:
        """Have QEMU probed once per machine: it takes libvirt several seconds."""
        first = next(iter(self.hosts.values()))
        kept = cache() / "capabilities"
        fresh = first.capabilities

        def content(folder: Path) -> dict[str, bytes]:
            return {path.name: path.read_bytes() for path in folder.glob("*.xml")}

        first.connection().getDomainCapabilities(None, "x86_64", "pc", "qemu")
        if content(fresh) != content(kept):
            for folder in (kept, *(host.capabilities for host in self.hosts.values())):
                if folder != fresh:
                    shutil.copytree(fresh, folder, dirs_exist_ok=True)

    def _acquire(self, patience: float = 240) -> None:
        """Become the only process that makes or removes things of this name."""
        if self._lock is not None:
            raise RuntimeError(f"laboratory {self.name!r} is already up")
        RUN.mkdir(parents=True, exist_ok=True)
        lock = os.open(RUN / f"{self.name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _wait_for(lock, self.name, patience)
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _wait_for(lock: int, name: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"process {os.pread(lock, 20, 0).decode()} holds laboratory {name!r};"
                    " BALANCER_LAB_NAME names another for the tests"
                ) from None
            time.sleep(0.2)
        else:
            return


def _toml(table: dict[str, Any]) -> Iterable[str]:
    for key, value in table.items():
        yield f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)  # strings, numbers and lists of them look the same in TOML
