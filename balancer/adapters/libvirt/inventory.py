"""Looks at the cluster over libvirt: every host at once, none waiting for another."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Final

import libvirt

from balancer.adapters.libvirt.assemble import assemble
from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.emulation import Processors
from balancer.adapters.libvirt.errors import NotAnswering, explain, is_broken_connection
from balancer.adapters.libvirt.sighting import HostSighting, domain_stats, look, measure
from balancer.adapters.libvirt.statistics import HostReading, sample
from balancer.adapters.libvirt.workers import AT_ONCE, Beat, Crew
from balancer.config.host import HostConfig
from balancer.planner.model.cluster import Cluster, emptying
from balancer.planner.model.observation import History, Observation, Sample, Unseen
from balancer.planner.model.resources import CPU, MEMORY
from balancer.ports import Clock, UsageError

STALE_AFTER: Final = 900.0
"""Seconds after which an earlier reading is too old to make rates with."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One host as seen, and the reading its rates are counted from."""

    sighting: HostSighting
    before: HostReading


@dataclass(frozen=True, slots=True)
class View:
    """What was seen of all hosts, before anything is concluded."""

    glances: tuple[Glance, ...]
    unseen: tuple[Unseen, ...]

    @property
    def sightings(self) -> tuple[HostSighting, ...]:
        """Return the hosts seen, in the order configured."""
        return tuple(glance.sighting for glance in self.glances)


class LibvirtInventory:
    """Implements Inventory.

    Keeps its connections, and each host's last reading: rates are averages since the observation
    before, or over `sample_gap` seconds where there was none lately.
    """

    def __init__(  # noqa: PLR0913 - most by name
        self,
        hosts: Sequence[HostConfig],
        clock: Clock,
        sample_gap: float = 2.0,
        *,
        read_only: bool = True,
        workers: int = AT_ONCE,
        closed: Callable[[], Collection[str]] = tuple,
        own: str = "",
    ) -> None:
        """Connect to nothing yet; `workers` hosts are asked at a time.

        `closed` returns the hosts that are closed to placement; `own` is uuid or name of the
        guest that this program runs in, if it does.
        """
        self._own = own
        self._closed = closed
        self._hosts = tuple(hosts)
        self._clock = clock
        self._gap = sample_gap
        self._connections = Connections(hosts, read_only=read_only)
        self._processors = Processors()
        self._crew = Crew(workers)
        self._last: dict[str, HostReading] = {}

    def observe(self) -> Observation:
        """Return the cluster as it is now.

        Raises UsageError where nothing at all can be seen, and what `closed` raises.
        """
        closed = self._closed()
        view = self.view()
        if not view.glances:
            first = view.unseen[0]
            raise UsageError(
                f"none of {len(view.unseen)} hosts can be seen; {first.host}: {first.reason}; "
                f"{first.remedy} (balancer doctor tells of each host)"
            )
        assembly = assemble(view.sightings)
        return Observation(
            at=self._clock.now(),
            cluster=emptying(assembly.cluster, closed),
            history=_history(view.glances, assembly.cluster),
            unseen=view.unseen,
            doubts=assembly.doubts,
            planner=next(
                (g.uuid for g in assembly.cluster.guests if self._own in (g.uuid, g.name)), ""
            ),
        )

    def view(self) -> View:
        """Look at every host. Raises UsageError if none is configured."""
        if not self._hosts:
            raise UsageError("no hosts are configured: name them under [[hosts]] in hosts.toml")
        answers = self._crew.ask(
            {host.name: partial(self._glance, host) for host in self._hosts},
            {host.name: host.answer_within for host in self._hosts},
        )
        glances, unseen = _tell_apart(answers)
        for lost in unseen:
            self._connections.drop(lost.host)
        self._last |= {g.sighting.config.name: g.sighting.reading for g in glances}
        return View(glances, unseen)

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def _glance(self, host: HostConfig, beat: Beat) -> Glance:
        """Look at one host; once more if a kept connection turns out to be dead."""
        try:
            return self._look(host, beat)
        except libvirt.libvirtError as error:
            if not is_broken_connection(error):
                raise
            self._connections.drop(host.name)
            return self._look(host, beat)

    def _look(self, host: HostConfig, beat: Beat) -> Glance:
        connection = self._connections.to(host.name)
        processor = partial(self._processors.of, host)
        sighting = look(connection, host, processor, self._clock.now, beat)
        before = self._last.get(host.name)
        age = 0.0 if before is None else sighting.reading.ticks - before.ticks
        if before is not None and self._gap <= age <= STALE_AFTER:
            return Glance(sighting, before)
        rest = self._gap - (monotonic() - sighting.reading.ticks)
        if rest > 0:
            beat(rest)
            self._clock.sleep(rest)
        again = measure(connection, domain_stats(connection), self._clock.now)
        return Glance(replace(sighting, reading=again), sighting.reading)


def _tell_apart(
    answers: Mapping[str, Glance | Exception],
) -> tuple[tuple[Glance, ...], tuple[Unseen, ...]]:
    """Separate hosts seen from those that were not, or turn out to be another host again."""
    glances: list[Glance] = []
    unseen: list[Unseen] = []
    known: dict[str, str] = {}
    for name, answer in answers.items():
        if isinstance(answer, Exception):
            complaint = explain(_expected(answer))
            unseen.append(Unseen(name, complaint.reason, complaint.remedy))
            continue
        identity = answer.sighting.capabilities.uuid
        if identity and identity in known:
            unseen.append(_same_again(name, known[identity]))
            continue
        known[identity] = name
        glances.append(answer)
    return tuple(glances), tuple(unseen)


def _expected(fault: Exception) -> Exception:
    """Return faults of the world; raises those of the program."""
    if isinstance(fault, libvirt.libvirtError | NotAnswering | ValueError | OSError):
        return fault
    raise fault


def _same_again(name: str, other: str) -> Unseen:
    return Unseen(
        name,
        f"it reports the same host UUID as {other}",
        "if they are two machines, give each its own host_uuid in libvirtd.conf; "
        "else remove one from the hosts file",
    )


def _history(glances: Sequence[Glance], cluster: Cluster) -> History:
    guests: dict[str, tuple[Sample, ...]] = {}
    hosts: dict[str, tuple[Sample, ...]] = {}
    for glance in glances:
        now, before = glance.sighting.reading, glance.before
        seconds, name = now.ticks - before.ticks, glance.sighting.config.name
        here = {
            uuid: sample(before.guests.get(uuid), reading, seconds, now.at)
            for uuid, reading in now.guests.items()
            if cluster.placement.get(uuid) == name
        }
        guests |= {uuid: (taken,) for uuid, taken in here.items()}
        own = sample(before.host, now.host, seconds, now.at)
        hosts[name] = (_as_declared(own, glance.sighting.config, tuple(here.values())),)
    return History(guests, hosts)


def _as_declared(own: Sample, config: HostConfig, guests: Sequence[Sample]) -> Sample:
    """Where the capacity is declared, the machine's counters measure something else.

    Then the sum of the guests stands in for them, of those dimensions.
    """
    values = dict(own.values)
    sums: tuple[tuple[str, str, Callable[[Sample], int]], ...] = (
        (CPU, "cpu", lambda sample: sample.values.get("cpu", 0)),
        (MEMORY, "memory.used", lambda sample: sample.values.get("memory.rss", 0)),
    )
    for dimension, metric, part in sums:
        if dimension in config.capacity:
            values[metric] = sum(part(sample) for sample in guests)
    return replace(own, values=values)
