"""Policies are compared over the same runs, on a page that a real browser shows."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from balancer.cli import run
from balancer.ports import UsageError
from balancer.render.figures import heat, legend, lines, spreads, ticks
from balancer.simulator.comparing.page import page
from balancer.simulator.comparing.spread import Spread
from balancer.simulator.comparing.sweep import OWN, Comparison, compared, sweep, tasks
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from balancer.simulator.spreading import Workers

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CASE = """
about = "Two hosts, one of them <hot>"
length = "1h"
[[hosts]]
names = ["a", "b"]
cpu = 16
memory = "64GiB"
[[guests]]
names = "job-[1-5]"
on = "a"
vcpus = 4
memory = ["4GiB", "8GiB"]
cpu = 3.4
noise = "30%"
"""
LAZY = 'extends = "balance"\naggressiveness = 1\n'
EAGER = 'extends = "balance"\n[hot]\ncpu_used = "70%"\n'


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """Return the scenario, with two policies beside it."""
    (tmp_path / "lazy.toml").write_text(LAZY)
    (tmp_path / "eager.toml").write_text(EAGER)
    (tmp_path / "case.toml").write_text(CASE)
    return tmp_path / "case.toml"


def comparison(case: Path, seeds: int = 3, processes: int = 1) -> Comparison:
    """Return both policies over some seeds."""
    policies = [str(case.parent / name) for name in ("lazy.toml", "eager.toml")]
    workers = Workers(processes=processes)
    return compared(case, sweep(tasks(case, policies, range(1, 1 + seeds)), workers))


def test_policies_meet_the_same_cluster_and_load_in_each_run(case: Path) -> None:
    """What nobody moved by is the same; what a policy does is its own."""
    made = comparison(case)
    assert list(made.runs) == ["lazy", "eager"]
    assert [run.task.seed for run in made.runs["lazy"]] == [1, 2, 3]
    assert all(run.counted.migrations == 0 for run in made.runs["lazy"])
    assert all(run.counted.migrations > 0 for run in made.runs["eager"])
    first = [runs[0].course.load[0][0] for runs in made.runs.values()]
    assert first[0] == first[1]
    assert len({float(run.course.load[0][0]) for run in made.runs["lazy"]}) == 3


def test_a_run_of_a_sweep_is_the_run_by_itself(case: Path) -> None:
    """Figure for figure, in this process or in another one; every end is told."""
    ends: list[int] = []
    wanted = tasks(case, [OWN], (1, 2))
    there = sweep(wanted, Workers(processes=2), lambda: ends.append(1))
    alone = Simulation(load_scenario(case, seed=2)).run()
    assert there[1].counted == alone.figures.counted
    assert there[1].course.load.tobytes() == alone.course.load.tobytes()
    assert len(ends) == 2
    assert [run.counted for run in sweep(wanted)] == [run.counted for run in there]


def test_spread_is_by_quartiles() -> None:
    """Interpolated; a single amount is all of them."""
    s = Spread.of([4, 1, 2, 3])
    assert (s.least, s.quarter, s.median, s.three_quarters, s.most, s.mean) == (
        1,
        1.75,
        2.5,
        3.25,
        4,
        2.5,
    )
    assert Spread.of([7]) == Spread(least=7, quarter=7, median=7, three_quarters=7, most=7, mean=7)


def test_axes_have_round_numbers_that_reach_the_most() -> None:
    """Whatever it is."""
    assert ticks(0) == (0.0, 1.0)
    assert ticks(47) == (0, 10, 20, 30, 40, 50)
    assert ticks(0.3)[-1] >= 0.3
    assert ticks(24)[1] == 5


def test_what_is_counted_has_whole_numbers_on_its_axis() -> None:
    """Nobody moves half a guest."""
    assert ticks(2, whole=True) == (0, 1, 2)
    assert ticks(2) == (0, 0.5, 1, 1.5, 2)


def test_lines_that_run_together_are_told_apart() -> None:
    """Each is drawn in a way of its own, and the legend shows it."""
    drawn = lines({"x": [1.0, 2.0], "y": [1.0, 2.0]}, 1.0, "s")
    assert re.findall(r"line s(\d) d(\d)", drawn) == [("0", "0"), ("1", "1")]
    assert re.findall(r"line d(\d)", legend(["x", "y"])) == ["0", "1"]


def test_figures_leave_out_what_is_not_there_and_escape_names() -> None:
    """A dead host is blank; neighbours of one colour are one rectangle."""
    drawn = heat({"<a>": [0.5, 0.5, float("nan"), 1.2]}, 4.0)
    assert drawn.count("<rect") == 2
    assert "<a>" not in drawn
    assert "120 %" in drawn
    assert spreads({"x": (0, 0, 0, 0, 0)}, {"x": [0]}, "s").count("<circle") == 1
    assert lines({"x": [0.0]}, 1.0, "s").count("<polyline") == 1


def test_the_page_needs_nothing_but_itself(case: Path) -> None:
    """Nothing is fetched or run, and what scenarios are called cannot break it."""
    text = page(comparison(case, 1))
    assert not re.search(r"(src|href)=|url\(|@import|<script|https?:", text)
    assert "one of them &lt;hot&gt;" in text


def test_a_plot_of_nothing_is_a_word(case: Path) -> None:
    """And a figure that is nothing for everybody steps back."""
    made = comparison(case, 1)
    idle = {name: runs for name, runs in made.runs.items() if name == "lazy"}
    text = page(replace(made, runs=idle))
    assert "<h3>migrations</h3><p class='nothing'>None at all" in text
    assert re.search(r"<tr class='nothing'><th[^>]*>migrations<", text)
    assert "&minus;" in page(made)  # against the first policy, in percent


MEASURE = """<script>
const boxes=[...document.querySelectorAll('svg:not(.stroke)')].map(s=>s.getBoundingClientRect());
const cut=[...document.querySelectorAll('svg text')].filter(t=>{const a=t.getBoundingClientRect(),
 b=t.ownerSVGElement.getBoundingClientRect();return a.left<b.left-1||a.right>b.right+1}).length;
