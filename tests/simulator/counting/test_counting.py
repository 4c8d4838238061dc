"""What a run cost is counted as the page on simulation says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from balancer.planner.model.plan import Outcome, Result
from balancer.simulator.counting.counted import Counted, lasting, return_trips
from balancer.simulator.counting.meter import Meter
from balancer.simulator.counting.power import power
from balancer.simulator.counting.spare import bears_any_loss
from balancer.simulator.counting.telling import LINES, figure, sentence
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from tests.worlds import world_of

SIMULATIONS = Path(__file__).resolve().parents[3] / "simulations"


def test_power_follows_the_curve() -> None:
    """Through its points, straight between them, flat beyond."""
    assert [power((100, 160, 180), load) for load in (0, 0.25, 0.5, 0.75, 1, 2)] == [
        100, 130, 160, 170, 180, 180,
    ]  # fmt: skip


def test_a_minute_counts_as_it_began() -> None:
    """12 cores wanted of 8 for 150 s: 4 wait; the busy host draws all it can, the empty one idles."""
    world = world_of("""
        a 8c/64g : x 8v/4g cpu=6 | y 8v/4g cpu=6
        b 8c/64g :
    """)
    meter = Meter(world.now + 150)
    meter.attach(world)
    world.advance(world.now + 600)
    counted = meter.counted()
    assert counted.contention == 4 * 150
    assert counted.overload == 150
    assert counted.energy == pytest.approx((350 + 150) * 150 / 3600, abs=0.001)
    assert counted.energy_empty == pytest.approx(150 * 150 / 3600, abs=0.001)
    course = meter.course()
    assert course.hosts == ("a", "b")
    assert course.load.tolist() == [[1.5] * 3, [0.0] * 3]
    assert course.waiting.tolist() == [4.0] * 3


def test_a_dead_host_has_no_load_and_draws_nothing() -> None:
    """Nor does its loss have to be borne any more."""
    world = world_of("""
        a 8c/8g : x 2v/4g cpu=1
        b 8c/8g : y 2v/4g cpu=1
    """)
    meter = Meter(world.now + 120)
    meter.attach(world)
    world.plan_to(world.now + 60, lambda w: w.die("b"))
    world.advance(world.now + 120)
    assert np.isnan(meter.course().load[1]).tolist() == [False, True]
    assert meter.course().watts[1] == pytest.approx(175)
    assert meter.counted().without_spare == 60  # nobody is left to take x


@pytest.mark.parametrize(
    ("drawn", "bears"),
    [
        ("a 8c/8g : x 1v/4g\nb 8c/8g : y 1v/4g", True),
        ("a 8c/8g : x 1v/4g\nb 8c/8g : y 1v/5g", False),
        ("a 8c/8g : x 1v/2g | z 1v/2g\nb 8c/8g : y 1v/4g\nc 8c/8g : w 1v/4g", True),
        ("a 8c/8g : x 1v/6g\nb 8c/8g : y 1v/5g\nc 8c/8g : w 1v/5g", False),
    ],
)
def test_n_plus_1_is_room_for_the_guests_of_any_host(drawn: str, *, bears: bool) -> None:
    """Memory as allocated, on single hosts, not in the sum."""
    assert bears_any_loss(world_of(drawn)) is bears


def test_rules_are_broken_for_as_long_as_they_are() -> None:
    """Each counts from its moment until the next look, the last until the end."""
    assert lasting([(0, 2), (60, 0), (120, 1)], 150) == 2 * 60 + 30
    assert lasting([], 100) == 0


def test_a_way_back_is_a_return_trip_and_a_step_aside_is_none() -> None:
    """Only what arrived counts."""
    report = Simulation(load_scenario(SIMULATIONS / "swap_deadlock.toml")).run()
    assert report.figures.temporary_moves == 1
    assert report.figures.counted.return_trips == 0
    there: Outcome = next(o for o in report.outcomes if not o.action.temporary)
    back = replace(
        there,
        action=replace(there.action, source=there.action.target, target=there.action.source),
    )
    assert return_trips([there, back]) == 1
    assert return_trips([there, replace(back, result=Result.FAILED)]) == 0
    assert return_trips([there, back, there]) == 2


def test_every_figure_has_a_line_and_a_place_on_the_page() -> None:
    """Nothing is counted in secret."""
    page = (SIMULATIONS.parent / "docs" / "simulation.md").read_text()
    assert len(LINES) == len(Counted.__dataclass_fields__)
    for name in Counted.__dataclass_fields__:
        assert f"`{name}`" in page
    assert sentence(Counted(contention=1234.5)).startswith("Counted: contention 1,234 guest-sec")
    assert [figure(x) for x in (0, 3, 1.25, 12.6)] == ["0", "3", "1.25", "13"]
