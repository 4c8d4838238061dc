"""The dispatcher: no rule broken at any instant and never stuck, however a plan happens to run."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.constraints.together import Together
from balancer.planner.dispatch import (
    State,
    begin,
    blocked,
    dropped,
    ended,
    finished,
    raised,
    raises,
    spare_kib_s,
    startable,
    started,
)
from balancer.planner.model.plan import Result
from balancer.planner.model.policy import Limits
from balancer.planner.order.schedule import order
from balancer.planner.verify import judge
from tests.drawing import problem, select, uuid_of
from tests.planner.puzzles import Naive, Puzzle, move, puzzles

WIDE = Limits(at_once_per_host=9, at_once_total=9)
ROOMY = """
a 99c/8g link=100 : x 1v/4g | y 1v/2g
b 99c/9g link=100 :
c 99c/4g link=100 :
"""
FULL = """
a 99c/4g link=100 : x 1v/4g
b 99c/4g link=100 : z 1v/4g
c 99c/4g link=100 :
"""
SWAP = (
    move("x", "a", "c", temporary=True),
    move("z", "b", "a", start=10.0, waits_for=("x→c",)),
    move("x", "c", "b", start=20.0, waits_for=("x→c", "z→a")),
)


def ids(actions) -> list[str]:
    """Return the ids of these actions, in order."""
    return [action.id for action in actions]


def test_all_that_fits_starts_at_once():
    """Two guests leave together when numbers and links allow it."""
    both = (move("x", "a", "b"), move("y", "a", "b"))
    assert ids(startable(begin(problem(ROOMY, limits=WIDE), both))) == ["x→b", "y→b"]


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(at_once_total=1, at_once_per_host=9), "1 migrations are running, the most"),
        (Limits(at_once_total=9, at_once_per_host=1), "a has 1 migrations running, the most"),
        (replace(WIDE, migration_link_share=0.015), "link of a has no 1024 KiB/s to spare"),
    ],
)
def test_limits_hold_the_second_back(limits, why):
    """Numbers and links are never exceeded, and the reason can be read."""
    both = (move("x", "a", "b"), move("y", "a", "c"))
    state = begin(problem(ROOMY, limits=limits), both)
    assert ids(startable(state)) == ["x→b"]
    state = started(state, "x→b")
    assert why in blocked(state, both[1])
    assert ids(startable(ended(state, "x→b", Result.DONE))) == ["y→c"]


def test_waits_are_kept_and_a_plan_comes_to_its_end():
    """A swap through a third host runs step by step."""
    state = begin(problem(FULL, limits=WIDE), SWAP)
    for step in SWAP:
        assert not finished(state)
        assert ids(startable(state)) == [step.id]
        state = started(state, step.id)
        assert startable(state) == ()
        assert ids(state.in_flight) == [step.id]
        state = ended(state, step.id, Result.DONE)
    assert finished(state)
    assert dropped(state) == {}
    assert not state.pending


def test_what_waits_for_a_failure_is_dropped_with_the_reason():
    """The guest that could not step aside blocks both others; each is told why."""
    state = ended(started(begin(problem(FULL), SWAP), "x→c"), "x→c", Result.FAILED)
    assert finished(state)
    assert dropped(state) == {
        "z→a": "waits for x→c, which did not end well",
        "x→b": "waits for z→a, which was dropped",
    }


def test_what_does_not_depend_on_a_failure_goes_on():
    """One migration that fails is no reason to leave the rest undone."""
    both = (move("x", "a", "b"), move("y", "a", "b"))
    state = ended(started(begin(problem(ROOMY), both), "x→b"), "x→b", Result.ABORTED)
    assert ids(startable(state)) == ["y→b"]


def test_what_waits_for_what_went_well_survives_a_failure_elsewhere():
    """y waited for q, which has arrived; that x failed is nothing to it."""
    text = (
        "a 99c/9g link=100 : x 1v/2g | y 1v/4g\nb 99c/6g link=100 : q 1v/4g\nc 99c/4g link=100 :"
    )
    steps = (move("q", "b", "c"), move("x", "a", "b"), move("y", "a", "b", waits_for=("q→c",)))
    state = started(started(begin(problem(text, limits=WIDE), steps), "q→c"), "x→b")
    state = ended(ended(state, "q→c", Result.DONE), "x→b", Result.FAILED)
    assert dropped(state) == {}
    assert ids(startable(state)) == ["y→b"]


def test_a_later_step_of_a_guest_that_failed_is_dropped():
    """Even where the plan forgot to say that it waits."""
    steps = (move("x", "a", "c"), move("x", "c", "b"))
    state = ended(
        started(begin(problem(FULL.replace("z 1v/4g", "")), steps), "x→c"), "x→c", Result.STALLED
    )
    assert dropped(state) == {"x→b": "an earlier step of x did not end well"}


def test_an_action_may_be_refused_before_it_starts():
    """The look just before a start said no; that is an end, too."""
    state = ended(begin(problem(FULL), SWAP), "x→c", Result.REFUSED)
    assert finished(state)
    assert "z→a" in dropped(state)


def test_what_was_refused_has_taken_no_room():
    """An earlier state, added up anew, does not put the guest where the refused step began."""
    text = "a 99c/4g link=100 :\nb 99c/9g link=100 : x 1v/4g\nc 99c/9g link=100 : z 1v/4g"
    steps = (move("x", "a", "c"), move("z", "c", "a"))
    refused = ended(begin(problem(text, limits=WIDE), steps), "x→c", Result.REFUSED)
    assert ids(startable(refused)) == ["z→a"]
    started(refused, "z→a")
    assert ids(startable(refused)) == ["z→a"]


@pytest.mark.parametrize(
    ("result", "left"), [(Result.LOST, {"x→c", "z→b"}), (Result.FAILED, {"x→c"})]
)
def test_a_lost_guest_holds_both_ends(result, left):
    """Nobody knows where it is, so nobody takes its room; one that failed is where it was."""
    text = "a 99c/4g link=100 : x 1v/4g\nb 99c/4g link=100 :\nc 99c/4g link=100 :\nd 99c/4g link=100 : z 1v/4g"
    steps = (move("x", "a", "b", temporary=True), move("x", "b", "c"), move("z", "d", "b"))
    state = ended(started(begin(problem(text, limits=WIDE), steps), "x→b"), "x→b", result)
    assert set(dropped(state)) == left


def test_what_may_not_start_takes_no_room_from_what_may():
    """y does not fit until q has left; x, asked after it, does."""
    text = (
        "a 99c/9g link=100 : x 1v/2g | y 1v/4g\nb 99c/6g link=100 : q 1v/4g\nc 99c/4g link=100 :"
    )
    steps = (move("y", "a", "b"), move("q", "b", "c"), move("x", "a", "b"))
    assert ids(startable(begin(problem(text, limits=WIDE), steps))) == ["q→c", "x→b"]


def test_the_look_ahead_refuses_what_takes_the_last_room():
    """y may go to c by itself, but x needs that room to open the way for z."""
    text = """
    a 99c/4g link=100 : x 1v/4g
    b 99c/4g link=100 : z 1v/4g
    c 99c/4g link=100 :
    d 99c/4g link=100 : y 1v/4g
    """
    late = move("y", "d", "c", start=30.0)
    state = begin(problem(text, limits=WIDE), (*SWAP, late))
    assert not state.sure
    assert "would leave no way to finish" in blocked(state, late)
    assert ids(startable(state)) == ["x→c"]


def test_what_can_never_work_is_dropped_at_once():
    """An unjudged plan is not trusted."""
    state = begin(problem(FULL), (move("x", "a", "b"), move("z", "a", "c")))
    assert finished(state)
    assert "b gives out 8.0 GiB" in dropped(state)["x→b"]
    assert dropped(state)["z→c"] == "z is on b, not on a"


def test_a_step_from_where_its_guest_is_not_holds_nobody_else_back():
    """It never starts, though there is room; the rest does, and then it is dropped."""
    steps = (move("x", "c", "b"), move("y", "a", "b"))
    state = begin(problem(ROOMY, limits=WIDE), steps)
    assert state.sure
    assert ids(startable(state)) == ["y→b"]
    state = ended(started(state, "y→b"), "y→b", Result.DONE)
    assert finished(state)
    assert dropped(state) == {"x→b": "x is on a, not on c"}


def test_a_rate_beyond_the_link_never_starts():
    """There is no moment at which it would be within its share."""
    state = begin(problem(FULL), (move("x", "a", "c", rate_kib_s=10**6),))
    assert "link of a has no 1000000 KiB/s to spare" in dropped(state)["x→c"]


def test_guests_that_belong_together_are_not_torn_apart_by_a_failure():
    """When one of a pair cannot move, the other stays too."""
    text = "a 99c/8g link=100 : x 1v/4g | y 1v/2g\nb 99c/9g link=100 :"
    pair = problem(text, Together(guests=select("x", "y")))
    both = (move("x", "a", "b"), move("y", "a", "b", start=10.0))
    state = ended(started(begin(pair, both), "x→b"), "x→b", Result.FAILED)
    assert "x, y should share one host" in dropped(state)["y→b"]
    assert finished(state)


def test_only_what_is_pending_starts_and_only_what_runs_ends():
    """A caller that has lost count is told so."""
    state = begin(problem(FULL), SWAP)
    with pytest.raises(ValueError, match="not running"):
        ended(state, "x→c", Result.DONE)
    with pytest.raises(ValueError, match="not pending"):
        started(started(state, "x→c"), "x→c")
    with pytest.raises(ValueError, match="not pending"):
        started(state, "m99")


class Run:
    """One run of a plan in which chance decides, watched in plain terms."""

    def __init__(self, puzzle: Puzzle, actions) -> None:
        self.naive = Naive(puzzle.problem)
        self.state = begin(puzzle.problem, actions)

    def held(self, state: State):
        """Return who holds what now; where a guest was lost, both ends."""
        held = {guest: set(hosts) for guest, hosts in self.naive.start.items()}
        by_id = {action.id: action for action in state.actions}
        for id_, result in state.results.items():
            if result is Result.DONE:
                held[by_id[id_].guest] = {by_id[id_].target}
            elif result is Result.LOST:
                held[by_id[id_].guest] |= {by_id[id_].target}
        for action in state.in_flight:
            held[action.guest] |= {action.target}
        return held

    def watch(self) -> None:
        """Nothing is worse now, nor is the plan stuck."""
        assert self.naive.worse(self.held(self.state)) == []
        assert self.naive._limits(self.state.in_flight) == []
        if not finished(self.state):
            assert self.state.running or startable(self.state)

    def run(self, data: st.DataObject, results) -> State:
        """Start and end actions as `data` says, until the plan is finished or given up."""
        self.watch()
        while not finished(self.state):
            ready = startable(self.state)
            if ready and (not self.state.running or data.draw(st.booleans(), label="start")):
                for action in ready[: data.draw(st.integers(1, len(ready)), label="how many")]:
                    self.state = started(self.state, action.id)
                    self.watch()
            else:
                action_id = data.draw(st.sampled_from(self.state.running), label="ends")
                self.state = ended(self.state, action_id, data.draw(results, label="how"))
                self.watch()
        return self.state


def check_any_order(puzzle: Puzzle, data: st.DataObject) -> None:
    """Everything is done in whatever order actions end."""
    ordered = order(puzzle.problem, puzzle.target)
    run = Run(puzzle, ordered.actions)
    assert run.state.sure
    state = run.run(data, st.just(Result.DONE))
    assert dropped(state) == {}
    assert {guest: set(hosts) for guest, hosts in run.held(state).items()} == {
        guest: {host} for guest, host in ordered.reached.items()
    }
    assert run.naive.worse(run.held(state), always=False) == []


def check_without_waits(puzzle: Puzzle, data: st.DataObject) -> None:
    """The look-ahead alone suffices where a plan does not say what waits for what."""
    ordered = order(puzzle.problem, puzzle.target)
    bare = tuple(replace(action, waits_for=()) for action in ordered.actions)
    state = Run(puzzle, bare).run(data, st.just(Result.DONE))
    assert dropped(state) == {}


FATES = st.sampled_from([Result.DONE] * 4 + [Result.FAILED, Result.ABORTED, Result.LOST])


@given(puzzles(), st.data())
def test_any_order_of_ends_does_everything(puzzle, data):
    """No rule broken at any instant, never stuck, all done."""
    check_any_order(puzzle, data)


@given(puzzles(), st.data())
def test_the_look_ahead_needs_no_waits(puzzle, data):
    """No rule broken at any instant, never stuck, all done."""
    check_without_waits(puzzle, data)


@given(puzzles(), st.data(), st.booleans())
def test_any_failure_leaves_the_rest_safe(puzzle, data, bare):
    """No rule broken at any instant and never stuck, with the plan's waits and without."""
    actions = order(puzzle.problem, puzzle.target).actions
    if bare:
        actions = tuple(replace(action, waits_for=()) for action in actions)
    Run(puzzle, actions).run(data, FATES)


