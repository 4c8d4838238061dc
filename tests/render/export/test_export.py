"""Plans for others: each form is valid in its own language, whatever guests are called."""

import csv
import io
import itertools
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.model.plan import Outcome, Plan, Prediction, Quality, Result, Score
from balancer.render.export.ansible import ansible
from balancer.render.export.btrplace import btrplace
from balancer.render.export.ends import End, unknown
from balancer.render.export.gantt import gantt
from balancer.render.export.table import table
from balancer.render.export.virsh import virsh
from tests.planner.puzzles import move

HOSTILE = (
    "$(touch hacked)", "`touch hacked`", "'; touch hacked; '", '"; touch hacked; "', "a\nb", "-c",
    "--help", "{{ lookup('pipe', 'id') }}", "=1+1", "<script>alert(1)</script>", "\x1b[31m", "é→漢",
    "", " ", "\\", "%s%n", "!boom", "& | ;", "\x00", "\ud800",
)  # fmt: skip
SHORT = Prediction(seconds=1.0, seconds_p90=2.0, mib=10, downtime_ms=50)
NONE = Score(repair=0, overload=0, cost=0)
ENDS = {
    "a": End("qemu+ssh://a/system", "qemu+tcp://a/system", "10.0.0.1"),
    "b": End("u:b", "p:b", "fe80::1"),
}


def plan_of(*actions) -> Plan:
    return Plan(
        id="P-1", made_at=0.0, fingerprint="f" * 16, policy="p@1", actions=actions,
        score_before=NONE, score_after=NONE, loads=(),
        quality=Quality(engine="x", bound=None, proven=False, steps=0),
    )  # fmt: skip


def end(host: str) -> End:
    return ENDS.get(host) or unknown(host)


TWO = plan_of(
    move("web-1", "a", "b", rate_kib_s=5000),
    move(
        "db",
        "b",
        "a",
        start=10.0,
        waits_for=("web-1→b",),
        auto_converge=True,
        unsafe_storage=True,
        copies=("vda", "vdb"),
        reason="room",
    ),
)


def run(script: str, folder: Path) -> list[list[str]]:
    """Run the script with a virsh that writes down how it was called; return its words."""
    fake = folder / "virsh"
    fake.write_text(
        '#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done >> "$CALLS"; printf "\\n\\0" >> "$CALLS"\n'
        'for word; do [ "$word" = domstate ] && echo running; done; exit 0\n'
    )
    fake.chmod(0o755)
    calls = folder / "calls"
    path = folder / "script.sh"
    path.write_bytes(script.encode("utf-8", "replace"))
    for shell in (["dash", "-n"], ["bash", "-n"]):
        subprocess.run([*shell, path], check=True)
    subprocess.run(
        ["dash", path], check=True, cwd=folder, capture_output=True,
        env={"PATH": f"{folder}:/usr/bin:/bin", "CALLS": str(calls)},
    )  # fmt: skip
    words = calls.read_bytes().decode().split("\0")[:-1]
    found: list[list[str]] = [[]]
    for word in words:
        if word == "\n":
            found.append([])
        else:
            found[-1].append(word)
    return found[:-1]


