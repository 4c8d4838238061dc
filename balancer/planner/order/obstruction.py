"""Why a move could not be made, and what would open the way."""

from collections.abc import Iterable, Sequence

from balancer.planner.model.ledger import Ledger
from balancer.planner.model.plan import Stay
from balancer.planner.order.graph import circle_of
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move
from balancer.planner.order.opening import opening

GIB = 1024
EXPLAINED = 8
"""Circles for which a way to open them is sought."""
SHOWN = 5
"""How many names a sentence lists."""


def obstructions(guard: Guard, rest: Ledger, left: Sequence[Move]) -> tuple[Stay, ...]:
    """Return one sentence for each of `left`, blocked where all others hold what `rest` says.

    What a sentence says would open the way was tried, and does.
    """
    known: dict[frozenset[str], str] = {}
    return tuple(
        Stay(subject=guard.problem.name(move.guest), reason=_why(guard, rest, move, left, known))
        for move in left
    )


def _why(
    guard: Guard, rest: Ledger, move: Move, left: Sequence[Move], known: dict[frozenset[str], str]
) -> str:
    faults = guard.blocks(rest, move.guest, move.target)
    sentence = faults[0].sentence if faults else "it could not be ordered"
    blocked = f"cannot move to {move.target}: {sentence}"
    circle = circle_of(move, left)
    group = circle or (move,)
    key = frozenset(other.guest for other in group)
    if key not in known and len(known) < EXPLAINED:
        known[key] = _opening(guard, rest, group, circle=bool(circle))
    return "; ".join(filter(None, (blocked, known.get(key, ""))))


def _opening(guard: Guard, rest: Ledger, moves: Sequence[Move], *, circle: bool) -> str:
    """Return who waits for whom, and the least found that would let all of them go."""
    names = _some(guard.problem.name(move.guest) for move in moves)
    hosts = _some(move.source for move in moves)
    waiting = f"{names} on {hosts} wait for each other's room in a circle" if circle else ""
    found = opening(guard, rest, moves)
    if found is None:
        return waiting
    if found.steps:
        way = "temporary moves are not allowed ([allow] temporary_moves) and would open it"
    else:
        way = f"{gib(found.mib)} more free on {' or '.join(found.hosts)} would open it"
    return "; ".join(filter(None, (waiting, way)))


def _some(words: Iterable[str]) -> str:
    """Return the first few of `words`, sorted, and how many more there are."""
    every = sorted(set(words))
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def gib(mib: int) -> str:
    """Return an amount in GiB with one decimal at most."""
    return f"{mib / GIB:.1f}".removesuffix(".0") + " GiB"
