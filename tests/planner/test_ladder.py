"""The ladder's state machine: what comes next, when, and that it always comes to an end."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.ladder import (
    GRACE,
    Climb,
    Decision,
    GiveUp,
    Patience,
    Raise,
    Reading,
    Torn,
    phrase,
    refused,
    set_out,
    taken,
    watch,
)
from balancer.planner.model.plan import Migration, Prediction, Result, Rung, RungKind

MORE = Rung(kind=RungKind.BANDWIDTH, rate_kib_s=200 * 1024)
LONGER = Rung(kind=RungKind.DOWNTIME, downtime_ms=600)
SLOWED = Rung(kind=RungKind.AUTO_CONVERGE, risk="slows it down")
FOLLOWED = Rung(kind=RungKind.POST_COPY, risk="may lose it")
ACTION = Migration(
    id="1",
    guest="u",
    name="db-1",
    source="a",
    target="b",
    rate_kib_s=100 * 1024,
    downtime_ms=300,
    predicted=Prediction(seconds=20, seconds_p90=30, mib=2000, downtime_ms=100, rounds=3),
)
LIMIT = 120.0


def begun(*rungs: Rung, **others: object) -> Climb:
    """Return the climb of a move with these rungs at its start."""
    return set_out(replace(ACTION, rungs=rungs, **others), Patience())  # type: ignore[arg-type]


def look(climb: Climb, at: float, **seen: object) -> tuple[Climb, Decision | None]:
    """Take in a reading in which bytes pass."""
    return watch(climb, Reading(**({"at": at, "sent": at + 1} | seen)))  # type: ignore[arg-type]


def losing(climb: Climb, at: float, rounds: int) -> tuple[Climb, Decision | None]:
    """Take in a reading of a new round in which it does not catch up."""
    return look(climb, at, rounds=rounds, rate=100.0, dirty=90.0)


def test_time_limits_scale_with_the_prediction() -> None:
    """Four times the predicted worst, a minute at least."""
    assert Patience().limit(ACTION) == LIMIT
    short = replace(ACTION.predicted, seconds_p90=2)
    assert Patience().limit(replace(ACTION, predicted=short)) == 60


def test_steps_share_the_time() -> None:
    """Two rungs are due at a third and at two thirds of the limit; nothing before."""
    climb = begun(LONGER, FOLLOWED)
    climb, decision = look(climb, 39)
    assert decision is None
    climb, decision = look(climb, 41)
    assert decision == Raise(LONGER)
    climb = taken(climb, LONGER, 40)
    assert climb.steps == ("pause up to 600 ms",)
    assert look(climb, 79)[1] is None
    assert look(climb, 81)[1] == Raise(FOLLOWED)


def test_what_is_seen_goes_before_the_time() -> None:
    """Two rounds in a row in which it does not catch up, the first round never counting."""
    climb, decision = losing(begun(LONGER), 5, 1)
    assert decision is None
    climb, decision = losing(climb, 6, 2)
    assert decision is None
    assert losing(climb, 7, 2)[1] is None
    assert losing(climb, 7, 3)[1] == Raise(LONGER)
    better, _ = look(climb, 7, rounds=3, rate=100.0, dirty=10.0)
    assert losing(better, 8, 4)[1] is None


def test_bandwidth_comes_first_where_links_have_room_and_is_waited_for_a_moment() -> None:
    """Without room the next rung is taken, and more bandwidth once there is room."""
    climb = begun(MORE, LONGER)
    climb, decision = look(climb, 41)
    assert (decision, climb.wants_kib_s) == (None, 200 * 1024)
    assert look(climb, 42, room_kib_s=150 * 1024)[1] == Raise(MORE)
    assert look(climb, 42, room_kib_s=101 * 1024)[1] is None
    climb, decision = look(climb, 41 + GRACE)
    assert decision == Raise(LONGER)
    climb = taken(climb, LONGER, 44)
    assert climb.wants_kib_s == 0
    assert look(climb, 100, room_kib_s=150 * 1024)[1] == Raise(MORE)


def test_half_the_room_leaves_the_rung_to_be_taken() -> None:
    """It is raised again when there is more."""
    climb = taken(begun(MORE), MORE, 41, 150 * 1024)
    assert (climb.rungs, climb.rate_kib_s) == ((MORE,), 150 * 1024)
    assert climb.steps == ("bandwidth up to 150 MiB/s",)
    climb = taken(climb, MORE, 80, 200 * 1024)
    assert climb.rungs == ()


def test_nothing_risky_while_memory_was_not_sent_once() -> None:
    """A slow link is no reason to slow a guest down; where rounds are unknown time decides."""
    climb = begun(SLOWED)
    assert look(climb, 100, rounds=1)[1] is None
    assert look(climb, 100, rounds=2)[1] == Raise(SLOWED)
    assert look(climb, 100)[1] == Raise(SLOWED)


def test_beginning_anew_begins_the_time_limit_anew() -> None:
    """And rounds, and bytes."""
    climb, _ = losing(begun(SLOWED), 90, 9)
    climb = taken(climb, SLOWED, 100)
    assert (climb.began, climb.rounds, climb.sent) == (100, 0, 0)
    assert climb.deadline == 220
    assert look(climb, 130)[1] is None
    assert isinstance(look(climb, 221)[1], GiveUp)


def test_a_stall_is_given_up_and_nothing_is_raised_meanwhile() -> None:
    """No byte for a quarter of that time: no step; for all of it: a stall."""
    climb, _ = look(begun(LONGER), 30)
    quiet = {"sent": 31.0}
    assert look(climb, 50, **quiet)[1] is None
    assert look(climb, 90, **quiet)[1] == GiveUp(Result.STALLED, "no data for 60 s: aborted")
    late, _ = look(climb, 100)
    assert look(late, 121, sent=101.0)[1] == GiveUp(Result.STALLED, "no data for 21 s: aborted")


def test_the_time_limit_names_what_was_tried_and_whether_it_converged() -> None:
    """So that operator and planner can tell a slow link from a busy guest."""
    climb = taken(begun(LONGER), LONGER, 60)
    said = "not done in 120 s (30 s predicted at worst, tried: pause up to 600 ms): aborted"
    assert look(climb, 120)[1] == GiveUp(Result.ABORTED, said)
    climb, _ = losing(climb, 70, 6)
    decision = look(climb, 120)[1]
    assert isinstance(decision, GiveUp)
    assert decision.diverged
    assert decision.reason.endswith("does not converge, aborted")


def test_with_nothing_left_to_try_the_link_is_not_filled_for_nothing() -> None:
    """Eight rounds in a row; a guest that is slowed down gets its time."""
    plain, slowed = begun(), begun(auto_converge=True)
    for rounds in range(2, 10):
        plain, decision = losing(plain, rounds, rounds)
        slowed, none = losing(slowed, rounds, rounds)
        assert none is None
    assert isinstance(decision, GiveUp)
    assert decision.diverged


def test_after_the_switch_nothing_is_given_up() -> None:
    """If it stands still, that is told; also where somebody else switched."""
    climb = taken(begun(FOLLOWED), FOLLOWED, 60)
    assert climb.wants_kib_s == 0
    assert look(climb, 1000)[1] is None
    assert look(climb, 1000, sent=0.0)[1] == Torn()
    other, decision = look(begun(FOLLOWED), 500, switched=True)
    assert (other.switched, decision) == (True, None)


def test_what_is_refused_is_not_tried_again() -> None:
    """And why is kept."""
    climb = refused(begun(FOLLOWED), FOLLOWED, 60, "not now")
    assert climb.steps == ("switched to post-copy refused (not now)",)
    assert look(climb, 119)[1] is None


def test_rungs_that_cannot_be_taken_are_left_out() -> None:
    """A move that is only followed cannot begin anew."""
    action = replace(ACTION, rungs=(SLOWED, FOLLOWED))
    assert set_out(action, Patience(), 7, (RungKind.AUTO_CONVERGE,)).rungs == (FOLLOWED,)
    assert phrase(SLOWED) == "begun anew with auto-converge"


RUNGS = st.lists(st.sampled_from([MORE, LONGER, SLOWED, FOLLOWED]), unique=True, max_size=4)
LOOKS = st.tuples(
    st.floats(0.1, 20),
    st.booleans(),
    st.integers(0, 2),
    st.floats(0, 200),
    st.floats(0, 200),
    st.integers(0, 400 * 1024),
    st.booleans(),
)


@given(rungs=RUNGS, looks=st.lists(LOOKS, max_size=60))
def test_whatever_is_read_it_climbs_each_rung_once_and_ends_in_time(rungs, looks) -> None:
    """Steps never go down, never beyond what is allowed, and post-copy is never given up."""
    climb = begun(*rungs)
    at, sent, rounds, raised = 0.0, 0.0, 0, []
    for wait, passes, more, rate, dirty, room, works in looks:
        at, sent, rounds = at + wait, sent + passes, rounds + more
        reading = Reading(at=at, sent=sent, rounds=rounds, rate=rate, dirty=dirty, room_kib_s=room)
        climb, decision = watch(climb, reading)
        assert climb.due <= climb.deadline
        if isinstance(decision, Raise):
            rung = decision.rung
            assert rung in climb.rungs
            assert not climb.switched
            if rung.kind is RungKind.BANDWIDTH:
                assert room > climb.rate_kib_s
            else:
                raised.append(rung)
            rate_to = min(room, rung.rate_kib_s)
            climb = taken(climb, rung, at, rate_to) if works else refused(climb, rung, at, "no")
            assert climb.rate_kib_s <= 200 * 1024
        elif isinstance(decision, GiveUp):
            assert not climb.switched
            return
        elif isinstance(decision, Torn):
            assert climb.switched
            return
        assert climb.switched or at < climb.deadline
    assert len(raised) == len(set(raised))
    assert [r for r in rungs if r in raised] == raised


@pytest.mark.parametrize("rung", [MORE, LONGER, SLOWED, FOLLOWED])
def test_every_rung_has_words(rung: Rung) -> None:
    """For the journal and the screen."""
    assert phrase(rung)
