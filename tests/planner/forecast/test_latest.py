"""The newest sample, taken for the future."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.forecast import FORECASTERS
from balancer.planner.forecast.latest import latest
from balancer.planner.model.demand import Demand
from balancer.planner.model.observation import History, Sample
from tests.drawing import NOON, observation, texts, uuid_of

X = uuid_of("x")
GIB = 1024


def forecast(*samples: Sample) -> Demand:
    """Return the demand of one guest of 4 vCPUs and 8 GiB with these samples."""
    seen = observation("a 8c/64g : x 4v/8g unknown")
    return latest(replace(seen, history=History(guests={X: samples})))


def test_the_newest_sample_counts() -> None:
    """Mean and peak are what it says."""
    old, new = (Sample(NOON - age, 30, {"cpu": cpu}) for age, cpu in ((60, 1), (0, 2500)))
    demand = forecast(old, new)
    assert demand.mean[X]["cpu"] == demand.peak[X]["cpu"] == 2500
    assert demand.unknown == frozenset()


@pytest.mark.parametrize(
    ("values", "memory", "basis"),
    [
        ({"memory.rss": 3 * GIB, "memory.balloon": 4 * GIB}, 3 * GIB, "rss"),
        ({"memory.balloon": 4 * GIB}, 4 * GIB, "balloon"),
        ({}, 8 * GIB, "allocation"),
    ],
)
def test_memory_falls_back_and_says_so(values: dict[str, int], memory: int, basis: str) -> None:
    """What is resident, else what the balloon leaves, else what is allocated."""
    demand = forecast(Sample(NOON, 30, {"cpu": 100, **values}))
    assert demand.mean[X]["memory"] == memory
    assert demand.basis[X] == basis


@pytest.mark.parametrize(
    "samples",
    [
        (),
        (Sample(NOON - 901, 30, {"cpu": 100}),),
        (Sample(NOON, 30, {"memory.rss": 100}),),
        (Sample(NOON, 30, {"cpu": -1}),),
        (Sample(NOON, 30, {"cpu": 8001}),),
        (Sample(NOON, 30, {"cpu": 100, "memory.rss": 17 * GIB}),),
    ],
    ids=["none", "stale", "no CPU", "negative", "more CPU than it has", "more memory"],
)
def test_what_cannot_be_trusted_is_unknown_and_weighs_as_allocated(
    samples: tuple[Sample, ...],
) -> None:
    """Unknown is never idle."""
    demand = forecast(*samples)
    assert demand.unknown == {X}
    assert demand.mean[X] == {"cpu": 4000, "memory": 8 * GIB}
    assert demand.basis[X] == "allocation"


def test_traffic_and_dirtying_are_taken_where_known() -> None:
    """Their absence is no zero."""
    known = forecast(Sample(NOON, 30, {"cpu": 1, "disk": 5, "network": 6, "dirty": 7}))
    assert (known.mean[X]["disk"], known.mean[X]["network"]) == (5, 6)
    assert known.dirty_mib_s == {X: 7}
    bare = forecast(Sample(NOON, 30, {"cpu": 1}))
    assert bare.dirty_mib_s == {}
    assert "disk" not in bare.mean[X]


@given(texts(), st.sampled_from(sorted(FORECASTERS)))
def test_every_guest_gets_a_demand_from_every_method(text: str, name: str) -> None:
    """Whoever is not known is said to be unknown."""
    seen = observation(text)
    demand = FORECASTERS[name](seen)
    assert demand.mean.keys() == demand.peak.keys() == seen.cluster.guest.keys()
    assert demand.unknown == seen.cluster.guest.keys() - seen.history.guests.keys()
