"""How well durations are predicted, as doctor says it."""

from dataclasses import replace

from balancer.planner.model.calibration import UNCALIBRATED
from balancer.ports import Grade
from balancer.service.lessons import lesson


def test_no_lesson_is_said_to_be_none() -> None:
    """Then predictions are guesses, and cautious."""
    found = lesson(UNCALIBRATED)
    assert found.grade is Grade.NOTE
    assert "no migration has taught yet" in found.sentence


def test_errors_are_told() -> None:
    """Predicted 10 s, took 8, 10 and 12.5."""
    found = lesson(replace(UNCALIBRATED, errors=(0.8, 1.0, 1.25)))
    assert found.grade is Grade.OK
    assert "latest 3 migrations were off by 20% (median)" in found.sentence
