"""`balancer export`: forms, files, and what the journal knows of a plan carried out."""

from pathlib import Path

import pytest

from balancer.cli.export import FORMS
from balancer.codec import dump_plan
from tests.cli.conftest import Terminal
from tests.render.test_resizes import SHARES


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_written(balancer: Terminal, hot: Path, form: str) -> None:
    """To standard output, or to a file, the same."""
    balancer("plan", "--from", hot, "-o", "plan.json")
    answer = balancer("export", "plan.json", "--as", form)
    assert answer.code == 0
    assert balancer("export", "plan.json", "--as", form, "-o", "out").code == 0
    assert Path("out").read_text() == answer.out


@pytest.mark.usefixtures("world")
def test_what_was_carried_out_is_drawn_beside_what_was_predicted(balancer: Terminal) -> None:
    """From the journal, by the plan's name."""
    balancer("plan", "-o", "plan.json")
    assert balancer("apply", "plan.json", "--yes").code == 0
    name = Path("plan.json").read_text().partition('"id": "P-')[2][:8]
    answer = balancer("export", "--done", f"P-{name}", "--as", "gantt")
    assert answer.code == 0
    assert "really, done" in answer.out


def test_a_plan_is_named_once(balancer: Terminal, hot: Path) -> None:
    """A file or the journal; and one that nobody knows is said to be unknown."""
    balancer("plan", "--from", hot, "-o", "plan.json")
    assert balancer("export", "--as", "csv").code == 3
    assert balancer("export", "plan.json", "--done", "P-1", "--as", "csv").code == 3
    answer = balancer("export", "--done", "P-1", "--as", "csv")
    assert (answer.code, "knows of no plan P-1" in answer.err) == (3, True)


def test_a_form_without_a_word_for_resizes_says_so(balancer: Terminal) -> None:
    """On the screen, too: the file may be read by nobody."""
    Path("plan.json").write_text(dump_plan(SHARES))
    answer = balancer("export", "plan.json", "--as", "btrplace", "-o", "out")
    assert (answer.code, "2 are left out" in answer.err) == (0, True)


def test_hadoop_is_told_where_guests_are(balancer: Terminal, hot: Path) -> None:
    """The script of the placement as it is, to standard output or a file; of some guests alone."""
    answer = balancer("export", "hdfs-topology", "--from", hot)
    assert (answer.code, answer.out.startswith("#!/bin/sh\n")) == (0, True)
    assert balancer("export", "hdfs-topology", "--from", hot, "-o", "out").code == 0
    assert Path("out").read_text() == answer.out
    nobody = balancer("export", "hdfs-topology", "--from", hot, "--guests", "nobody-*")
    assert (nobody.code, "matches no guest" in nobody.err) == (3, True)
    unknown = balancer("export", "hdfs-topology", "--from", hot, "--guests", "group:x")
    assert (unknown.code, 'there is no group "x"' in unknown.err) == (3, True)
    wrong = balancer("export", "hdfs-topology", "--from", hot, "--guests", "lable:x")
    assert (wrong.code, "did you mean" in wrong.err) == (3, True)


@pytest.mark.parametrize(
    "words",
    [
        ("hdfs-topology", "--as", "csv"),
        ("plan.json", "--as", "csv", "--node-groups"),
        ("plan.json",),
    ],
)
def test_a_form_and_its_options_belong_together(
    balancer: Terminal, hot: Path, words: tuple[str, ...]
) -> None:
    """What does not is refused before anything is looked at."""
    balancer("plan", "--from", hot, "-o", "plan.json")
    assert balancer("export", *words).code == 3
