"""check-metrics, forecast and backfill: what an operator sees of measurements."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from balancer import wiring
from balancer.adapters.history_sqlite import SqliteHistory
from balancer.cli import run
from balancer.cli.backfill import _days
from balancer.cli.check_metrics import _gaps
from balancer.codec import dump_observation
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.rollups import STEP, Block, Rollups
from balancer.ports import Measured, UsageError
from balancer.render.metrics import MetricsReport, metrics
from tests.drawing import NOON, uuid_of
from tests.past import as_cells, with_past
from tests.render.screens import shown

TEXT = """
    a 16c/64g : web-1 4v/8g cpu=1 used=4 | web-2 4v/8g cpu=2 used=4
    b 16c/64g : db-1 8v/16g unknown
"""


class Still:
    """An inventory that sees what it was given."""

    def __init__(self, seen: Observation) -> None:
        self._seen = seen

    def observe(self) -> Observation:
        return self._seen


class Source:
    """A store of metrics that says what it was given, or fails."""

    name = "prometheus"

    def __init__(self, fault: str = "", days_left: int | None = None) -> None:
        self._fault = fault
        self.days_left = days_left
        """After so many days that were fetched somebody loses patience."""

    def measure(self, *_: object) -> Measured:
        if self._fault:
            raise UsageError(self._fault)
        return Measured(
            source=self.name,
            history=History({uuid_of("db-1"): (Sample(NOON - 30, 300.0, {"cpu": 700}),)}),
            unmatched={f"vm-{n}": "no guest of that uuid or name was seen" for n in range(10)},
            warnings=("one shard is down",),
            queries=4,
        )

    def past(self, *_: object) -> list[tuple[str, str, Rollups, object]]:
        from balancer.adapters.prometheus import Cost  # noqa: PLC0415

        if self.days_left is not None:
            self.days_left -= 1
            if self.days_left < 0:
                raise KeyboardInterrupt
        cells = np.full((1, 3), 55, dtype=np.int32)
        means = Rollups(int(NOON) // STEP * STEP - 9 * STEP, 3, {"cpu": Block.of(["x"], cells)})
        return [("guests", "cpu", means, Cost(1, 3, 0.0))]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose hypervisors and store are stand-ins."""
    file = tmp_path / "config.toml"
    file.write_text('state = "."\n')
    monkeypatch.setattr(wiring, "_inventory", lambda *_, **__: Still(with_past(TEXT, steps=30)))
    return file


def use(monkeypatch: pytest.MonkeyPatch, source: Source | None) -> None:
    for verb in ("check_metrics", "backfill"):
        monkeypatch.setattr(f"balancer.cli.{verb}.metric_source", lambda _: source)


