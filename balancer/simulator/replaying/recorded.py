"""A track from the service's own history and journal."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.adapters.stand_in import MemoryJournal
from balancer.codec import load_outcome_data
from balancer.planner.model.cluster import Cluster, Guest, GuestCpu
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Outcome, Result
from balancer.planner.model.resources import MEMORY, VCPUS
from balancer.planner.model.rollups import STEP, Rollups
from balancer.ports import Event, GuestStood, HistoryStore, Journal, UsageError
from balancer.service.guards import Patience
from balancer.service.recall import WINDOW, Recall, last_seen
from balancer.service.standing import KIND
from balancer.service.world import Memory
from balancer.simulator.replaying.track import Change, Record, Track, columns_of

REMEMBERED = 30 * 86_400.0
"""Seconds of the journal before the first look that still decide something."""
Key = tuple[str, str, str]
PER_CORE = 1000


@dataclass(frozen=True, slots=True)
class Missed:
    """Guests of then that a replay does not show as they were."""

    left_out: int
    """Of whom nothing is known."""
    sized: int
    """Gone since: as large as the history says, without labels and needs."""


def recorded(
    cluster: Cluster,
    history: HistoryStore,
    journal: Journal,
    span: tuple[float, float],
    lookback: float,
) -> tuple[Track, Missed]:
    """Return what happened from `span[0]` to `span[1]`, and whom it does not show as they were.

    `cluster` says what hosts and guests are. Guests that are gone since are as large as the history
    says, and nothing else is known of them; hosts that are gone are left out with their guests.
    Raises UsageError where journal or history hold too little.
    """
    since, until = span
    events = journal.read(since - WINDOW - REMEMBERED)
    looks = [
        (float(str(e.data["seen_at"])), e)
        for e in events
        if e.kind == "cycle" and "seen_at" in e.data
    ]
    looks = [(at, e) for at, e in looks if since <= at <= until]
    if not looks:
        raise UsageError(
            "the journal knows of no look at the cluster in that time: let the service run "
            "(mode observe is enough), or name a longer --since"
        )
    seen = _seen(events, looks)
    first = looks[0][0]
    begin = int(first - lookback) // STEP * STEP
    rollups = history.rollups(looks[-1][0], looks[-1][0] - begin + STEP)
    if "cpu" not in rollups.guests:
        raise UsageError(
            "the history holds nothing of that time: let the service measure for a while, or "
            "fetch the past with balancer backfill"
        )
    gone = {
        g.guest: g.name for look in seen for g in look.values() if g.guest not in cluster.guest
    }
    sized = _sized(gone, rollups)
    cluster = replace(cluster, guests=(*cluster.guests, *sized))
    placements = tuple(
        {u: g.host for u, g in look.items() if u in cluster.guest and g.host in cluster.host}
        for look in seen
    )
    ever = set[str]().union(*placements)
    there = [g for g in cluster.guests if g.uuid in ever]
    outcomes, barred = _ended(events, first)
    track = Track(
        cluster=replace(cluster, guests=tuple(there), placement=placements[0], in_flight={}),
        start=rollups.start,
        guests=columns_of(rollups, rollups.guests),
        hosts=columns_of(rollups, rollups.hosts),
        looks=tuple(at for at, _ in looks),
        changes=tuple(_changes([at for at, _ in looks], placements)),
        at_looks=_one_a_column([at for at, _ in looks]),
        record=Record(
            placements=placements,
            plans=tuple(e.plan for _, e in looks),
            outcomes=outcomes,
            barred=barred,
            events=tuple(e for e in events if e.at < first),
            restarts=_restarts(events, [at for at, _ in looks]),
        ),
    )
    left = {u for look in seen for u in look} - ever
    return track, Missed(left_out=len(left), sized=sum(g.uuid in ever for g in sized))


def _changes(looks: Sequence[float], placements: Sequence[Placement]) -> Iterator[Change]:
    """Yield who came and who went, each at the look that saw it first."""
    for at, before, now in zip(looks[1:], placements, placements[1:], strict=False):
        for uuid in sorted(before.keys() - now.keys()):
            yield Change(at, uuid, comes=False)
        for uuid in sorted(now.keys() - before.keys()):
            yield Change(at, uuid, comes=True, host=now[uuid])


def _restarts(events: Iterable[Event], looks: Sequence[float]) -> frozenset[int]:
    """Return the looks that were the first of a new process, which remembered nothing."""
    began = [event.at for event in events if event.kind == "began"]
    return frozenset(bisect_left(looks, at) for at in began if looks[0] < at <= looks[-1])


def remembered(events: Sequence[Event], at: float) -> Memory:
    """Return what the service that had written `events` remembered when it looked at `at`.

    The last cycle's account says since when which host had been asking to be relieved; what
    nobody wrote down (a search that was in vain) is not known.
    """
    told = [event for event in events if event.kind in {"cycle", "began"}]
    if not told or told[-1].kind == "began" or "hot" not in told[-1].data:
        return Memory()
    hot = told[-1].data["hot"]
    assert isinstance(hot, Mapping)  # noqa: S101 - the service wrote it
    journal = MemoryJournal()
    for event in events:
        journal.write(event)
    placement, seen = last_seen(journal, at, REMEMBERED)
    since = {str(host): float(moment) for host, moment in hot.items()}
    return Memory(placement=placement or None, at=seen, patience=Patience(since))


def _one_a_column(looks: Sequence[float]) -> bool:
    """True if no two looks share five minutes: then each mean is of one look alone."""
    return len({int(at) // STEP for at in looks}) == len(looks)


def _seen(
    events: Iterable[Event], looks: Sequence[tuple[float, Event]]
) -> tuple[Mapping[str, GuestStood], ...]:
    """Return who stood where at each look, by uuid."""
    stood = [event for event in events if event.kind == KIND]
    recall, found, taken = Recall(), [], 0
    ends = [at for at, _ in looks[1:]] + [float("inf")]
    for end in ends:
        while taken < len(stood) and stood[taken].at < end:
            recall.take(stood[taken])
            taken += 1
        found.append(dict(recall.guests))
    return tuple(found)


def _sized(gone: Mapping[str, str], rollups: Rollups) -> tuple[Guest, ...]:
    """Return the guests gone since, by what the history has of them: memory given, cores used."""
    memory, cpu = (
        dict(zip(b.names, rollups.matrix(b).max(axis=1).tolist(), strict=True))
        if (b := rollups.guests.get(metric)) is not None
        else {}
        for metric in ("memory.assigned", "cpu")
    )  # fmt: skip
    return tuple(
        Guest(
            uuid=uuid,
            name=name,
            allocation={VCPUS: max(1, -(-cpu[uuid] // PER_CORE)), MEMORY: memory[uuid]},
            cpu=GuestCpu(model=""),
        )
        for uuid, name in sorted(gone.items())
        if memory.get(uuid, 0) > 0 and cpu.get(uuid, -1) >= 0
    )


def _ended(
    events: Iterable[Event], since: float
) -> tuple[Mapping[Key, tuple[Outcome, ...]], Mapping[Key, tuple[Outcome, ...]]]:
    """Return the moves that ended from then on, and those that were not begun though planned."""
    ended: dict[Key, tuple[Outcome, ...]] = {}
    barred: dict[Key, tuple[Outcome, ...]] = {}
    for event in events:
        if event.at < since or "outcome" not in event.data:
            continue
        outcome = load_outcome_data(event.data["outcome"])
        action = outcome.action
        key = (action.guest, action.source, action.target)
        if outcome.result is not Result.REFUSED:
            ended[key] = (*ended.get(key, ()), outcome)
        elif event.data.get("barred"):
            barred[key] = (*barred.get(key, ()), outcome)
    return ended, barred