@given(puzzles(), st.data())
def test_an_interruption_at_any_event_is_safe(puzzle, data):
    """Once nothing more is started, what is in flight lands without breaking anything."""
    run = Run(puzzle, order(puzzle.problem, puzzle.target).actions)
    for _ in range(data.draw(st.integers(0, 8), label="events")):
        ready = startable(run.state)
        if ready:
            run.state = started(run.state, ready[0].id)
        elif run.state.running:
            run.state = ended(run.state, run.state.running[0], Result.DONE)
    while run.state.running:
        last = data.draw(st.sampled_from(run.state.running), label="ends")
        run.state = ended(run.state, last, data.draw(FATES, label="how"))
        assert run.naive.worse(run.held(run.state)) == []


@pytest.mark.soak
@settings(max_examples=2000)
@given(puzzles(max_hosts=6, max_guests=12), st.data())
def test_all_of_it_soak(puzzle, data):
    """The same on many and larger clusters."""
    check_any_order(puzzle, data)
    check_without_waits(puzzle, data)
    Run(puzzle, order(puzzle.problem, puzzle.target).actions).run(data, FATES)


def test_a_state_is_a_value():
    """Starting makes another state and leaves the one before it as it was."""
    state = begin(problem(FULL), SWAP)
    started(state, "x→c")
    assert state.running == ()
    assert uuid_of("x") in state.law.start


