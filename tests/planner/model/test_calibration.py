"""What finished migrations taught."""

from balancer.planner.model.calibration import UNCALIBRATED, Calibration, Learned


def test_the_nearest_lesson_counts() -> None:
    """Of the pair, else of links of that rate, else what holds everywhere."""
    learned = Calibration(by_pair={"a": {"b": Learned(value=0.5)}}, by_link={100: 0.7})
    assert learned.ratio("a", "b", 100) == 0.5
    assert learned.ratio("b", "a", 100) == 0.7
    assert learned.ratio("b", "a", 99) == UNCALIBRATED.everywhere.value
