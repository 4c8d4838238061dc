"""The three outcomes: a way, proof that there is none, or frank ignorance with advice that works."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings

from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.model.certificate import Argument
from balancer.planner.model.plan import Reach
from balancer.planner.model.policy import Allow
from balancer.planner.model.resources import MEMORY
from balancer.planner.order import impossible
from balancer.planner.order.guard import Guard
from balancer.planner.order.impossible import settle
from balancer.planner.order.moves import Move, Travel
from balancer.planner.order.opening import opening
from balancer.planner.order.schedule import order
from balancer.planner.order.search import search
from balancer.planner.refute import doubts
from balancer.planner.verify import judge
from tests.drawing import placed, problem, select, uuid_of
from tests.planner.puzzles import Naive, puzzles

SWAP = "a 9c/4g : x 1v/4g\nb 9c/4g : z 1v/4g\n"
"""Two full hosts."""
HIDDEN = """
a 9c/4g : x 1v/3g | s 1v/1g
b 9c/4g : z 1v/3g
c 9c/3g : y 1v/1g
"""
"""x and z change places only if y, which nobody wants moved, makes room on c."""


def ordered(text, *rules, allow=Allow(), **where):  # noqa: B008 - a value
    posed = problem(text, *rules, allow=allow)
    return posed, order(posed, placed(posed.cluster, **where))


def test_a_swap_of_full_hosts_is_impossible_and_the_proof_holds():
    """Nobody can move first, whatever others do."""
    posed, made = ordered(SWAP, x="b", z="a")
    assert made.reach is Reach.IMPOSSIBLE
    assert made.certificate is not None
    assert made.certificate.argument is Argument.COUNT
    assert set(made.certificate.stuck) == {uuid_of("x"), uuid_of("z")}
    assert doubts(posed, made.certificate) == ()


def test_where_somebody_could_make_room_nothing_is_called_impossible():
    """y steps aside to let others pass and goes home again: found by looking everywhere."""
    posed, made = ordered(HIDDEN, x="b", z="a")
    assert made.reach is Reach.COMPLETE
    assert made.reached == placed(posed.cluster, x="b", z="a")
    assert judge(posed, made.actions).faults == ()


def test_many_guests_can_be_proven_stuck():
    """Counting needs no search: fifteen full hosts."""
    hosts = "\n".join(f"h{i} 9c/4g : g{i} 1v/4g" for i in range(15))
    posed, made = ordered(hosts, **{f"g{i}": f"h{(i + 1) % 15}" for i in range(15)})
    assert made.certificate is not None
    assert made.certificate.sentence.startswith(
        "impossible: none of g0, g1, g10, g11, g12 and 10 more"
    )
    assert doubts(posed, made.certificate) == ()


SHUFFLED = "a 9c/4g : p 1v/2g | q 1v/2g\nb 9c/3g : r 1v/3g\nc 9c/2g : \n"
"""r needs all that p and q hold; only one of them can wait on c."""


def test_where_moves_lead_nowhere_all_that_can_be_reached_was_seen():
    """p can step to c and back; the search says how many placements that makes."""
    posed, made = ordered(SHUFFLED, r="a", p="c", q="b")
    assert made.reach is Reach.IMPOSSIBLE
    assert made.certificate is not None
    assert made.certificate.argument is Argument.SEARCH
    assert made.certificate.placements == 3
    assert doubts(posed, made.certificate) == ()


def test_ignorance_is_not_called_proof(monkeypatch):
    """Too many guests to look at: none found, and advice."""
    monkeypatch.setattr(impossible, "MOST_PAIRS", 1)
    _, made = ordered(SWAP, x="b", z="a")
    assert (made.reach, made.certificate) == (Reach.NONE_FOUND, None)
    hosts = "\n".join(f"h{i} 9c/5g : g{i} 1v/4g | s{i} 1v/1g" for i in range(13))
    _, made = ordered(hosts, **{f"g{i}": f"h{(i + 1) % 13}" for i in range(13)})
    assert (made.reach, made.certificate) == (Reach.NONE_FOUND, None)


def test_a_way_that_will_not_converge_is_no_way():
    """What is found by looking everywhere must be carried out at some rate."""
    text = HIDDEN.replace("y 1v/1g", "y 1v/1g dirty=2000")
    _, made = ordered(text, x="b", z="a")
    assert made.reach is Reach.NONE_FOUND


def test_a_search_can_be_cut_short():
    """Then it proves nothing."""
    posed = problem(HIDDEN)
    guests = [uuid_of(name) for name in "sxyz"]
    found = search(Guard(posed), {uuid_of("x"): "b", uuid_of("z"): "a"}, guests, trials=3)
    assert (found.moves, found.whole) == (None, False)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"stuck": ("nobody",)}, "which no guest is"),
        ({"stuck": ()}, "names nobody who was to move"),
        ({"argument": Argument.SEARCH, "stuck": ()}, "was left out of the search"),
    ],
)
def test_a_spoilt_certificate_is_doubted(spoilt, said):
    """The judge's side believes nothing that it cannot see."""
    posed, made = ordered(SWAP, x="b", z="a")
    assert made.certificate is not None
    assert said in " ".join(doubts(posed, replace(made.certificate, **spoilt)))


