"""What is expected is checked, key by key."""

from dataclasses import replace
from pathlib import Path

import pytest

from balancer.config.reading import Table
from balancer.simulator.counting.counted import Counted
from balancer.simulator.expectation import KEYS, Figures, expect

FIGURES = Figures(
    cycles=10,
    moves=5,
    temporary_moves=1,
    failed=1,
    refused=0,
    lost=2,
    mib=4096,
    longest_pause_ms=80,
    rules_broken=1,
    hottest=0.7,
    fullest=0.6,
    done_after=120.0,
    quiet_cycles=3,
    traffic=600.0,
    stopped=True,
    counted=Counted(
        contention=90.0,
        overload=120.0,
        downtime=1.5,
        without_spare=60.0,
        rules_broken=300.0,
        return_trips=2,
        never_began=1,
    ),
)


def unmet(figures: Figures = FIGURES, **promised: object) -> tuple[str, ...]:
    """Return what is not kept."""
    return expect(Table(Path("x.toml"), "expect", promised)).broken_by(figures)


@pytest.mark.parametrize(
    ("key", "kept", "broken"),
    [
        ("stops_itself_at_most", 1, 0),
        ("traffic_at_most", "10min", "9min"),
        ("contention_at_most", "90s", "89s"),
        ("overload_at_most", "2min", "119s"),
        ("downtime_at_most", "2s", "1s"),
        ("without_spare_at_most", "60s", "59s"),
        ("rules_broken_at_most", "5min", "4min"),
        ("return_trips_at_most", 2, 1),
        ("never_began_at_most", 1, 0),
        ("stops_itself_at_least", 1, 2),
        ("moves_at_most", 5, 4),
        ("moves_at_least", 5, 6),
        ("temporary_moves_at_most", 1, 0),
        ("temporary_moves_at_least", 1, 2),
        ("failed_at_most", 1, 0),
        ("failed_at_least", 1, 2),
        ("lost_at_most", 2, 1),
        ("rules_broken", 1, 0),
        ("hottest_below", "70%", "69%"),
        ("fullest_below", "60%", "59%"),
        ("done_within", "2min", "119s"),
        ("pause_at_most", "80ms", "79ms"),
        ("quiet_cycles", 3, 4),
    ],
)
def test_each_key_is_kept_up_to_its_limit_and_broken_beyond(
    key: str, kept: object, broken: object
) -> None:
    """The limit itself is kept; the sentence names the key and the figure."""
    assert unmet(**{key: kept}) == ()
    (sentence,) = unmet(**{key: broken})
    assert sentence.startswith(f"{key} = ")


def test_every_key_there_is_was_tried_above() -> None:
    """A key that is added is tested."""
    marks = test_each_key_is_kept_up_to_its_limit_and_broken_beyond.pytestmark
    assert {case[0] for case in marks[0].args[1]} == set(KEYS)


def test_all_that_is_broken_is_told() -> None:
    """In the order of the file, with both numbers."""
    assert unmet(moves_at_most=4, lost_at_most=0) == (
        "moves_at_most = 4, but it was 5",
        "lost_at_most = 0, but it was 2",
    )
    assert unmet(replace(FIGURES, lost=0), lost_at_most=0) == ()
