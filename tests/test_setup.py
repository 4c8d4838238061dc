"""`./run`: what it runs once the machine is set up. (The set-up itself is what CI begins with.)"""

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ECHO = '#!/bin/sh\necho "$(basename "$0") $(pwd) $*"\nfor word; do echo "<$word>"; done\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout whose Python and balancer only say how they were called."""
    home = tmp_path / "check out"
    tools = home / ".venv/bin"
    tools.mkdir(parents=True)
    for name in ("run", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, home / name)
    for name in ("python", "balancer"):
        (tools / name).write_text(ECHO)
        (tools / name).chmod(0o755)
    return home


def stamp(place: Path, extra: str) -> None:
    """Mark the checkout as set up, as `run` does."""
    sums = 'cksum "$0/pyproject.toml" "$0/run"; readlink -f "$0/.venv/bin/python"'
    done = subprocess.run(["sh", "-c", sums, place], capture_output=True, text=True, check=True)
    (place / ".venv" / f"ready-{extra}").write_text(done.stdout)


def called(place: Path, *words: str) -> list[str]:
    """Run it from another folder, and return what was said."""
    elsewhere = place.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    done = subprocess.run(
        [place / "run", *words], cwd=elsewhere, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("extra", ["", "test"])
def test_once_set_up_it_only_runs(place: Path, extra: str) -> None:
    """Arguments pass through whole, in the caller's folder; set-up for tests serves as well."""
    stamp(place, extra)
    said = called(place, "plan", "--from", "my case.json")
    assert said == [
        f"balancer {place.parent / 'elsewhere'} plan --from my case.json",
        "<plan>",
        "<--from>",
        "<my case.json>",
    ]


def test_without_arguments_it_is_the_demo(place: Path) -> None:
    """The main job, on the embedded default."""
    stamp(place, "")
    assert called(place)[1:] == ["<demo>"]


def test_the_tests_run_in_the_checkout(place: Path) -> None:
    """pytest's arguments pass through; --soak lifts the filter on what takes long."""
    stamp(place, "test")
    said = called(place, "test", "-k", "a b")
    assert f"python {place} " in said[-7]
    assert said[-6:] == ["<-m>", "<pytest>", "<-n>", "<logical>", "<-k>", "<a b>"]
    assert called(place, "test", "--soak", "-x")[-3:] == ["<-m>", "<>", "<-x>"]


def test_the_laboratory_runs_in_the_checkout(place: Path) -> None:
    """`./run lab` is the demo on real hypervisors."""
    stamp(place, "test")
    assert called(place, "lab")[-3:] == ["<-m>", "<tests.lab>", "<demo>"]


@pytest.mark.parametrize(("shell", "script"), [("sh", "run"), ("bash", ".ci/run")])
def test_the_scripts_can_be_read(shell: str, script: str) -> None:
    """No syntax errors in branches that are seldom taken."""
    subprocess.run([shell, "-n", CHECKOUT / script], check=True)
