"""Spare bandwidth is given out once; steps up are told once."""

from dataclasses import dataclass, field
from typing import Any

from balancer.planner.dispatch import begin, started
from balancer.planner.model.plan import Action
from balancer.planner.model.policy import Limits
from balancer.ports import Progress
from balancer.service.climbing import Steps, give_room
from tests.drawing import problem
from tests.planner.puzzles import move

WIDE = Limits(at_once_per_host=9, at_once_total=9, migration_link_share=1.0)
TWO = "a 99c/99g link=10 : x 1v/1g | y 1v/1g\nb 99c/99g link=10 :"
MIB = 1024


@dataclass
class Wishing:
    """An execution that wishes for more, and notes what it is given."""

    action: Action
    wants: int
    given: list[int] = field(default_factory=list)

    def progress(self) -> Progress:
        """Wish."""
        return Progress(self.action.id, 0.5, 1, 1, 1.0, wants_kib_s=self.wants)

    def room(self, rate_kib_s: int) -> None:
        """Note it."""
        self.given.append(rate_kib_s)


def test_what_one_was_given_no_other_gets() -> None:
    """The first gets all there is, asked again nobody gets more; who wishes for nothing gets none."""
    first, second = move("x", "a", "b"), move("y", "a", "b")
    state = begin(problem(TWO, limits=WIDE), (first, second))
    state = started(started(state, first.id), second.id)
    running: Any = {a.id: Wishing(a, 20 * MIB) for a in (first, second)}
    for _ in range(2):
        state = give_room(state, running, [e.progress() for e in running.values()])
    assert running[first.id].given == [9 * MIB]
    assert running[second.id].given == []
    modest: Any = {first.id: Wishing(first, 0), second.id: Wishing(second, 3 * MIB)}
    fresh = begin(problem(TWO, limits=WIDE), (first, second))
    fresh = started(started(fresh, first.id), second.id)
    fresh = give_room(fresh, modest, [e.progress() for e in modest.values()])
    assert (modest[first.id].given, modest[second.id].given) == ([], [3 * MIB])
    assert fresh.rates == {second.id: 3 * MIB}


def test_each_step_is_told_once() -> None:
    """Also where two come at once."""
    steps, action = Steps(), move("x", "a", "b")
    told = [e.text for e in steps.fresh("P-1", action, ("one",), lambda: 1.0)]
    told += [e.text for e in steps.fresh("P-1", action, ("one", "two", "three"), lambda: 2.0)]
    told += [e.text for e in steps.fresh("P-1", action, ("one", "two", "three"), lambda: 3.0)]
    assert told == [f"x from a to b does not converge: {word}" for word in ("one", "two", "three")]