ROOM = 40 * 1024
"""KiB/s that the share of a link of 100 MiB/s is."""


def test_what_nobody_else_needs_goes_to_what_runs():
    """Two leave a, at 10 MiB/s each: the rest of the link is divided, once nobody waits for it."""
    both = (move("x", "a", "b", rate_kib_s=10 * 1024), move("y", "a", "c", rate_kib_s=10 * 1024))
    state = begin(problem(ROOMY, limits=WIDE), both)
    state = started(state, "x→b")
    assert raises(state) == {}  # y is still to come, and needs the link out of a
    state = started(state, "y→c")
    assert raises(state) == {"x→b": 20 * 1024, "y→c": 20 * 1024}
    for id_, rate in raises(state).items():
        state = raised(state, id_, rate)
    assert raises(state) == {}
    state = ended(state, "x→b", Result.DONE)
    assert raises(state) == {"y→c": ROOM}
    assert spare_kib_s(raised(state, "y→c", ROOM), "y→c") == 0


def test_an_earlier_state_knows_what_ran_then_and_how_fast():
    """Asked once later states have gone on, it still has x in flight at the rate it was raised to."""
    state = begin(problem(ROOMY, limits=WIDE), (move("x", "a", "b", rate_kib_s=10 * 1024),))
    state = raised(started(state, "x→b"), "x→b", 30 * 1024)
    assert raises(ended(state, "x→b", Result.DONE)) == {}
    assert raises(state) == {"x→b": ROOM}


