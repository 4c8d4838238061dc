"""How far promised savings are believed: as far as earlier promises came true."""

from collections.abc import Iterable
from typing import Final

from balancer.planner.model.observation import Promise

GIVEN: Final = 3.0
"""Promises kept in full that a model without a record is credited with."""
LOOKED_AT: Final = 20
"""The latest promises that count."""
NOTICEABLE: Final = 10.0
"""Guest-seconds: what promises less can neither be seen to be kept nor to be broken."""


def trust(promises: Iterable[Promise]) -> float:
    """Return the share of a promised saving to believe, above 0 and at most 1.

    The mean over the latest promises of the share that came true (none for one that made things
    worse, all for one that was exceeded) and over GIVEN ones kept in full: one failure costs
    little, and a record that ages out of the journal is forgotten.
    """
    shares = [
        min(1.0, max(0.0, promise.realised / promise.promised))
        for promise in promises
        if promise.promised >= NOTICEABLE
    ][-LOOKED_AT:]
    return (GIVEN + sum(shares)) / (GIVEN + len(shares))
