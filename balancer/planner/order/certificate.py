"""When no schedule exists, whatever is tried: reasons that can be checked by hand."""

import numpy as np

from balancer.planner.order.yard import Ints, Yard, rows_of


def nobody_can_start(yard: Yard, idle: Ints) -> str:
    """Return why no live migration can ever start; an empty string if one may.

    `idle` [others, resources] is what other guests need that could be moved. Where not even one
    guest has room on any other host, nothing can change, so that no target but the present
    placement can be reached.
    """
    if not len(yard.source):
        return ""
    most = yard.room.max(axis=0)
    least = yard.room.min(axis=0)
    for need in idle:
        if np.all(need <= most):
            return ""
    free = yard.free
    for mover in range(len(yard.source)):
        here = rows_of(yard, mover, int(yard.source[mover]))
        for host in range(len(yard.zone)):
            taken = rows_of(yard, mover, host)
            if host != yard.source[mover] and all(
                free[r] >= amount for r, amount in taken.items() if r not in here
            ):
                return ""
    return (
        f"no guest has room on any host but its own: {len(yard.source)} have to move, and the most "
        f"and least free on any host are {most.tolist()} and {least.tolist()}"
    )
