"""Why a move could not be made, and what would open the way."""

from collections.abc import Iterable, Sequence

from balancer.planner.model.ledger import Ledger
from balancer.planner.model.plan import Stay
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import MEMORY
from balancer.planner.order.graph import circle_of
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move

GIB = 1024
SHOWN = 5
"""How many names a sentence lists."""


def obstructions(guard: Guard, rest: Ledger, left: Sequence[Move]) -> tuple[Stay, ...]:
    """Return one sentence for each of `left`, blocked where all others hold what `rest` says."""
    return tuple(
        Stay(subject=guard.problem.name(move.guest), reason=_why(guard, rest, move, left))
        for move in left
    )


def _why(guard: Guard, rest: Ledger, move: Move, left: Sequence[Move]) -> str:
    faults = guard.blocks(rest, move.guest, move.target)
    sentence = faults[0].sentence if faults else "it could not be ordered"
    blocked = f"cannot move to {move.target}: {sentence}"
    circle = circle_of(move, left)
    return f"{blocked}; {_opening(guard.problem, rest, circle)}" if circle else blocked


def _opening(problem: Problem, rest: Ledger, circle: Sequence[Move]) -> str:
    """Return who waits for whom, and the least that would let one of them step aside."""
    names = _some(problem.name(move.guest) for move in circle)
    hosts = {move.source for move in circle}
    waiting = f"{names} on {_some(hosts)} wait for each other's room in a circle"
    if not problem.policy.allow.temporary_moves:
        return f"{waiting}, and temporary moves are not allowed ([allow] temporary_moves)"
    least = gib(min(problem.needs[move.guest].get(MEMORY, 0) for move in circle))
    third = [host for host in problem.receiving if host not in hosts]
    if not third:
        return f"{waiting}; a third host with {least} free would open it"
    best = min(third, key=lambda host: (-_free(problem, rest, host), host))
    return f"{waiting}; {least} free on {best} would open it"


def _some(words: Iterable[str]) -> str:
    """Return the first few of `words`, sorted, and how many more there are."""
    every = sorted(set(words))
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def _free(problem: Problem, rest: Ledger, host: str) -> int:
    used = sum(problem.needs[guest].get(MEMORY, 0) for guest in rest.on(host))
    return problem.host(host).usable.get(MEMORY, 0) - used


def gib(mib: int) -> str:
    """Return an amount in GiB with one decimal at most."""
    return f"{mib / GIB:.1f}".removesuffix(".0") + " GiB"
