"""What finished migrations teach: rates of links, set-up, how guests use memory."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from balancer.planner.calibrate import learned
from balancer.planner.model.calibration import ENOUGH, UNCALIBRATED, USUAL_P90, Learned
from balancer.planner.model.duration import Load, expect, load, rounds
from balancer.planner.model.plan import Outcome, Passed, Prediction, Result
from balancer.planner.model.problem import Problem
from balancer.simulator.physics import Phase, Transfer
from tests.drawing import parse, policy, uuid_of
from tests.planner.puzzles import move

TEXT = "a 9c/8g link=100 : x 1v/1000m\nb 9c/8g link=100 :\nc 9c/8g link=100 :"
RATE = 40
"""MiB/s allowed."""


def posed(known=UNCALIBRATED) -> Problem:
    drawing = parse(TEXT)
    links = {host.name: host.link_kib_s for host in drawing.cluster.hosts}
    return Problem(drawing.cluster, drawing.demand, policy(), calibration=known.classed(links))


def moved(problem, memory, dirty, hot, rate=30.0, setup=2.0, **fields) -> Outcome:
    """Return how a simulated guest was moved: by physics that owe nothing to the planner's."""
    transfer = Transfer(memory, dirty, hot, 0.3)
    took = 0.0
    while transfer.phase is not Phase.ARRIVED:
        step = transfer.next_change(rate)
        transfer.advance(step, rate)
        took += step
    action = move("x", "a", "b", rate_kib_s=RATE * 1024)
    expected = expect(problem, action)
    assert isinstance(expected, Prediction)
    passed = Passed(
        seconds=transfer.sent_mib / rate,
        sent_mib=transfer.sent_mib,
        first_mib=memory,
        rounds=transfer.rounds,
        downtime_ms=round(1000 * transfer.paused),
    )
    base = Outcome(
        action=replace(action, predicted=expected),
        result=Result.DONE,
        started=0.0,
        ended=transfer.sent_mib / rate + setup,
        passed=passed,
    )
    return replace(base, **fields)


def test_rate_volume_and_set_up_are_learned_apart():
    """600 of 1000 MiB at 30 of 40 MiB/s, 2 s beside: the next prediction has all three."""
    outcome = moved(posed(), 600, 0, 1)
    known = learned(UNCALIBRATED, outcome)
    assert known.by_pair["a"]["b"].value == pytest.approx(0.75)
    assert known.setup.value == pytest.approx(2.0)
    assert known.guests[uuid_of("x")].volume.value == pytest.approx(0.6)
    assert load(posed(known), uuid_of("x")) == Load(600, 0, 600)
    expected = expect(posed(known), outcome.action)
    assert isinstance(expected, Prediction)
    assert expected.seconds == pytest.approx(outcome.ended, rel=0.02)


def test_pairs_teach_links_of_their_kind_and_everything_else():
    """From a to b, then between any two links of 100 MiB/s, then anywhere."""
    known = posed(learned(UNCALIBRATED, moved(posed(), 600, 0, 1))).calibration
    assert known.ratio("a", "b", 1) == pytest.approx(0.75)
    assert known.ratio("b", "c", 100 * 1024) == pytest.approx(0.75)
    assert known.ratio("b", "c", 7) == known.everywhere.value


def test_a_rate_that_was_seen_tells_alike_explanations_apart():
    """Many rates and hot sets explain what was sent again; the one that was seen is learned."""
    outcome = moved(posed(), 600, 4, 300)
    assert outcome.passed is not None
    seen = replace(outcome, passed=replace(outcome.passed, dirty_mib_s=4.0))
    guest = uuid_of("x")
    assert learned(UNCALIBRATED, seen).guests[guest].dirty_mib_s == pytest.approx(4, rel=0.1)
    assert learned(UNCALIBRATED, outcome).guests[guest].dirty_mib_s > 6  # unseen: a guess


def test_what_teaches_nothing_changes_nothing():
    """Failures, post-copy, and hypervisors that do not say; a rate nobody can believe."""
    good = moved(posed(), 600, 0, 1)
    assert good.passed is not None
    for vain in (
        replace(good, result=Result.FAILED),
        replace(good, passed=None),
        replace(good, passed=replace(good.passed, teaches=False)),
    ):
        assert learned(UNCALIBRATED, vain) is UNCALIBRATED
    odd = learned(UNCALIBRATED, replace(good, passed=replace(good.passed, seconds=0.1)))
    assert odd.by_pair == {}
    assert odd.setup.jobs == 1
    still = replace(good, passed=replace(good.passed, seconds=0.0))
    assert learned(UNCALIBRATED, still).by_pair == {}


