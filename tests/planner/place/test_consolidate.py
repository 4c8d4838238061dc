"""Consolidation turn by turn: relief first, then whole hosts emptied, nothing half done."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.place.consolidate import FULL, Crowd, Fleet, consolidate


def fleet(cpu: list[float], memory: float = 1e9, widest: float = 1e9) -> Fleet:
    hosts = len(cpu)
    return Fleet(
        cpu=np.array(cpu),
        widest=np.full(hosts, widest),
        idle=np.full(hosts, 100.0),
        busy=np.full(hosts, 200.0),
        room=np.full((hosts, 1), memory),
    )


def crowd(where: list[int], cpu: list[float], deviation: float = 0.0, held: float = 0.0) -> Crowd:
    guests = len(where)
    return Crowd(
        where=np.array(where),
        expected=np.array(cpu),
        deviation=np.full(guests, deviation),
        now=np.array(cpu),
        weight=np.ones(guests),
        price=np.ones(guests),
        held=np.full((guests, 1), held),
        may=np.ones((guests, 16), dtype=np.bool_),
    )


def test_a_host_that_can_be_emptied_is() -> None:
    """Two guests that fit on one host end on one host."""
    moves = consolidate(fleet([10.0, 10.0]), crowd([0, 1], [4.0, 5.0]), 0.95, 9)
    assert moves.tolist() == [[0, 1]]


def test_the_thriftiest_host_takes_them() -> None:
    """Of hosts that run guests, the one with the fewest watts at full load takes more."""
    ours = fleet([10.0, 10.0, 10.0])
    ours.busy[2] = 150.0
    moves = consolidate(ours, crowd([0, 1, 2], [1.0, 6.0, 2.0]), 0.95, 1)
    assert moves.tolist() == [[0, 2]]


def test_guests_that_peak_apart_share_their_reserve() -> None:
    """Four deviations of 1 weigh as 2, not as 4: so a host of 10 takes a mean of 6 with them."""
    where, cpu = [0, 0, 1, 1], [1.5, 1.5, 1.5, 1.5]
    assert len(consolidate(fleet([10.0, 10.0]), crowd(where, cpu, 1.0), 0.97, 9)) == 2
    assert len(consolidate(fleet([9.0, 9.0]), crowd(where, cpu, 1.0), 0.97, 9)) == 0


def test_an_overloaded_host_sheds_even_without_budget() -> None:
    """Relief is not bounded by the moves that consolidation may cost; a sleeping host is woken."""
    moves = consolidate(fleet([10.0, 10.0]), crowd([0, 0], [6.0, 6.0]), 0.95, 0)
    assert len(moves) == 1


def test_a_starved_guest_leaves() -> None:
    """A guest that asks for more than one guest can have where it is goes where it can."""
    ours = fleet([10.0, 10.0])
    ours.widest[0] = 3.0
    assert consolidate(ours, crowd([0, 0], [4.0, 1.0]), 0.95, 0).tolist() == [[0, 1]]


def test_memory_binds() -> None:
    """Where memory does not suffice on any other host, nobody moves."""
    ours = fleet([10.0, 10.0], memory=3.0)
    assert len(consolidate(ours, crowd([0, 1], [1.0, 1.0], held=4.0), 0.95, 9)) == 0


def test_the_host_whose_guests_are_cheapest_to_move_is_emptied() -> None:
    """Two light guests leave rather than one heavy one."""
    ours = crowd([0, 1, 1], [4.0, 2.0, 2.0])
    ours.price[0] = 5.0
    moves = consolidate(fleet([10.0, 10.0]), ours, 0.95, 9)
    assert sorted(moves.tolist()) == [[1, 0], [2, 0]]


def test_who_may_not_be_somewhere_does_not_go_there() -> None:
    """A guest that may be nowhere else keeps its host from being emptied."""
    ours = crowd([0, 1], [4.0, 5.0])
    ours.may[0, 1] = False
    assert consolidate(fleet([10.0, 10.0]), ours, 0.95, 9).tolist() == [[1, 0]]
    ours.may[1, 0] = False
    assert len(consolidate(fleet([10.0, 10.0]), ours, 0.95, 9)) == 0


def test_guests_that_do_not_run_are_nobodys() -> None:
    """A guest without a host is neither counted nor moved."""
    moves = consolidate(fleet([10.0, 10.0]), crowd([-1, 1], [99.0, 5.0]), 0.95, 9)
    assert len(moves) == 0


@st.composite
def situations(draw: st.DrawFn) -> tuple[Fleet, Crowd, int]:
    hosts = draw(st.integers(1, 6))
    guests = draw(st.integers(1, 14))
    seed = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    where = seed.integers(-1, hosts, guests)
    now = seed.uniform(0, 6, guests)
    held = seed.integers(0, 5, (guests, 1)).astype(float)
    return (
        Fleet(
            cpu=seed.uniform(5, 20, hosts),
            widest=seed.uniform(3, 20, hosts),
            idle=seed.uniform(50, 100, hosts),
            busy=seed.uniform(100, 200, hosts),
            room=seed.integers(0, 20, (hosts, 1)).astype(float),
        ),
        Crowd(
            where=where,
            expected=now * seed.uniform(0.5, 1.5, guests),
            deviation=seed.uniform(0, 1, guests),
            now=now,
            weight=seed.uniform(1, 10, guests),
            price=seed.uniform(1, 10, guests),
            held=held,
            may=seed.random((guests, hosts)) < draw(st.sampled_from([0.6, 1.0])),
        ),
        draw(st.integers(0, 14)),
    )


@settings(max_examples=150, deadline=None)
@given(situations())
def test_what_holds_in_any_situation(situation: tuple[Fleet, Crowd, int]) -> None:
    """Nobody moves twice or onto its own host, and who receives has room at every instant."""
    fleet, crowd, at_most = situation
    moves = consolidate(fleet, crowd, 0.95, at_most)
    assert len(set(moves[:, 0].tolist())) == len(moves)
    where = crowd.where.copy()
    room = fleet.room[:, 0].copy()
    for guest, host in moves.tolist():
        assert where[guest] >= 0
        assert where[guest] != host
        assert crowd.now[guest] <= fleet.widest[host]
        room[host] -= crowd.held[guest, 0]
        where[guest] = host
    receives = set(moves[:, 1].tolist())
    assert all(room[host] >= 0 for host in receives)
    shed = {h for g, h in zip(moves[:, 0], crowd.where[moves[:, 0]], strict=True)}
    for host in receives - shed:
        here = where == host
        assert crowd.now[here].sum() <= FULL * fleet.cpu[host] + 1e-6
        assert crowd.expected[here].sum() <= fleet.cpu[host] + 1e-6


@settings(max_examples=150, deadline=None)
@given(situations())
def test_hosts_are_emptied_wholly_or_not_at_all(situation: tuple[Fleet, Crowd, int]) -> None:
    """A host that was neither overloaded nor starving keeps all of its guests, or none."""
    fleet, crowd, at_most = situation
    moves = consolidate(fleet, crowd, 0.95, at_most)
    after = crowd.where.copy()
    after[moves[:, 0]] = moves[:, 1]
    for host in range(len(fleet.cpu)):
        here = crowd.where == host
        calm = crowd.now[here].sum() <= FULL * fleet.cpu[host]
        if here.any() and calm and (crowd.now[here] <= fleet.widest[host]).all():
            gone = (after[here] != host).sum()
            assert gone in (0, here.sum())
            assert gone == 0 or gone <= at_most


def test_nothing_moves_where_nothing_may() -> None:
    """Without budget and without overload the crowd stays."""
    moves = consolidate(fleet([10.0, 10.0]), crowd([0, 1], [4.0, 5.0]), 0.95, 0)
    assert moves.shape == (0, 2)
