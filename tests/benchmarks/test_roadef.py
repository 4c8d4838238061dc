"""The contest's problem in the algebra: what the walk sums up is what the definition says."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from itertools import count, product
from pathlib import Path

import numpy as np
import pytest

from balancer.planner.place.arrays import Arrays
from balancer.planner.place.calibrated import Calibrated, Course, _clearly, _Runner
from balancer.planner.place.polish import polish
from balancer.planner.place.region import Region
from balancer.planner.place.state import State
from balancer.planner.place.trader import STRICT, Trader, suits
from balancer.planner.place.walker import Walker
from benchmarks.roadef.judging import cost
from benchmarks.roadef.reading import Instance, Ints, read
from benchmarks.roadef.stating import state

MACHINES, PROCESSES, RESOURCES = 6, 18, 3


def drawn(seed: int) -> Instance:
    """A small instance with every term of the problem, whose start is lawful."""
    chance = np.random.default_rng(seed)
    service = np.repeat(np.arange(9), 2)
    start = np.concatenate([chance.permutation(MACHINES)[:2] for _ in range(9)])
    requirement = chance.integers(1, 9, (PROCESSES, RESOURCES))
    usage = np.zeros((MACHINES, RESOURCES), dtype=np.int64)
    np.add.at(usage, start, requirement)
    neighbourhood, location = np.arange(MACHINES) % 2, np.arange(MACHINES) % 3
    held = [set(neighbourhood[start[service == s]].tolist()) for s in range(9)]
    needs = tuple((a, b) for a in range(9) for b in range(9) if a != b and held[a] <= held[b])
    return Instance(
        transient=np.array([1, 0, 1]),
        load_weight=np.array([10, 20, 30]),
        neighbourhood=neighbourhood,
        location=location,
        capacity=usage + chance.integers(2, 14, usage.shape),
        safety=chance.integers(0, 12, usage.shape),
        machine_move=chance.integers(0, 3, (MACHINES, MACHINES))
        * (1 - np.eye(MACHINES, dtype=int)),
        spread=np.array([len(set(location[start[service == s]].tolist())) for s in range(9)]),
        needs=needs,
        service=service,
        requirement=requirement,
        process_move=chance.integers(0, 4, PROCESSES),
        balance=np.array([[0, 1, 2, 5]]),
        weights=(1, 10, 2),
        start=start,
    )


def lawful(instance: Instance, placed: Ints) -> bool:
    """The definition's five hard constraints, counted plainly."""
    for m in range(MACHINES):
        here, was = placed == m, instance.start == m
        used = instance.requirement[here].sum(axis=0)
        both = instance.requirement[here | was].sum(axis=0)
        used = np.where(instance.transient == 1, both, used)
        services = instance.service[here]
        if (used > instance.capacity[m]).any() or len(set(services.tolist())) < len(services):
            return False
    at = [placed[instance.service == s] for s in range(9)]
    for s, least in enumerate(instance.spread.tolist()):
        if len(set(instance.location[at[s]].tolist())) < least:
            return False
    near = [set(instance.neighbourhood[machines].tolist()) for machines in at]
    return all(near[a] <= near[b] for a, b in instance.needs)


def service_moves(instance: Instance, placed: Ints) -> int:
    """The one term that the search does not see."""
    moved = placed != instance.start
    return instance.weights[1] * int(np.bincount(instance.service[moved], minlength=1).max())


@pytest.mark.parametrize("seed", range(12))
def test_a_hot_walk_is_lawful_and_sums_up_what_the_definition_says(seed: int) -> None:
    """Also what lingers, what depends and what a route costs."""
    instance = drawn(seed)
    assert lawful(instance, instance.start)
    formulation, terms = state(instance)
    arrays = Arrays(State(formulation), terms)
    walker = Walker(arrays, seed)
    for _ in range(20):
        walker.walk(50, 1e9, arrays.budget)
        assert lawful(instance, arrays.site)
        paid = cost(instance, arrays.site) - service_moves(instance, arrays.site)
        assert arrays.total.tolist() == [0, 0, paid]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("price", [STRICT, 3, 300])