document.title=JSON.stringify({svgs:boxes.length,least:Math.min(...boxes.map(b=>b.height)),cut:cut,
 over:document.documentElement.scrollWidth-innerWidth,rows:document.querySelectorAll('tbody tr').length,
 heat:document.querySelectorAll('svg.heat rect').length});
</script>"""


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no browser is installed")
@pytest.mark.parametrize("width", [1200, 500])
def test_a_real_browser_shows_it(case: Path, width: int) -> None:
    """All figures have a size, no label is cut off, and nothing is wider than the window."""
    path = case.parent / "shown.html"
    path.write_text(page(comparison(case, 2)).replace("</body>", MEASURE + "</body>"))
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    shown = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={case.parent}/b",
         f"--window-size={width},900", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", shown.stdout)
    assert title
    measured = json.loads(title[1])
    assert measured["svgs"] == 4 + 3 + 2
    assert measured["least"] > 20
    assert (measured["cut"], measured["rows"]) == (0, 12)
    assert measured["over"] <= 0
    assert measured["heat"] >= 4


def test_the_verb_compares_and_writes_the_page(
    case: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table for people, a page for the browser, a document for programs."""
    monkeypatch.chdir(case.parent)
    words = [
        "simulate",
        "case.toml",
        "--compare",
        "lazy.toml,eager.toml",
        "--seeds",
        "2",
        "--jobs",
        "1",
    ]
    assert run([*words, "--report", "out.html"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"median.* lazy +eager", shown)
    assert re.search(r"migrations +0 +[1-9]", shown)
    assert (case.parent / "out.html").read_text().startswith("<!doctype html>")
    assert run([*words, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)["comparison"]
    assert [r["seed"] for r in told["policies"]["eager"]] == [1, 2]


@pytest.mark.parametrize(
    ("compare", "fault"),
    [(",", "name policy files"), ("lazy.toml,lazy.toml", "twice"), ("none.toml", "none.toml")],
)
def test_a_comparison_that_cannot_be_is_one_sentence(
    case: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    compare: str, fault: str,
) -> None:  # fmt: skip
    """Before anything is run."""
    monkeypatch.chdir(case.parent)
    assert run(["simulate", "case.toml", "--compare", compare]) == 3
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--jobs=2", "--dask=tcp://127.0.0.1:8786"])
def test_who_makes_the_runs_is_not_asked_of_one_run(
    case: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """What cannot be heeded is not left unheard."""
    assert run(["simulate", str(case), option]) == 3
    assert "go with --compare or --seeds" in capsys.readouterr().err


def test_a_policy_whose_rules_name_nobody_is_refused(case: Path) -> None:
    """As it is when the scenario itself names it."""
    (case.parent / "odd.toml").write_text('extends = "balance"\n[[stay]]\nguests = "nobody-*"\n')
    with pytest.raises(UsageError, match="nobody"):
        tasks(case, [str(case.parent / "odd.toml")], [1])[0].check()
