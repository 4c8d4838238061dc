"""The service: one turn of the crank (`turn`), and turn after turn (`loop`)."""

from balancer.service.guards import barred
from balancer.service.recovery import abort, left_open, resume
from balancer.service.turn import CycleReport, cycle, execute, observe, recheck

__all__ = [
    "CycleReport",
    "abort",
    "barred",
    "cycle",
    "execute",
    "left_open",
    "observe",
    "recheck",
    "resume",
]
