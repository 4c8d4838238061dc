"""Times and rates without wishes: a fair part each, or all where only that converges."""

from balancer.planner.model.policy import Limits
from balancer.planner.order.moves import Move, Travel
from balancer.planner.order.timetable import timetable
from tests.drawing import problem, uuid_of

MIB = 1024


def test_a_guest_that_dirties_fast_takes_the_whole_link():
    """At its part it would never end; the other waits for the link."""
    posed = problem(
        "a 9c/9g link=100 : x 1v/1g dirty=15 | y 1v/1g dirty=15\n"
        "b 9c/9g link=100 :\nc 9c/9g link=100 :",
        limits=Limits(at_once_per_host=2),
    )
    moves = [Move(uuid_of("x"), "a", "b"), Move(uuid_of("y"), "a", "c")]
    first, second = timetable(Travel(posed), moves, ((), ()))
    assert first.rate_kib_s == second.rate_kib_s == 40 * MIB
    assert second.start == first.end
