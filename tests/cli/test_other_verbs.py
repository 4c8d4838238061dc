"""rules, observe, doctor, demo, completion, version: each says its answer to people and programs."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from balancer import wiring
from balancer.cli import demo
from balancer.codec import load_observation
from balancer.planner.model.observation import Observation, Unseen
from balancer.planner.model.plan import Infeasible
from balancer.ports import Finding, Grade
from balancer.simulator.inventory import SimulatedInventory
from tests.cli.conftest import Terminal, World

FAULT = Finding(
    check="trust",
    subject="kvm2",
    grade=Grade.FAULT,
    sentence="no peer URI",
    remedy="set peer_uri",
)
FINE = Finding(check="reachable", subject="", grade=Grade.OK, sentence="2 hosts answer")


def test_rules_show_whom_they_concern_and_what_is_broken(
    balancer: Terminal, crowded: Path, apart: Path
) -> None:
    """A broken rule stands out with its sentence."""
    answer = balancer("rules", "--from", crowded, "--policy", apart)
    assert answer.code == 0
    assert "✗ spread zk-* across host: every guest" in answer.out
    assert "a holds 2 of zk-* (zk-1, zk-2), at most 1 allowed" in answer.out
    assert answer.out.rstrip().endswith("1 broken now.")


def test_rules_are_a_document(balancer: Terminal, crowded: Path, apart: Path) -> None:
    """Programs get label, hardness, guests and violations."""
    answer = balancer("rules", "--from", crowded, "--policy", apart, "--format", "json")
    rules = {rule["label"]: rule for rule in json.loads(answer.out)["rules"]}
    spread = rules["spread zk-* across host"]
    assert spread["guests"] == ["zk-1", "zk-2"]
    assert spread["broken"][0]["amount"] == 1


@pytest.mark.usefixtures("world")
def test_observe_writes_the_document_to_stdout(balancer: Terminal) -> None:
    """What comes out is an observation, whole and valid."""
    answer = balancer("observe")
    assert answer.code == 0
    assert len(load_observation(answer.out).cluster.hosts) == 6


@pytest.mark.usefixtures("world")
def test_observe_into_a_file_shows_the_hosts(balancer: Terminal, tmp_path: Path) -> None:
    """With -o people see what was written; programs get its figures."""
    answer = balancer("observe", "-o", "case.json")
    assert "6 hosts, " in answer.out
    assert "kvm01 hot" in answer.out
    assert load_observation((tmp_path / "case.json").read_text())
    figures = json.loads(balancer("observe", "-o", "case.json", "--format", "json").out)
    assert figures["format"] == "balancer-summary/1"
    assert figures["hosts"] == 6


@pytest.mark.usefixtures("world")
def test_observe_for_people_writes_no_document(balancer: Terminal) -> None:
    """--format text shows hosts instead."""
    assert balancer("observe", "--format", "text").out.startswith("6 hosts, ")


def test_unseen_hosts_are_said_beside_the_answer(
    balancer: Terminal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that does not answer is a warning on stderr with its remedy, not a failure.

    Its guests are missing too: rules that match nobody are then doubted, not refused.
    """
    observe = SimulatedInventory.observe

    def partly(self: SimulatedInventory) -> Observation:
        return replace(observe(self), unseen=(Unseen("kvm9", "no answer", "start libvirtd"),))

    monkeypatch.setattr(SimulatedInventory, "observe", partly)
    rule = '[[stay]]\nguests = "nobody-*"\n'
    policy = world.folder / "policy.toml"
    policy.write_text(policy.read_text() + rule)
    answer = balancer("rules")
    assert answer.code == 0
    assert "warning: kvm9: no answer: start libvirtd" in answer.err
    assert "nobody-*" in answer.err
    assert "kvm9" not in answer.out


def test_doctor_reports_faults_first(balancer: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault ends with 3 and has its remedy; what is in order is listed after it."""
    monkeypatch.setattr(wiring, "examine", lambda _: (FINE, FAULT))
    answer = balancer("doctor")
    assert answer.code == 3
    assert "✗ kvm2: no peer URI" in answer.out
    assert "remedy: set peer_uri" in answer.out
    assert answer.out.index("kvm2") < answer.out.index("✓ 2 hosts answer")


def test_doctor_is_content(balancer: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a fault it ends with 0; programs get every finding."""
    monkeypatch.setattr(wiring, "examine", lambda _: (FINE,))
    answer = balancer("doctor", "--format", "json")
    assert answer.code == 0
    assert json.loads(answer.out)["findings"][0]["grade"] == "ok"


def test_doctor_probes_a_pair(balancer: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """--probe asks for two hosts and says how the guest fared."""
    asked = []

    def probe(_config: object, *pair: str) -> tuple[Finding, ...]:
        asked.append(pair)
        return (replace(FINE, sentence="moved in 1.2 s"),)

    monkeypatch.setattr(wiring, "probe", probe)
    answer = balancer("doctor", "--probe", "kvm1", "kvm2")
    assert answer.code == 0
    assert asked == [("kvm1", "kvm2")]
    assert "moved in 1.2 s" in answer.out


def test_the_demo_relieves_the_hot_host(balancer: Terminal) -> None:
    """Before, plan with reasons, progress, after, and what to try next."""
    answer = balancer("demo")
    assert answer.code == 0
    before, after = answer.out.split("moves done in")
    assert "kvm01 hot" in before
    assert "hot: kvm01 CPU" in before
    assert "started" in before
    assert " hot " not in after
    assert "balancer doctor" in after


def test_the_demo_is_a_document(balancer: Terminal) -> None:
    """Programs get plan and outcomes."""
    document = json.loads(balancer("demo", "--format", "json").out)
    assert {outcome["result"] for outcome in document["outcomes"]} == {"done"}


def test_a_demo_without_a_way_out_is_infeasible(
    balancer: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's cluster is a file: one that cannot be mended is answered like any other."""
    answer = Infeasible(reason="r1 holds 2")
    monkeypatch.setattr(demo, "decide", lambda seen, *_: (seen, answer))
    assert balancer("demo").code == 2


def test_the_demo_runs_at_the_speed_asked_for(
    balancer: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Virtual seconds divided by the factor are slept."""
    slept: list[float] = []
    monkeypatch.setattr(demo.time, "sleep", slept.append)
    assert balancer("demo", "-q").code == 0
    assert slept == []
    assert balancer("demo", "-q", "--speed", "10").code == 0
    assert 1 < sum(slept) < 20


def test_the_demo_can_be_drawn(balancer: Terminal, tmp_path: Path) -> None:
    """The picture shows hosts and moves, and fetches nothing from anywhere."""
    assert balancer("demo", "--svg", "demo.svg").code == 0
    drawn = (tmp_path / "demo.svg").read_text()
    assert "kvm01" in drawn
    assert re.findall(r"https?://[^\s\"<]*", drawn) == [
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(balancer: Terminal, shell: str) -> None:
    """Each shell gets a script of its own that calls us."""
    answer = balancer("completion", shell)
    assert answer.code == 0
    assert "_BALANCER_COMPLETE" in answer.out
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=answer.out, text=True, check=True)


def test_versions_name_what_is_missing(
    balancer: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is not installed is said to be so."""
    monkeypatch.setattr("balancer.cli.version.PARTS", ("no-such-part",))
    assert "no-such-part not installed" in balancer("version").out
