"""The judge: held to a replay in plain terms, and to plans spoilt on purpose."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from balancer.planner.constraints.spread import Spread
from balancer.planner.model.policy import Allow, Limits
from balancer.planner.order.schedule import order
from balancer.planner.verify import judge
from tests.drawing import problem, select, uuid_of
from tests.planner.puzzles import Naive, Puzzle, move, puzzles

TWO = """
a 99c/8g link=100 : x 1v/4g | y 1v/2g
b 99c/8g link=100 : z 1v/4g
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
"""Two full hosts exchange their guests through a third."""


def faults(text, *actions, **fields) -> str:
    """Return all that the judge says of these actions, as one text."""
    return "\n".join(judge(problem(text, **fields), actions).faults)


def test_a_plan_of_nothing_is_valid():
    """Nothing happens, so nothing breaks; the rules are named all the same."""
    verdict = judge(problem(TWO), ())
    assert verdict.valid
    assert "capacity" in verdict.rules
    assert verdict.reached == problem(TWO).cluster.placement


def test_a_swap_through_a_third_host_is_valid():
    """Each guest ends where the other was."""
    verdict = judge(problem(FULL), SWAP)
    assert verdict.faults == ()
    assert verdict.reached == {uuid_of("x"): "b", uuid_of("z"): "a"}


def test_a_guest_in_flight_counts_on_both_hosts():
    """4 GiB more do not fit beside 6 GiB in 8 GiB."""
    assert "a gives out 10.0 GiB" in faults(TWO, move("z", "b", "a"))


def test_what_is_broken_may_stay_but_not_grow():
    """A host over its capacity may still be relieved, and takes nothing more."""
    text = "a 99c/4g link=100 : x 1v/4g | y 1v/2g\nb 99c/9g link=100 : z 1v/1g"
    assert faults(text, move("y", "a", "b")) == ""
    assert "a gives out 7.0 GiB" in faults(text, move("z", "b", "a"))


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (move("nobody", "a", "b"), "no guest"),
        (move("x", "a", "nowhere"), "no host nowhere is known"),
        (move("x", "a", "b", start=float("nan")), "not finite"),
        (move("x", "a", "b", start=-1.0), "not positive"),
        (move("x", "a", "b", rate_kib_s=0), "rate is not positive"),
        (move("x", "a", "a"), "source and target are the same"),
        (move("x", "b", "a"), "starts while the guest is on a"),
        (move("x", "a", "b", downtime_ms=301), "a pause of 301 ms where 1 to 300 ms"),
        (move("x", "a", "b", downtime_ms=0), "where 1 to 300 ms"),
        (move("x", "a", "b", rate_kib_s=50 * 1024), "51200 KiB/s out of a, at most 40960"),
        (move("x", "a", "b", temporary=True), "would be left on a third host"),
        (move("x", "a", "b", waits_for=("m9",)), "waits for m9, which is not in the plan"),
        (move("x", "a", "b", waits_for=("x→b",)), "which does not come before it"),
    ],
)
def test_one_bad_action_is_said_to_be_bad(spoilt, said):
    """Each fault of a single action has its own sentence."""
    assert said in faults(TWO, spoilt)


def test_a_target_that_is_not_up_is_refused():
    """Neither a host that is being emptied nor one that is down may be given guests."""
    text = TWO.replace("b 99c/8g", "b 99c/8g state=draining")
    assert "b is draining" in faults(text, move("x", "a", "b"))


def test_a_guest_that_others_are_migrating_is_left_alone():
    """Two migrations of one guest at once cannot be."""
    text = "a 99c/8g link=100 : x 1v/4g moving=b\nb 99c/8g link=100 :\nc 99c/8g link=100 :"
    said = faults(text, move("x", "a", "c"))
    assert "is being migrated by somebody else" in said
    assert "starts while the guest is on a and b" in said


def test_a_guest_does_not_migrate_twice_at_once():
    """The second step must wait for the first."""
    twice = (move("x", "a", "b"), move("x", "b", "a", id="back", start=5.0))
    said = faults(TWO, *twice, limits=Limits(at_once_per_host=2))
    assert "starts while the guest is on a and b" in said
    assert "back (x b → a) does not wait for the step before it of x" in said


def test_numbers_and_links_are_limited():
    """Migrations at once, on a host and in all, and their rates together, are within the limits."""
    both = (move("x", "a", "b", rate_kib_s=30_000), move("y", "a", "b", rate_kib_s=30_000))
    said = faults(TWO, *both, limits=Limits(at_once_total=1))
    assert "2 migrations at once, at most 1 allowed" in said
    assert "2 migrations at once on b, at most 1 allowed" in said
    assert "60000 KiB/s out of a, at most 40960 KiB/s allowed" in said
    assert "60000 KiB/s into b, at most 40960 KiB/s allowed" in said


def test_an_undeclared_link_has_the_default_rate():
    """The limit default_link_kib_s stands in."""
    text = "a 99c/8g : x 1v/4g\nb 99c/8g :"
    limits = Limits(default_link_kib_s=1000)
    assert "1024 KiB/s out of a, at most 400" in faults(text, move("x", "a", "b"), limits=limits)


def test_ids_are_unique_and_waits_are_kept():
    """The timetable must respect what an action waits for."""
    early = replace(SWAP[1], start=9.0)
    assert "starts at 9.0 s but waits for x→c, which ends at 10.0 s" in faults(
        FULL, SWAP[0], early, SWAP[2], limits=Limits(at_once_per_host=3)
    )
    assert "m is the id of 2 actions" in faults(
        TWO, move("x", "a", "b", id="m"), move("y", "a", "b", id="m", start=10.0)
    )