def test_trades_sum_up_what_the_definition_says(seed: int, price: int) -> None:
    """Lawful but for what may stand beyond caps at a price, which transient usage never does."""
    instance = drawn(seed)
    formulation, terms = state(instance)
    arrays = Arrays(State(formulation), terms)
    assert suits(arrays)
    trader = Trader(arrays, seed)
    trader.press(price)
    for _ in range(20):
        trader.walk(50, 1e9, arrays.budget)
        paid = cost(instance, arrays.site) - service_moves(instance, arrays.site)
        assert arrays.total.tolist() == [0, 0, paid]
        assert lawful(instance, arrays.site) is (trader.exceeded() == 0)
        loose = replace(instance, capacity=instance.capacity + 10**6 * (1 - instance.transient))
        assert lawful(loose, arrays.site)
        again = Trader(arrays, seed)
        again.press(price)
        assert (trader.paid == again.paid).all()
        assert (trader.inside == again.inside).all()
        assert (arrays.load == plainly(instance, arrays)).all()
        for guest, site in enumerate(arrays.site.tolist()):
            assert trader.members[site, trader.place[guest]] == guest


def plainly(instance: Instance, arrays: Arrays) -> Ints:
    """[sites, rows]: what stands on each row, who left home counted there too where it lingers."""
    load = np.zeros_like(arrays.load)
    np.add.at(load, arrays.site, arrays.use)
    gone = arrays.site != instance.start
    stays = np.where(np.arange(load.shape[1]) >= arrays.plain, arrays.use, 0)
    np.add.at(load, instance.start[gone], stays[gone])
    return load


@pytest.mark.parametrize("seed", range(6))
def test_driving_out_and_a_pull_home_leave_sums_and_the_law_as_they_are(seed: int) -> None:
    """Who is forced in stays within capacities, transient usage included; a pull costs nothing."""
    instance = drawn(seed)
    formulation, terms = state(instance)
    arrays = Arrays(State(formulation), terms)
    trader = Trader(arrays, seed)
    trader.pull(50.0)
    went = 0
    for _ in range(20):
        trader.walk(50, 1e3, arrays.budget)
        went += trader.evict(50, 1e9)
        paid = cost(instance, arrays.site) - service_moves(instance, arrays.site)
        assert arrays.total.tolist() == [0, 0, paid]
        assert lawful(instance, arrays.site)
        again = Trader(arrays, seed)
        assert (trader.paid == again.paid).all()
        assert (trader.inside == again.inside).all()
        assert (arrays.load == plainly(instance, arrays)).all()
    assert went


def test_every_way_of_trading_is_taken() -> None:
    """None of the eight is idle on a problem with room for all."""
    instance = drawn(5)
    formulation, terms = state(instance)
    trader = Trader(Arrays(State(formulation), terms), 1)
    trader.press(1)
    trader.walk(200_000, 1e6, trader.arrays.budget)
    assert (trader.taken > 0).all()
    assert (trader.taken <= trader.tried).all()


def test_the_search_gains_is_lawful_and_the_same_for_the_same_steps() -> None:
    """What it says it reached is what the best placement costs."""
    instance = drawn(3)
    formulation, terms = state(instance)
    found = []
    for _ in range(2):
        search = Calibrated(Trader(Arrays(State(formulation), terms), 7))
        search.run(lambda steps: steps / 3_000_000)
        found.append(search.best)
        paid = cost(instance, search.best) - service_moves(instance, search.best)
        assert search.reached == (0, 0, paid)
        assert lawful(instance, search.best)
    assert (found[0] == found[1]).all()
    assert cost(instance, found[0]) < cost(instance, instance.start)


def test_a_start_that_gains_is_followed_by_others_like_it() -> None:
    """What the race came to is beaten; only what is clearly better makes runs longer."""
    instance = drawn(3)
    formulation, terms = state(instance)
    search = Calibrated(Trader(Arrays(State(formulation), terms), 7))
    raced = _Runner(Course(hot=1e5, cold=1e3, pull=1.0), (0, 0, 0, 10**9))
    way = search._starts(raced, search.stand, lambda steps: steps / 3_000_000)
    paid = cost(instance, search.best) - service_moves(instance, search.best)
    assert search.reached == (0, 0, paid)
    assert paid < cost(instance, instance.start)
    assert way.hot > way.cold
    assert _clearly((0, 0, 0, 98), (0, 0, 0, 100))
    assert not _clearly((0, 0, 0, 99), (0, 0, 0, 100))
    assert _clearly((0, 0, 0, 100), (1, 0, 0, 50))


