"""How much of what a plan gains each further move brings: where it may be cut."""

from collections.abc import Sequence

from balancer.planner.formulation import Formulation
from balancer.planner.place.state import State

WHOLE = 1000


def curve(formulation: Formulation, moves: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return, for each of `moves` (guest, site) in turn, what has been gained by then, in per mille.

    Counted at the first level that all of them together improve: repairs, else relief, else cost.
    Moves that only make room bring nothing yet. Empty where nothing is gained.
    """
    state = State(formulation)
    totals = [state.total]
    for guest, site in moves:
        state.shift(guest, site)
        totals.append(state.total)
    first, last = totals[0].tolist(), totals[-1].tolist()
    better = [level for level in range(len(first)) if last[level] < first[level]]
    if not better:
        return ()
    level = better[0]
    whole = first[level] - last[level]
    gained = [(first[level] - int(total[level])) * WHOLE // whole for total in totals[1:]]
    return tuple(min(WHOLE, max(0, share)) for share in gained)
