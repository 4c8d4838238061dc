"""Less of a plan: the part that gains most within what is left of the hour, safe by itself.

A part is closed: with an action come all that it waits for, and all steps of their guests. What
waits for nothing outside can be run alone, as if the others had failed: by the law of waits that
breaks nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from balancer.planner.formulation import Formulation
from balancer.planner.model.plan import Action
from balancer.planner.place.state import State

WIDE = 400
"""Guests that are compared for each that is chosen."""


def useful_part(
    formulation: Formulation,
    actions: Sequence[Action],
    fits: Callable[[Collection[str]], bool],
) -> tuple[Action, ...]:
    """Return the part of `actions` chosen by gain: the best first, as long as it `fits` (uuids).

    Unless an operator ordered the moves, every choice must gain, or at least harm nothing. Actions
    keep their order and times.
    """
    work = _Choice(formulation, actions)
    while work.take(fits):
        pass
    return tuple(action for action in actions if action.guest in work.chosen)


def opening(actions: Sequence[Action], first: int) -> tuple[Action, ...]:
    """Return the first so many actions by their start, and what has to come with them.

    That is all they wait for, and every step of each guest among these.
    """
    needs = _closures(actions)
    begun = sorted(actions, key=lambda action: action.start)[:first]
    guests = frozenset().union(*(needs[action.guest] for action in begun))
    return tuple(action for action in actions if action.guest in guests)


class _Choice:
    """The state of one call of `useful_part`."""

    def __init__(self, formulation: Formulation, actions: Sequence[Action]) -> None:
        self.formulation = formulation
        self.state = State(formulation)
        self.ordered = bool(formulation.problem.ordered)
        self.chosen: set[str] = set()
        self.end = {action.guest: action.target for action in actions}
        self.needs = _closures(actions)

    def take(self, fits: Callable[[Collection[str]], bool]) -> bool:
        """Choose what gains most for each guest moved; False if nothing is left worth choosing."""
        open_ = [guest for guest in self.end if guest not in self.chosen][:WIDE]
        more = [self.needs[guest] - self.chosen for guest in open_]
        gains = {i: self._gain(some) for i, some in enumerate(more)}
        worth = [i for i in gains if self.ordered or gains[i] >= (0, 0, 0)]
        worth.sort(key=gains.__getitem__, reverse=True)
        best = next((more[i] for i in worth if fits(self.chosen | more[i])), None)
        if best is None:
            return False
        self.chosen |= best
        self._shift(best)
        return True

    def _gain(self, guests: Collection[str]) -> tuple[float, ...]:
        """Return what moving `guests` saves for each of them: repairs, then heat, then cost."""
        before = self.state.score()
        homes = self._shift(guests)
        after = self.state.score()
        for guest, site in homes.items():
            self.state.shift(guest, site)
        n = len(guests)
        return (
            (before.repair - after.repair) / n,
            (before.overload - after.overload) / n,
            (before.cost - after.cost) / n,
        )

    def _shift(self, guests: Collection[str]) -> Mapping[int, int]:
        """Take each of `guests` to where its last action leads; return where they were."""
        given, before = self.formulation, {}
        for guest in sorted(guests):
            number = given.guest_number[guest]
            before[number] = int(self.state.site[number])
            self.state.shift(number, given.site_number[self.end[guest]])
        return before


def _closures(actions: Sequence[Action]) -> Mapping[str, frozenset[str]]:
    """Return, for each guest, itself and all guests whose moves its own build upon."""
    guest_of = {action.id: action.guest for action in actions}
    direct: dict[str, set[str]] = {action.guest: set() for action in actions}
    for action in actions:
        direct[action.guest].update(guest_of[id_] for id_ in action.waits_for)
    closed: dict[str, frozenset[str]] = {}
    for guest in direct:
        seen, todo = {guest}, [guest]
        while todo:
            for other in direct[todo.pop()] - seen:
                seen.add(other)
                todo.append(other)
        closed[guest] = frozenset(seen)
    return closed
