"""How much of what a plan gains each further move brings: where it may be cut."""

from collections.abc import Sequence

from balancer.planner.formulation import Formulation, Level
from balancer.planner.place.state import State

WHOLE = 1000


def curve(formulation: Formulation, moves: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return, for each of `moves` (guest, site) in turn, what has been gained by then, in per mille.

    Of repairs and relief, as far as all of them together improve these, the one that lags behind
    counts: a plan that mends a rule and cools a host has not brought all of it by the rule. Cost
    counts where neither improves. Moves that only make room bring nothing yet. Empty where nothing
    is gained.
    """
    state = State(formulation)
    totals = [state.total]
    for guest, site in moves:
        state.shift(guest, site)
        totals.append(state.total)
    first, last = totals[0].tolist(), totals[-1].tolist()
    better = [level for level in range(len(first)) if last[level] < first[level]]
    counted = [level for level in better if level != Level.COST] or better
    if not counted:
        return ()
    return tuple(
        min(_share(first[level], int(total[level]), last[level]) for level in counted)
        for total in totals[1:]
    )


def _share(first: int, now: int, last: int) -> int:
    return min(WHOLE, max(0, (first - now) * WHOLE // (first - last)))
