"""How fast guests change their memory: asked of few, for asking costs.

QEMU hashes a sample of the guest's pages, waits, and hashes them again: some processor time and a
second each. libvirt lets only connections that may change something ask for it, and tells the
answer among the domain's statistics.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import libvirt

from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.workers import Beat, Crew
from balancer.config.host import HostConfig
from balancer.ports import Clock

SECONDS: Final = 1
"""Between the two looks at each page: the least that libvirt takes, and the cheapest."""
PATIENCE: Final = 5.0
"""Seconds beyond those after which a guest that gave no answer yet is left out."""
POLL: Final = 0.2
FRESH: Final = 600.0
"""Seconds for which an answer is given again without asking."""
STATUS: Final = "dirtyrate.calc_status"
RATE: Final = "dirtyrate.megabytes_per_second"


class LibvirtDirtyMeter:
    """Implements the port DirtyMeter."""

    def __init__(self, hosts: Sequence[HostConfig], clock: Clock) -> None:
        """Connect to nothing yet."""
        self._hosts = {host.name: host for host in hosts}
        self._clock = clock
        self._connections = Connections(hosts, read_only=False)
        self._crew = Crew()
        self._known: dict[str, tuple[float, int]] = {}

    def rates(self, guests: Mapping[str, str]) -> Mapping[str, int]:
        """Return the MiB/s dirtied, by uuid, of guests given with their hosts.

        All at once, within a few seconds. Left out are guests of which it cannot be told: another
        job runs, the host does not answer, or its libvirt (before 7.2) or QEMU (5.2) cannot.
        """
        now = self._clock.now()
        self._known = {u: known for u, known in self._known.items() if now - known[0] < FRESH}
        wanted: dict[str, list[str]] = {}
        for uuid, host in guests.items():
            if uuid not in self._known and host in self._hosts:
                wanted.setdefault(host, []).append(uuid)
        tasks = {host: partial(self._asked, host, uuids) for host, uuids in wanted.items()}
        limits = {host: self._hosts[host].answer_within for host in wanted}
        for host, answer in self._crew.ask(tasks, limits).items():
            if isinstance(answer, Exception):
                self._connections.drop(host)
                continue
            self._known |= {uuid: (now, rate) for uuid, rate in answer.items()}
        return {uuid: self._known[uuid][1] for uuid in guests if uuid in self._known}

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def _asked(self, host: str, uuids: Collection[str], beat: Beat) -> Mapping[str, int]:
        connection = self._connections.to(host)
        begun = []
        for uuid in uuids:
            with suppress(libvirt.libvirtError):  # gone, busy, or too old for it
                domain = connection.lookupByUUIDString(uuid)
                domain.startDirtyRateCalc(SECONDS)
                begun.append(domain)
            beat()
        found: dict[str, int] = {}
        waited = 0.0
        while len(found) < len(begun) and waited < SECONDS + PATIENCE:
            self._clock.sleep(POLL)
            waited += POLL
            found = _measured(connection, begun)
            beat()
        return found


def _measured(connection: libvirt.virConnect, domains: list[libvirt.virDomain]) -> dict[str, int]:
    """Return the rates that are known by now."""
    found = {}
    told = connection.domainListGetStats(domains, libvirt.VIR_DOMAIN_STATS_DIRTYRATE)
    for domain, stats in told:
        rate = stats.get(RATE)
        if stats.get(STATUS) == libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED and isinstance(rate, int):
            found[domain.UUIDString()] = rate
    return found
