"""Which way back leads from what a plan did: read from the journal, true of where guests are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from balancer.codec import load_outcome_data, load_resized_data
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Action, Outcome, Result
from balancer.planner.model.resize import Resize, undone
from balancer.ports import Event, Refused
from balancer.service.resizing import ENDED, as_wanted


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where guests were before a plan moved them, and which cannot be brought back."""

    plan: str
    homes: Mapping[str, str]
    """Host by uuid, of those that are still where the plan left them."""
    strayed: tuple[str, ...]
    """Sentences on guests that are elsewhere since, or run no more."""
    done: tuple[Action, ...] = ()
    """What the plan did, in its order, where all of it can be led back step by step."""
    resizes: tuple[Resize, ...] = ()
    """What gives back what the plan changed of guests that are where they were, and as it left them."""


def way_back(events: Iterable[Event], plan: str, seen: Observation) -> WayBack:
    """Return how to undo `plan`, or the last plan that moved anything where none is named.

    Raises Refused where the journal knows of nothing to undo.
    """
    told = list(events)
    done, resized = _done(told), _resized(told)
    known = [*dict.fromkeys(e.plan for e in told if e.plan in done or e.plan in resized)]
    if not known or (plan and plan not in known):
        raise Refused(f"nothing to undo: the journal has no move done {_of(plan)}")
    name = plan or known[-1]
    first, last = _ends(done.get(name, ()))
    now = seen.cluster.placement
    here = {uuid for uuid, outcome in last.items() if now.get(uuid) == outcome.action.target}
    return WayBack(
        name,
        {u: o.action.source for u, o in first.items() if u in here and o.action.source != now[u]},
        tuple(_strayed(o, now.get(u, "")) for u, o in last.items() if u not in here),
        tuple(o.action for o in _in_order(done.get(name, ()))) if len(here) == len(last) else (),
        undone(
            tuple(r for r in resized.get(name, ()) if _as_left(r, seen) and not r.room_for),
            f"undoes {name}",
        ),
    )


def _as_left(resize: Resize, seen: Observation) -> bool:
    """True if a guest is where it was resized, and as it was left."""
    guest = seen.cluster.guest.get(resize.guest)
    if guest is None or guest.knobs is None or seen.cluster.placement[guest.uuid] != resize.host:
        return False
    return as_wanted(guest, resize)


def _resized(events: Iterable[Event]) -> dict[str, list[Resize]]:
    """Return the resizes done by plan."""
    found: dict[str, list[Resize]] = {}
    for event in events:
        if event.kind == "decided":
            found.pop(event.plan, None)
        elif event.kind == ENDED:
            one = load_resized_data(event.data["resized"])
            if one.result is Result.DONE:
                found.setdefault(event.plan, []).append(one.resize)
    return found


def _in_order(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return them as the plan had them: so they are safe one after the other, and backwards."""
    return sorted(outcomes, key=lambda outcome: outcome.action.start)


def _of(plan: str) -> str:
    return f"of {plan} (balancer history lists plans)" if plan else "at all"


def _done(events: Iterable[Event]) -> dict[str, list[Outcome]]:
    """Return the moves done by plan, plans in the order of their last turn.

    The same question has the same name again: only what came of it the last time counts.
    """
    done: dict[str, list[Outcome]] = {}
    for event in events:
        if event.kind == "decided":
            done.pop(event.plan, None)
        elif event.kind == "ended" and "outcome" in event.data:
            outcome = load_outcome_data(event.data["outcome"])
            if outcome.result is Result.DONE:
                done.setdefault(event.plan, []).append(outcome)
    return done


def _ends(outcomes: Iterable[Outcome]) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """Return each guest's first and last move: it may have gone through a third host."""
    first: dict[str, Outcome] = {}
    last: dict[str, Outcome] = {}
    for outcome in outcomes:
        first.setdefault(outcome.action.guest, outcome)
        last[outcome.action.guest] = outcome
    return first, last


def _strayed(outcome: Outcome, where: str) -> str:
    action = outcome.action
    found = f"runs on {where} now" if where else "is not seen"
    return f"{action.name} {found}, the plan had left it on {action.target}: it is left alone"
