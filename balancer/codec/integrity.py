"""What a document must also satisfy that its form cannot say: references, order, ranges.

Each check yields sentences that name the place; none means the value is sound. Two guests may
bear one name (libvirt keeps names unique per host only), but not on the same host.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Final

from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import METRICS, Observation, Sample
from balancer.planner.model.plan import Action, Plan
from balancer.planner.model.resources import DIMENSIONS, HUGEPAGES, Resources
from balancer.planner.model.rollups import STEP, Rollups

MOST_COLUMNS: Final = 366 * 288
"""Columns of roll-ups in one document: a year's."""
LARGEST: Final = 2**53
"""Amounts stay below this, so that sums of them stay exact wherever they are added up."""


def observation_faults(observation: Observation) -> tuple[str, ...]:
    """Return what contradicts itself in an observation."""
    return tuple(
        f"observation.{fault}"
        for part in (
            _not_negative("at", observation.at),
            _repeats(observation.cluster),
            _misplaced(observation.cluster),
            _amounts(observation.cluster),
            _samples("history.guests", observation.history.guests),
            _samples("history.hosts", observation.history.hosts),
            _rollups(observation.rollups),
        )
        for fault in part
    )


def plan_faults(plan: Plan) -> tuple[str, ...]:
    """Return what contradicts itself in a plan; whether it is safe is the judge's business."""
    return tuple(
        f"plan.{fault}" for part in (_action_ids(plan.actions), _each(plan)) for fault in part
    )


def _rollups(rollups: Rollups) -> Iterator[str]:
    if not 0 <= rollups.columns <= MOST_COLUMNS or rollups.start % STEP:
        yield f"rollups: columns are 0 to {MOST_COLUMNS}, and start is a multiple of {STEP}"
        return
    for kind, blocks in (("guests", rollups.guests), ("hosts", rollups.hosts)):
        for metric, block in blocks.items():
            place = f"rollups.{kind}.{metric}"
            if metric not in METRICS:
                yield f"{place}: no such metric"
            yield from _repeated(place, "name", block.names)
            try:
                rollups.matrix(block)
            except ValueError as error:
                yield f"{place}: {error}"


def _repeats(cluster: Cluster) -> Iterator[str]:
    yield from _repeated("cluster.hosts", "host name", (h.name for h in cluster.hosts))
    yield from _repeated("cluster.guests", "uuid", (g.uuid for g in cluster.guests))
    places = Counter((g.name, cluster.placement.get(g.uuid, "")) for g in cluster.guests)
    for (name, host), times in places.items():
        if times > 1:
            yield f"cluster.guests: {times} guests named {name!r} on host {host!r}"


def _repeated(where: str, what: str, names: Iterable[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where}: {what} {name!r} occurs {times} times"
        if not name:
            yield f"{where}: an empty {what}"


def _misplaced(cluster: Cluster) -> Iterator[str]:
    hosts = cluster.host.keys()
    guests = cluster.guest.keys()
    for guest in cluster.guests:
        if guest.uuid not in cluster.placement:
            yield f"cluster.placement: guest {guest.name!r} ({guest.uuid}) is missing"
    for what, mapping in (("placement", cluster.placement), ("in_flight", cluster.in_flight)):
        for uuid, host in mapping.items():
            if uuid not in guests:
                yield f"cluster.{what}: {uuid!r} is the uuid of no guest here"
            if host not in hosts:
                yield f"cluster.{what}[{uuid}] = {host!r}: no such host"
    for uuid, host in sorted(cluster.in_flight.items() & cluster.placement.items()):
        yield f"cluster.in_flight[{uuid}] = {host!r}: in flight to where it is already"


def _amounts(cluster: Cluster) -> Iterator[str]:
    for i, host in enumerate(cluster.hosts):
        where = f"cluster.hosts[{i}]"
        yield from _resources(f"{where}.capacity", host.capacity)
        yield from _resources(f"{where}.reserve", host.reserve)
        yield from _not_negative(f"{where}.link_kib_s", host.link_kib_s)
        for watts in host.power:
            yield from _not_negative(f"{where}.power", watts)
        if len(host.power) == 1:
            yield f"{where}.power: one point is no curve; give watts idle and busy, or none"
        for cell in host.numa:
            yield from _resources(f"{where}.numa[{cell.id}].hugepages", cell.hugepages)
            yield from _not_negative(f"{where}.numa[{cell.id}].cpus", cell.cpus)
            yield from _not_negative(f"{where}.numa[{cell.id}].memory_mib", cell.memory_mib)
    for i, guest in enumerate(cluster.guests):
        yield from _resources(f"cluster.guests[{i}].allocation", guest.allocation)


def _resources(where: str, amounts: Resources) -> Iterator[str]:
    for name, amount in amounts.items():
        if name not in DIMENSIONS and not name.startswith(HUGEPAGES):
            yield f"{where}.{name}: unknown resource{_nearest(name, DIMENSIONS)}"
        yield from _not_negative(f"{where}.{name}", amount)


def _samples(where: str, histories: Mapping[str, Sequence[Sample]]) -> Iterator[str]:
    for name, samples in histories.items():
        for i, sample in enumerate(samples):
            place = f"{where}[{name}][{i}]"
            yield from _not_negative(f"{place}.at", sample.at)
            yield from _not_negative(f"{place}.window", sample.window)
            if i and sample.at < samples[i - 1].at:
                yield f"{place}.at: earlier than the sample before it; put the newest last"
            for metric, value in sample.values.items():
                if metric not in METRICS:
                    yield f"{place}.values.{metric}: unknown metric{_nearest(metric, METRICS)}"
                yield from _not_negative(f"{place}.values.{metric}", value)


def _action_ids(actions: Sequence[Action]) -> Iterator[str]:
    yield from _repeated("actions", "id", (a.id for a in actions))
    ids = {a.id for a in actions}
    for i, action in enumerate(actions):
        for other in action.waits_for:
            if other not in ids:
                yield f"actions[{i}].waits_for: {other!r} is the id of no action here"
    try:
        TopologicalSorter({a.id: a.waits_for for a in actions}).prepare()
    except CycleError as error:
        yield f"actions: {' waits for '.join(error.args[1])}: none of them could ever start"


def _each(plan: Plan) -> Iterator[str]:
    yield from _not_negative("made_at", plan.made_at)
    for i, action in enumerate(plan.actions):
        where = f"actions[{i}]"
        if action.source == action.target:
            yield f"{where}.target = {action.target!r}: the guest is there already"
        for name, amount in (
            ("rate_kib_s", action.rate_kib_s),
            ("downtime_ms", action.downtime_ms),
            ("start", action.start),
            ("predicted.seconds", action.predicted.seconds),
            ("predicted.seconds_p90", action.predicted.seconds_p90),
            ("predicted.mib", action.predicted.mib),
            ("predicted.downtime_ms", action.predicted.downtime_ms),
        ):
            yield from _not_negative(f"{where}.{name}", amount)
        for k, rung in enumerate(action.rungs):
            yield from _not_negative(f"{where}.rungs[{k}].rate_kib_s", rung.rate_kib_s)
            yield from _not_negative(f"{where}.rungs[{k}].downtime_ms", rung.downtime_ms)


def _not_negative(where: str, amount: float) -> Iterator[str]:
    if not 0 <= amount < LARGEST:
        yield f"{where} = {amount}: must be at least 0 and below 2**53"


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
