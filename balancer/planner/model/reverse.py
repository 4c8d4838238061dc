"""The way back from any part of a plan: the same moves, mirrored in time.

Carried out backwards, each move holds what it held forwards, on both hosts, while all others are
where they were then. So whatever was safe to do is safe to undo, by the rules as they were.
"""

from collections.abc import Sequence
from dataclasses import replace

from balancer.planner.model.plan import Action

BACK = "-back"
"""What is added to the id of an action for the one that undoes it."""


def reverse(actions: Sequence[Action], reason: str = "") -> tuple[Action, ...]:
    """Return what leads back once just these `actions` of a plan have ended, in their order.

    An action waits for the undoing of all that had waited for it, and the last of a guest's steps
    is undone first.
    """
    here = {action.id for action in actions}
    waits: dict[str, list[str]] = {action.id: [] for action in actions}
    home: dict[str, str] = {}
    for action in actions:
        home.setdefault(action.guest, action.source)
        for needed in here.intersection(action.waits_for):
            waits[needed].append(action.id + BACK)
    back = [
        replace(
            action,
            id=action.id + BACK,
            source=action.target,
            target=action.source,
            waits_for=tuple(waits[action.id]),
            temporary=action.source != home[action.guest],
            reason=reason or f"undoes {action.id}",
        )
        for action in reversed(actions)
    ]
    return _timed(back, _mirrored(actions)[::-1])


def _mirrored(actions: Sequence[Action]) -> list[int]:
    """Return when each would start if time ran backwards, ms after the last end."""
    ends = [_ms(a.start) + _ms(a.predicted.seconds) for a in actions]
    return [max(ends) - end for end in ends]


def _timed(actions: Sequence[Action], starts: Sequence[int]) -> tuple[Action, ...]:
    """Return the actions in the order of `starts`, none before what has ended by then.

    Sums of times are not exact: a start is the very number at which what is over ended.
    """
    order = sorted(range(len(actions)), key=lambda i: starts[i])
    by_end = sorted(order, key=lambda i: starts[i] + _ms(actions[i].predicted.seconds))
    made: dict[int, Action] = {}
    latest, ended = 0.0, 0
    for i in order:
        while starts[by_end[ended]] + _ms(actions[by_end[ended]].predicted.seconds) <= starts[i]:
            over = made[by_end[ended]]
            latest = max(latest, over.start + over.predicted.seconds)
            ended += 1
        made[i] = replace(actions[i], start=max(latest, starts[i] / 1000))
    return tuple(made[i] for i in order)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