def test_old_lessons_fade():
    """A plain mean at first, then three tenths for the latest."""
    value = Learned(value=5.0)
    for seen in (1.0, 2.0, 3.0):
        value = value.after(seen)
    assert value.value == pytest.approx(2.0, abs=0.05)
    for _ in range(10):
        value = value.after(10.0)
    assert value.value > 9.5


def test_the_band_is_what_errors_were():
    """The usual one until there are enough, then their 90th percentile."""
    known = replace(UNCALIBRATED, errors=(1.0,) * (ENOUGH - 1))
    assert known.p90 == USUAL_P90
    assert replace(known, errors=(1.0,) * 18 + (1.3, 2.0)).p90 == 1.05
    assert replace(known, errors=(1.0,) * 8 + (1.3, 2.0)).p90 == 1.3


def test_a_faster_measurement_counts_more_than_an_old_lesson():
    """It dirtied 3 MiB/s then and 9 now."""
    drawing = parse(TEXT.replace("x 1v/1000m", "x 1v/1000m dirty=9"))
    known = learned(UNCALIBRATED, moved(posed(), 600, 3, 60))
    now = Problem(drawing.cluster, drawing.demand, policy(), calibration=known)
    assert load(now, uuid_of("x")).dirty_mib_s == 9


@settings(deadline=None)
@given(
    dirty=st.floats(1, 8), share=st.floats(0.05, 0.9), memory=st.integers(100, 1000),
    slower=st.floats(0.6, 1.0),
)  # fmt: skip
def test_one_lesson_predicts_the_next_move(dirty, share, memory, slower):
    """Of any guest that converges, at another rate, within 35 % of what physics says."""
    known = learned(UNCALIBRATED, moved(posed(), memory, dirty, share * memory))
    again = moved(posed(known), memory, dirty, share * memory, rate=30 * slower)
    action = replace(again.action, rate_kib_s=int(RATE * slower * 1024))
    expected = expect(posed(known), action)
    assume(isinstance(expected, Prediction))
    assert isinstance(expected, Prediction)
    assert expected.seconds == pytest.approx(again.ended, rel=0.35)


def test_rounds_end_even_where_they_do_not_shrink():
    """A guest that is never done is cut off."""
    assert len(rounds(100, 100, 100, 10, 1)) == 200


def copied_in(seconds, rate=40.0, disk_mib=400, by_model=20.0) -> Outcome:
    """Return how a guest of 200 MiB of memory moved with its disks, in `seconds` of transfer."""
    action = replace(
        move("x", "a", "b", rate_kib_s=round(rate * 1024)),
        copies=("vda",),
        predicted=Prediction(
            seconds=30.0, seconds_p90=40.0, mib=600, downtime_ms=300, disk_mib=disk_mib,
            disk_seconds=by_model,
        ),
    )  # fmt: skip
    passed = Passed(
        seconds=seconds, sent_mib=200 + disk_mib, first_mib=200, rounds=1, disk_mib=disk_mib
    )
    return Outcome(action=action, result=Result.DONE, started=0, ended=seconds + 1, passed=passed)


def test_copies_teach_how_long_copies_take():
    """What is left once memory went at 38 MiB/s: 10 of the 20 s that the model says; then half."""
    known = learned(UNCALIBRATED, copied_in(10 + 200 / 38))
    assert known.disks.value == pytest.approx(0.5)
    assert known.disks.jobs == 1
    assert known.by_pair == {}
    assert known.guests == {}
    assert known.everywhere == UNCALIBRATED.everywhere
    assert known.setup == UNCALIBRATED.setup
    assert len(known.errors) == 1


@pytest.mark.parametrize(
    "outcome",
    [copied_in(5.0), copied_in(1000.0), copied_in(9.0, by_model=0), copied_in(9.0, rate=0)],
)
def test_copies_that_cannot_be_are_not_believed(outcome):
    """Quicker than memory alone, fifty times as long, or nothing predicted: only that it was off."""
    known = learned(UNCALIBRATED, outcome)
    assert known.disks == UNCALIBRATED.disks
    assert len(known.errors) == 1
