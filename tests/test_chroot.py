"""The two commands of the README on a Debian 12 that has nothing: a soak test, since it takes minutes.

A minimal system is made with debootstrap, this checkout's HEAD is cloned into it, and `./run` and
`./run test` are typed there. What this machine needs to reach its package registries (certificates,
pip's and apt's configuration) is handed on; nothing else is.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
REACHING = (
    "etc/resolv.conf",
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pip.conf",
    "etc/xdg/pip",
    "etc/apt/apt.conf.d",
)
"""Files and folders that say how this machine reaches its registries."""
HANDED_ON = ("PIP_", "SSL_", "REQUESTS_", "CURL_", "http_proxy", "https_proxy", "no_proxy")
"""Beginnings of names of environment variables that say so, too."""

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A minimal Debian 12 with python3-minimal and nothing more, /proc and /dev mounted."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap (apt-get install debootstrap)")
    root = tmp_path_factory.mktemp("debian")
    system(
        "debootstrap", "--variant=minbase", "--include=ca-certificates,python3-minimal",
        "bookworm", str(root),
    )  # fmt: skip
    for name in REACHING:
        hand_on(Path("/") / name, root / name)
    system("git", "clone", "-q", "--no-hardlinks", str(CHECKOUT), str(root / "balancer"))
    mounts = [root / "proc", root / "dev"]
    system("mount", "-t", "proc", "proc", str(mounts[0]))
    system("mount", "--rbind", "--make-rslave", "/dev", str(mounts[1]))
    yield root
    for mount in mounts:
        system("umount", "-R", "-l", str(mount))
    shutil.rmtree(root)


def hand_on(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def system(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def typed(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run `command` in the clone, inside the minimal system, as root without a terminal."""
    kept = {k: v for k, v in os.environ.items() if k.startswith(HANDED_ON)}
    return subprocess.run(
        ["chroot", str(root), "sh", "-c", f"cd /balancer && {command}"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", **kept},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.timeout(1800)
def test_the_two_commands_do_all_the_set_up(debian: Path) -> None:
    """`./run` shows the main job, `./run test` passes what needs no namespaces; both from nothing."""
    demo = typed(debian, "./run")
    assert demo.returncode == 0, demo.stderr[-3000:]
    assert "moves done" in demo.stdout
    again = typed(debian, "./run version")
    assert again.returncode == 0, again.stderr[-3000:]
    assert "installing" not in again.stderr
    tests = typed(debian, "./run test -q -m 'not lab and not soak'")
    assert tests.returncode == 0, tests.stdout[-3000:] + tests.stderr[-3000:]
    assert " passed" in tests.stdout
