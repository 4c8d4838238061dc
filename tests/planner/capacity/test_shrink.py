"""Fewer hosts, and the bound below which there are none."""

from dataclasses import replace

import pytest

from balancer.planner.capacity.fit import fit
from balancer.planner.capacity.shrink import least, shrink
from balancer.planner.constraints.places import Places
from balancer.planner.constraints.survive import Survive
from balancer.planner.model.problem import Problem
from balancer.planner.objectives import OBJECTIVES
from tests.drawing import problem, select
from tests.planner.capacity.test_waiting import of

THREE = "a 16c/64g : x 4v/18g cpu=1\nb 16c/64g : y 4v/18g cpu=1\nc 16c/64g : z 4v/18g cpu=1"


def thrifty(text: str) -> Problem:
    goals = {name: goal() for name, goal in OBJECTIVES.items()}
    goals["consolidate"] = replace(goals["consolidate"], points_per_host=20_000)
    return problem(text, objectives=list(goals.values()))


def test_hosts_are_emptied_as_far_as_memory_allows() -> None:
    """Three guests that fit on one host end on one, which is proven the least."""
    found = shrink(thrifty(THREE))
    assert (found.used, found.needed, found.at_least) == (3, 1, 1)
    assert len(found.emptied) == 2


def test_room_for_a_loss_is_kept() -> None:
    """With one loss to be survived all guests of any host find room on the others."""
    found = shrink(thrifty(THREE), hosts_lost=1)
    assert found.needed < 3
    assert found.decision.actions


def test_nobody_is_made_hot_for_it() -> None:
    """Two guests that are busy keep two hosts, and CPU says that one would not do."""
    found = shrink(thrifty("a 16c/64g : x 16v/8g cpu=9\nb 16c/64g : y 16v/8g cpu=9"))
    assert (found.needed, found.at_least) == (2, 2)


def test_the_bound_takes_the_largest_hosts() -> None:
    """By memory; a closed host that has guests counts by itself, and cannot carry others."""
    assert least(problem("a 16c/64g : x 4v/40g\nb 16c/32g : y 4v/30g\nc 16c/64g :")) == 2
    assert least(problem("a 16c/64g state=down : x 4v/40g\nb 16c/64g : y 4v/30g")) == 2
    assert least(problem("a 16c/64g state=down : x 4v/40g")) == 1
    assert least(problem("a 4c/8g : x 16v/4g cpu=9 | y 16v/3g cpu=9")) == 1


@pytest.mark.parametrize("count", [0, 4])
def test_new_guests_leave_room_for_a_loss(count: int) -> None:
    """Fewer fit where a loss is to be survived, and what binds is named."""
    drawn = problem("a 16c/64g :\nb 16c/64g :")
    plain, spared = fit(drawn, of(4, 30), count), replace(of(4, 30), hosts_lost=1)
    found = fit(drawn, spared, count)
    assert (plain.after, found.after) == (4, 2)
    assert Survive(hosts_lost=1).label in found.binding
    assert fit(drawn, replace(of(4, 8), hosts_lost=1), 2).after == 2


def test_a_search_cut_short_promises_little() -> None:
    """Without time nothing is promised that was not looked at."""
    places = Places(guests=select("*"), at_most=2)
    drawn = problem("a 16c/64g : x 1v/1g\nb 16c/64g :", places)  # one by one: so the rule wants it
    spared = replace(of(4, 30), hosts_lost=1)
    assert fit(drawn, spared, 4, keep_going=lambda: False).after == 0
    assert fit(drawn, spared, 4).after == 2


def test_switched_off_hosts_save_their_watts() -> None:
    """By the curves that are declared, else by one that is named as assumed; kWh a day and a year."""
    drawn = thrifty(THREE)
    first, *others = drawn.cluster.hosts
    hosts = (replace(first, power=(100, 180, 200)), *others)
    known = replace(drawn, cluster=replace(drawn.cluster, hosts=hosts))
    found = shrink(known).energy
    assert found.before == 110 + 2 * 162.5  # a sixteenth busy, each
    assert found.after in {130.0, 187.5}
    assert found.assumed == ("b", "c")
    assert found.a_day == pytest.approx(found.saved * 0.024)
    assert found.a_year == pytest.approx(found.a_day * 365)
