"""From roll-ups to a demand: means, peaks, stand-ins, joint futures."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.forecast import FORECASTERS
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.policy import Forecast
from balancer.planner.model.rollups import STEP, Block, Rollups
from tests.drawing import NOON, observation, texts, uuid_of
from tests.past import as_cells, with_past

TEXT = """
    a 16c/64g : x 4v/8g cpu=1 used=4 | y 4v/8g cpu=2 used=6
    b 16c/64g : z 4v/8g cpu=1 unknown
"""
X, Y, Z = map(uuid_of, "xyz")
PERCENTILE = FORECASTERS["percentile"]


def of_cpu(
    seen: Observation, **rows: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> Observation:
    """Return the observation with these pasts of CPU that end now."""
    cells = as_cells(np.stack(list(rows.values())))
    start = (int(NOON) // STEP + 1 - cells.shape[1]) * STEP
    block = Block.of([uuid_of(name) for name in rows], cells)
    return replace(seen, rollups=Rollups(start, cells.shape[1], {"cpu": block}))


@given(texts(), st.sampled_from(sorted(FORECASTERS)))
def test_without_a_past_the_sample_is_all_there_is(text: str, name: str) -> None:
    """Every method then says what `latest` says."""
    seen = observation(text)
    demand, plain = FORECASTERS[name](seen, Forecast()), FORECASTERS["latest"](seen, Forecast())
    assert demand.mean == plain.mean
    assert demand.basis == plain.basis
    assert (demand.unknown, demand.blind) == (plain.unknown, plain.blind)
    assert demand.dirty_mib_s == plain.dirty_mib_s


def test_means_and_peaks_come_from_the_past() -> None:
    """The peak is the quantile of the past, not under the mean, not over what the guest has."""
    varied = np.tile([1000.0] * 18 + [3000.0] * 2, 10)
    wild = np.tile([1000.0] * 10 + [9000.0] * 10, 10)
    demand = PERCENTILE(of_cpu(observation(TEXT), x=varied, y=wild), Forecast())
    assert (demand.mean[X]["cpu"], demand.peak[X]["cpu"]) == (1200, 3000)
    assert (demand.mean[Y]["cpu"], demand.peak[Y]["cpu"]) == (5000, 5000)
    assert demand.mean[X]["memory"] == 4096
    calm = PERCENTILE(of_cpu(observation(TEXT), x=varied), Forecast(quantile=0.5))
    assert calm.peak[X]["cpu"] == 1200


def test_a_past_stands_in_for_the_present() -> None:
    """A guest that is not believed now weighs as its past, and stays; without one it is blind."""
    seen = observation(TEXT)
    assert PERCENTILE(seen, Forecast()).blind == {"b"}
    demand = PERCENTILE(of_cpu(seen, z=np.full(20, 700.0)), Forecast())
    assert (demand.unknown, demand.blind) == ({Z}, frozenset())
    assert (demand.mean[Z]["cpu"], demand.mean[Z]["memory"]) == (700, 8192)
    assert demand.basis[Z] == "allocation"
    few = np.full(20, np.nan)
    few[:5] = 700
    assert PERCENTILE(of_cpu(seen, z=few), Forecast()).blind == {"b"}


@pytest.mark.parametrize("late", [0, 1, 5])
def test_the_newest_sample_ends_the_past(late: int) -> None:
    """Whether roll-ups reach now, end just before, or are of another time altogether."""
    seen = of_cpu(observation(TEXT), x=np.full(4, 500.0))
    earlier = replace(seen.rollups, start=seen.rollups.start - late * STEP)
    demand = PERCENTILE(replace(seen, rollups=earlier), Forecast())
    assert demand.mean[X]["cpu"] == {0: 500, 1: 600, 5: 1000}[late]
    assert demand.mean[Y]["cpu"] == 2000


def test_joint_futures_tell_who_peaks_together() -> None:
    """In no future do two guests peak together that never did; what is missing is as expected."""
    steps = np.arange(480)
    day = np.where(steps % 96 < 48, 3000.0, 100.0)
    seen = of_cpu(observation(TEXT), x=day, y=3100 - day, z=np.full(480, np.nan))
    demand = FORECASTERS["percentile"](seen, Forecast(scenarios=10))
    assert len(demand.scenarios) == 10
    for future in demand.scenarios:
        assert future[X]["cpu"] + future[Y]["cpu"] < 4000
        assert future[Z]["cpu"] == demand.mean[Z]["cpu"]
    short = of_cpu(observation(TEXT), x=day[:100])
    assert PERCENTILE(short, Forecast(scenarios=10)).scenarios == ()


def test_what_dirties_is_handed_on() -> None:
    """A dirty rate is known of those that were measured and are believed."""
    seen = with_past(TEXT)
    (sample,) = seen.history.guests[X]
    dirty = Sample(sample.at, sample.window, {**sample.values, "dirty": 7})
    seen = replace(seen, history=History({**seen.history.guests, X: (dirty,)}))
    assert PERCENTILE(seen, Forecast()).dirty_mib_s == {X: 7}
