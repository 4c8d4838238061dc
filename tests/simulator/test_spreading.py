"""Runs come to the same wherever they are made, and workers that would decide otherwise are refused."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.cli import run
from balancer.ports import UsageError
from balancer.simulator import spreading
from balancer.simulator.comparing.sweep import OWN, sweep, tasks
from balancer.simulator.spreading import Workers, fingerprint, spread

distributed = pytest.importorskip("distributed")
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]
CASE = """
length = "30min"
[[hosts]]
names = ["a", "b"]
cpu = 8
memory = "32GiB"
[[guests]]
names = "job-[1-5]"
on = "a"
vcpus = 4
cpu = 1.9
noise = "30%"
[[events]]
at = "11min"
what = "load"
guests = "job-1"
cpu = 3.5
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Yield the address of a scheduler on this machine with two workers, each its own process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as local:
        yield local.scheduler_address


def test_a_dask_cluster_comes_to_what_this_machine_comes_to(cluster: str, tmp_path: Path) -> None:
    """Figure for figure and bit for bit, though its workers cannot read our files."""
    path = tmp_path / "case.toml"
    path.write_text(CASE)
    wanted = tasks(path, [OWN], range(1, 4))
    ends: list[int] = []
    there = sweep(wanted, Workers(dask=cluster), lambda: ends.append(1))
    here = sweep(wanted)
    assert len(ends) == 3
    assert [r.task for r in there] == list(wanted)
    for one, other in zip(there, here, strict=True):
        assert one.counted == other.counted
        assert one.course.load.tobytes() == other.course.load.tobytes()
        assert one.course.arrivals == other.course.arrivals
    assert len({r.counted.contention for r in here}) == 3


def whose(shared: int, job: int) -> tuple[int, int]:
    """Return who made the run, and what came of it. Raises what an operator would be told."""
    if job < 0:
        raise UsageError("below zero")
    return os.getpid(), shared + job


def test_runs_leave_this_process_and_come_back_in_order(cluster: str) -> None:
    """What all of them share is there."""
    found = spread(whose, 10, [3, 1, 2], Workers(dask=cluster))
    assert [result for _, result in found] == [13, 11, 12]
    assert os.getpid() not in {pid for pid, _ in found}


def test_what_a_run_raises_is_raised_here(cluster: str) -> None:
    """As it would have been without other processes."""
    with pytest.raises(UsageError, match="below zero"):
        spread(whose, 0, [1, -1], Workers(dask=cluster))


def test_workers_with_other_code_are_refused() -> None:
    """They could decide otherwise; the sentence names who and what."""
    mine = fingerprint()
    spreading._same_code({"tcp://a:1": mine})
    with pytest.raises(UsageError, match=r"worker tcp://b:1 has numpy 1\.0, here .* install"):
        spreading._same_code({"tcp://a:1": mine, "tcp://b:1": {**mine, "numpy": "1.0"}})


def test_any_source_file_changes_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A released number says less than the code."""
    (tmp_path / "__init__.py").write_text("")
    monkeypatch.setattr("balancer.__file__", str(tmp_path / "__init__.py"))
    before = fingerprint()
    (tmp_path / "decides.py").write_text("LIMIT = 1\n")
    assert fingerprint()["balancer's code"] != before["balancer's code"]


def test_a_cluster_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody there, no workers, no Dask."""
    monkeypatch.setattr(spreading, "PATIENCE", 0.3)
    path = tmp_path / "case.toml"
    path.write_text(CASE)
    words = ["simulate", str(path), "--seeds", "2", "--dask"]
    assert run([*words, "tcp://127.0.0.1:9"]) == 3
    assert "no scheduler answers" in capsys.readouterr().err
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        assert run([*words, empty.scheduler_address]) == 3
    assert "it has no workers" in capsys.readouterr().err
    monkeypatch.setattr(spreading, "import_module", _missing)
    assert run([*words, "tcp://127.0.0.1:9"]) == 3
    assert "pip install 'balancer[dask]'" in capsys.readouterr().err


def _missing(name: str) -> None:
    raise ModuleNotFoundError(name)
