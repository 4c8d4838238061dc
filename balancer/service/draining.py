"""Emptying one host: whether it can be done, how long it takes, and what stands in its way."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from balancer.planner import pipeline
from balancer.planner.capacity.part import Atlas, atlas
from balancer.planner.capacity.waiting import STAYS_PUT
from balancer.planner.constraints.survive import Survive
from balancer.planner.constraints.tied import bonds_left
from balancer.planner.model.cluster import Guest, emptying
from balancer.planner.model.copying import holding, loosened
from balancer.planner.model.evacuation import Blocked, Verdict
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Infeasible, Outcome, Plan, Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.order.busy import hopeless
from balancer.planner.verify import judge
from balancer.ports import Event, Ports, Refused
from balancer.service.guards import LATE, STOPPED

NEARBY: Final = 24
"""Hosts for each kind of guest that are asked first to take those of a host."""
Pairs = Mapping[tuple[str, str], str]
"""Uuid and host to why that guest does not go there."""
REPAIRS_ONLY: Final = 1
REMEDIES: Final[Mapping[str, str]] = {
    "passthrough": "detach the device, or let it be shut down (--shutdown)",
    "local-disk": "put its disk on shared storage, allow it to be copied ([allow] copy_local_disks), or let it be shut down (--shutdown)",
    "unknown-storage": "declare its storage in hosts.toml, if it is shared",
    "pinned": "let its metadata no longer pin it",
    "job": "wait until the job has ended, then drain again",
    "owner": "have its own manager move it",
    "snapshot": "delete its snapshots, or let it be shut down (--shutdown)",
}
"""What to do about a tie, by its kind."""


LONGER: Final = "give it more time, or raise [limits] at_once_per_host or migration_link_share"


@dataclass(slots=True)
class Tries:
    """What rounds of emptying have taught; a failure forbids a pair, it does not end the work."""

    barred: dict[tuple[str, str], str] = field(default_factory=dict)

    def learn(self, outcomes: Iterable[Outcome]) -> bool:
        """Note what failed; return whether another round makes sense."""
        ended = tuple(outcomes)
        if any(o.result is Result.LOST or o.reason in STOPPED for o in ended):
            return False
        if any(o.reason.startswith(LATE) for o in ended):
            return False
        done = any(o.result is Result.DONE for o in ended)
        fresh = {
            (o.action.guest, o.action.target): f"{o.result}: {o.reason}"
            for o in ended
            if o.result is not Result.DONE and not (done and o.result is Result.REFUSED)
        }
        new = fresh.keys() - self.barred.keys()
        self.barred |= fresh
        return done or bool(new)


def calm(policy: Policy) -> Policy:
    """Return the policy without its wish for balance: only what must leave is moved."""
    return replace(policy, aggressiveness=REPAIRS_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a host is to be emptied."""

    seconds: float = inf
    """How long it may take."""
    shut_down: frozenset[str] = frozenset()
    """Names of guests that may be shut down if they cannot leave."""


PLAIN: Final = Terms()


def evacuate(
    seen: Observation,
    policy: Policy,
    host: str,
    barred: Pairs | None = None,
    terms: Terms = PLAIN,
    keep_going: Callable[[], bool] = lambda: True,
) -> Verdict:
    """Return whether `host` can be emptied and how; `policy` is `calm`.

    The guest that the planner runs in leaves last, by a plan of its own. Raises Refused where the
    terms name a guest that does not run there.
    """
    cluster = emptying(seen.cluster, {host})
    here = cluster.guests_on[host]
    if strangers := sorted(terms.shut_down - {guest.name for guest in here}):
        raise Refused(f"{strangers[0]} does not run on {host}: it is not shut down for that")
    free = policy.allow.copy_local_disks.guests(cluster, policy.groups)
    here = tuple(loosened(guest) if guest.uuid in free else guest for guest in here)
    request = Request(barred=barred or {})
    decision = pipeline.plan(replace(seen, cluster=cluster), policy, request, keep_going)
    return _verdict(decision, host, here, seen.planner, barred or {}, terms)


def drains(
    seen: Observation, policy: Policy, keep_going: Callable[[], bool] = lambda: True
) -> Iterator[Verdict]:
    """Yield, for each host in turn, what `evacuate` says of it; `policy` is `calm`.

    Of a large cluster a few hosts with room are asked first to take the guests; the whole only
    where these do not take all that can leave.
    """
    problem = pipeline.assess(seen, policy)
    spares = tuple(r for r in policy.constraints if isinstance(r, Survive))
    rest = tuple(r for r in policy.constraints if not isinstance(r, Survive))
    bare = replace(problem, policy=replace(policy, constraints=rest))
    known = atlas(bare, problem)
    for host in seen.cluster.hosts:
        found = _nearby(bare, known, host.name, keep_going)
        if spares and found and isinstance(found.decision, Plan):
            whole = replace(problem, cluster=emptying(problem.cluster, {host.name}))
            if not judge(whole, found.decision.actions).valid:
                found = None
        yield found or evacuate(seen, policy, host.name, keep_going=keep_going)


