"""What a move takes: the model of durations, under the names used where moves are ordered."""

from balancer.planner.model.duration import (
    CATCH_UP,
    KIB,
    P90_RATIO,
    SETUP_SECONDS,
    WillNotConverge,
    behind_a_mirror,
    predict,
    with_disks,
)

__all__ = [
    "CATCH_UP",
    "KIB",
    "P90_RATIO",
    "SETUP_SECONDS",
    "WillNotConverge",
    "behind_a_mirror",
    "predict",
    "with_disks",
]
