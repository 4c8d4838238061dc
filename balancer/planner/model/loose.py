"""Whether a plan's waits alone keep it safe, whenever its actions happen to end.

Each action is tried in the worst case that its waits allow: every earlier action that it does not
wait for is in flight and holds both hosts. Occupancy on a host is at all times within what was
tried for the latest arrival there. So a plan without faults here can be run as its waits allow,
within the limits on links and numbers: in whatever order actions end, and whichever of them fail,
no rule that more occupancy can only break is broken, and what is left can always go on.

Stricter than need be in one way: two earlier actions count as in flight together even if one
waits for the other. The remedy is one more wait.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from balancer.planner.model.law import Law
from balancer.planner.model.plan import Action
from balancer.planner.model.violation import Violation, baseline, worsened


def loose_faults(
    law: Law, actions: Iterable[Action]
) -> Iterator[tuple[Action, tuple[Violation, ...]]]:
    """Yield the actions that do not wait for all that makes room for them, and what breaks.

    An action that does not wait for the one before it of its own guest comes without violations.
    """
    worst = _Worst(law)
    for action in actions:
        broken = worst.broken(action)
        if broken or not worst.follows(action):
            yield action, broken
        worst.launch(action)


class _Worst:
    """Every action so far in flight."""

    def __init__(self, law: Law) -> None:
        self._law = law
        self._held = law.start.twin()
        self._trips: dict[str, list[Action]] = defaultdict(list)
        self._guest: dict[str, str] = {}
        self._needs: dict[str, frozenset[str]] = {}
        """By action id, all that must have ended before it, directly or not."""

    def follows(self, action: Action) -> bool:
        """True if `action` waits for the one before it of its guest, if there is one."""
        trips = self._trips[action.guest]
        return not trips or trips[-1].id in self._every(action)

    def broken(self, action: Action) -> tuple[Violation, ...]:
        """Return what starting `action` breaks, or worsens, at its target."""
        if not self._after(action, action.waits_for):
            return ()
        return self._after(action, self._every(action))

    def launch(self, action: Action) -> None:
        """Let `action` be in flight for all that come later."""
        self._needs[action.id] = self._every(action)
        self._trips[action.guest].append(action)
        self._guest[action.id] = action.guest
        self._held.put(action.guest, *self._may_hold(action.guest, ()))

    def _every(self, action: Action) -> frozenset[str]:
        direct = frozenset(action.waits_for)
        return direct.union(*(self._needs.get(id_, ()) for id_ in direct))

    def _after(self, action: Action, over: Collection[str]) -> tuple[Violation, ...]:
        """Return what `action` breaks when just the actions `over` have ended."""
        landed = {self._guest[id_] for id_ in over if id_ in self._guest}
        before = {guest: self._held[guest] for guest in landed | {action.guest}}
        for guest in landed:
            self._held.put(guest, *self._may_hold(guest, over))
        held, target = self._held[action.guest], (action.target,)
        self._held.put(action.guest, *held, action.target)
        broken = self._law.worse(self._held, target, action.guest)
        if broken:
            self._held.put(action.guest, *held)
            broken = worsened(baseline(self._law.worse(self._held, target, action.guest)), broken)
        for guest, hosts in before.items():
            self._held.put(guest, *hosts)
        return broken

    def _may_hold(self, guest: str, over: Collection[str]) -> tuple[str, ...]:
        """Return what `guest` may hold once `over` have ended and its other moves are going on."""
        held = list(self._law.start[guest])
        for action in self._trips[guest]:
            held = [action.target] if action.id in over else [*held, action.target]
        return tuple(held)
