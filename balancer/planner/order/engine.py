"""The array engine's answer in the planner's words, if every rule agrees with each of its steps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from balancer.planner.model.ledger import Ledger
from balancer.planner.model.plan import Prediction
from balancer.planner.model.request import Effort as Asked
from balancer.planner.order.arrange import Effort, Schedule, arrange
from balancer.planner.order.cost import KIB
from balancer.planner.order.guard import Guard
from balancer.planner.order.moves import Move, Travel, whole
from balancer.planner.order.posing import pose
from balancer.planner.order.timetable import Wish

ENOUGH: Final = 0.01
"""How much longer than the bound, as a share, a schedule may be that is not improved further."""
PRICE: Final = 30.0
DEAREST: Final = 0.5
CHEAPEST: Final = 0.05
"""A step aside is worth its making if it shortens the schedule by this share: `PRICE` over the
number of moves, within these limits. One more of many is little more to send."""
ASIDE: Final = 0.05
"""The share of guests that may step aside only for a shorter schedule."""
FEWEST: Final = 0.3
"""Deterministic seconds of CP-SAT for each question about who has to step aside."""
COMPILED_FROM: Final = 100
"""Moves from which a compiler is waited for."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Moves in the order of their start, when and how fast each would best go, who ends where."""

    moves: tuple[Move, ...]
    wishes: tuple[Wish, ...]
    rest: Ledger
    least: int = 0
    """Steps aside that any order of these moves has; 0 where that is not known."""


LOOKING: Final = {
    Asked.INSTANT: (1, 0.0),
    Asked.QUICK: (1, 0.1),
    Asked.NORMAL: (5, 0.5),
    Asked.THOROUGH: (25, 2.0),
}
"""By the effort asked for: how many times the least rounds, and CP-SAT's deterministic seconds, of
which each is some seconds of processor time."""


def arrangement(
    guard: Guard, travel: Travel, able: Sequence[Move], asked: Asked = Asked.QUICK
) -> Arrangement | None:
    """Return how all of `able` are best made; None if no way was found for all of them."""
    if not able:
        return None
    able = sorted(able, key=lambda move: (guard.problem.name(move.guest), move.guest))
    yard = pose(travel, able)
    found = arrange(yard, _effort(len(able), asked))
    made = None if found.schedule is None else _checked(guard, travel, able, found.schedule)
    return None if made is None else replace(made, least=found.least)


def _effort(moves: int, asked: Asked) -> Effort:
    """Return work that takes some tenths of a second for hundreds of moves, compiled or not.

    Durations are not known to a tenth, so that the last hundredths of a schedule are not sought.
    """
    compiled = moves > COMPILED_FROM
    times, exact = LOOKING[asked]
    rounds = 40_000 // moves if compiled else 10_000 // moves
    return Effort(
        rounds=times * min(400, max(12, rounds)),
        roams=1500 if compiled else 60,
        price_of_a_step_aside=max(CHEAPEST, min(DEAREST, PRICE / moves)),
        aside=ASIDE,
        fewest=FEWEST,
        exact=exact,
        enough=ENOUGH,
        compiled_from=COMPILED_FROM,
    )


def _checked(
    guard: Guard, travel: Travel, able: Sequence[Move], found: Schedule
) -> Arrangement | None:
    """Return `found` in words, unless a rule that rows cannot say forbids a step of it."""
    names = [host.name for host in guard.problem.cluster.hosts]
    ledger = guard.ledger()
    moves: list[Move] = []
    wishes: list[Wish] = []
    for i in np.argsort(found.start, kind="stable").tolist():
        trip = found.trips[i]
        final = able[trip.mover]
        source, target = names[trip.source], names[trip.target]
        rate = max(1, whole(int(found.rate[i] * KIB)))
        answer = travel.predict(final.guest, source, target, rate)
        fits = isinstance(answer, Prediction) and not guard.blocks(ledger, final.guest, target)
        if not fits:
            return None
        ledger.put(final.guest, target)
        moves.append(Move(final.guest, source, target, target != final.target))
        wishes.append(Wish(float(found.start[i]), float(found.end[i]), rate))
    return Arrangement(tuple(_opening(moves)), tuple(wishes), ledger)


def _opening(moves: Sequence[Move]) -> list[Move]:
    """Return `moves`, the temporary ones with the guest that first uses the room they leave."""
    told = list(moves)
    next_in: dict[str, str] = {}
    for i in range(len(moves) - 1, -1, -1):
        move = moves[i]
        if move.temporary:
            told[i] = Move(
                move.guest, move.source, move.target, True, next_in.get(move.source, "")
            )
        next_in[move.target] = move.guest
    return told