def test_a_false_certificate_is_refuted():
    """What can move is not stuck, what can be reached is not impossible, what flies is not known."""
    _, made = ordered(SWAP, x="b", z="a")
    assert made.certificate is not None
    room = problem(SWAP + "c 9c/4g :")
    assert f"{'x'} can move to c" in doubts(room, made.certificate)
    every = tuple(sorted((uuid_of("x"), uuid_of("z"))))
    claim = replace(made.certificate, argument=Argument.SEARCH, stuck=(), moving=every)
    assert doubts(room, claim) == ("the placement wanted can be reached",)
    assert "is not repeated here" in doubts(room, replace(claim, placements=10**6))[0]
    flying = problem(SWAP.replace("z 1v/4g", "z 1v/4g moving=c") + "c 9c/4g :")
    assert any("in flight" in doubt for doubt in doubts(flying, claim))


def test_without_temporary_moves_only_those_wanted_elsewhere_count():
    """c is free, and may not be used."""
    posed, made = ordered(SWAP + "c 9c/4g :", allow=Allow(temporary_moves=False), x="b", z="a")
    assert made.certificate is not None
    assert doubts(posed, made.certificate) == ()


def test_guests_that_others_move_are_not_counted_on():
    """z may have left by then: nothing is proven."""
    text = "a 9c/4g : x 1v/4g\nb 9c/8g : w 1v/8g\nc 9c/4g : z 1v/4g moving=d\nd 9c/4g :"
    _, made = ordered(text, x="b", w="a")
    assert made.certificate is None or uuid_of("z") not in made.certificate.stuck


def test_what_no_memory_opens_has_no_advice():
    """A rule is in the way, not room."""
    posed = problem(SWAP, NeverMove(guests=select("x")))
    moves = [Move(uuid_of("x"), "a", "b"), Move(uuid_of("z"), "b", "a")]
    guard = Guard(posed)
    assert opening(guard, guard.ledger(), moves) is None


def answered(puzzle) -> None:
    """Every outcome is what it says."""
    made = order(puzzle.problem, puzzle.target)
    assert (made.reach is Reach.IMPOSSIBLE) == (made.certificate is not None)
    assert (made.reach is Reach.COMPLETE) == (not made.blocking)
    if made.certificate is not None:
        assert doubts(puzzle.problem, made.certificate) == ()
        assert not Naive(puzzle.problem).can_reach(made.certificate.target)


@settings(max_examples=40, deadline=None)
@given(puzzles(max_hosts=3, max_guests=5))
def test_nothing_is_called_impossible_that_is_not(puzzle):
    """Held against a search in plain terms over all guests."""
    answered(puzzle)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None)
@given(puzzles(max_hosts=3, max_guests=5))
def test_nothing_is_called_impossible_that_is_not_in_depth(puzzle):
    """The same, often."""
    answered(puzzle)


def opened(puzzle) -> None:
    """Whatever is advised works."""
    made = order(puzzle.problem, puzzle.target)
    assume(made.blocking)
    now = replace(puzzle.problem.cluster, placement=made.reached)
    after = replace(puzzle.problem, cluster=now)
    moves = [move for move, _ in made.blocking]
    guard = Guard(after)
    found = opening(guard, guard.ledger(), moves)
    assume(found is not None)
    assert found is not None
    wanted = {**made.reached, **{move.guest: move.target for move in moves}}
    if found.steps:
        allow = replace(after.policy.allow, temporary_moves=True)
        opened = [replace(after, policy=replace(after.policy, allow=allow))]
    else:
        opened = [_with(after, host, found.mib) for host in found.hosts]
    for open_now in opened:
        assert order(open_now, wanted).reached == wanted


TIGHT = settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@settings(TIGHT, max_examples=12)
@given(puzzles())
def test_what_is_said_to_open_the_way_opens_it(puzzle):
    """With so much more memory on the host named, after the moves before, those guests arrive."""
    opened(puzzle)


@pytest.mark.soak
@settings(TIGHT, max_examples=1000)
@given(puzzles())
def test_what_is_said_to_open_the_way_opens_it_in_depth(puzzle):
    """The same, often."""
    opened(puzzle)


def _with(posed, host, mib):
    hosts = tuple(
        replace(h, capacity={**h.capacity, MEMORY: h.capacity[MEMORY] + mib})
        if h.name == host
        else h
        for h in posed.cluster.hosts
    )
    return replace(posed, cluster=replace(posed.cluster, hosts=hosts))


def test_settle_is_asked_about_what_is_able():
    """Nothing to move is a way of no moves."""
    posed = problem(SWAP)
    assert settle(Guard(posed), Travel(posed), []).moves == ()
