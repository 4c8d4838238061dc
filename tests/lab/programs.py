"""Prometheus and its exporters out of Debian's packages: unpacked into the cache, never installed.

Installing them would start services on the machine and have it scrape itself for ever.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.error import HTTPError, URLError

from .command import CommandError, run
from .paths import cache

PROGRAMS: Mapping[str, str] = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "prometheus-libvirt-exporter": "prometheus-libvirt-exporter",
}
"""Program to the Debian package that brings it."""
PATIENCE = 30


def found(name: str) -> Path | None:
    """Where the program is: installed, or unpacked before."""
    installed = shutil.which(name)
    unpacked = cache() / "programs" / "usr" / "bin" / name
    return Path(installed) if installed else unpacked if unpacked.exists() else None


def unpack_missing() -> list[str]:
    """Fetch and unpack what is missing; returns the packages."""
    packages = sorted({package for name, package in PROGRAMS.items() if found(name) is None})
    for package in packages:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            folder.chmod(0o755)
            run(["apt-get", "download", "-o", "APT::Sandbox::User=root", package], cwd=folder)
            (archive,) = folder.glob("*.deb")
            run(["dpkg", "-x", archive, cache() / "programs"])
    return packages


def lacking() -> list[str]:
    """Sentences on what cannot be had; empty where all programs are there."""
    try:
        unpack_missing()
    except (CommandError, OSError) as error:
        return [f"Debian's package cannot be fetched: {error}"]
    return [f"{name} is missing" for name in PROGRAMS if found(name) is None]


@contextlib.contextmanager
def running(name: str, port: int, *arguments: str) -> Iterator[str]:
    """Run a program that listens on `port`; gives its address, ends it at the end."""
    program = found(name)
    if program is None:
        raise LookupError(f"{name} is missing")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(PATIENCE)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            urllib.request.urlopen(f"{url}/metrics", timeout=5).close()
        except HTTPError:
            return  # it speaks, if only to say that it wants TLS
        except (URLError, ConnectionError, TimeoutError):
            pass
        else:
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")
