"""`balancer apply` on a simulated cluster behind the very ports of a real one."""

import json
from pathlib import Path

import pytest

from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.planner.model.plan import Action
from balancer.ports import Event, UsageError
from balancer.simulator.executor import SimulatedExecutor
from tests.cli.conftest import Terminal, World


@pytest.fixture
def plan(balancer: Terminal, world: World) -> Path:
    """A plan for the simulated cluster, saved."""
    assert world.placement
    assert balancer("plan", "-o", "plan.json").code == 0
    return Path("plan.json")


def test_a_saved_plan_is_carried_out(balancer: Terminal, world: World, plan: Path) -> None:
    """Guests are where the plan wanted them, and the answer says how each move went."""
    wanted = {a["name"]: a["target"] for a in json.loads(plan.read_text())["plan"]["actions"]}
    answer = balancer("apply", plan, "--yes")
    assert answer.code == 0
    assert {name: world.placement[name] for name in wanted} == wanted
    assert all(f"✓ {name}" in answer.out for name in wanted)
    assert answer.out.rstrip().endswith("GiB sent.")


def test_a_plan_made_now_is_carried_out(balancer: Terminal, world: World) -> None:
    """--now plans and applies in one go; afterwards there is nothing left to do."""
    before = world.placement
    assert balancer("apply", "--now", "--yes").code == 0
    assert world.placement != before
    again = balancer("apply", "--now", "--yes")
    assert again.code == 0
    assert "Nothing was moved." in again.out


def test_programs_get_one_document(balancer: Terminal, world: World, plan: Path) -> None:
    """With --format json stdout carries plan and outcomes, and progress goes to stderr."""
    answer = balancer("apply", plan, "--yes", "--format", "json")
    document = json.loads(answer.out)
    assert document["format"] == "balancer-outcomes/1"
    assert {outcome["result"] for outcome in document["outcomes"]} == {"done"}
    assert "started" in answer.err
    assert world.placement


def test_quiet_says_only_what_came_of_it(balancer: Terminal, plan: Path) -> None:
    """-q leaves out the progress."""
    assert "started" not in balancer("apply", plan, "--yes", "-q").out


@pytest.mark.usefixtures("world")
def test_a_plan_or_now_is_needed(balancer: Terminal, plan: Path) -> None:
    """Neither and both are usage faults."""
    assert balancer("apply").code == 3
    assert balancer("apply", plan, "--now").code == 3


def test_observing_installations_change_nothing(
    balancer: Terminal, world: World, plan: Path
) -> None:
    """Mode observe refuses before anything is looked at, and says which file to change."""
    world.mode("observe")
    before = world.placement
    answer = balancer("apply", plan, "--yes")
    assert answer.code == 2
    assert 'set mode = "confirm" in' in answer.err
    assert "config.toml" in answer.err
    assert world.placement == before


def test_frozen_installations_change_nothing(
    balancer: Terminal, world: World, plan: Path, tmp_path: Path
) -> None:
    """While the FREEZE file exists, nothing is applied."""
    (tmp_path / "FREEZE").touch()
    before = world.placement
    answer = balancer("apply", plan, "--yes")
    assert answer.code == 2
    assert "frozen: " in answer.err
    assert world.placement == before


def test_without_anybody_to_ask_yes_is_needed(
    balancer: Terminal, world: World, plan: Path
) -> None:
    """Scripts say --yes; else nothing is changed."""
    before = world.placement
    answer = balancer("apply", plan)
    assert answer.code == 2
    assert "nobody to ask here; say --yes" in answer.err
    assert world.placement == before


