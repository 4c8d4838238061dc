"""One complete CP-SAT model of a small problem: every primitive, one level after the other.

The best placement known is given as a hint and kept outside: presolve may eat the whole limit,
so a complete hint does not promise an answer. One worker, a fixed seed and deterministic time give
the same placement on every machine.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from balancer.planner.formulation import Formulation, Ints, Level
from balancer.planner.model.request import Effort
from balancer.planner.place.answer import Answer, key
from balancer.planner.place.evaluate import permitted, score

if TYPE_CHECKING:
    pass

MOST_BOOLEANS: Final = {Effort.QUICK: 8_000, Effort.NORMAL: 25_000, Effort.THOROUGH: 25_000}
"""Guests times the sites each may be on, beyond which a complete model does not pay."""
WORK: Final = {Effort.QUICK: 1.5, Effort.NORMAL: 15.0, Effort.THOROUGH: 200.0}
"""Deterministic time for all levels together; a unit is about a second of one core."""
STEPS_PER_UNIT: Final = 1000


def booleans(formulation: Formulation) -> int:
    """Return how many guest-on-site decisions are open."""
    free = ~formulation.held
    return int(formulation.allowed[free].sum())


def exact(
    formulation: Formulation,
    best: Ints,
    effort: Effort,
    seed: int,
    keep_going: Callable[[], bool],
) -> Answer:
    """Return `best` or a better placement, with what could be proven.

    `best` must be permitted. Levels are minimised in order, each held to what those before it
    reached. A level at zero has nothing left to gain.
    """
    from balancer.planner.place.model import Model  # noqa: PLC0415 - OR-Tools takes a second

    model = Model(formulation)
    work, proven, bound = 0.0, True, None
    for level in Level:
        reached = key(score(formulation, best))[level]
        if reached and keep_going():
            found = model.minimise(level, best, WORK[effort] - work, seed, keep_going)
            work += found.work
            best = _better(formulation, best, found.placement)
            reached = key(score(formulation, best))[level]
            bound = max(0, min(found.bound, reached))
        else:
            bound = 0
        proven = proven and bound == reached
        model.hold(level, reached)
    return Answer(
        placement=best,
        score=score(formulation, best),
        bound=bound,
        engine="exact",
        steps=round(work * STEPS_PER_UNIT),
        proven=proven,
    )


def _better(formulation: Formulation, best: Ints, found: Ints | None) -> Ints:
    """Return `found` if it is permitted and really better by the reference, else `best`."""
    if found is None:
        return best
    now, then = key(score(formulation, best)), key(score(formulation, found))
    return found if then < now and permitted(formulation, found) else best
