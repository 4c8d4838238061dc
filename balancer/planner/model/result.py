"""How an action of a plan can end."""

from enum import StrEnum


class Result(StrEnum):
    """How an action ended."""

    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"
    STALLED = "stalled"
    REFUSED = "refused"
    """Not started: the look just before it said no."""
    LOST = "lost"
    """The guest is seen on neither end."""