def test_metrics_are_shown_with_what_is_missing(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Coverage, sample values, who is silent, what does not match and why, what is not believed."""
    use(monkeypatch, Source())
    assert run(["check-metrics", "-c", str(config)]) == 0
    shown = capsys.readouterr().out
    for words in (
        "2/3", "db-1", "queries: 4; oldest sample: 30 s", "one shard is down", "vm-0: no guest",
        "and 2 more without a match", "rss (2)", "nothing was measured", "1 guest not believed",
    ):  # fmt: skip
        assert words in shown
    assert run(["check-metrics", "-c", str(config), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)["report"]
    assert report["sources"][1]["coverage"][0]["middle"] == 700
    assert report["memory_meant"] == {"allocation": 1, "rss": 2}


def test_a_silent_store_is_told(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and its sentence; hypervisors alone are enough for 0."""
    use(monkeypatch, Source("prometheus at http://x: no answer within 10 s"))
    assert run(["check-metrics", "-c", str(config)]) == 2
    assert "no answer within 10 s" in capsys.readouterr().out
    use(monkeypatch, None)
    assert run(["check-metrics", "-c", str(config)]) == 0
    assert run(["backfill", "-c", str(config)]) == 3
    assert "nowhere to fetch from" in capsys.readouterr().err


def test_everything_well_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing is in doubt the last line says so; a cluster without guests is no fault."""
    use(monkeypatch, None)
    for text in ("a 16c/64g : web-1 4v/8g cpu=1", "a 16c/64g :"):
        monkeypatch.setattr(
            wiring, "_inventory", lambda *_, t=text, **__: Still(with_past(t, steps=30))
        )
        (tmp_path / "config.toml").write_text('state = "."\n')
        assert run(["check-metrics", "-c", str(tmp_path / "config.toml")]) == 0
        assert "All that was measured is believed." in capsys.readouterr().out


def test_what_is_observed_is_kept_and_read(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look appends to the history, and the next look has it as its past."""
    use(monkeypatch, None)
    output = config.parent / "case.json"
    for _ in range(2):
        assert run(["observe", "-c", str(config), "-o", str(output)]) == 0
    store = SqliteHistory(config.parent / "history.sqlite")
    known = store.rollups(NOON, STEP).guest_rows("cpu", [uuid_of("web-1")])
    assert known.tolist() == [[1000.0]]
    store.close()
    assert json.loads(output.read_text())["observation"]["rollups"]["guests"]["cpu"]["names"]


def test_a_history_that_fails_is_a_doubt(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Looking goes on without a past."""
    use(monkeypatch, None)
    (config.parent / "history.sqlite").write_bytes(b"nonsense" * 1000)
    assert run(["check-metrics", "-c", str(config)]) == 0
    assert "history" in capsys.readouterr().err


def test_the_past_is_fetched_once(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Days that were fetched are not fetched again; the cost is told."""
    use(monkeypatch, Source())
    words = ["backfill", "-c", str(config), "--days", "2", "--format", "json"]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["queries"] == 3
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["queries"] == 0


def test_a_fetch_that_is_broken_off_goes_on(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was there before Ctrl-C, or a kill, is not fetched again: only what is missing."""
    words = ["backfill", "-c", str(config), "--days", "5", "--format", "json"]
    use(monkeypatch, Source(days_left=3))
    assert run(words) == 130
    capsys.readouterr()
    use(monkeypatch, Source())
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["queries"] == 3


class Killed(Source):
    """Kills its own process, as `kill -9` does, when part of the third day was kept."""

    days = 0

    def past(self, *_: object) -> Iterator[tuple[str, str, Rollups, object]]:
        self.days += 1
        yield from super().past()
        if self.days == 3:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_fetch_that_is_killed_goes_on(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `kill -9` in the middle of a day that day and older ones are fetched, and none that was whole."""
    words = ["backfill", "-c", str(config), "--days", "5", "--format", "json"]
    use(monkeypatch, Killed())
    child = os.fork()
    if not child:
        try:
            run(words)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    use(monkeypatch, Source())
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["queries"] == 4
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["queries"] == 0
    kept = SqliteHistory(config.parent / "history.sqlite").rollups(NOON, 86_400.0)
    assert "x" in kept.guests["cpu"].names


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A saved observation of a guest that works by day, with a gap."""
    seen = with_past(TEXT, steps=1200)
    block = seen.rollups.guests["cpu"]
    cells = seen.rollups.matrix(block).astype(float)
    row = block.names.index(uuid_of("web-1"))
    wave = np.sin(np.arange(1200) / 288 * 2 * np.pi)
    cells[row] = 1000 + 800 * wave + np.arange(1200) % 2  # no meter reads the same thrice
    cells[row, 300:400] = np.nan
    table = {**seen.rollups.guests, "cpu": Block.of(block.names, as_cells(cells))}
    file = tmp_path / "case.json"
    whole = replace(seen, rollups=replace(seen.rollups, guests=table))
    file.write_text(dump_observation(whole))
    return file


def test_a_forecast_is_drawn(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """History, forecast, band and the error of each method; as a picture and for programs, too."""
    svg = case.parent / "web.svg"
    assert run(["forecast", "web-1", "--from", str(case), "--svg", str(svg)]) == 0
    shown = capsys.readouterr().out
    for words in ("web-1: cpu in millicores", "→ ", "percentile", "ewma", "█", "▓", "░", "·"):
        assert words in shown
    picture = svg.read_text()
    assert ET.fromstring(picture).tag.endswith("svg")
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    assert picture.count("<polyline") == 3
    words = ["forecast", uuid_of("web-1"), "--from", str(case), "--method", "ewma", "--hours", "2"]
    assert run([*words, "--format", "json"]) == 0
    drawn = json.loads(capsys.readouterr().out)["forecast"]
    assert (drawn["method"], len(drawn["mean"])) == ("ewma", 24)
    assert drawn["errors"].keys() == {"percentile", "ewma", "hour_of_week", "holt_winters"}


def test_a_short_past_has_no_errors_yet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An hour is enough to look ahead from, not to test methods by."""
    file = tmp_path / "case.json"
    file.write_text(dump_observation(with_past(TEXT, steps=12)))
    assert run(["forecast", "web-1", "--from", str(file), "--hours", "48"]) == 0
    assert "unknown" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["web-3"], "guest web-3 was not seen: did you mean web-"),
        (["zzz"], "balancer observe lists all"),
        (["web-1", "--metric", "cpuu"], "no metric 'cpuu'"),
        (["db-1"], "0 means of cpu are known, too few"),
    ],
)
def test_what_cannot_be_forecast_is_said(
    case: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence with a remedy."""
    assert run(["forecast", *words, "--from", str(case)]) == 3
    assert sentence in capsys.readouterr().err


def test_two_of_one_name_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their uuids are given."""
    seen = with_past("a 16c/64g : x 1v/1g\nb 16c/64g : y 1v/1g")
    same = tuple(replace(g, name="same") for g in seen.cluster.guests)
    file = tmp_path / "case.json"
    file.write_text(dump_observation(replace(seen, cluster=replace(seen.cluster, guests=same))))
    assert run(["forecast", "same", "--from", str(file)]) == 3
    assert uuid_of("x") in capsys.readouterr().err


def test_gaps_of_the_latest_day_are_told() -> None:
    """By guest, from its first known step on; the step that is not over yet is no gap."""
    seen = with_past(TEXT, steps=300)
    block = seen.rollups.guests["cpu"]
    cells = seen.rollups.matrix(block).copy()
    row = block.names.index(uuid_of("web-1"))
    cells[row, -20:-8] = -1
    newborn = next(name for name in block.names if name != block.names[row])
    cells[block.names.index(newborn), :-30] = -1
    table = {**seen.rollups.guests, "cpu": Block.of(block.names, cells)}
    found = _gaps(replace(seen, rollups=replace(seen.rollups, guests=table)))
    assert found == {"web-1": 12}
    report = MetricsReport(
        sources=(), not_believed={}, memory_meant={}, hours_known=1.0, gaps=found
    )
    assert "Gaps in the latest day: 1 guest: web-1 (1 h)." in shown(metrics(report))


@pytest.mark.parametrize("hour", [0, 1, 2, 23])
def test_days_that_are_asked_for_are_whole(hour: int) -> None:
    """At any hour: today's part comes beside them, and none of it before there are two hours."""
    midnight = int(NOON) // 86_400 * 86_400
    (since, until), *whole = _days(midnight + hour * 3600 + 900, 1)
    assert (since, until) == (midnight, midnight + hour // 2 * 7200)
    assert whole == [(midnight - 86_400, midnight)]
