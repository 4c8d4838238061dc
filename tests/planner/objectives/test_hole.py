"""Which hosts are to have the hole, and of what it is made."""

from balancer.planner.formulation import Formulation, Row
from balancer.planner.objectives.hole import Hole
from tests.drawing import problem

GIB = 1024
UNEQUAL = """
    a 16c/16g : x 2v/8g
    b 16c/64g : y 2v/56g
    """


def rows(goal: Hole) -> list[Row]:
    """Return what the goal writes for the unequal hosts."""
    formulation = Formulation(problem(UNEQUAL))
    goal.post(formulation)
    return [row for row in formulation.primitives if isinstance(row, Row)]


def test_a_hole_of_memory_alone_limits_memory_alone() -> None:
    """What the hole does not ask for keeps its limit."""
    assert [row.label for row in rows(Hole(memory_free=8 * GIB))] == ["hole: memory"]
    assert [row.label for row in rows(Hole(vcpus_free=8))] == ["hole: vCPUs"]


def test_a_host_smaller_than_the_hole_is_never_cleared_for_it() -> None:
    """Even where it would cost less and more hosts are asked for than could have it."""
    (row,) = rows(Hole(memory_free=32 * GIB, on_hosts=2))
    assert row.limit.tolist() == [int(row.use.sum()) + 32 * GIB, 32 * GIB]
