"""Spoilt documents given to the verbs: an answer or a refusal, never an internal fault.

What a reader lets pass, because it is odd but sound, must not break whoever works with it.
"""

from __future__ import annotations

import io
import json
import os
import random
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.cli import run
from balancer.codec import dump_observation
from tests.cli.conftest import HOT
from tests.cli.test_hostile_names import harmless
from tests.drawing import observation
from tests.fuzz.mutations import Spoil, spoil_json, spoil_toml, spoil_tree

CASE = dump_observation(observation(HOT)).encode()
POLICY = b"""extends = "balance"
[[spread]]
guests = "web-*"
[[avoid]]
guests = "db"
hosts = "c"
[capacity]
vcpus_per_core = 3
[limits]
at_once_total = 2
[hot]
cpu_used = "70%"
lasting = "0s"
[[blackout]]
guests = "web-1"
when = "daily 01:00-02:00"
"""
CONFIG = b'mode = "confirm"\nstate = "state"\ninterval = "5min"\npolicy = "policy.toml"\n'
STATUS = json.dumps(
    {
        "format": "balancer-status/1",
        "status": {
            "at": 1.0, "mode": "auto", "state": "moving", "sentence": "so", "interval": 300.0,
            "began": 0.0, "cycles": 3, "last_cycle": 1.0, "plan": "P-1", "summary": "1 move",
            "in_flight": [{"action": "1", "fraction": 0.5, "mib_sent": 1, "mib_left": 1,
                           "seconds": 2.0, "note": ""}],
            "names": {"1": "web-1 to b"}, "ended": 0, "moves": 1, "predicted_end": 9.0,
            "frozen": "", "troubles": ["the journal"], "observed_days": 0.5,
        },
    }
).encode()  # fmt: skip
PER_VERB = 12
ANSWERS = (0, 2, 3, 4, 5)


def numbers_only(text: bytes, chance: random.Random) -> bytes:
    """Spoil a JSON document so that it may still be read: other amounts, small and huge."""
    tree = json.loads(text)
    todo, places = [tree], []
    while todo:
        node = todo.pop()
        for key in node if isinstance(node, dict) else range(len(node)):
            value = node[key]
            if isinstance(value, dict | list):
                todo.append(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                places.append((node, key))
    for node, key in chance.sample(places, min(len(places), chance.randint(1, 6))):
        node[key] = chance.choice([0, 1, 7, 10**6, 2**31, 2**40, 2**53, 2**62])
    return json.dumps(tree if chance.randrange(4) else spoil_tree(tree, chance)).encode()


VERBS: dict[str, tuple[str, bytes, Spoil, tuple[str, ...]]] = {
    "plan from an observation": ("case.json", CASE, spoil_json, ("plan", "--from", "case.json")),
    "plan from odd amounts": ("case.json", CASE, numbers_only, ("plan", "--from", "case.json")),
    "rules": ("case.json", CASE, numbers_only, ("rules", "--from", "case.json")),
    "policy": ("policy.toml", POLICY, spoil_toml, ("plan", "--from", "case.json")),
    "configuration": ("config.toml", CONFIG, spoil_toml, ("plan", "--from", "case.json")),
    "plan to check": ("plan.json", b"", spoil_json, ("check", "plan.json", "--against", "case.json")),
    "plan of odd amounts": ("plan.json", b"", numbers_only, ("check", "plan.json", "--against", "case.json")),
    "status": ("state/status.json", STATUS, spoil_json, ("status",)),
}  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> bytes:
    """A whole plan for the case."""
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), b"")
        assert typed(Path(folder), "plan", "--from", "case.json", "-o", "plan.json")[0] == 0
        return (Path(folder) / "plan.json").read_bytes()


@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=PER_VERB)
@given(seed=st.integers(0, 2**32))
def test_a_verb_answers_or_refuses(plan: bytes, verb: str, seed: int) -> None:
    """Never an internal fault, and nothing that a terminal would obey."""
    fuzz(plan, verb, seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=20 * PER_VERB)
@given(seed=st.integers(2**32, 2**40))
def test_a_verb_answers_or_refuses_often(plan: bytes, verb: str, seed: int) -> None:
    """The same, twenty times as often, with other seeds."""
    fuzz(plan, verb, seed)


def fuzz(plan: bytes, verb: str, seed: int) -> None:
    file, whole, spoil, words = VERBS[verb]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, plan)
        (folder / file).write_bytes(spoil(whole or plan, random.Random(seed)))
        for form in ("text", "json"):
            code, said = typed(folder, "--format", form, *words)
            assert code in ANSWERS, (code, said)
            assert harmless(said), said.encode("unicode_escape")


def lay_out(folder: Path, plan: bytes) -> None:
    (folder / "state").mkdir()
    (folder / "case.json").write_bytes(CASE)
    (folder / "policy.toml").write_bytes(POLICY)
    (folder / "config.toml").write_bytes(CONFIG)
    (folder / "plan.json").write_bytes(plan)


def typed(folder: Path, *words: str) -> tuple[int, str]:
    """Type a command in the folder; return its exit code and all that it said."""
    here, out, err = Path.cwd(), io.StringIO(), io.StringIO()
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(words)
    finally:
        os.chdir(here)
    return code, out.getvalue() + err.getvalue()
