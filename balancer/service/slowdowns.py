"""How much more CPU guests use where another architecture is translated: measured as they move.

Whoever carries a plan out writes down what its translated guests use at that moment. The service
looks again once a guest has arrived and was measured there alone; the ratio is kept in the journal,
from which `Experience` learns it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from balancer.codec import load_outcome_data
from balancer.planner.model.cluster import TRANSLATED, Cluster
from balancer.planner.model.observation import Observation, Sample
from balancer.planner.model.plan import Action, Outcome, Plan, Result
from balancer.planner.model.slowness import most
from balancer.planner.quality import gate
from balancer.ports import Event, Journal

FORGOTTEN: Final = 2 * 3600.0
"""Seconds after which too much else has happened to a guest for its use to be compared."""
LEAST: Final = 50
"""Millicores: of less, what a guest does by itself is too large a part."""
BUSY: Final = 0.95
"""Share of all its vCPUs beyond which a guest would use more if it could: that tells no ratio."""
NUMBERS: Final = 2


def using_now(seen: Observation, plan: Plan) -> Mapping[str, object]:
    """Return what the journal keeps of translated guests that are to change architecture."""
    crossing = [a.guest for a in plan.actions if _crosses(seen.cluster, a)]
    if not crossing:
        return {}
    believed = gate(seen).observation
    used = {uuid: _wants(believed, uuid) for uuid in crossing}
    return {"translated": {uuid: cpu for uuid, cpu in used.items() if cpu is not None}}


def shown(seen: Observation, journal: Journal) -> Iterator[Event]:
    """Yield an event for each guest that shows by now what its new host makes of it.

    Raises UsageError if the journal cannot be read.
    """
    cluster = seen.cluster
    architectures = {host.architecture for host in cluster.hosts}
    if len(architectures) < NUMBERS or all(g.accelerator != TRANSLATED for g in cluster.guests):
        return  # as in nearly every installation
    told = journal.read(seen.at - FORGOTTEN, ("decided", "ended", "slowed"))
    done = {(event.plan, event.guest) for event in told if event.kind == "slowed"}
    used: dict[str, Mapping[str, int]] = {
        event.plan: cast("Mapping[str, int]", event.data["translated"])
        for event in told
        if event.kind == "decided" and "translated" in event.data
    }
    believed = gate(seen).observation
    for event in told:
        if event.kind == "ended" and event.plan in used and "outcome" in event.data:
            outcome = load_outcome_data(event.data["outcome"])
            uuid = outcome.action.guest
            before = used[event.plan].get(uuid, 0)
            if before >= LEAST and (event.plan, uuid) not in done:
                yield from _of(believed, outcome, event.plan, before)


def _of(seen: Observation, outcome: Outcome, plan: str, before: int) -> Iterator[Event]:
    """Yield what one arrival tells: nothing until the guest was measured there alone."""
    action, cluster = outcome.action, seen.cluster
    samples = seen.history.guests.get(action.guest, ())
    here = cluster.placement.get(action.guest) == action.target
    if outcome.result is not Result.DONE or not here or not _after(samples, outcome.ended):
        return
    if not _crosses(cluster, action):
        return
    now, guest = _wants(seen, action.guest), cluster.guest[action.guest]
    if now is None or now < LEAST or max(now, before) > BUSY * most(guest):
        return
    source = cluster.host[action.source].architecture
    foreign = cluster.host[action.target].architecture
    ratio = now / before
    if foreign == guest.architecture:
        foreign, ratio = source, 1 / ratio
    yield Event(
        at=seen.at,
        kind="slowed",
        plan=plan,
        guest=action.guest,
        host=action.target,
        text=(
            f"{action.name}, which is {guest.architecture}, uses {ratio:.2f} times the CPU where "
            f"{foreign} translates it: {before} millicores on {action.source}, {now} on {action.target}"
        ),
        data={"guest": guest.architecture, "host": foreign, "ratio": round(ratio, 3)},
    )


def _crosses(cluster: Cluster, action: Action) -> bool:
    """True if it takes a translated guest from its own architecture to another, or back."""
    guest, hosts = cluster.guest.get(action.guest), cluster.host
    if guest is None or action.source not in hosts or action.target not in hosts:
        return False
    native = [hosts[h].architecture == guest.architecture for h in (action.source, action.target)]
    return guest.accelerator == TRANSLATED and native[0] != native[1]


def _wants(seen: Observation, uuid: str) -> int | None:
    """Return what a guest uses, and what waits of it, millicores; None where it is not known."""
    samples = seen.history.guests.get(uuid, ())
    if not samples or "cpu" not in samples[-1].values:
        return None
    return samples[-1].values["cpu"] + samples[-1].values.get("cpu.delay", 0)


def _after(samples: Iterable[Sample], moment: float) -> bool:
    """True if the newest sample tells only of what came later."""
    newest = max(samples, key=lambda sample: sample.at, default=None)
    return newest is not None and newest.at - newest.window >= moment
