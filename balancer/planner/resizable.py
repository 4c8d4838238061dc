"""The judge of resizes: replays them in order and says everything that is wrong with them.

It shares no decision with the stage that makes them, only what both are about: the model and the
rules. Limits are held to what the policy says, memory to what a host has at every step; what is
given must have been taken before.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from balancer.planner.constraints import broken
from balancer.planner.model.cluster import Guest
from balancer.planner.model.enlarged import ALLOCATED, enlarged
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.plan import Action
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, What, memory_taken
from balancer.planner.model.resources import MEMORY, VCPUS
from balancer.planner.model.spare import fills
from balancer.planner.model.terms import resizing
from balancer.planner.model.violation import baseline, worsened
from balancer.planner.settable import impossible, unwanted


def faults(
    problem: Problem,
    resizes: Sequence[Resize],
    *,
    moves: Sequence[Action] = (),
    undoing: bool = False,
) -> tuple[str, ...]:
    """Return every fault of `resizes` in `problem`, each once; `moves` are those of the same plan.

    What only gives back what was before (`undoing`) needs no policy that wants it.
    """
    replay = _Replay(problem, undoing=undoing)
    found = [*_ids(resizes), *(f for resize in resizes for f in replay.faults(resize))]
    found += [*_beside(resizes, moves), *_broken(problem, resizes)]
    if (
        len(resizes) + len(problem.resized_lately) > problem.policy.limits.resizes_per_hour
        and not undoing
    ):
        found.append(
            f"{len(resizes)} resizes after {len(problem.resized_lately)} within the hour: "
            f"limit resizes_per_hour is {problem.policy.limits.resizes_per_hour}"
        )
    if not undoing:
        found += _too_much(problem, resizes)
    return tuple(dict.fromkeys(found))


def _too_much(problem: Problem, resizes: Sequence[Resize]) -> Iterator[str]:
    """Yield that more memory is taken than an hour allows."""
    before = memory_taken(one.resize for one in problem.resized_lately)
    now, most = memory_taken(resizes), problem.policy.limits.memory_taken_per_hour
    if now and before + now > most:
        yield (
            f"{now} MiB of memory are taken after {before} within the hour: limit "
            f"memory_taken_per_hour is {most}"
        )


def _ids(resizes: Sequence[Resize]) -> Iterator[str]:
    numbers = Counter(resize.id for resize in resizes)
    yield from (f"{id_} is the id of {n} resizes" for id_, n in numbers.items() if n > 1)
    before: set[str] = set()
    for resize in resizes:
        for needed in resize.waits_for:
            if needed not in before:
                yield f"{_said(resize)} waits for {needed}, which does not come before it"
        before.add(resize.id)


def _beside(resizes: Sequence[Resize], moves: Sequence[Action]) -> Iterator[str]:
    """Yield what moves of the same plan are in the way of."""
    moving = {move.guest for move in moves}
    touched = {host for move in moves for host in (move.source, move.target)}
    for one in resizes:
        if one.guest in moving:
            yield f"{_said(one)}: the same plan moves it"
        elif one.what in ALLOCATED and not one.shrinks and one.host in touched:
            yield f"{_said(one)}: the same plan moves guests from there or to there"


def _broken(problem: Problem, resizes: Sequence[Resize]) -> Iterator[str]:
    """Yield the rules that are broken more once guests are allocated more; what shrinks counts in full."""
    then = enlarged(problem, resizes)
    if then is problem:
        return
    here = problem.cluster.placement
    for fault in worsened(baseline(broken(problem, here)), broken(then, here)):
        yield f"{fault.rule}: {fault.sentence}"


def _said(resize: Resize) -> str:
    return f"{resize.id} ({resize.what} of {resize.name} on {resize.host})"


def stands(guest: Guest, what: What) -> int:
    """Return how a setting of a guest stands."""
    knobs = guest.knobs or Knobs()
    return {
        What.SHARES: knobs.shares,
        What.QUOTA: knobs.quota,
        What.BALLOON: knobs.balloon,
        What.PLUGGED: knobs.plugged,
        What.BLOCK: knobs.block,
        What.NETWORK: knobs.network,
        What.VCPUS: guest.allocation.get(VCPUS, 0),
    }[what]


class _Replay:
    """Settings as they are changed one after the other."""

    def __init__(self, problem: Problem, *, undoing: bool) -> None:
        self._problem, self._undoing = problem, undoing
        self._tables = resizing(problem.policy, problem.cluster)
        self._now: dict[tuple[str, What], int] = {}

    def faults(self, resize: Resize) -> Iterator[str]:
        """Yield what is wrong with the next one."""
        guest = self._problem.cluster.guest.get(resize.guest)
        said = _said(resize)
        if guest is None:
            yield f"{said}: no guest {resize.guest} is known"
            return
        if (home := self._problem.home(guest.uuid)) != resize.host:
            yield f"{said}: it runs on {home}"
        if guest.uuid in self._problem.cluster.in_flight:
            yield f"{said}: it is being migrated"
        if guest.knobs is None or resize.what in guest.knobs.missing:
            lacks = "" if guest.knobs is None else f": {guest.knobs.missing[resize.what]}"
            yield f"{said}: it cannot be changed while it runs{lacks}"
            return
        key = (guest.uuid, resize.what)
        now = self._now.get(key, stands(guest, resize.what))
        if now != resize.before:
            yield f"{said}: it stands at {now}, not at {resize.before}"
        self._now[key] = resize.after
        yield from (f"{said}: {fault}" for fault in self._allowed(resize, guest))

    def _allowed(self, resize: Resize, guest: Guest) -> Iterator[str]:
        """Yield what neither the hypervisor nor the policy lets be set."""
        if wrong := impossible(resize, guest):
            yield wrong
        if resize.of_memory:
            yield from self._room(resize)
        if not self._undoing and (wrong := unwanted(resize, guest, self._tables.get(guest.uuid))):
            yield wrong

    def _room(self, resize: Resize) -> Iterator[str]:
        """Yield that a host has not the memory that its guests may then fill."""
        if resize.shrinks:
            return
        host = resize.host
        given = sum(self._fills(guest) for guest in self._problem.cluster.guests_on[host])
        usable = self._problem.host(host).usable.get(MEMORY, 0)
        if given > usable:
            yield f"guests on {host} could fill {given} MiB of {usable}"

    def _fills(self, guest: Guest) -> int:
        """Return the memory that a guest may fill by now, MiB."""
        knobs, uuid = guest.knobs or Knobs(), guest.uuid
        more = self._now.get((uuid, What.PLUGGED), knobs.plugged) - knobs.plugged
        return self._now.get((uuid, What.BALLOON), fills(guest) + more)
