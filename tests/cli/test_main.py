"""The frame around the verbs: help, faults, exit codes."""

import os
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from balancer.cli import VERBS, main, version
from tests.cli.conftest import Terminal

HEAVY = ("ortools", "pandas", "numpy", "numba", "networkx", "libvirt", "pydantic", "rich")
CPU_SECONDS = 0.15


def test_a_command_line_of_nothing_is_answered_with_help(balancer: Terminal) -> None:
    """As it is meant to be read: on lines, on stderr; for a verb that has verbs of its own, too."""
    for words, told in (((), "  plan           Say what would move"), (("capacity",), "  fit ")):
        answer = balancer(*words)
        assert answer.code == 3
        assert answer.out == ""
        assert any(line.startswith(told) for line in answer.err.splitlines()), answer.err
        assert "\ufffd" not in answer.err


def test_help_imports_nothing_that_takes_seconds() -> None:
    """Only the verb that needs a solver, a hypervisor or a table pays for it."""
    probe = (
        "import sys\nfrom balancer.cli import run\nassert run(['--help']) == 0\n"
        f"loaded = [name for name in {HEAVY} if name in sys.modules]\n"
        "print(loaded, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_help_answers_at_once() -> None:
    """The list of verbs costs less than 0.15 s of processor time."""
    costs = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "balancer", "--help"], capture_output=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(costs) < CPU_SECONDS


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_itself(balancer: Terminal, name: str) -> None:
    """Each verb is a command of its listed name, with help that mentions the common options."""
    command = import_module(f"balancer.cli.{VERBS[name].module}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    answer = balancer(name, "--help")
    assert answer.code == 0
    assert "--format" in answer.out


def test_the_list_of_verbs_is_complete(balancer: Terminal) -> None:
    """Help names every verb with what it does."""
    answer = balancer("--help")
    assert all(
        f"  {name} " in answer.out and verb.about in answer.out for name, verb in VERBS.items()
    )


def test_a_mistyped_verb_is_answered_with_the_nearest(balancer: Terminal) -> None:
    """A typing error ends with 3 and one sentence."""
    answer = balancer("plna")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err == "balancer: no verb 'plna': did you mean plan? (see balancer --help)\n"
    assert "one of doctor, observe" in balancer("xyzzy").err


@pytest.mark.parametrize("words", [("plan", "--form", "x"), ("--nonsense",), ("apply", "a", "b")])
def test_usage_faults_end_with_three(balancer: Terminal, words: tuple[str, ...]) -> None:
    """Unknown options and surplus words are usage faults, said in one line."""
    answer = balancer(*words)
    assert answer.code == 3
    assert answer.err.count("\n") == 1


def test_a_hostile_name_in_a_fault_is_made_plain(balancer: Terminal) -> None:
    """Escape sequences in what was typed never reach the terminal."""
    answer = balancer("\x1b[31mred\u202e")
    assert "\x1b" not in answer.err
    assert "\u202e" not in answer.err


def test_an_internal_fault_is_one_sentence_and_a_log(
    balancer: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A defect ends with 70; its traceback is in the file named, not on the terminal."""

    def defect(_part: str) -> str:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(version, "_installed", defect)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer = balancer("version")
    assert answer.code == 70
    assert answer.err.startswith("balancer: internal fault (ZeroDivisionError): please report it")
    log = Path(answer.err.split()[-1])
    assert "a defect" in log.read_text()
    assert "Traceback" in log.read_text()


def test_an_interrupt_ends_as_shells_expect(
    balancer: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in a verb that only reads ends with 130."""

    def interrupted(_part: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(version, "_installed", interrupted)
    assert balancer("version").code == 130


def test_a_reader_that_goes_away_is_no_fault() -> None:
    """`balancer … | head -1` ends quietly; never with 0, which would say that a plan is valid."""
    words = [sys.executable, "-m", "balancer", "version"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()
        assert started.stderr.read() == b""
    assert started.returncode == 141


def test_common_options_stand_before_or_after_the_verb(balancer: Terminal) -> None:
    """The later place wins."""
    assert balancer("--format", "json", "version").out.startswith("{")
    assert balancer("version", "--format", "json").out.startswith("{")
    assert balancer("--format", "json", "version", "--format", "text").out.startswith("balancer")


@pytest.mark.parametrize(
    ("typed", "offered"), [("balancer pl", "plan"), ("balancer plan --rel", "--relieve")]
)
def test_the_shell_completes_verbs_and_options(typed: str, offered: str) -> None:
    """One TAB is enough, and completing a verb imports none of them."""
    words = {"_BALANCER_COMPLETE": "bash_complete", "COMP_WORDS": typed}
    cursor = {"COMP_CWORD": str(len(typed.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "from balancer.cli import main; main()"],
        env=os.environ | words | cursor,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"plain,{offered}"]
    assert offered.startswith("-") or "numpy" not in done.stderr


def test_the_process_ends_with_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `run` returns is what the shell sees."""
    monkeypatch.setattr(sys, "argv", ["balancer", "--version"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