def _nearby(
    problem: Problem, known: Atlas, host: str, keep_going: Callable[[], bool]
) -> Verdict | None:
    """Return the verdict on a host whose guests a few others take, all that can leave; else None."""
    here = problem.cluster.guests_on[host]
    names = known.part([g.uuid for g in here], NEARBY, (host,)) if here else None
    if names is None or problem.planner in {guest.uuid for guest in here}:
        return None
    part = known.inside(names | {host})
    others = {g.uuid: STAYS_PUT for g in part.cluster.guests if g not in here}
    asked = replace(part, cluster=emptying(part.cluster, {host}), held={**others, **part.held})
    decision = pipeline.plan_for(asked, Request(effort=Effort.INSTANT), keep_going)
    free = tuple(replace(guest, ties=holding(problem, guest)) for guest in here)
    found = _verdict(decision, host, free, problem.planner, {}, PLAIN)
    left = {block.guest for block in found.blocked}
    certain = all(
        bonds_left(problem, guest) or hopeless(problem, guest.uuid)
        for guest in here
        if guest.name in left
    )
    return found if certain else None


def _verdict(
    decision: Plan | Infeasible,
    host: str,
    here: tuple[Guest, ...],
    planner: str,
    barred: Pairs,
    terms: Terms,
) -> Verdict:
    """Return what a decision on emptying `host` comes to, with the guests `here`."""
    others = tuple(g for g in here if g.uuid != planner or len(here) == 1 or g.ties)
    blocked = tuple(_blocked(decision, host, others, barred, terms))
    return Verdict(
        host=host,
        possible=all(block.guest in terms.shut_down for block in blocked),
        guests=tuple(sorted(guest.name for guest in here)),
        seconds=decision.seconds if isinstance(decision, Plan) else 0.0,
        blocked=tuple(block for block in blocked if block.guest not in terms.shut_down),
        shut_down=tuple(b.guest for b in blocked if b.guest in terms.shut_down),
        decision=decision,
    )


def shut_down(ports: Ports, host: str, names: Iterable[str], seen: Observation) -> Pairs:
    """Have these guests shut down where they run, one after the other; return why some run still.

    By uuid and host. Raises Refused if everything is frozen, nothing may be changed or another
    planner is at work, UsageError if the journal fails.
    """
    if ports.executor is None or (frozen := ports.brake.reason()):
        raise Refused(f"nothing is shut down: {frozen if ports.executor else 'read-only'}")
    wanted, still = set(names), dict[tuple[str, str], str]()
    ports.lease.acquire()
    try:
        for guest in seen.cluster.guests_on[host]:
            if guest.name not in wanted:
                continue
            said = f"{guest.name} on {host}, which is emptied, by consent"
            line = Event(
                0.0, "shutting", guest=guest.uuid, host=host, text=f"shutting down {said}"
            )
            ports.journal.write(replace(line, at=ports.clock.now()))
            why = ports.executor.shut_down(guest.uuid, host)
            text = f"{guest.name} runs still: {why}" if why else f"{said}: it is shut down"
            ports.journal.write(replace(line, at=ports.clock.now(), kind="shut", text=text))
            if why:
                still[guest.uuid, host] = why
    finally:
        ports.lease.release()
    return still


def _blocked(
    decision: Plan | Infeasible, host: str, here: Iterable[Guest], barred: Pairs, terms: Terms
) -> Iterator[Blocked]:
    """Yield each guest that does not leave, and the first reason that is known."""
    actions = decision.actions if isinstance(decision, Plan) else ()
    ends = {a.guest: a.start + a.predicted.seconds_p90 for a in actions}
    leaving = {uuid for uuid, end in ends.items() if end <= terms.seconds}
    told = {s.subject: s.reason for s in decision.left} if isinstance(decision, Plan) else {}
    whole = (
        decision.reason if isinstance(decision, Infeasible) else f"nothing takes it from {host}"
    )
    for guest in here:
        if guest.uuid in leaving:
            continue
        if guest.uuid in ends:
            over = ends[guest.uuid] - terms.seconds
            reason = f"its move may end {over / 60:.0f} min after --until"
            yield Blocked(guest.name, reason, LONGER)
            continue
        tie = next(iter(guest.ties), None)
        if tie:
            remedy = REMEDIES.get(tie.kind, f"see balancer why {guest.name}")
            yield Blocked(guest.name, f"{tie.kind}: {tie.detail}", remedy)
            continue
        tried = "; ".join(
            f"{to}: {why}" for (uuid, to), why in barred.items() if uuid == guest.uuid
        )
        reason = tried or told.get(guest.name, whole)
        yield Blocked(guest.name, reason, f"see balancer why {guest.name}")
