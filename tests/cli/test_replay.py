"""`balancer replay`, typed by an operator."""

import json
from pathlib import Path

import pytest

from balancer.cli import run

TRACE = "guest,at,cpu,vcpus\n" + "".join(
    f"vm-{i},{600 + 300 * step},{900 if i < 3 else 100},1\n" for step in range(6) for i in range(6)
)


def test_a_trace_is_replayed_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For people and for programs, the same twice."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TRACE)
    words = ["replay", "--trace", "t.csv", "--hosts", "2", "--cores", "3", "--every", "5"]
    assert run(words) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "5 looks over 20 min replayed under balance." in shown
    assert "Counted: contention 0 guest-seconds" in shown
    told = []
    for _ in range(2):
        assert run([*words, "--format", "json"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert len(json.loads(told[0])["replay"]["looks"]) == 5


def test_a_trace_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is replayed."""
    monkeypatch.chdir(tmp_path)
    assert run(["replay", "--trace", "none.csv"]) == 3
    assert "none.csv: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--share", "2%"], "for your own past say --since"),
        (["--trace", "t.csv", "--since", "14d"], "is cut by --skip and --length"),
        (["--trace", "t.csv", "--share", "200%"], "at most 100%"),
        (["--trace", "t.csv", "--length", "5"], "give a unit"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    words: list[str],
    fault: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None is ever left unheard."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TRACE)
    assert run(["replay", *words]) == 3
    assert fault in capsys.readouterr().err
