"""What is told and given to moves in flight: steps up are journalled, spare bandwidth is given out.

Whatever was given stays given until the move has ended: two moves never use the same room.
"""

from collections.abc import Callable, Iterator

from balancer.planner import dispatch
from balancer.planner.model.plan import Action
from balancer.ports import Event, Execution, Progress


def step_up(plan: str, action: Action, step: str, at: float) -> Event:
    """Return the line that says what was tried because a move does not converge."""
    return Event(
        at=at,
        kind="raised",
        plan=plan,
        action=action.id,
        guest=action.guest,
        host=action.target,
        text=f"{action.name} from {action.source} to {action.target} does not converge: {step}",
    )


class Steps:
    """Yields each step up of each move once."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], int] = {}

    def fresh(
        self, plan: str, action: Action, steps: tuple[str, ...], now: Callable[[], float]
    ) -> Iterator[Event]:
        """Yield the lines for those of `steps` that were not told yet."""
        key = (plan, action.id)
        new = steps[self._told.get(key, 0) :]
        self._told[key] = len(steps)
        return (step_up(plan, action, step, now()) for step in new)


def give_room(
    state: dispatch.State, running: dict[str, Execution], seen: list[Progress]
) -> dispatch.State:
    """Give moves that wish for more bandwidth what their links have to spare; return what is held."""
    for step in seen:
        has = state.rates.get(step.action, running[step.action].action.rate_kib_s)
        extra = min(step.wants_kib_s - has, dispatch.spare_kib_s(state, step.action))
        if extra > 0:
            state = dispatch.raised(state, step.action, has + extra)
            running[step.action].room(has + extra)
    return state


def hasten(state: dispatch.State, running: dict[str, Execution]) -> dispatch.State:
    """Have moves go faster whose links nobody else will need; return what is held."""
    for action, rate in dispatch.raises(state).items():
        state = dispatch.raised(state, action, rate)
        running[action].hasten(rate)
    return state
