"""Emptying one host: whether it can be done, how long it takes, and what stands in its way."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from balancer.planner import pipeline
from balancer.planner.model.cluster import Guest, emptying
from balancer.planner.model.evacuation import Blocked, Verdict
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Infeasible, Outcome, Plan, Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Request
from balancer.service.guards import STOPPED

Pairs = Mapping[tuple[str, str], str]
"""Uuid and host to why that guest does not go there."""
REPAIRS_ONLY: Final = 1
REMEDIES: Final[Mapping[str, str]] = {
    "passthrough": "detach the device, or shut the guest down",
    "local-disk": "put its disk on shared storage, or shut it down",
    "unknown-storage": "declare its storage in hosts.toml, if it is shared",
    "pinned": "let its metadata no longer pin it",
    "job": "wait until the job has ended, then drain again",
    "owner": "have its own manager move it",
    "snapshot": "delete its snapshots, or shut it down",
}
"""What to do about a tie, by its kind."""


@dataclass(slots=True)
class Tries:
    """What rounds of emptying have taught; a failure forbids a pair, it does not end the work."""

    barred: dict[tuple[str, str], str] = field(default_factory=dict)

    def learn(self, outcomes: Iterable[Outcome]) -> bool:
        """Note what failed; return whether another round makes sense."""
        ended = tuple(outcomes)
        if any(o.result is Result.LOST or o.reason in STOPPED for o in ended):
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


def evacuate(
    seen: Observation,
    policy: Policy,
    host: str,
    barred: Pairs | None = None,
    keep_going: Callable[[], bool] = lambda: True,
) -> Verdict:
    """Return whether `host` can be emptied and how; `policy` is `calm`.

    The guest that the planner runs in leaves last, by a plan of its own.
    """
    cluster = emptying(seen.cluster, {host})
    here = cluster.guests_on[host]
    request = Request(barred=barred or {})
    decision = pipeline.plan(replace(seen, cluster=cluster), policy, request, keep_going)
    others = tuple(g for g in here if g.uuid != seen.planner or len(here) == 1 or g.ties)
    blocked = tuple(_blocked(decision, host, others, barred or {}))
    return Verdict(
        host=host,
        possible=not blocked,
        guests=tuple(sorted(guest.name for guest in here)),
        seconds=decision.seconds if isinstance(decision, Plan) else 0.0,
        blocked=blocked,
        decision=decision,
    )


def _blocked(
    decision: Plan | Infeasible, host: str, here: Iterable[Guest], barred: Pairs
) -> Iterator[Blocked]:
    """Yield each guest that does not leave, and the first reason that is known."""
    leaving = {a.guest for a in decision.actions} if isinstance(decision, Plan) else set()
    told = {s.subject: s.reason for s in decision.left} if isinstance(decision, Plan) else {}
    whole = (
        decision.reason if isinstance(decision, Infeasible) else f"nothing takes it from {host}"
    )
    for guest in here:
        if guest.uuid in leaving:
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
