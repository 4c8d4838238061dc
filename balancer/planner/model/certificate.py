"""Proof that no schedule exists: a claim anybody can check again who knows the rules alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MOST_SEARCHED = 12
"""Guests up to which every way is tried."""


class Argument(StrEnum):
    """Why nobody can find a way."""

    COUNT = "count"
    """None of `stuck` can be the first of them to move, even if all that are not stuck held
    nothing anywhere: so none of them ever moves, and one of them was to."""
    SEARCH = "search"
    """The same of `stuck`; and all placements that the others, `moving`, can reach were visited:
    the one wanted is not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Live migrations cannot take every guest to where it was to go, in whatever order.

    Speaks of rules that more occupancy can only break and less only mend: then whatever can be
    done at once can be done one at a time, so that only the latter has to be looked at. Where
    temporary moves are allowed any guest may step aside, else only those in `target` move.
    """

    argument: Argument
    target: Mapping[str, str]
    """Host by uuid of each guest that was to move."""
    moving: tuple[str, ...] = ()
    """Uuids, sorted; of `search`."""
    stuck: tuple[str, ...] = ()
    """Uuids of the guests that can never move, sorted."""
    placements: int = 0
    """How many placements can be reached; of `search`."""
    sentence: str = ""
