"""What plans promised to save of their guests' waiting, and what was saved: kept in the journal.

Whoever carries a plan out writes down how long its hosts' guests wait at that moment. The service
looks again once everything has settled, whoever carried it out and whether it was running then.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, cast

from balancer.codec import as_data, load_outcome_data, load_plan_data
from balancer.planner.felt import MEANINGS, felt, since
from balancer.planner.model.observation import Observation, Promise
from balancer.planner.model.plan import Action, Outcome, Plan, Result, Worth
from balancer.planner.model.problem import Problem
from balancer.planner.quality import gate
from balancer.ports import Event, Journal

DAY: Final = 86_400.0
REMEMBERED: Final = 30 * DAY
"""Promises older than that say nothing about the model of today."""
FORGOTTEN: Final = 2 * 3600.0
"""Seconds after a plan's end from which on too much else has happened to measure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A plan that was carried out and whose promise was not measured yet."""

    plan: str
    horizon: float
    hosts: tuple[str, ...]
    promised: float
    ended: float
    before: Mapping[str, float]
    """How many vCPUs waited on its hosts when it began, by meaning."""


def hosts_of(actions: Iterable[Action]) -> tuple[str, ...]:
    """Return the hosts that these moves leave or reach, sorted."""
    return tuple(sorted({host for a in actions for host in (a.source, a.target)}))


def waiting_now(seen: Observation, problem: Problem, plan: Plan) -> Mapping[str, object]:
    """Return what the journal keeps of the waiting on the plan's hosts before it begins.

    Nothing where too little is believed to say: then nothing can be measured later.
    """
    believed, hosts = gate(seen).observation.history, hosts_of(plan.actions)
    known = since(problem, believed, hosts) > -inf
    return {"waiting": dict(felt(problem, believed, hosts)) if known else {}}


def kept(journal: Journal, now: float) -> tuple[Promise, ...]:
    """Return the promises that were measured, oldest first. Raises UsageError."""
    told = (e.data.get("promise") for e in journal.read(now - REMEMBERED, ("realised",)))
    return tuple(_promise(data) for data in told if isinstance(data, dict))


def due(journal: Journal, now: float) -> tuple[Due, ...]:
    """Return the plans to be measured now. Raises UsageError if the journal cannot be read."""
    told = journal.read(now - DAY, ("decided", "ended", "refused", "realised"))
    measured = {event.plan for event in told if event.kind == "realised"}
    waited = {e.plan for e in told if e.kind == "decided" and "waiting" in e.data} - measured
    ended: dict[str, list[Outcome]] = {}
    for event in told:
        if event.plan not in waited:
            continue
        if event.kind in {"ended", "refused"} and "outcome" in event.data:
            ended.setdefault(event.plan, []).append(load_outcome_data(event.data["outcome"]))
    found = (
        _due(event, ended)
        for event in told
        if event.kind == "decided" and event.plan in waited and "waiting" in event.data
    )
    return tuple(one for one in found if one and now - one.ended < FORGOTTEN)


def realised(seen: Observation, problem: Problem, dues: Sequence[Due]) -> Iterator[Event]:
    """Yield an event for each promise that what was measured just now tells of."""
    if not dues:  # as in most cycles
        return
    believed = gate(seen).observation.history
    for one in dues:
        if since(problem, believed, one.hosts) < one.ended:
            continue
        now = felt(problem, believed, one.hosts)
        by = next((m for m in MEANINGS if m in one.before and m in now), "")
        if by:
            saved = one.horizon * (one.before[by] - now[by])
            promise = Promise(
                at=seen.at,
                plan=one.plan,
                promised=round(one.promised, 1),
                realised=round(saved, 1),
                by=by,
            )
            yield Event(
                at=seen.at,
                kind="realised",
                plan=one.plan,
                text=sentence(promise, one.horizon),
                data={"promise": as_data(promise)},
            )


def sentence(promise: Promise, horizon: float) -> str:
    """Return promise and outcome side by side."""
    verb = "saved" if promise.realised >= 0 else "added"
    return (
        f"{abs(promise.realised):,.0f} s of waiting {verb}, {promise.promised:,.0f} s promised "
        f"(within {horizon / 60:.0f} min, by {promise.by})"
    )


def _due(decided: Event, ended: Mapping[str, Sequence[Outcome]]) -> Due | None:
    """Return what is to be measured of a plan; None if nothing moved, or somebody interfered."""
    plan = load_plan_data(decided.data["plan"])
    mine = ended.get(plan.id, ())
    done = [o for o in mine if o.result is Result.DONE]
    if plan.worth is None or not done or len(mine) < len(plan.actions):
        return None
    hosts = hosts_of(plan.actions)
    others = (o for other, found in ended.items() if other != plan.id for o in found)
    if any(
        o.result is Result.DONE
        and o.ended > decided.at
        and {o.action.source, o.action.target} & set(hosts)
        for o in others
    ):
        return None
    shares = [_for_load(o.action.worth) for o in done if o.action.worth]
    return Due(
        plan=plan.id,
        horizon=plan.horizon,
        hosts=hosts,
        promised=_for_load(plan.worth) if len(done) == len(plan.actions) else sum(shares),
        ended=max(o.ended for o in mine),
        before=cast("Mapping[str, float]", decided.data["waiting"]),
    )


def _for_load(worth: Worth) -> float:
    """Return what hosts will show: how long answers take is measured nowhere."""
    return worth.saved - worth.nearer


def _promise(data: Mapping[str, object]) -> Promise:
    return Promise(
        at=float(cast("float", data["at"])),
        plan=str(data["plan"]),
        promised=float(cast("float", data["promised"])),
        realised=float(cast("float", data["realised"])),
        by=str(data["by"]),
    )
