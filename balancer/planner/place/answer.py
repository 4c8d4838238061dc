"""What an engine found, and how far it is proven."""

from dataclasses import dataclass

from balancer.planner.formulation import Ints
from balancer.planner.model.plan import Score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A placement that obeys every hard rule as far as the start did, and is never worse."""

    placement: Ints
    """[guests]: site numbers."""
    score: Score
    bound: int | None
    """No placement that repairs and relieves as much costs less; None if nothing was proven."""
    engine: str
    """`greedy`, `shed`, `ration`, `anneal`, `parts` or `exact`: the one whose placement this is."""
    steps: int
    """Work done, in steps that do not depend on the machine."""
    proven: bool
    """True if no placement has a better score."""


def key(score: Score) -> tuple[int, int, int]:
    """Return the score as something that compares in the right order."""
    return (score.repair, score.overload, score.cost)
