"""When a cluster runs out: what a line through its days says."""

import numpy as np
import pytest

from balancer.planner.capacity.trend import Trend, trends
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.model.outlook import PER_DAY
from balancer.planner.model.rollups import STEP, UNKNOWN, Block, Rollups
from tests.drawing import problem, uuid_of

TWO = problem("a 10c/100g : x 4v/8g\nb 10c/100g : y 4v/8g\nc 10c/100g state=down :")


def past(cpu: np.ndarray) -> Rollups:
    """Two guests that share `cpu` [steps] millicores."""
    cells = np.stack([cpu // 2, cpu - cpu // 2])
    block = Block.of([uuid_of("x"), uuid_of("y")], cells)
    return Rollups(STEP * 1000, len(cpu), {"cpu": block})


def grown(days: int, first: float, per_day: float, noise: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(3)
    day = np.arange(days * PER_DAY) // PER_DAY
    return (first + per_day * day + chance.normal(0, noise, len(day))).astype(np.int64)


def cpu_of(rollups: Rollups, hosts_lost: int = 0) -> Trend:
    (found,) = trends(TWO, rollups, hosts_lost)
    assert found.resource == "cpu"
    return found


def test_steady_growth_runs_out_when_it_says() -> None:
    """1 core a day from 4 cores, 17 cores to be used: after the tenth day, 4 more days."""
    found = cpu_of(past(grown(10, 4000, 1000)))
    assert found.limit == 17_000
    assert found.per_day == pytest.approx(1000, rel=1e-3)
    assert found.likely == pytest.approx(4.0, abs=0.05)
    assert found.soonest == pytest.approx(found.likely, abs=0.05)


def test_a_host_that_may_be_lost_comes_off_the_limit() -> None:
    """The largest one does."""
    assert cpu_of(past(grown(10, 4000, 1000)), hosts_lost=1).limit == 8500


def test_noise_widens_the_band() -> None:
    """The truth lies in it; the soonest is before the latest."""
    found = cpu_of(past(grown(14, 4000, 300, noise=1000)))
    assert found.soonest is not None
    assert found.latest is not None
    assert found.soonest < found.likely < found.latest
    assert found.soonest < (17_000 - 4000 - 13 * 300) / 300 < found.latest


def test_what_does_not_grow_does_not_run_out() -> None:
    """None, unless the band reaches that far."""
    found = cpu_of(past(grown(10, 4000, -100)))
    assert (found.likely, found.latest) == (None, None)


def test_what_is_beyond_the_limit_has_run_out() -> None:
    """0 days."""
    assert cpu_of(past(grown(10, 30_000, 100))).likely == 0


def test_too_few_days_say_nothing() -> None:
    """Three days are no line with a band; days known less than half do not count."""
    assert trends(TWO, past(grown(3, 4000, 100))) == ()
    holes = grown(5, 4000, 100)
    holes[: int(1.6 * PER_DAY)] = 2 * UNKNOWN
    assert trends(TWO, past(holes)) == ()


def of_cells(*rows: np.ndarray, names: str = "xy") -> Rollups:
    block = Block.of([uuid_of(name) for name in names], np.stack(rows))
    return Rollups(STEP * 1000, len(rows[0]), {"cpu": block})


def level(of: int, days: int = 6) -> np.ndarray:
    return np.full(days * PER_DAY, of)


def test_a_guest_that_was_not_measured_for_a_while_counts_as_usual() -> None:
    """Its silence is no fall in demand, in between nor lately."""
    quiet = level(3000)
    quiet[2 * PER_DAY : 4 * PER_DAY] = quiet[-PER_DAY // 2 :] = UNKNOWN
    assert cpu_of(of_cells(level(2000), quiet)).days == pytest.approx([5000] * 6)


def test_guests_that_come_and_go_are_growth_and_relief() -> None:
    """Each counts from its first reading; one that runs no more, to its last."""
    came, went = level(3000), level(1000)
    came[: 3 * PER_DAY] = went[4 * PER_DAY :] = UNKNOWN
    found = cpu_of(of_cells(level(2000), came, went, names="xyz"))
    assert found.days == pytest.approx([3000, 3000, 3000, 6000, 5000, 5000])


def test_memory_in_use_and_given_out_have_a_line_each() -> None:
    """Of use what is resident, else what the balloon leaves; given out as far as rules allow."""
    given = problem("a 10c/100g : x 4v/8g\nb 10c/100g : y 4v/8g", Capacity(memory_overcommit=1.5))
    blocks = {
        "memory.rss": Block.of([uuid_of("x")], level(5000)[None]),
        "memory.balloon": Block.of([uuid_of("y")], level(7000)[None]),
        "memory.assigned": Block.of([uuid_of("x"), uuid_of("y")], np.stack([level(8192)] * 2)),
    }
    rollups = Rollups(STEP * 1000, 6 * PER_DAY, blocks)
    used, out = trends(given, rollups)
    assert (used.resource, used.days[0], used.limit) == ("memory in use", 12_000, 184_320)
    assert (out.resource, out.days[0], out.limit) == ("memory given out", 16_384, 307_200)
    assert trends(given, rollups, hosts_lost=1)[1].limit == 153_600
    assert len(trends(TWO, rollups)) == 1  # no rule says how much may be given out


def test_guests_of_which_nothing_is_known_add_nothing() -> None:
    """A guest without a past is neither counted nor waited for."""
    block = Block.of([uuid_of("x")], np.full((1, 5 * PER_DAY), 2000))
    assert cpu_of(Rollups(STEP * 1000, 5 * PER_DAY, {"cpu": block})).days == (2000.0,) * 5