def test_plain_and_zipped_files_read_alike(tmp_path: Path) -> None:
    """A model of one resource, two machines, one service of one process."""
    model = "1 1 10 2 0 0 9 5 0 1 1 1 8 4 2 0 1 1 0 1 0 3 1 0 1 2 3"
    (tmp_path / "m.txt").write_text(model)
    (tmp_path / "a.txt").write_text("0")
    (tmp_path / "m.txt.gz").write_bytes(gzip.compress(model.encode()))
    for name in ("m.txt", "m.txt.gz"):
        instance = read(tmp_path / name, tmp_path / "a.txt")
        assert instance.capacity.tolist() == [[9], [8]]
        assert instance.machine_move.tolist() == [[0, 1], [2, 0]]
        assert instance.weights == (1, 2, 3)
        assert cost(instance, np.array([1])) == 10 * 0 + 1 * 1 + 2 * 1 + 3 * 1


@pytest.mark.parametrize("seed", range(6))
def test_a_region_solved_is_what_trying_everything_finds(seed: int) -> None:
    """Every way of two machines' processes among these two, judged by the definition."""
    instance = drawn(seed)
    formulation, terms = state(instance)
    trader = Trader(Arrays(State(formulation), terms), seed)
    trader.walk(400, 1e9, trader.arrays.budget)
    a, b = np.random.default_rng(seed).permutation(MACHINES)[:2].tolist()
    who = np.flatnonzero((trader.arrays.site == a) | (trader.arrays.site == b))
    least = int(trader.arrays.total[2])
    for ends in product((a, b), repeat=len(who)):
        placed = trader.arrays.site.copy()
        placed[who] = ends
        if lawful(instance, placed):
            paid = cost(instance, placed) - service_moves(instance, placed)
            least = min(least, paid)
    changes, _, proven = Region(trader, [a, b]).solve(10.0, 1)
    trader.bring(changes)
    assert proven
    assert int(trader.arrays.total[2]) == least
    assert lawful(instance, trader.arrays.site)


@pytest.mark.parametrize("needs", [(), ((0, 1),), ((1, 0),)])
def test_who_is_needed_and_who_needs_stays_near(needs: tuple[tuple[int, int], ...]) -> None:
    """A process would gain in the other neighbourhood, but for its service's partner outside."""
    instance = Instance(
        transient=np.array([0]),
        load_weight=np.array([10]),
        neighbourhood=np.array([0, 1, 0]),
        location=np.array([0, 1, 2]),
        capacity=np.full((3, 1), 9),
        safety=np.array([[0], [9], [9]]),
        machine_move=np.zeros((3, 3), dtype=int),
        spread=np.array([1, 1]),
        needs=needs,
        service=np.array([0, 1]),
        requirement=np.array([[5], [5]]),
        process_move=np.array([1, 1]),
        balance=np.zeros((0, 4), dtype=int),
        weights=(1, 0, 1),
        start=np.array([2, 0]),
    )
    formulation, terms = state(instance)
    trader = Trader(Arrays(State(formulation), terms), 1)
    changes, _, proven = Region(trader, [0, 1]).solve(1.0, 1)
    assert proven
    assert changes == ([] if needs else [(1, 1)])


def asked(times: int) -> Callable[[float], float]:
    """A budget that is spent once it was asked for so many times."""
    numbers = count()
    return lambda _: next(numbers) / times


@pytest.mark.parametrize("seed", range(2))
def test_polishing_is_lawful_and_gains(seed: int) -> None:
    """Sums stay true, regions grow, and the same work gives the same answer."""
    instance = drawn(seed)
    formulation, terms = state(instance)
    found = []
    for _ in range(2):
        trader = Trader(Arrays(State(formulation), terms), seed)
        polish(trader, seed, asked(60))
        found.append(trader.arrays.site)
        paid = cost(instance, trader.arrays.site) - service_moves(instance, trader.arrays.site)
        assert trader.arrays.total.tolist() == [0, 0, paid]
        assert lawful(instance, trader.arrays.site)
    assert (found[0] == found[1]).all()
    assert cost(instance, found[0]) < cost(instance, instance.start)