def test_the_script_moves_each_guest_by_its_uuid(tmp_path):
    """State, pause, migration: over the network that is configured, at the rate planned."""
    calls = run(virsh(TWO, end), tmp_path)
    assert len(calls) == 6
    assert calls[0] == [
        "-q",
        "-c",
        "qemu+ssh://a/system",
        "domstate",
        f"--domain={TWO.actions[0].guest}",
    ]
    assert calls[2][:5] == ["-q", "-c", "qemu+ssh://a/system", "migrate", "--live"]
    assert {"--bandwidth=4", "--migrateuri=tcp://[fe80::1]", "--desturi=p:b"} <= set(calls[2])
    assert "--auto-converge" in calls[5]
    assert "--auto-converge" not in calls[2]
    assert "--unsafe" in calls[5]
    assert "--unsafe" not in calls[2]
    assert {"--copy-storage-all", "--migrate-disks=vda,vdb"} <= set(calls[5])
    assert not any("disks" in word for word in calls[2])


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
def test_shellcheck_finds_nothing(tmp_path):
    """In the script of live and of cold moves."""
    for plan in (TWO, COLD):
        path = tmp_path / "script.sh"
        path.write_text(virsh(plan, end))
        done = subprocess.run(
            ["shellcheck", "-s", "sh", path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_the_script_stops_where_a_guest_is_not_as_planned(tmp_path):
    """It is not judged anew, so it must not go on."""
    path = tmp_path / "script.sh"
    path.write_text(virsh(TWO, end))
    done = subprocess.run(
        ["dash", path],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "all moves done" not in done.stdout


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_a_command(name, tmp_path):
    """Whatever a guest, its uuid or a host is called, only words come of it."""
    hostile = plan_of(replace(move("x", "a", "b"), guest=name, name=name, source=name, id=name))
    calls = run(virsh(hostile, end), tmp_path)
    assert len(calls) == 3
    assert not (tmp_path / "hacked").exists()
    assert calls[0][4] == f"--domain={name}".encode("utf-8", "replace").decode().replace("\0", "")


class Loader(yaml.SafeLoader):
    """Reads what Ansible takes as it is."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@pytest.mark.parametrize("name", [*HOSTILE, "plain"])
def test_the_playbook_is_yaml_and_holds_the_same_words(name):
    """A list of words for each command, and nothing of it a template."""
    text = ansible(plan_of(replace(move("x", "a", "b"), guest=name, name=name)), end)
    ((play),) = yaml.load(text, Loader)
    (task,) = play["tasks"]
    argv = task["ansible.builtin.command"]["argv"]
    assert argv[4] == "migrate"
    assert argv[-2] == f"--domain={name}".encode("utf-8", "replace").decode()
    for line in text.splitlines():
        assert "{{" not in line or "!unsafe" in line


@pytest.mark.soak
@pytest.mark.skipif(
    not shutil.which("ansible-playbook"), reason="needs ansible-playbook (ansible-core)"
)
def test_ansible_takes_the_playbook(tmp_path):
    """Its own check of the syntax, of live and cold moves and of every hostile name."""
    moves = [replace(move("x", "a", "b"), guest=name, name=name) for name in HOSTILE]
    plans = [TWO, COLD, plan_of(*moves)]
    for number, plan in enumerate(plans):
        path = tmp_path / f"{number}.yml"
        path.write_text(ansible(plan, end), encoding="utf-8")
        done = subprocess.run(
            ["ansible-playbook", "--syntax-check", "-i", "localhost,", path],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_btrplace_read_back_is_the_plan():
    """From the JSON alone: who goes where, and a mapping that its moves carry to its end."""
    plan = plan_of(
        *(move(f"g{i}", f"h{i % 3}", f"h{(i + 1) % 3}", start=11.0 * i) for i in range(9))
    )
    told = json.loads(btrplace(plan))
    names = {
        kind: {int(n): a["name"] for n, a in told["origin"]["attributes"][kind].items()}
        for kind in ("vms", "nodes")
    }
    nodes = told["origin"]["mapping"]["onlineNodes"]
    at = {vm: int(node) for node, held in nodes.items() for vm in held["runningVMs"]}
    for step in sorted(told["actions"], key=lambda step: step["start"]):
        assert at[step["vm"]] == step["from"]
        at[step["vm"]] = step["to"]
    assert {names["vms"][vm]: names["nodes"][node] for vm, node in at.items()} == {
        action.name: action.target for action in plan.actions
    }


def test_the_table_read_back_is_the_plan():
    """Every move with its ends, its times and its rate."""
    read = list(csv.DictReader(io.StringIO(table(TWO))))
    assert [(r["name"], r["source"], r["target"]) for r in read] == [
        (a.name, a.source, a.target) for a in TWO.actions
    ]
    assert [float(r["start_s"]) for r in read] == [a.start for a in TWO.actions]
    assert [int(r["rate_kib_s"]) for r in read] == [a.rate_kib_s for a in TWO.actions]


def test_an_empty_plan_is_a_playbook_of_nothing():
    """No tasks is a list, too."""
    assert yaml.load(ansible(plan_of(), end), Loader)[0]["tasks"] == []


def test_btrplace_numbers_hosts_and_guests():
    """What ended before another started still does in whole seconds."""
    told = json.loads(btrplace(TWO))
    first, second = told["actions"]
    assert (first["vm"], first["from"], first["to"]) == (0, 0, 1)
    assert first["end"] <= second["start"]
    assert told["origin"]["mapping"]["onlineNodes"]["0"]["runningVMs"] == [0]
    assert told["origin"]["attributes"]["vms"]["1"]["name"] == "db"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_holds_text_and_no_formula(name):
    """One line for each move, whatever names hold."""
    lines = list(
        csv.DictReader(io.StringIO(table(plan_of(replace(move("x", "a", "b"), name=name)))))
    )
    assert len(lines) == 1
    assert not lines[0]["name"].startswith(("=", "+", "-", "@"))
    assert lines[0]["end_s"] == "10.000"


def outcomes(plan: Plan) -> list[Outcome]:
    results = [Result.DONE, Result.FAILED]
    return [
        Outcome(action=a, result=results[i % 2], started=1000 + a.start, ended=1012 + a.start)
        for i, a in enumerate(plan.actions)
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_picture_is_sound_whatever_names_hold(name):
    """XML, with nothing in it that runs or is fetched."""
    plan = plan_of(replace(move("x", "a", "b"), name=name, source=name or "a"))
    for text in (gantt(plan), gantt(plan, outcomes(plan))):
        root = ET.fromstring(text)
        assert root.tag.endswith("svg")
        assert not re.search(r"<script|href|url\(", text)


def test_every_move_is_on_both_hosts_and_reality_beside_it():
    """Bars: predicted on source and target, real ones as well once there are outcomes."""
    assert gantt(TWO).count('class="o"') == 1 + 2
    assert gantt(TWO).count('class="i"') == 1 + 2
    real = gantt(TWO, outcomes(TWO))
    assert real.count('class="d"') == 1 + 2
    assert real.count('class="f"') == 1 + 2
    assert "1 done, 22 s really" in real
    assert "really 12 s, failed" in real


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0, 500)), min_size=1, max_size=30
    )
)
def test_bars_of_one_lane_never_overlap(drawn):
    """However many moves a host has at once."""
    actions = [
        move(f"g{i}", f"h{a}", f"h{b + 4}", start=start) for i, (a, b, start) in enumerate(drawn)
    ]
    root = ET.fromstring(gantt(plan_of(*actions)))
    lanes: dict[str, list[tuple[float, float]]] = {}
    for group in root.iter("{http://www.w3.org/2000/svg}g"):
        rect = group.find("{http://www.w3.org/2000/svg}rect")
        assert rect is not None
        x, width = float(rect.attrib["x"]), float(rect.attrib["width"])
        lanes.setdefault(rect.attrib["y"], []).append((x, x + width))
    for bars in lanes.values():
        ordered = sorted(bars)
        assert all(a[1] <= b[0] + 1.6 for a, b in itertools.pairwise(ordered))


def test_a_hundred_moves_can_be_read():
    """Every short bar has its guest's name in full, beside the next bar and not below it; in the dark, too."""
    actions = [
        move(f"database-{i}", f"h{i % 7}", f"k{i % 5}", start=3.0 * i, predicted=SHORT)
        for i in range(100)
    ]
    drawn = gantt(plan_of(*actions))
    assert "prefers-color-scheme:dark" in drawn
    lanes: dict[str, list[tuple[float, float]]] = {}
    for group in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}g"):
        rect, text = (
            group.find(f"{{http://www.w3.org/2000/svg}}{kind}") for kind in ("rect", "text")
        )
        assert rect is not None
        assert text is not None
        assert (text.text or "").startswith("database-")
        letters = len((text.text or "").split(" ")[0])
        span = (float(rect.attrib["x"]), float(text.attrib["x"]) + 6.5 * letters)
        assert span[1] <= 1330
        lanes.setdefault(rect.attrib["y"], []).append(span)
    for spans in lanes.values():
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(spans)))