@pytest.mark.parametrize(("reply", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_whoever_is_asked_decides(
    balancer: Terminal,
    world: World,
    plan: Path,
    monkeypatch: pytest.MonkeyPatch,
    reply: str,
    code: int,
) -> None:
    """Only a yes moves guests."""
    before = world.placement
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: reply)
    assert balancer("apply", plan).code == code
    assert (world.placement != before) == (code == 0)


def test_a_stale_plan_is_refused(balancer: Terminal, world: World, plan: Path) -> None:
    """--yes skips the question, never the check: a guest that moved meanwhile is found out."""
    assert balancer("apply", "--now", "--yes").code == 0
    before = world.placement
    answer = balancer("apply", plan, "--yes")
    assert answer.code == 2
    assert "is stale: " in answer.err
    assert world.placement == before


def test_what_was_stopped_ends_with_five(balancer: Terminal, world: World, plan: Path) -> None:
    """A stop before the first start moves nothing, and says so for each move."""
    world.stop = True
    answer = balancer("apply", plan, "--yes")
    assert answer.code == 5
    assert "not started: a stop was requested" in answer.out


def test_a_move_that_is_refused_ends_with_five(
    balancer: Terminal, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A last look that objects drops that move, names the reason, and is no success."""

    def objection(_self: SimulatedExecutor, action: Action) -> str:
        return f"{action.name} is busy"

    monkeypatch.setattr(SimulatedExecutor, "look_again", objection)
    answer = balancer("apply", plan, "--yes")
    assert answer.code == 5
    assert "is busy" in answer.out


def test_where_the_last_look_said_no_nobody_is_sent_by_the_next_plan(
    balancer: Terminal, world: World, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pair is forbidden for a while, to `plan` and `apply --now` as to the service."""
    first = json.loads(plan.read_text())["plan"]["actions"][0]
    said_no = (first["name"], first["target"])

    def objection(_self: SimulatedExecutor, action: Action) -> str:
        return "it lacks a CPU feature" if (action.name, action.target) == said_no else ""

    monkeypatch.setattr(SimulatedExecutor, "look_again", objection)
    assert balancer("apply", plan, "--yes").code == 5
    assert world.placement[first["name"]] == first["source"]
    planned = json.loads(balancer("plan", "--format", "json").out)["plan"]["actions"]
    assert said_no not in {(a["name"], a["target"]) for a in planned}
    assert balancer("apply", "--now", "--yes").code == 0


def test_what_was_mended_since_the_last_look_is_asked_anew(
    balancer: Terminal, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --again the reason is told, and that there is an --again; with it the guest goes."""
    policy = tmp_path / "policy.toml"
    policy.write_text(policy.read_text() + '[[only_on]]\nguests = "kafka-1"\nhosts = "kvm02"\n')
    with monkeypatch.context() as patch:
        patch.setattr(
            SimulatedExecutor,
            "look_again",
            lambda _, action: "its network is not active" if action.name == "kafka-1" else "",
        )
        assert balancer("apply", "--now", "--yes").code == 5
    told = balancer("apply", "--now", "--yes")
    assert told.code == 2
    said = " ".join(told.out.split())
    assert "its network is not active (said lately; --again asks anew)" in said
    assert balancer("plan", "--again").code == 0
    assert balancer("apply", "--now", "--again", "--yes").code == 0
    assert world.placement["kafka-1"] == "kvm02"


def test_rules_that_conflict_are_refused(balancer: Terminal, world: World, tmp_path: Path) -> None:
    """--now without a way out is infeasible: 2, and nothing moves."""
    policy = tmp_path / "policy.toml"
    policy.write_text(
        policy.read_text()
        + '[[spread]]\nguests = "kafka-*"\nacross = "rack"\n[[never_move]]\nguests = "*"\n'
    )
    before = world.placement
    answer = balancer("apply", "--now", "--yes")
    assert answer.code == 2
    assert "Infeasible: " in answer.out
    assert world.placement == before


def test_what_the_service_does_is_logged(balancer: Terminal, plan: Path) -> None:
    """-v writes JSON lines to stderr: the plan and every end; -vv the steps too."""
    logged = balancer("apply", plan, "--yes", "-vv").err
    events = {json.loads(line)["event"] for line in logged.splitlines() if line.startswith("{")}
    assert events == {"planned", "progress", "ended"}


def test_a_journal_that_fails_is_an_environment_fault(
    balancer: Terminal, world: World, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a journal nothing starts: 3."""

    def full(_journal: SqliteJournal, _event: Event) -> None:
        raise UsageError("journal.sqlite: its file system is full: free some space")

    before = world.placement
    monkeypatch.setattr(SqliteJournal, "write", full)
    answer = balancer("apply", plan, "--yes")
    assert answer.code == 3
    assert "free some space" in answer.err
    assert world.placement == before
