"""How actions ended."""

from balancer.planner.model.plan import Outcome, Result
from balancer.render.outcomes import closing, outcome, outcomes
from tests.render.screens import shown
from tests.render.test_plan import move

DONE = Outcome(
    action=move(1, "web-204"),
    result=Result.DONE,
    started=0,
    ended=12,
    mib=8000,
    downtime_ms=71,
)
STALLED = Outcome(
    action=move(2, "build-09"),
    result=Result.STALLED,
    started=12,
    ended=52,
    reason="no data for 30 s",
)


def test_a_move_that_was_done_is_measured() -> None:
    """Promise and measurement stand side by side; an unknown pause is not invented."""
    assert outcome(DONE).plain == (
        "✓ web-204  kvm01 → kvm02  done 12 s (promised 11 s), pause 71 ms, 7.8 GiB"
    )
    silent = Outcome(action=move(1, "w"), result=Result.DONE, started=0, ended=12)
    assert "pause" not in outcome(silent).plain


def test_a_move_that_failed_says_why() -> None:
    """The reason is part of the line; without one the line ends."""
    assert outcome(STALLED, 10).plain == ("✗ build-09    kvm01 → kvm02  stalled: no data for 30 s")
    bare = Outcome(action=move(1, "w"), result=Result.FAILED, started=0, ended=1)
    assert outcome(bare).plain.endswith("failed")


def test_the_closing_sentence_counts() -> None:
    """All, some, none."""
    assert closing([]) == "Nothing was moved."
    assert closing([DONE]) == "1 move done in 12 s, 7.8 GiB sent."
    assert closing([DONE, STALLED]) == "1 of 2 moves done in 52 s; 1 stalled."


def test_the_report_repeats_only_troubles() -> None:
    """What went well was seen already."""
    text = shown(outcomes([DONE, STALLED]))
    assert "web-204" not in text
    assert text.splitlines()[-1] == "1 of 2 moves done in 52 s; 1 stalled."
