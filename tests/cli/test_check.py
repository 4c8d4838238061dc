"""`balancer check`: the judge alone, on saved plans."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from balancer.codec import dump_plan, load_plan
from tests.cli.conftest import CROWDED, Terminal, saved

SOLVERS = ("ortools", "networkx", "numba", "balancer.planner.place", "balancer.planner.order")


def test_a_plan_as_it_was_made_is_valid(balancer: Terminal, hot: Path) -> None:
    """0, and how much was looked at."""
    balancer("plan", "--from", hot, "-o", "plan.json")
    answer = balancer("check", "plan.json", "--against", hot)
    assert answer.code == 0
    assert "is valid. 2 actions" in answer.out
    told = json.loads(balancer("check", "plan.json", "--against", hot, "--format", "json").out)
    assert (told["format"], told["valid"], told["faults"]) == ("balancer-check/1", True, [])


def test_a_changed_plan_or_cluster_is_not(balancer: Terminal, hot: Path, tmp_path: Path) -> None:
    """2, with every fault in a sentence."""
    balancer("plan", "--from", hot, "-o", "plan.json")
    plan = load_plan(Path("plan.json").read_text())
    fast = tuple(replace(action, rate_kib_s=10**9) for action in plan.actions)
    Path("fast.json").write_text(dump_plan(replace(plan, actions=fast)))
    answer = balancer("check", "fast.json", "--against", hot)
    assert answer.code == 2
    assert "KiB/s" in answer.out
    elsewhere = balancer("check", "plan.json", "--against", saved(tmp_path / "c.json", CROWDED))
    assert elsewhere.code == 2
    assert "it starts from placement" in elsewhere.out


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda plan: replace(plan, proofs=()), "carries 0 proofs for 2 actions"),
        (lambda plan: _proof(plan, fingerprint="0" * 16), "starts from placement"),
        (lambda plan: _proof(plan, action="m9"), "its proof is of m9"),
        (lambda plan: _room(plan, memory_mib=10**6), "MiB of memory are left where 1000000"),
        (lambda plan: _room(plan, cpu_millicores=10**6), "millicores are left"),
        (lambda plan: _proof(plan, heat=7), "rules or heat after it are not as promised"),
        (lambda plan: _action(plan, seconds=1.0), "expected are"),
        (lambda plan: _action(plan, seconds_p90=0.1), "its p90 is below its median"),
    ],
)
def test_what_each_step_promises_is_looked_at(balancer: Terminal, hot: Path, spoil, said) -> None:
    """Room, rules, durations, the placement each step starts from: all worked out again."""
    balancer("plan", "--from", hot, "-o", "plan.json")
    plan = load_plan(Path("plan.json").read_text())
    Path("spoilt.json").write_text(dump_plan(spoil(plan)))
    answer = balancer("check", "spoilt.json", "--against", hot)
    assert answer.code == 2
    assert said in answer.out.replace("\n", " ")


def _proof(plan, **fields):
    return replace(plan, proofs=(replace(plan.proofs[0], **fields), *plan.proofs[1:]))


def _room(plan, **fields):
    return _proof(plan, target=replace(plan.proofs[0].target, **fields))


def _action(plan, **fields):
    first = plan.actions[0]
    changed = replace(first, predicted=replace(first.predicted, **fields))
    return replace(plan, actions=(changed, *plan.actions[1:]))


def test_against_and_live_exclude_each_other(balancer: Terminal, hot: Path) -> None:
    """One cluster at a time."""
    balancer("plan", "--from", hot, "-o", "plan.json")
    assert balancer("check", "plan.json", "--against", hot, "--live").code == 3


@pytest.mark.usefixtures("world")
def test_the_present_cluster_is_the_default(balancer: Terminal) -> None:
    """Without a saved observation the hosts are looked at."""
    balancer("plan", "-o", "plan.json")
    assert balancer("check", "plan.json").code == 0


@pytest.mark.usefixtures("world")
def test_live_asks_the_hosts(balancer: Terminal) -> None:
    """0 while guests are where the plan starts; 2 once it is carried out, by the hosts alone."""
    balancer("observe", "-o", "then.json")
    balancer("plan", "-o", "plan.json")
    assert balancer("check", "plan.json", "--live").code == 0
    assert balancer("apply", "plan.json", "--yes").code == 0
    answer = balancer("check", "plan.json", "--live")
    assert answer.code == 2
    assert "it starts from placement" in answer.out
    assert balancer("check", "plan.json", "--against", "then.json").code == 0


def test_no_solver_is_loaded(balancer: Terminal, hot: Path) -> None:
    """The judge shares nothing with what made the plan."""
    balancer("plan", "--from", hot, "-o", "plan.json")
    code = (
        "import sys; from balancer.cli import run; "
        f"code = run(['check', 'plan.json', '--against', {str(hot)!r}]); "
        f"found = [m for m in {SOLVERS!r} if m in sys.modules]; "
        "print(found); sys.exit(code or bool(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
