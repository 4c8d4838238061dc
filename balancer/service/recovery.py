"""What a planner that died left behind: followed to its end, journalled, never begun again.

The journal says what was begun before it is begun, and how it ended once that is known. What lies
between is all that a death can leave open, and hypervisors carry it on by themselves.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from balancer.codec import load_action_data
from balancer.planner.model.plan import Outcome
from balancer.ports import Begun, Event, Execution, Ports
from balancer.service.climbing import Steps
from balancer.service.telling import ended

POLL: Final = 1.0
"""Seconds between two looks."""
Key = tuple[str, str]
"""Ids of a plan and of an action of it."""
REMEMBERED: Final = 30 * 86_400.0
"""What was begun before nobody waits for any more, seconds."""


def unfinished(events: Iterable[Event]) -> tuple[Begun, ...]:
    """Return what was begun and not seen to its end, oldest first; events as they were written.

    Raises UsageError if what was begun cannot be read.
    """
    left: dict[tuple[str, str], Event] = {}
    for event in events:
        key = (event.plan, event.action)
        if event.kind == "started":
            left[key] = event
        elif event.kind == "ended":
            left.pop(key, None)
    return tuple(map(_begun, left.values()))


def _begun(event: Event) -> Begun:
    was = event.data.get("was")
    known: Mapping[str, object] = was if isinstance(was, dict) else {}
    return Begun(
        plan=event.plan,
        action=load_action_data(event.data.get("action")),
        at=event.at,
        persistent=bool(known.get("persistent", True)),
        autostart=bool(known.get("autostart", False)),
    )


def left_open(ports: Ports, within: float = REMEMBERED) -> tuple[Begun, ...]:
    """Return what the journal leaves open. Raises UsageError.

    A journal that tells of no move in so long may have been written by a clock that was far off:
    then it is searched from its beginning.
    """
    since, kinds = ports.clock.now() - within, ("started", "ended")
    events = ports.journal.read(since, kinds)
    if not events and within >= REMEMBERED:
        events = ports.journal.read(kinds=kinds)
    return unfinished(events)


def resume(ports: Ports, within: float = REMEMBERED) -> tuple[Outcome, ...]:
    """Follow to its end whatever a planner that died had begun; return how it ended.

    Raises Refused if another planner is at work, UsageError if the journal fails.
    """
    if ports.executor is None or not left_open(ports, within):
        return ()
    ports.lease.acquire()
    try:
        return follow(ports, within)
    finally:
        ports.lease.release()


def follow(ports: Ports, within: float = REMEMBERED) -> tuple[Outcome, ...]:
    """Do it, for whoever holds the lease: only then nobody else is still at it."""
    if ports.executor is None:
        return ()
    running = _followed(ports, within)
    outcomes: list[Outcome] = []
    steps = Steps()
    for key, outcome in _ends(ports, running):
        for step in steps.fresh(key[0], outcome.action, outcome.steps, ports.clock.now):
            ports.journal.write(step)
        ports.journal.write(ended(key[0], outcome))
        ports.telemetry.ended(outcome)
        outcomes.append(outcome)
    return tuple(outcomes)


def abort(ports: Ports, reason: str) -> tuple[Outcome, ...]:
    """Abort whatever the journal says is in flight, its planner alive or not; return the ends.

    Writes nothing into the journal: that is for whoever holds the lease. Raises UsageError if
    the journal cannot be read.
    """
    if ports.executor is None:
        return ()
    running = _followed(ports, REMEMBERED)
    for execution in running.values():
        execution.abort(reason)
    return tuple(outcome for _, outcome in _ends(ports, running))


def _followed(ports: Ports, within: float) -> dict[Key, Execution]:
    assert ports.executor is not None  # noqa: S101 - asked by who calls
    running: dict[Key, Execution] = {}
    for begun in left_open(ports, within):
        action = begun.action
        ports.telemetry.note(
            f"{action.name} from {action.source} to {action.target} was begun, and not seen to its "
            "end: followed"
        )
        running[begun.plan, action.id] = ports.executor.follow(begun)
    return running


def _ends(ports: Ports, running: dict[Key, Execution]) -> Iterator[tuple[Key, Outcome]]:
    """Yield what has ended, until all has."""
    while running:
        over = {key: outcome for key, e in running.items() if (outcome := e.outcome())}
        for key, outcome in over.items():
            del running[key]
            yield key, outcome
        if running and not over:
            ports.telemetry.progress([e.progress() for e in running.values()])
            ports.clock.sleep(POLL)
