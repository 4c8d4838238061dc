"""From a target placement to a plan: what moves when, how fast, after what, and what cannot."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from balancer.planner.model.certificate import Certificate
from balancer.planner.model.copying import copied
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Action, Migration, Reach, Stay
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.order.cost import WillNotConverge
from balancer.planner.order.dependencies import Waits, waits
from balancer.planner.order.engine import Arrangement, arrangement
from balancer.planner.order.guard import Guard
from balancer.planner.order.impossible import Settled, settle
from balancer.planner.order.moves import Move, Travel
from balancer.planner.order.obstruction import obstructions
from balancer.planner.order.rungs import Stance, ladder
from balancer.planner.order.sequence import Sequenced, sequence
from balancer.planner.order.timetable import Timed, Wish, timetable

AT_ONCE = 1e-6
"""Seconds within which two instants count as one."""
NO_REASONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ordered:
    """As much of the way to a target as is safe."""

    actions: tuple[Action, ...]
    """In the order of their start; safe one at a time in this order, too."""
    left: tuple[Stay, ...]
    """What does not move, and the exact obstruction."""
    reached: Placement
    """Where every guest is once all actions have ended well."""
    reach: Reach = Reach.COMPLETE
    """Of the moves that can be made at all: whether all of them are, or can be."""
    certificate: Certificate | None = None
    """Where it is impossible: why."""
    blocking: tuple[tuple[Move, str], ...] = ()
    """The moves that block each other or are blocked, and the obstruction."""
    least_aside: int = 0
    """Steps aside that any order of these actions has, of guests that have to move anyway; 0 where
    that is not known."""


def order(
    problem: Problem,
    target: Placement,
    reasons: Mapping[str, str] = NO_REASONS,
    effort: Effort = Effort.QUICK,
) -> Ordered:
    """Return safe actions that lead from where guests run to `target`, as far as that goes.

    At every instant a guest in flight counts on both hosts, and no hard rule is broken that is
    not broken now, nor any worse. `reasons` are sentences by guest, handed through. `effort` is
    how hard to look for a short schedule.
    """
    wanted = _moves(problem, target)
    if not wanted:  # as in most cycles of a quiet day
        return Ordered(actions=(), left=(), reached=dict(problem.cluster.placement))
    travel, guard = Travel(problem), Guard(problem)
    able, left = _able(travel, wanted)
    found, wishes = _found(guard, travel, able, effort)
    while torn := _torn(guard, found, able):
        able = [move for move in able if move not in torn]
        left += [_stay(problem, move, sentence) for move, sentence in torn.items()]
        found, wishes = _found(guard, travel, able, effort)
    settled = settle(guard, travel, able) if found.left else Settled()
    if settled.moves is not None and not guard.split(_by_search(guard, settled.moves).rest):
        found, wishes = _by_search(guard, settled.moves), ()
    moves, needed, timed = _timed(guard, travel, found.done, wishes)
    blocked = obstructions(guard, found.rest, found.left)
    return Ordered(
        actions=_actions(travel, moves, needed, timed, reasons),
        left=(*left, *blocked),
        reached={guest: found.rest[guest][0] for guest in problem.cluster.placement},
        reach=_reach(found, settled),
        certificate=settled.certificate,
        blocking=tuple((m, b.reason) for m, b in zip(found.left, blocked, strict=True)),
        least_aside=found.least,
    )


def _reach(found: Sequenced, settled: Settled) -> Reach:
    if not found.left:
        return Reach.COMPLETE
    return Reach.IMPOSSIBLE if settled.certificate else Reach.NONE_FOUND


def _by_search(guard: Guard, moves: Sequence[Move]) -> Sequenced:
    """Return a sequence that was found by looking everywhere."""
    rest = guard.ledger()
    for move in moves:
        rest.put(move.guest, move.target)
    return Sequenced(tuple(moves), (), rest)


def _found(
    guard: Guard, travel: Travel, able: Sequence[Move], effort: Effort
) -> tuple[Sequenced, Sequence[Wish]]:
    """Return how far one gets, in which order, and when and how fast each move would best go.

    The engine first; where it does not get all the way, as far as one can get move by move, and
    the engine again for those moves.
    """
    whole_way = arrangement(guard, travel, able, effort)
    if whole_way is not None:
        return _sequenced(whole_way, ())
    found = sequence(guard, travel, able)
    left = {move.guest for move in found.left}
    part = arrangement(guard, travel, [move for move in able if move.guest not in left], effort)
    return (found, ()) if part is None else _sequenced(part, found.left)


def _sequenced(made: Arrangement, left: Sequence[Move]) -> tuple[Sequenced, Sequence[Wish]]:
    return Sequenced(made.moves, tuple(left), made.rest, made.least), made.wishes


def _moves(problem: Problem, target: Placement) -> list[Move]:
    now = problem.cluster.placement
    return [
        Move(guest, now[guest], target[guest])
        for guest in sorted(now)
        if target.get(guest, now[guest]) != now[guest]
    ]


def _able(travel: Travel, wanted: Iterable[Move]) -> tuple[list[Move], list[Stay]]:
    """Return the moves that can be made at all, and why the others cannot."""
    able, left = [], []
    for move in wanted:
        why = _unable(travel, move)
        if why:
            left.append(_stay(travel.problem, move, why))
        else:
            able.append(move)
    return able, left


def _unable(travel: Travel, move: Move) -> str:
    problem = travel.problem
    limits = problem.policy.limits
    if min(limits.at_once_per_host, limits.at_once_total) < 1:
        return "[limits] at_once_per_host or at_once_total allows no migration"
    if move.guest in problem.cluster.in_flight:
        return f"it is being migrated to {problem.cluster.in_flight[move.guest]} by somebody else"
    if move.target not in problem.receiving:
        return f"{move.target} receives no guests"
    answer = travel.at_best(move.guest, move.source, move.target)
    return answer.sentence if isinstance(answer, WillNotConverge) else ""


def _torn(guard: Guard, found: Sequenced, able: Sequence[Move]) -> Mapping[Move, str]:
    """Return the moves without which rules that are asked at the end hold, and what breaks."""
    return {
        move: fault.sentence
        for fault in guard.split(found.rest)
        for move in able
        if move.guest in fault.guests
    }


def _stay(problem: Problem, move: Move, why: str) -> Stay:
    return Stay(subject=problem.name(move.guest), reason=f"cannot move to {move.target}: {why}")


def _timed(
    guard: Guard, travel: Travel, moves: Sequence[Move], wishes: Sequence[Wish]
) -> tuple[Sequence[Move], Waits, Sequence[Timed]]:
    """Return the moves in the order of their start, what each waits for, and their times.

    What a move waits for is asked twice: by sequence, which makes the timetable, and then by the
    timetable, so that the actions are told only of what has ended by their own start.
    """
    first = waits(guard, moves, _wished(wishes), wished=True) if wishes else waits(guard, moves)
    times = timetable(travel, moves, first, wishes)
    turn = sorted(range(len(moves)), key=lambda i: (times[i].start, i))
    moves = [moves[i] for i in turn]
    times = tuple(times[i] for i in turn)
    needed = waits(guard, moves, lambda k, i: times[k].end <= times[i].start)
    return moves, needed, times


def _wished(wishes: Sequence[Wish]) -> Callable[[int, int], bool]:
    """Return whether move k has ended when move i starts, as wished."""
    return lambda k, i: wishes[k].end <= wishes[i].start + AT_ONCE


def _actions(
    travel: Travel,
    moves: Sequence[Move],
    needed: Waits,
    timed: Sequence[Timed],
    reasons: Mapping[str, str],
) -> tuple[Action, ...]:
    return tuple(
        _action(travel, i, move, timed[i], needed[i], reasons) for i, move in enumerate(moves)
    )


def _action(
    travel: Travel,
    number: int,
    move: Move,
    timed: Timed,
    needed: Sequence[int],
    reasons: Mapping[str, str],
) -> Action:
    way = (move.guest, move.source, move.target)
    begun = travel.stance(*way, timed.rate_kib_s)
    assert isinstance(begun, Stance)  # noqa: S101 - the timetable has found it to converge so
    return Migration(
        id=f"m{number + 1}",
        guest=move.guest,
        name=travel.problem.name(move.guest),
        source=move.source,
        target=move.target,
        rate_kib_s=timed.rate_kib_s,
        downtime_ms=begun.downtime_ms,
        cold=bool(begun.cold),
        predicted=timed.predicted,
        waits_for=tuple(f"m{k + 1}" for k in needed),
        start=timed.start,
        reason=_reason(travel.problem, move, reasons, begun.cold),
        temporary=move.temporary,
        auto_converge=begun.auto_converge,
        unsafe_storage=travel.problem.consented(
            travel.problem.policy.allow.unsafe_storage, move.guest
        ),
        copies=tuple(disk.name for disk in copied(travel.problem, move.guest)),
        rungs=() if begun.cold else ladder(begun, timed.rate_kib_s, travel.means(*way)),
    )


def _reason(problem: Problem, move: Move, reasons: Mapping[str, str], cold: str = "") -> str:
    told = _purpose(problem, move, reasons)
    return "; ".join(filter(None, (told, f"cold, as {cold}" if cold else "")))


def _purpose(problem: Problem, move: Move, reasons: Mapping[str, str]) -> str:
    if move.temporary and not move.opens:
        return f"steps aside to {move.target} and moves on later"
    if move.temporary:
        return (
            f"steps aside to {move.target} and moves on later: "
            f"{problem.name(move.opens)} needs its room on {move.source}"
        )
    return reasons.get(move.guest, "")
