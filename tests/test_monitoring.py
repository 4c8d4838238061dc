"""Dashboard and alerts speak of metrics that exist, in PromQL that Prometheus itself accepts."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.meters import Meters

PACKAGING = Path(__file__).resolve().parents[1] / "packaging"
RULES = PACKAGING / "prometheus/balancer.rules.yml"
DASHBOARD = PACKAGING / "grafana/balancer.json"
NAME = re.compile(r"\bbalancer_[a-z_]+")

with_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="needs promtool (apt-get install prometheus)"
)


def known() -> set[str]:
    """Every name that /metrics can hold, the parts of histograms and counters included."""
    meters = Meters()
    meters.told("finished", well=True)
    names = set()
    for family in meters.registry.collect():
        names |= {family.name, f"{family.name}_total", *(s.name for s in family.samples)}
        names |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def promtool(*words: str | Path) -> str:
    done = subprocess.run(
        ["promtool", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@with_promtool
def test_alerts_are_valid_and_go_off_when_they_should() -> None:
    """By promtool: the rules parse; healthy figures raise nothing, bad ones raise each alert."""
    assert "9 rules found" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", RULES.with_name("balancer.rules.test.yml"))


def test_alerts_speak_of_metrics_that_exist() -> None:
    """A metric that was renamed would never raise anything."""
    assert set(NAME.findall(RULES.read_text())) <= known()
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    tested = set(
        re.findall(r"alertname: (\w+)", RULES.with_name("balancer.rules.test.yml").read_text())
    )
    assert alerts == tested


def expressions() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        yield from (target["expr"] for target in panel["targets"])


def test_the_dashboard_is_complete() -> None:
    """Panels lie beside each other, each with a query; every metric that exists is on one of them."""
    board = json.loads(DASHBOARD.read_text())
    places = [panel["gridPos"] for panel in board["panels"]]
    taken = [
        (p["x"] + i, p["y"] + j) for p in places for i in range(p["w"]) for j in range(p["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) == 23
    assert len({panel["id"] for panel in board["panels"]}) == len(places)
    used = set(NAME.findall(" ".join(expressions())))
    assert used <= known()
    families = {family.name for family in Meters().registry.collect()}
    shown = {name for name in families if any(one.startswith(name) for one in used)}
    assert families - shown == {"balancer_build"}
    assert "balancer_build_info" in DASHBOARD.read_text()


@with_promtool
def test_the_dashboard_asks_valid_promql(tmp_path: Path) -> None:
    """As recording rules, with Grafana's variables filled in."""
    rules = [
        f"      - {{record: 'panel:{number}', expr: {json.dumps(_filled(text))}}}"
        for number, text in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text("groups:\n  - name: panels\n    rules:\n" + "\n".join(rules) + "\n")
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


def _filled(text: str) -> str:
    return text.replace("$__rate_interval", "5m").replace("$instance", ".*")
