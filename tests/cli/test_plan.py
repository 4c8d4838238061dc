"""`balancer plan` on saved clusters."""

import json
from pathlib import Path

from balancer.codec import load_plan
from tests.cli.conftest import CROWDED, Terminal, World, saved


def test_a_hot_host_is_relieved_on_paper(balancer: Terminal, hot: Path) -> None:
    """The plan names host, moves, reasons, and what the judge says."""
    answer = balancer("plan", "--from", hot)
    assert answer.code == 0
    assert answer.out.startswith("1 host hot. 2 moves.")
    assert "hot: a CPU 97 %" in answer.out
    assert "Judge: " in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_only_the_first_moves_can_be_asked_for(balancer: Terminal, hot: Path) -> None:
    """The shorter plan is saved, and says what share of the gain it keeps."""
    answer = balancer("plan", "--from", hot, "--first", "1", "-o", "first.json")
    assert answer.code == 0
    assert answer.out.startswith("1 host hot. 1 move.")
    assert "% of the whole gain" in " ".join(answer.out.split())
    assert len(load_plan((hot.parent / "first.json").read_text()).actions) == 1


def test_moves_can_be_told_by_the_exit_code(balancer: Terminal, hot: Path, crowded: Path) -> None:
    """With --exit-code, 4 says that there is something to move and 0 that there is not."""
    assert balancer("plan", "--from", hot, "--exit-code").code == 4
    assert balancer("plan", "--from", crowded, "--exit-code").code == 0


def test_a_balanced_cluster_is_told_why_nothing_moves(balancer: Terminal, crowded: Path) -> None:
    """No move is an answer, with a reason and the hosts as they are."""
    answer = balancer("plan", "--from", crowded)
    assert answer.code == 0
    assert "Nothing is worth moving" in answer.out
    assert "12 %" in answer.out


def test_rules_that_cannot_be_kept_are_named(
    balancer: Terminal, crowded: Path, apart: Path
) -> None:
    """Infeasible is 2, names the rule, and writes no plan."""
    plan = Path("plan.json")
    answer = balancer("plan", "--from", crowded, "--policy", apart, "-o", plan)
    assert answer.code == 2
    assert "Rules concerned: spread zk-* across host" in answer.out
    assert not plan.exists()


def test_the_document_is_the_plan(balancer: Terminal, hot: Path, tmp_path: Path) -> None:
    """--format json writes to stdout what -o writes to a file, and nothing else."""
    answer = balancer("plan", "--from", hot, "-o", "plan.json", "--format", "json")
    assert answer.out == (tmp_path / "plan.json").read_text()
    assert load_plan(answer.out).hot_hosts == ("a",)


def test_infeasible_is_a_document_too(balancer: Terminal, crowded: Path, apart: Path) -> None:
    """Programs learn why there is no plan."""
    answer = balancer("plan", "--from", crowded, "--policy", apart, "--format", "json")
    assert answer.code == 2
    assert json.loads(answer.out)["format"] == "balancer-infeasible/1"


def test_a_host_to_relieve_must_exist(balancer: Terminal, hot: Path) -> None:
    """An unknown host is an input fault, with the nearest name where there is one."""
    assert "host B was not seen" in balancer("plan", "--from", hot, "--relieve", "B").err
    answer = balancer("plan", "--from", saved(hot, "kvm01 4c/8g :"), "--relieve", "kvm1")
    assert answer.code == 3
    assert answer.err == "balancer: host kvm1 was not seen: did you mean kvm01?\n"


def test_a_policy_that_speaks_of_nobody_is_a_fault(
    balancer: Terminal, hot: Path, apart: Path
) -> None:
    """A selector that matches nothing is said, not passed over."""
    answer = balancer("plan", "--from", hot, "--policy", apart)
    assert answer.code == 3
    assert answer.err.startswith("balancer: policy apart: spread zk-* across host: guests: ")


def test_a_damaged_file_is_one_sentence(balancer: Terminal, hot: Path) -> None:
    """A broken observation ends with 3 and names the file."""
    hot.write_text(hot.read_text()[:100])
    answer = balancer("plan", "--from", hot)
    assert answer.code == 3
    assert str(hot) in answer.err
    assert answer.err.count("\n") == 1


def test_hostile_names_are_shown_plainly(balancer: Terminal, tmp_path: Path) -> None:
    """Neither escape sequences nor markup in a guest's name does anything."""
    file = saved(tmp_path / "evil.json", CROWDED)
    file.write_text(file.read_text().replace("zk-1", "[red]\\u001b[2J\\u202e"))
    answer = balancer("rules", "--from", file, "-v")
    assert answer.code == 0
    assert "\x1b" not in answer.out
    assert "\u202e" not in answer.out


def test_the_next_step_depends_on_the_mode(balancer: Terminal, world: World) -> None:
    """In mode observe a plan says that it cannot be applied; else how to apply it."""
    assert "Carry it out: balancer apply --now" in balancer("plan").out
    assert "Carry it out: balancer apply 'my plan'" in balancer("plan", "-o", "my plan").out
    world.mode("observe")
    assert "Mode observe: cannot be applied" in balancer("plan").out
    assert "Mode observe" not in balancer("plan", "-q").out


def test_a_mode_aims_at_one_thing(balancer: Terminal, crowded: Path) -> None:
    """Within the policy's rules; a host can be emptied by name."""
    answer = balancer("plan", "--from", crowded, "--mode", "consolidate")
    assert answer.code == 0
    wrong = balancer("plan", "--from", crowded, "--mode", "evacuate", "--host", "nowhere")
    assert wrong.code == 3
    assert "host nowhere was not seen" in wrong.err


def test_what_belongs_to_a_mode_is_refused_without_it(balancer: Terminal, crowded: Path) -> None:
    """One sentence; nothing is planned."""
    answer = balancer("plan", "--from", crowded, "--gib", "8")
    assert answer.code == 3
    assert "--gib, --gain-per-gib, --host and --hole go with --mode" in answer.err