def test_steps_aside_need_consent():
    """They are moves that nobody asked for."""
    said = faults(FULL, *SWAP, allow=Allow(temporary_moves=False))
    assert "temporary moves are not allowed" in said


def test_room_must_be_waited_for_even_if_the_timetable_leaves_time():
    """A migration that takes longer than foreseen must not make another break a rule."""
    said = faults(FULL, SWAP[0], replace(SWAP[1], waits_for=()), SWAP[2])
    assert "z→a (z b → a) does not wait for all that makes room for it" in said


def test_nobody_is_blamed_for_what_others_wait_for():
    """w has nothing to do with x and z, which see to their own rule."""
    text = (
        "a 99c/9g link=100 : x 1v/1g\nb 99c/9g link=100 :\nc 99c/9g link=100 : z 1v/1g | w 1v/1g"
    )
    plan = (
        move("x", "a", "b"),
        move("z", "c", "a", start=10.0, waits_for=("x→b",)),
        move("w", "c", "a", start=20.0),
    )
    assert judge(problem(text, Spread(guests=select("x", "z"))), plan).faults == ()


def test_a_wait_for_a_wait_is_enough():
    """w waits for z, which waits for x: that x has left is then certain."""
    text = (
        "a 99c/4g link=100 : x 1v/3g\nb 99c/9g link=100 :\nc 99c/9g link=100 : z 1v/3g | w 1v/1g"
    )
    plan = (
        move("x", "a", "b"),
        move("z", "c", "a", start=10.0, waits_for=("x→b",)),
        move("w", "c", "a", start=20.0, waits_for=("z→a",)),
    )
    assert judge(problem(text), plan).faults == ()


def test_the_budget_is_asked_at_the_end():
    """More moves than an hour may have are refused as a whole; a step aside is one of them."""
    assert "2 moves, more than the limit" in faults(FULL, *SWAP, limits=Limits(moves_per_hour=1))
    assert "3 moves, more than the limit" in faults(FULL, *SWAP, limits=Limits(moves_per_hour=2))


def check(puzzle: Puzzle) -> None:
    """What `order` makes is valid in plain terms, and the judge says so."""
    ordered = order(puzzle.problem, puzzle.target)
    naive = Naive(puzzle.problem)
    verdict = judge(puzzle.problem, ordered.actions)
    assert verdict.faults == ()
    assert verdict.reached == ordered.reached
    assert naive.on_time(ordered.actions) == []
    assert naive.in_turn(ordered.actions) == []
    if len(ordered.actions) <= 6:
        assert naive.in_any_order(ordered.actions) == []


@given(puzzles())
def test_what_order_makes_is_valid(puzzle):
    """At every instant, one at a time, and in any order that its waits allow."""
    check(puzzle)


@pytest.mark.soak
@settings(max_examples=2000)
@given(puzzles(max_hosts=6, max_guests=12))
def test_what_order_makes_is_valid_soak(puzzle):
    """The same on many and larger clusters."""
    check(puzzle)


HOSTS = st.sampled_from(["h0", "h1", "h2", "h3"])


def altered(draw, action, how):
    """Spoil an action itself."""
    return {
        "source": lambda: replace(action, source=draw(HOSTS)),
        "target": lambda: replace(action, target=draw(HOSTS)),
        "wait": lambda: replace(action, waits_for=action.waits_for[1:]),
        "rate": lambda: replace(action, rate_kib_s=action.rate_kib_s * draw(st.integers(2, 4))),
        "start": lambda: replace(action, start=max(0, action.start + draw(st.integers(-90, 90)))),
    }[how]()


@st.composite
def mutations(draw, actions):
    """Spoil one action of a plan, or its place among the others."""
    actions = list(actions)
    i, k = (draw(st.integers(0, len(actions) - 1)) for _ in "ik")
    how = draw(
        st.sampled_from(["source", "target", "wait", "rate", "start", "twice", "swap", "drop"])
    )
    if how == "twice":
        again = draw(st.integers(0, 90))
        actions.append(replace(actions[i], id="again", start=actions[i].start + again))
    elif how == "swap":
        actions[i], actions[k] = actions[k], actions[i]
    elif how == "drop":
        del actions[i]
    else:
        actions[i] = altered(draw, actions[i], how)
    return tuple(actions)


def check_mutation(puzzle: Puzzle, data: st.DataObject) -> None:
    """The judge catches what a replay in plain terms shows to be harmful, and cries no wolf."""
    ordered = order(puzzle.problem, puzzle.target)
    assume(ordered.actions)
    actions = data.draw(mutations(ordered.actions))
    hosts = puzzle.problem.cluster.host
    assume(all(a.target in hosts and a.source in hosts for a in actions))
    assume(len(actions) <= 6)
    naive = Naive(puzzle.problem)
    harm = naive.on_time(actions) or naive.in_turn(actions) or naive.in_any_order(actions)
    verdict = judge(puzzle.problem, actions)
    if harm:
        assert not verdict.valid, harm
    else:
        said = ("does not wait for", "not in the plan", "does not come", "the same", "third host")
        assert [f for f in verdict.faults if not any(words in f for words in said)] == []


@settings(max_examples=40)
@given(puzzles(), st.data())
def test_harmful_mutations_are_caught(puzzle, data):
    """Wrong sources, lost waits, raised rates, other targets, shifted and repeated moves."""
    check_mutation(puzzle, data)


@pytest.mark.soak
@settings(max_examples=5000)
@given(puzzles(max_hosts=5, max_guests=9), st.data())
def test_harmful_mutations_are_caught_soak(puzzle, data):
    """The same, many times."""
    check_mutation(puzzle, data)
