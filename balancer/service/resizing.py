"""Carries out what a plan changes of guests where they are, and mends what a death left open.

Each change stands in the journal before it is made, and how it ended after. It is asked for once
and read back by the executor; one that fails drops what waits for it, and nothing else. A planner
that is killed in between leaves a setting that is either as before or as wanted: the next look sees
which, the journal is told, and the plan made of that look wants what is still missing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from balancer.codec import as_data, load_resized_data
from balancer.planner.model.cluster import Cluster, Guest
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Plan
from balancer.planner.model.resize import Resize, Resized, What
from balancer.planner.model.result import Result
from balancer.planner.resizable import stands
from balancer.ports import Event, Executor, Ports

BEGUN: Final = "resizing"
ENDED: Final = "resized"
DAY: Final = 86_400.0
FROZEN: Final = "nothing more is changed"
WATCHED: Final = 30 * DAY
"""How far back memory that was taken is looked for, seconds."""
CLOSE: Final = 0.02
"""Share by which a setting read back may differ: hypervisors round."""


def past(ports: Ports, since: float) -> tuple[Resized, ...]:
    """Return how changes ended since then, as the journal has it. Raises UsageError."""
    return tuple(
        load_resized_data(event.data["resized"]) for event in ports.journal.read(since, (ENDED,))
    )


def carry_out(ports: Ports, executor: Executor, plan: Plan) -> tuple[Resized, ...]:
    """Make the plan's resizes, one after the other; return how each ended.

    Raises UsageError where the journal cannot be written: then nothing more is changed.
    """
    ended: dict[str, Resized] = {}
    for resize in plan.resizes:
        now = ports.clock.now()
        why_not = _why_not(ports, resize, ended)
        if not why_not:
            told = f"{said(resize)}: {resize.reason}"
            ports.journal.write(_line(BEGUN, plan.id, resize, now, told))
            why_not = executor.resize(resize)
            result = Result.FAILED if why_not else Result.DONE
        else:
            result = Result.REFUSED
        one = Resized(
            resize=resize, result=result, started=now, ended=ports.clock.now(), reason=why_not
        )
        ended[resize.id] = one
        _tell(ports, plan.id, one)
    return tuple(ended.values())


def unmade(ended: Iterable[Resized]) -> Mapping[tuple[str, str], str]:
    """Return why there is no room, by guest and target, for those for whom memory was to be taken."""
    return {
        (guest, one.resize.host): (
            f"no room was made for it on {one.resize.host}: {one.resize.name} keeps its memory "
            f"({one.reason})"
        )
        for one in ended
        if one.result is not Result.DONE
        for guest in one.resize.room_for
    }


def _why_not(ports: Ports, resize: Resize, ended: dict[str, Resized]) -> str:
    if ports.stop_requested():
        return FROZEN
    if frozen := ports.brake.reason():
        return frozen
    if resize.of_memory and resize.shrinks and not ports.stays:
        return "memory is taken by the service alone, which stays to watch it"
    for needed in resize.waits_for:
        before = ended.get(needed)
        if before is None or before.result is not Result.DONE:
            return f"{needed} did not end well"
    return ""


def said(resize: Resize) -> str:
    """Return what is changed, in words."""
    return f"{resize.name} on {resize.host}: {resize.what} {resize.before} → {resize.after}"


def _tell(ports: Ports, plan: str, one: Resized) -> None:
    text = f"{said(one.resize)}: {one.result}{one.reason and f', {one.reason}'}"
    line = _line(ENDED, plan, one.resize, one.ended, text)
    ports.journal.write(replace(line, data={"resized": as_data(one)}))
    ports.telemetry.note(text)


def _line(kind: str, plan: str, resize: Resize, at: float, text: str) -> Event:
    return Event(
        at=at, kind=kind, plan=plan, action=resize.id, guest=resize.guest, host=resize.host,
        text=text, data={"resize": as_data(resize)},
    )  # fmt: skip


def keep_watch(ports: Ports, seen: Observation) -> tuple[Resized, ...]:
    """Tell the journal what guests were given back; have what is still taken watched.

    Raises UsageError if the journal fails.
    """
    if ports.executor is None or not ports.stays:
        return ()
    given = ports.executor.given_back()
    for one in given:
        _tell(ports, "", one)
    taken: dict[tuple[str, What], Resize] = {}
    for one in past(ports, seen.at - WATCHED):
        if one.resize.of_memory and one.result is Result.DONE:
            key = one.resize.guest, one.resize.what
            before = taken.pop(key, one.resize).before
            if one.resize.shrinks:
                taken[key] = replace(one.resize, before=before)
    still = [one for one in taken.values() if _found(seen.cluster, one)[0] is Result.DONE]
    here = [replace(one, host=seen.cluster.placement[one.guest]) for one in still]
    ports.executor.watch(here)
    return given


def left_open(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return what was begun and not seen to its end, oldest first."""
    left: dict[tuple[str, str], Event] = {}
    for event in events:
        key = (event.plan, event.action)
        if event.kind == BEGUN:
            left[key] = event
        else:
            left.pop(key, None)
    return tuple(left.values())


def mend(ports: Ports, seen: Observation) -> tuple[Resized, ...]:
    """Tell the journal how changes ended that a planner began and did not see to their end.

    Only for whoever holds the lease. Raises UsageError if the journal fails.
    """
    found = []
    for event in left_open(ports.journal.read(seen.at - DAY, (BEGUN, ENDED))):
        failed = {
            "resize": event.data["resize"],
            "result": Result.FAILED.value,
            "started": event.at,
        }
        resize = load_resized_data({**failed, "ended": event.at}).resize
        result, reason = _found(seen.cluster, resize)
        one = Resized(
            resize=resize, result=result, started=event.at, ended=seen.at,
            reason=f"whoever began it is gone; {reason}",
        )  # fmt: skip
        _tell(ports, event.plan, one)
        found.append(one)
    return tuple(found)


def _found(cluster: Cluster, resize: Resize) -> tuple[Result, str]:
    """Return how a setting stands that somebody was about to change."""
    guest = cluster.guest.get(resize.guest)
    if guest is None or guest.knobs is None:
        return Result.ABORTED, "the guest is not seen"
    if as_wanted(guest, resize):
        return Result.DONE, "it is as wanted"
    return Result.ABORTED, f"it stands at {stands(guest, resize.what)}"


def as_wanted(guest: Guest, resize: Resize) -> bool:
    """True if a guest's setting is what the resize was to make it."""
    now = stands(guest, resize.what)
    return abs(now - resize.after) <= CLOSE * max(now, resize.after)