def test_little_more_is_not_worth_a_call():
    """39 of 40 MiB/s are enough."""
    state = begin(problem(ROOMY, limits=WIDE), (move("x", "a", "b", rate_kib_s=39 * 1024),))
    assert raises(started(state, "x→b")) == {}


@settings(deadline=None, max_examples=40)
@given(puzzles(), st.data())
def test_what_is_kept_up_to_date_is_what_adding_up_anew_gives(puzzle, data):
    """Whatever starts, ends, fails, is raised or dropped; and an earlier state is still itself."""
    state = begin(puzzle.problem, order(puzzle.problem, puzzle.target).actions)
    first, told = state, ids(startable(state))
    while not finished(state):
        for action in startable(state):
            if data.draw(st.booleans()):
                state = started(state, action.id)
        fresh = replace(state, tally=None, turn=-1)
        assert startable(state) == startable(fresh)
        assert raises(state) == raises(fresh)
        for id_, rate in raises(state).items():
            state = raised(state, id_, rate)
        if state.running:
            id_ = data.draw(st.sampled_from(state.running))
            result = data.draw(st.sampled_from([Result.DONE] * 4 + [Result.FAILED, Result.LOST]))
            state = ended(state, id_, result)
    assert ids(startable(first)) == told


def test_nothing_waits_for_others_that_began_with_what_it_waits_for():
    """No barriers: z follows x at once, while y, which began together with x, is still on its way."""
    text = """
    a 99c/8g link=100 : x 1v/4g | y 1v/4g
    b 99c/9g link=100 :
    c 99c/4g link=100 : z 1v/4g
    """
    plan = (
        move("x", "a", "b"),
        move("y", "a", "b"),
        move("z", "c", "a", start=10.0, waits_for=("x→b",)),
    )
    state = begin(problem(text, limits=WIDE), plan)
    assert ids(startable(state)) == ["x→b", "y→b"]
    state = ended(started(started(state, "x→b"), "y→b"), "x→b", Result.DONE)
    assert ids(startable(state)) == ["z→a"]
    assert state.running == ("y→b",)


@settings(max_examples=50, deadline=None)
@given(puzzles(), st.data())
def test_after_an_interruption_a_new_plan_goes_on_from_there(puzzle, data):
    """Whatever had ended well or failed: what is planned from there is judged sound, and runs to its end."""
    run = Run(puzzle, order(puzzle.problem, puzzle.target).actions)
    for _ in range(data.draw(st.integers(1, 6), label="events")):
        for action in startable(run.state)[:2]:
            run.state = started(run.state, action.id)
        if run.state.running:
            fate = data.draw(st.sampled_from([Result.DONE, Result.FAILED]), label="how")
            run.state = ended(run.state, run.state.running[0], fate)
    while run.state.running:
        run.state = ended(run.state, run.state.running[0], Result.DONE)
    now = {guest: next(iter(hosts)) for guest, hosts in run.held(run.state).items()}
    cluster = replace(puzzle.problem.cluster, placement=now)
    later = replace(puzzle, problem=replace(puzzle.problem, cluster=cluster))
    actions = order(later.problem, later.target).actions
    assert judge(later.problem, actions).faults == ()
    assert dropped(Run(later, actions).run(data, st.just(Result.DONE))) == {}
