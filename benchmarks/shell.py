"""How long looking at a large cluster takes: `python -m benchmarks.shell [--hosts 400] [--guests 15]`.

The adapter for libvirt is the real one; behind it stand connections in memory that take as long as
real ones do. Prints JSON: seconds of the first look (cold: connections are opened, capabilities
asked) and of the next ones (warm), CPU seconds, and the largest resident size in MiB.

Delays, chosen on the slow side of what one sees in a data centre over SSH: opening a connection
0.6 s; a round trip 2 ms; capabilities 40 ms, domain capabilities 120 ms; statistics of all guests
30 ms and 1 ms a guest.
"""

import argparse
import json
import resource
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from balancer.adapters.clock import WallClock
from balancer.adapters.libvirt import connection, emulation
from balancer.adapters.libvirt.inventory import LibvirtInventory
from balancer.config.host import HostConfig
from tests.adapters.libvirt.fakes import FakeDomain, FakeHost

ROUND_TRIP: Final = 0.002
OPENING: Final = 0.6
DELAYS: Final = {"getCapabilities": 0.04, "getDomainCapabilities": 0.12}
STATISTICS: Final = (0.03, 0.001)
LOCAL: Final = frozenset({"UUIDString", "name", "ID", "isAlive", "setKeepAlive"})
"""Calls that libvirt answers without asking the host."""


class Slow:
    """A connection or a domain whose calls take as long as over a network."""

    def __init__(self, to: Any) -> None:
        self._to = to

    def __getattr__(self, name: str) -> Any:
        known = getattr(self._to, name)
        if name in LOCAL or not callable(known):
            return known

        def call(*given: Any) -> Any:
            time.sleep(DELAYS.get(name, ROUND_TRIP))
            answer = known(*given)
            if name == "getAllDomainStats":
                time.sleep(STATISTICS[0] + STATISTICS[1] * len(answer))
                return [(Slow(domain), stats) for domain, stats in answer]
            if isinstance(answer, list):
                return [Slow(x) if isinstance(x, FakeDomain) else x for x in answer]
            return answer

        return call


def hosts(number: int, guests: int) -> dict[str, FakeHost]:
    """Return hypervisors in memory, each with its guests."""
    made = {}
    for index in range(number):
        host = FakeHost(f"kvm{index:03}")
        host.capabilities = host.capabilities.replace(
            host.capabilities.split("<uuid>")[1].split("</uuid>")[0], str(UUID(int=index + 1))
        )
        for guest in range(guests):
            domain = host.add(
                uuid=str(UUID(int=(index << 16) + guest)), _name=f"vm-{index}-{guest}"
            )
            domain.stats = statistics(domain.uuid)
        made[host.getHostname()] = host
    return made


def statistics(uuid: str) -> dict[str, Any]:
    """Return what libvirt says of a guest with two vCPUs, a disk and a network card."""
    return {
        "state.state": 1, "state.reason": 1, "cpu.time": 10**12, "cpu.user": 10**9,
        "balloon.current": 4194304, "balloon.maximum": 4194304, "balloon.rss": 3145728,
        "vcpu.current": 2, "vcpu.0.state": 1, "vcpu.0.delay": 10**9, "vcpu.1.state": 1,
        "vcpu.1.delay": 10**9, "net.count": 1, "net.0.rx.bytes": 10**9, "net.0.tx.bytes": 10**9,
        "block.count": 1, "block.0.name": "vda", "block.0.rd.bytes": 10**9,
        "block.0.wr.bytes": 10**9, "uuid": uuid,
    }  # fmt: skip


def measured(number: int, guests: int, looks: int) -> dict[str, float]:
    """Look at such a cluster; return what it took."""
    known = hosts(number, guests)

    def open_one(uri: str, *, read_only: bool) -> Slow:
        del read_only
        time.sleep(OPENING)
        return Slow(known[uri.split("/")[2]])

    connection.open_one = open_one  # type: ignore[assignment]
    emulation.open_one = open_one  # type: ignore[assignment]
    configured = [HostConfig(name=name, uri=f"qemu+ssh://{name}/system") for name in known]
    inventory = LibvirtInventory(configured, WallClock())
    times = []
    for _ in range(1 + looks):
        begun, spent = time.monotonic(), time.process_time()
        seen = inventory.observe()
        times.append((time.monotonic() - begun, time.process_time() - spent))
        time.sleep(2.0)  # the next look has a reading to reckon rates from
    return {
        "hosts": len(seen.cluster.hosts),
        "guests": len(seen.cluster.guests),
        "unseen": len(seen.unseen),
        "cold_s": round(times[0][0], 1),
        "cold_cpu_s": round(times[0][1], 1),
        "warm_s": round(max(t[0] for t in times[1:]), 1),
        "warm_cpu_s": round(max(t[1] for t in times[1:]), 1),
        "max_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main(words: Sequence[str] | None = None) -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=400)
    parser.add_argument("--guests", type=int, default=15, help="on each host")
    parser.add_argument("--looks", type=int, default=2, help="warm ones")
    asked = parser.parse_args(words)
    print(json.dumps(measured(asked.hosts, asked.guests, asked.looks)))


if __name__ == "__main__":
    main()
