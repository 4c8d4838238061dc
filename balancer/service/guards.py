"""What the service holds against itself before it acts: plain functions of what was observed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from balancer.codec import load_outcome_data
from balancer.planner.model.observation import Observation
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Infeasible, Outcome, Plan, Result
from balancer.planner.model.problem import Problem
from balancer.ports import ABANDONED, Event, Journal

HOUR: Final = 3600.0
STOP_ASKED: Final = "a stop was requested"
"""Why moves that were not begun yet were not."""
STOPPED: Final = (STOP_ASKED, "the operator stopped it", "the service was told to stop", ABANDONED)
"""Reasons of aborts that nobody failed at."""

LATE: Final = "no time is left for it"
"""How reasons begin of moves that were not begun because they would have ended too late."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A move that this planner did not make."""

    guest: str
    name: str
    source: str
    target: str

    @property
    def sentence(self) -> str:
        """Say it."""
        return f"{self.name} was moved from {self.source} to {self.target} by somebody else"


def moved_by_others(
    before: Placement, since: float, seen: Observation, ended: Iterable[Outcome]
) -> tuple[Foreign, ...]:
    """Return the guests that are elsewhere than `before`, and not because of us.

    Ours are those of `ended` that ended at or after `since` where the guest is now.
    """
    ours = {
        (o.action.guest, o.action.target)
        for o in ended
        if o.result is Result.DONE and o.ended >= since
    }
    now = seen.cluster.placement
    return tuple(
        Foreign(guest.uuid, guest.name, before[guest.uuid], now[guest.uuid])
        for guest in seen.cluster.guests
        if before.get(guest.uuid, now[guest.uuid]) != now[guest.uuid]
        and (guest.uuid, now[guest.uuid]) not in ours
    )


def last_known(before: Placement, seen: Observation) -> Placement:
    """Return where guests are; those of hosts that were not seen are where they were before."""
    unseen = {host.host for host in seen.unseen}
    return {u: host for u, host in before.items() if host in unseen} | dict(seen.cluster.placement)


def undoes(move: Foreign, ours: Iterable[Outcome], since: float) -> bool:
    """True if the move takes a guest back to where we had taken it from since then."""
    return any(
        o.result is Result.DONE
        and o.ended >= since
        and (o.action.guest, o.action.source, o.action.target)
        == (move.guest, move.target, move.source)
        for o in ours
    )


def moving_by_others(seen: Observation, ours: Collection[str]) -> tuple[Foreign, ...]:
    """Return the migrations under way that are not of `ours`, the guests that we have in flight."""
    cluster = seen.cluster
    return tuple(
        Foreign(uuid, cluster.guest[uuid].name, cluster.placement[uuid], target)
        for uuid, target in sorted(cluster.in_flight.items())
        if uuid not in ours
    )


def countable(foreign: Iterable[Event]) -> tuple[Event, ...]:
    """Return the moves by others that are known to have been made within an hour.

    Of what was moved while the service was away for longer nobody knows when that was, and a
    service that does not run cannot be worked against.
    """
    return tuple(e for e in foreign if float(str(e.data.get("away", 0.0))) < HOUR)


def failures(outcomes: Iterable[Outcome], since: float) -> tuple[Outcome, ...]:
    """Return the moves that went wrong since then; what was stopped on purpose did not."""
    return tuple(
        o
        for o in outcomes
        if o.ended >= since
        and o.result not in (Result.DONE, Result.REFUSED)
        and o.reason not in STOPPED
    )


def barred(journal: Journal, since: float) -> Mapping[tuple[str, str], str]:
    """Return where guests are not sent for a while, and why: the look before a start said no.

    By a guest's uuid and a host. Raises UsageError if the journal cannot be read.
    """
    told = journal.read(since, ("refused",))
    noes = [event.data for event in told if event.data.get("barred")]
    outcomes = [load_outcome_data(data.get("outcome")) for data in noes]
    return {(o.action.guest, o.action.target): o.reason for o in outcomes}


def too_few_seen(seen: Observation, share: float) -> str:
    """Return why too little of the cluster is seen to act; empty if enough is.

    One host may always be missing: that a single one died is no reason to leave the rest alone.
    """
    missing = len(seen.unseen)
    hosts = len(seen.cluster.hosts) + missing
    if missing <= max(1, int(share * hosts)):
        return ""
    first = seen.unseen[0]
    return f"{missing} of {hosts} hosts are not seen ({first.host}: {first.reason}): nothing moves"


@dataclass(slots=True)
class Patience:
    """Remembers since when each host has been asking to be relieved, without a break."""

    since: dict[str, float] = field(default_factory=dict)

    def noted(self, problem: Problem, answer: Plan | Infeasible, hot: Iterable[str]) -> None:
        """Note which hosts are hot now, or would be relieved by `answer`."""
        actions = answer.actions if isinstance(answer, Plan) else ()
        faulty = at_fault(answer)
        asking = {a.source for a in actions if a.guest not in faulty and not a.temporary}
        asking = (asking | set(hot)) - problem.emptied
        self.since = {host: self.since.get(host, problem.at) for host in sorted(asking)}

    def waiting(self, now: float, lasting: float) -> Mapping[str, str]:
        """Return the hosts whose trouble has not lasted for long enough yet, and why they wait."""
        return {
            host: f"the load of {host} has lasted {_minutes(now - begin)} of {_minutes(lasting)} min"
            for host, begin in self.since.items()
            if now - begin < lasting
        }


def at_fault(answer: Plan | Infeasible) -> frozenset[str]:
    """Return the guests that take part in a hard rule being broken: repairs wait for nothing."""
    if isinstance(answer, Infeasible):
        return frozenset()
    return frozenset(g for v in answer.broken_before if v.hard for g in v.guests)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f}"