COLD = plan_of(move("x", "a", "b", cold=True, start=1.0))


@pytest.mark.parametrize("starts", [True, False])
def test_the_script_of_a_cold_move_starts_the_guest_once(tmp_path, *, starts):
    """Off here before it starts there; where it does not, it starts here again, and nothing goes on."""
    fake = tmp_path / "virsh"
    fake.write_text(
        '#!/bin/sh\nshift\nwhere=$2\nshift 2\necho "$where $1" >> calls\ncase $1 in\n'
        "domstate) if [ -e off ]; then echo 'shut off'; else echo running; fi ;;\n"
        "shutdown) touch off ;;\ndominfo) echo 'Autostart: enable' ;;\ndumpxml) echo '<domain/>' ;;\n"
        f"define) cat > defined ;;\nstart) {'' if starts else '[ $where != u:b ] || exit 1;'} : ;;\nesac\n"
    )
    fake.chmod(0o755)
    script = tmp_path / "script.sh"
    script.write_text(virsh(COLD, end))
    done = subprocess.run(
        ["dash", script], cwd=tmp_path, capture_output=True, check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )  # fmt: skip
    calls = (tmp_path / "calls").read_text().splitlines()
    here, last = "qemu+ssh://a/system", calls[calls.index("u:b define") :]
    assert (tmp_path / "defined").read_text() == "<domain/>\n"
    assert calls.index(f"{here} shutdown") < calls.index("u:b define")
    kept = (
        [f"{here} undefine", "u:b autostart"] if starts else [f"{here} start", f"{here} autostart"]
    )
    assert last == ["u:b define", "u:b start", *kept]
    assert done.returncode == (0 if starts else 1)


def test_a_cold_move_in_the_other_forms():
    """Tasks that wait until it is off; a shutdown and a boot; a column."""
    ((play),) = yaml.load(ansible(COLD, end), Loader)
    verbs = [task["ansible.builtin.command"]["argv"][4] for task in play["tasks"]]
    assert verbs == ["dumpxml", "autostart", "shutdown", "domstate", "define", "start", "undefine"]
    assert play["tasks"][3]["until"] == "seen.stdout == 'shut off'"
    assert play["tasks"][4]["ansible.builtin.command"]["stdin"] == "{{ kept.stdout }}"
    off, on = json.loads(btrplace(COLD))["actions"]
    assert (off["id"], off["node"], on["id"], on["node"]) == ("shutdownVM", 0, "bootVM", 1)
    assert 1 == off["start"] < off["end"] == on["start"] < on["end"]
    (line,) = csv.DictReader(io.StringIO(table(COLD)))
    assert line["cold"] == "1"
