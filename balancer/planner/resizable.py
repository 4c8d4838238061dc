"""The judge of resizes: replays them in order and says everything that is wrong with them.

It shares no code with the stage that makes them. Limits are held to what the policy says, memory to
what a host has at every step; what is given must have been taken before.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from balancer.planner.model.cluster import Guest
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import TRAFFIC, Resize, What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import MEMORY, VCPUS
from balancer.planner.model.terms import resizing

LEAST_QUOTA: Final = 10
"""Millicores for each vCPU: less the hypervisors do not take."""
PER_MILLE: Final = 1000
LEAST_TRAFFIC: Final = 64
"""KiB/s below which no limit is set."""


def faults(
    problem: Problem, resizes: Sequence[Resize], *, undoing: bool = False
) -> tuple[str, ...]:
    """Return every fault of `resizes` in `problem`, each once.

    What only gives back what was before (`undoing`) needs no policy that wants it.
    """
    replay = _Replay(problem, undoing=undoing)
    found = [*_ids(resizes), *(f for resize in resizes for f in replay.faults(resize))]
    if (
        len(resizes) + len(problem.resized_lately) > problem.policy.limits.resizes_per_hour
        and not undoing
    ):
        found.append(
            f"{len(resizes)} resizes after {len(problem.resized_lately)} within the hour: "
            f"limit resizes_per_hour is {problem.policy.limits.resizes_per_hour}"
        )
    return tuple(dict.fromkeys(found))


def _ids(resizes: Sequence[Resize]) -> Iterator[str]:
    numbers = Counter(resize.id for resize in resizes)
    yield from (f"{id_} is the id of {n} resizes" for id_, n in numbers.items() if n > 1)
    before: set[str] = set()
    for resize in resizes:
        for needed in resize.waits_for:
            if needed not in before:
                yield f"{_said(resize)} waits for {needed}, which does not come before it"
        before.add(resize.id)


def _said(resize: Resize) -> str:
    return f"{resize.id} ({resize.what} of {resize.name} on {resize.host})"


def stands(knobs: Knobs, what: What) -> int:
    """Return how a setting stands."""
    return {
        What.SHARES: knobs.shares,
        What.QUOTA: knobs.quota,
        What.BALLOON: knobs.balloon,
        What.BLOCK: knobs.block,
        What.NETWORK: knobs.network,
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
        now = self._now.get(key, stands(guest.knobs, resize.what))
        if now != resize.before:
            yield f"{said}: it stands at {now}, not at {resize.before}"
        self._now[key] = resize.after
        yield from (f"{said}: {fault}" for fault in self._allowed(resize, guest))

    def _allowed(self, resize: Resize, guest: Guest) -> Iterator[str]:
        """Yield what neither the hypervisor nor the policy lets be set."""
        match resize.what:
            case What.SHARES:
                if resize.after <= 0:
                    yield "shares must be more than nought"
            case What.QUOTA:
                vcpus = guest.allocation.get(VCPUS, 0)
                if resize.after < 0 or 0 < resize.after < LEAST_QUOTA * vcpus:
                    yield f"a limit of {resize.after} millicores for {vcpus} vCPUs"
            case What.BLOCK | What.NETWORK:
                yield from _possible(resize)
            case _:  # a balloon
                if not 0 < resize.after <= guest.allocation.get(MEMORY, 0):
                    yield f"{resize.after} MiB of {guest.allocation.get(MEMORY, 0)}"
                yield from self._room(resize)
        table = self._tables.get(guest.uuid)
        if not self._undoing:
            yield from _consent(resize, table)

    def _room(self, resize: Resize) -> Iterator[str]:
        """Yield that a host has not the memory that its guests may then fill."""
        if resize.shrinks:
            return
        host = resize.host
        given = sum(
            self._now.get((guest.uuid, What.BALLOON), _fills(guest))
            for guest in self._problem.cluster.guests_on[host]
        )
        usable = self._problem.host(host).usable.get(MEMORY, 0)
        if given > usable:
            yield f"guests on {host} could fill {given} MiB of {usable}"


def _fills(guest: Guest) -> int:
    """Return the memory that a guest may fill, MiB."""
    return (guest.knobs.balloon if guest.knobs else 0) or guest.allocation.get(MEMORY, 0)


def _consent(resize: Resize, table: Resizing | None) -> Iterator[str]:
    """Yield that no `[[resize]]` of the policy wants it so."""
    if table is None:
        yield "no [[resize]] of the policy names it"
    elif resize.what is What.BALLOON:
        if not table.memory:
            yield "the policy does not let its memory be taken (memory = true)"
        elif resize.after < table.floor and resize.shrinks:
            yield f"less than its floor of {table.floor} MiB"
    elif resize.what in TRAFFIC:
        yield from _of_traffic(resize, table)
    elif table.dedicated and resize.shrinks:
        yield "it is dedicated: nothing is taken from it"
    elif resize.what is What.QUOTA and resize.after and resize.after != table.limit:
        yield f"a limit of {resize.after} millicores where the policy says {table.limit}"


def _possible(resize: Resize) -> Iterator[str]:
    """Yield that no such limit of traffic can be set."""
    if resize.after < 0 or 0 < resize.after < LEAST_TRAFFIC:
        yield f"a limit of {resize.after} KiB/s of {TRAFFIC[resize.what]} traffic"


def _of_traffic(resize: Resize, table: Resizing) -> Iterator[str]:
    """Yield that a limit of traffic is not what the policy lets be set."""
    least, most = {
        What.BLOCK: (table.disk_least, table.disk_limit),
        What.NETWORK: (table.network_least, table.network_limit),
    }[resize.what]
    name = TRAFFIC[resize.what]
    if not least and not most:
        yield f"the policy does not let its {name} traffic be limited ({name}_least, {name}_limit)"
    elif most and not 0 < resize.after <= most:
        yield f"more than its {name}_limit of {most} KiB/s"
    elif not least and resize.after != most:
        yield f"{resize.after} KiB/s where it gives way to nobody ({name}_least)"
    elif 0 < resize.after < least:
        yield f"less than its {name}_least of {least} KiB/s"
