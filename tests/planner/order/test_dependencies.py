"""What a move waits for where the times it was told of are only wished, or do not suffice."""

from balancer.planner.order.dependencies import waits
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move
from tests.drawing import problem, uuid_of

FULL = "a 9c/4g : x 1v/4g\nb 9c/4g : y 1v/4g\nc 9c/9g :"


def never(_earlier: int, _later: int) -> bool:
    """Nothing is said to have ended."""
    return False


def test_who_has_to_go_first_is_waited_for_also_against_a_wish():
    """The wish knows nothing of memory: the room is waited for all the same, and nothing else."""
    guard = Guard(problem(FULL))
    moves = [Move(uuid_of("y"), "b", "c"), Move(uuid_of("x"), "a", "b")]
    assert waits(guard, moves, never, wished=True) == ((), (0,))
    assert waits(guard, moves) == ((), (0,))


def test_where_times_are_meant_nothing_beside_them_is_waited_for():
    """What does not suffice is left to the judge, who refuses it."""
    guard = Guard(problem(FULL))
    moves = [Move(uuid_of("y"), "b", "c"), Move(uuid_of("x"), "a", "b")]
    assert waits(guard, moves, never) == ((), ())


def test_what_nobody_can_mend_is_waited_for_by_nobody():
    """Where nobody leaves there is nobody to wait for, wished or not."""
    guard = Guard(problem(FULL))
    moves = [Move(uuid_of("x"), "a", "b")]
    assert waits(guard, moves, wished=True) == ((),)
    assert waits(guard, moves) == ((),)
