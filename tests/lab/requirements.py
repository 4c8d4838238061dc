"""What this machine lacks to run the laboratory, in sentences a person can act upon."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from .binding import libvirt
from .cgroup import trees
from .command import CommandError, run

PACKAGES = {
    "libvirtd": "libvirt-daemon",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "lz4": "lz4",
    "gcc": "gcc",
    "ip": "iproute2",
    "tc": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "dpkg": "dpkg",
}
"""Program to the Debian package that brings it."""

DRIVERS = Path("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver")
HEADERS = Path("/usr/include/stdio.h")
BINDING = Path("/usr/lib/python3/dist-packages/libvirt.py")


def missing_packages() -> list[str]:
    """Debian packages to install, and nothing that is already there."""
    needed = {package for program, package in PACKAGES.items() if not _program(program)}
    if not (DRIVERS / "libvirt_driver_qemu.so").exists():
        needed.add("libvirt-daemon-driver-qemu")
    if not HEADERS.exists():
        needed.add("libc6-dev")
    if libvirt is None and not BINDING.exists():
        needed.add("python3-libvirt")
    return sorted(needed)


def missing() -> list[str]:
    """Everything that stands between this machine and a laboratory; empty when nothing does."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return [f"Linux on x86_64 is needed, this is {platform.system()} {platform.machine()}"]
    lacks = []
    if os.geteuid() != 0:
        lacks.append("root is needed, to make namespaces, networks and control groups")
    else:
        lacks += _forbidden()
    if "overlay" not in Path("/proc/filesystems").read_text() and not _module("overlay"):
        lacks.append("the kernel has no overlay file system")
    if not Path("/dev/net/tun").exists():
        lacks.append("/dev/net/tun does not exist")
    if packages := missing_packages():
        lacks.append(f"Debian packages are not installed: {' '.join(packages)}")
    if libvirt is None:
        lacks.append("this Python cannot import libvirt (python3-libvirt or libvirt-python)")
    return lacks


def install_missing() -> list[str]:
    """Install the missing Debian packages (root, apt); returns what was."""
    packages = missing_packages()
    if not packages or os.geteuid() != 0 or not shutil.which("apt-get"):
        return []
    run(["apt-get", "update", "-qq"])
    # Without recommended packages: those bring a libvirtd for the machine itself.
    run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq",
         "--no-install-recommends", *packages])  # fmt: skip
    return packages


def _forbidden() -> list[str]:
    """What root may not do here; containers are often so."""
    lacks = []
    try:
        run(["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--fork",
             "mount", "-t", "tmpfs", "tmpfs", "/mnt"])  # fmt: skip
    except (CommandError, FileNotFoundError) as error:
        lacks.append(f"namespaces with mounts of their own cannot be made: {error}")
    found = trees()
    if not found:
        lacks.append("no control groups are mounted")
    lacks += [
        f"control groups at {tree.own()} are read-only"
        for tree in found
        if not os.access(tree.own(), os.W_OK)
    ]
    return lacks


def required() -> bool:
    """True where a skipped laboratory must count as a failure: in CI, or when asked for."""
    return bool(os.environ.get("CI")) or os.environ.get("BALANCER_LAB") == "required"


def _program(name: str) -> str | None:
    # A contributor's PATH often lacks the sbin folders, though the programs are there.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _module(name: str) -> bool:
    known = Path(f"/lib/modules/{platform.release()}/modules.dep")
    return known.exists() and f"/{name}.ko" in known.read_text()
