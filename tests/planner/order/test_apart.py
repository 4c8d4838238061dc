"""Moves that have nothing to do with each other are searched apart, and come out no worse."""

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.order import arrange as engine
from balancer.planner.order.arrange import Effort, arrange
from balancer.planner.order.components import components
from balancer.planner.order.yard import Trip, Yard, compile_trips
from benchmarks.ordering.beside import beside
from tests.planner.order.yards import faults, yard, yards

LONG = Effort(rounds=200, roams=8, price_of_a_step_aside=0.0)
PLAIN = Effort(rounds=24, roams=8, compiled_from=10**9, price_of_a_step_aside=0.0)


def two(a: Yard, b: Yard) -> Yard:
    """Return a yard of both, with nothing shared."""
    hosts, channels = len(a.room), len(a.rate)

    def later(lines: np.ndarray, by: int) -> np.ndarray:
        return np.where(lines >= 0, lines + by, lines)

    ends = ("leaving", "entering", "leaving_zone", "entering_zone")
    movers = ("need", "volume", "dirty", "hot", "setup", "top", "cold", "store")
    fields = {
        "source": np.concatenate([a.source, b.source + hosts]),
        "target": np.concatenate([a.target, b.target + hosts]),
        "room": np.concatenate([a.room, b.room]),
        "rate": np.concatenate([a.rate, b.rate]),
        "number": np.concatenate([a.number, b.number]),
        "zone": np.full(hosts + len(b.room), -1, dtype=np.int64),
        **{k: np.concatenate([getattr(a, k), later(getattr(b, k), channels)]) for k in ends},
        **{
            k: None if getattr(a, k) is None else np.concatenate([getattr(a, k), getattr(b, k)])
            for k in movers
        },
        "temporary": a.temporary and b.temporary,
        "groups": [
            *(a.groups or [()] * len(a.source)),
            *([g + len(a.domain) for g in mine] for mine in b.groups or [()] * len(b.source)),
        ],
        "domain": [
            *(
                np.append(d, np.full(len(b.room), len(p)))
                for d, p in zip(a.domain, a.places, strict=True)
            ),
            *(
                np.append(np.full(hosts, len(p)), d)
                for d, p in zip(b.domain, b.places, strict=True)
            ),
        ],
        "places": [np.append(p, 9) for p in (*a.places, *b.places)],
    }
    return Yard(**fields)


def drawn(seed: int, moves: int = 24) -> Yard:
    """Return a yard with direct ways: hosts with little room, links that hold one and a half."""
    rng = np.random.default_rng(seed)
    hosts = 8
    told = []
    for _ in range(moves):
        a, b = rng.choice(hosts, 2, replace=False)
        told.append((int(a), int(b), int(rng.integers(2, 30))))
    more = [sum(s if b == h else -s for a, b, s in told if h in (a, b)) for h in range(hosts)]
    free = [max(35, one + 35) for one in more]
    return yard(told, free, setup=np.ones(moves), top=np.full(moves, 7.0))


def as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be searched apart."""
    monkeypatch.setattr(engine, "components", lambda c: [list(range(len(c.trips)))])
    monkeypatch.setattr(engine, "found_apart", lambda _: False)


def test_two_problems_side_by_side_are_no_longer_than_searched_as_one():
    """Over many pairs shorter in all, and never by much longer; the same whenever asked."""
    pairs = [two(drawn(2 * k), drawn(2 * k + 1)) for k in range(12)]
    apart = [arrange(one, LONG).schedule for one in pairs]
    again = arrange(pairs[0], LONG).schedule
    with pytest.MonkeyPatch.context() as patched:
        as_one(patched)
        whole = [arrange(one, LONG).schedule for one in pairs]
    assert all(faults(p, s) == [] for p, s in zip(pairs, apart, strict=True))
    assert again.start.tolist() == apart[0].start.tolist()
    ratio = [a.seconds / w.seconds for a, w in zip(apart, whole, strict=True)]
    assert max(ratio) < 1.02
    assert sum(ratio) / len(ratio) < 0.98


@settings(max_examples=40, deadline=None)
@given(yards(), yards())
def test_whatever_is_searched_apart_is_safe_together(one, other):
    """Rooms, rates and numbers hold at every instant, whatever part steps aside."""
    both = two(one, other)
    found = arrange(both, PLAIN)
    if found.schedule is not None:
        assert faults(both, found.schedule) == []
        assert found.schedule.seconds >= found.bound.seconds - 1e-6


@settings(max_examples=40, deadline=None)
@given(yards())
def test_parts_share_neither_room_nor_links(posed):
    """No row or channel that may bind is used by two parts; all trips are in one."""
    n = range(len(posed.source))
    c = compile_trips(posed, [Trip(m, int(posed.source[m]), int(posed.target[m])) for m in n])
    parts = components(c)
    assert sorted(i for part in parts for i in part) == list(n)
    for used in (np.hstack([c.legs.take, c.legs.give]), c.legs.channel):
        owners: dict[int, int] = {}
        for k, part in enumerate(parts):
            for r in {r for i in part for r in used[i].tolist() if r >= 0}:
                assert owners.setdefault(r, k) == k


def test_only_the_part_that_is_stuck_steps_aside():
    """A circle beside a queue: one steps aside, nobody of the queue does."""
    circle = yard([(0, 1, 10), (1, 0, 10)], [0, 0, 10])
    queue = yard([(0, 1, 5), (1, 2, 5), (0, 2, 7)], [0, 0, 12])
    made = arrange(two(circle, queue), PLAIN).schedule
    assert made.steps_aside == 1
    assert {t.mover for t in made.trips if t.target == 2} <= {0, 1}
    assert made.seconds == 3


def test_a_circle_that_needs_room_that_others_take_is_searched_with_them():
    """The only hole is left by a guest of another part once it has gone: all are searched as one."""
    moves = [(0, 1, 10), (1, 0, 10), (2, 3, 10)]
    made = arrange(yard(moves, [0, 0, 0, 10]), PLAIN).schedule
    assert faults(yard(moves, [0, 0, 0, 10]), made) == []
    assert made.steps_aside == 1


def test_instances_side_by_side_share_no_name():
    """Every host, link and guest has a name of its own."""
    one = {
        "name": "x",
        "resources": ["mem"],
        "hosts": [{"id": "h", "rack": 1, "links_out": ["l"]}, {"id": "g"}],
        "links": [{"id": "l", "bw": 1}],
        "vms": [{"id": "v", "host": "h"}],
        "moves": [{"vm": "v", "to": "g"}],
        "rules": {"anti_affinity": [["v"]], "forbidden": [["v", ["h"]]]},
        "limits": {},
    }
    both = beside([one, one])
    assert [h["id"] for h in both["hosts"]] == ["0.h", "0.g", "1.h", "1.g"]
    assert both["hosts"][2]["links_out"] == ["1.l"]
    assert both["moves"] == [{"vm": "0.v", "to": "0.g"}, {"vm": "1.v", "to": "1.g"}]
    assert both["rules"] == {
        "anti_affinity": [["0.v"], ["1.v"]],
        "forbidden": [["0.v", ["0.h"]], ["1.v", ["1.h"]]],
    }
