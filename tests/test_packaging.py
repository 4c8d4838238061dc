"""What is packaged is in order: the unit, what is made from the commands, and a .deb on a clean Debian."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from balancer.cli import VERBS
from balancer.cli.manual import write

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGING = CHECKOUT / "packaging"
MOST_EXPOSED = 3.0

with_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze (apt-get install systemd)"
)


def said(*words: str | Path) -> str:
    """Run a command that has to succeed; return all that it said."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that exists here in the place of the installed one."""
    made = tmp_path / "balancer.service"
    text = (PACKAGING / "balancer.service").read_text()
    made.write_text(text.replace("ExecStart=/usr/bin/balancer", "ExecStart=/bin/true"))
    return made


@with_systemd
def test_the_unit_verifies_cleanly(unit: Path) -> None:
    """Not one word of complaint."""
    words = said("systemd-analyze", "verify", "--man=no", unit)
    assert [line for line in words.splitlines() if "balancer" in line] == []


@with_systemd
def test_the_unit_is_hardened(unit: Path) -> None:
    """At most 3.0 of 10, and what is left out is named in it."""
    level = f"--threshold={MOST_EXPOSED * 10:.0f}"
    assert "OK" in said("systemd-analyze", "security", "--offline=yes", level, unit)
    assert "# MemoryDenyWriteExecute:" in unit.read_text()


def test_each_verb_has_a_man_page_and_each_shell_a_completion(tmp_path: Path) -> None:
    """Made from the commands; roff finds nothing to complain about."""
    written = write(tmp_path)
    pages = {path.name for path in written if path.suffix == ".1"}
    assert pages == {"balancer.1", *(f"balancer-{verb}.1" for verb in VERBS)}
    assert "--until" in (tmp_path / "man1/balancer-freeze.1").read_text().replace("\\-", "-")
    assert {p.name for p in (tmp_path / "completions").iterdir()} == {
        "balancer.bash",
        "_balancer",
        "balancer.fish",
    }
    for shell, script in (("bash", "balancer.bash"), ("sh", "")):
        if script and shutil.which(shell):
            said(shell, "-n", tmp_path / "completions" / script)
    if shutil.which("groff"):
        for path in (tmp_path / "man1").iterdir():
            assert said("groff", "-man", "-Tutf8", "-ww", "-z", path) == ""


@pytest.mark.parametrize("script", ["build_deb", "try_deb", "try_unit"])
def test_the_scripts_can_be_read(script: str) -> None:
    """No syntax errors in branches that are seldom taken."""
    said("sh", "-n", PACKAGING / script)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_the_package_runs_on_a_clean_debian() -> None:
    """Built here, installed in a minimal Debian, run there, and removed again."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap (apt-get install debootstrap)")
    said(PACKAGING / "build_deb")
    assert "installed, ran and was removed again" in said(PACKAGING / "try_deb")


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_the_unit_runs_under_systemd() -> None:
    """Active once it is ready, a status line, a watchdog that is fed, reloads good and bad, kernels
    compiled into CacheDirectory under all its restrictions, and an end."""
    needed = ("debootstrap", "systemd-nspawn")
    if os.geteuid() != 0 or not all(map(shutil.which, needed)):
        pytest.skip("needs root, debootstrap and systemd-nspawn (debootstrap, systemd-container)")
    if not list((CHECKOUT / "dist").glob("balancer_*.deb")):
        said(PACKAGING / "build_deb")
    assert "the unit runs under systemd as it should" in said(PACKAGING / "try_unit")
