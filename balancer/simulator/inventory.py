"""What the simulated world lets the planner see of itself: measurements, not the truth."""

from collections.abc import Mapping
from typing import Final

from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import History, Observation, Sample, Unseen
from balancer.planner.model.resources import DISK, MEMORY, NETWORK
from balancer.simulator.world import SimulatedGuest, World

WINDOW: Final = 60.0
"""Seconds that every sample claims to average over."""


class SimulatedInventory:
    """Implements the port Inventory.

    A guest is measured by what it *got*: on a host that is asked for more CPU than it has, each
    guest gets its proportional part, and the rest of its wish shows as delay.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def observe(self) -> Observation:
        """Return the world as hypervisors would report it at this moment."""
        world = self._world
        dealt = world.granted()
        wanted = {uuid: asked for uuid, (asked, _) in dealt.items()}
        granted = {uuid: got for uuid, (_, got) in dealt.items()}
        traffic = {name: world.traffic(name) for name in (DISK, NETWORK) if self._carried(name)}
        return Observation(
            at=world.now,
            cluster=Cluster(
                hosts=tuple(host.spec for host in world.hosts.values() if host.alive),
                guests=tuple(guest.spec for guest in world.guests.values()),
                placement={
                    **world.placement,  # one whose memory follows it holds room at both ends
                    **{move.guest: move.source for move in world.moves},
                },
                in_flight={move.guest: move.target for move in world.moves},
            ),
            history=History(
                guests={
                    uuid: (
                        self._sample(
                            {
                                **_of_guest(guest, wanted[uuid], granted[uuid]),
                                **{name: of[uuid][1] for name, of in traffic.items()},
                            }
                        ),
                    )
                    for uuid, guest in world.guests.items()
                    if uuid not in world.silent
                },
                hosts={
                    name: (self._sample(self._of_host(name, wanted, granted)),)
                    for name, host in world.hosts.items()
                    if host.alive and name not in world.silent
                },
            ),
            unseen=tuple(
                Unseen(name, "no answer in 10 s", "look at its power and its network")
                for name, host in world.hosts.items()
                if not host.alive
            ),
        )

    def _carried(self, name: str) -> bool:
        """True if any host says how much of that traffic it carries."""
        return any(name in host.spec.capacity for host in self._world.hosts.values())

    def _of_host(
        self, name: str, wanted: Mapping[str, int], granted: Mapping[str, int]
    ) -> Mapping[str, int]:
        here = [uuid for uuid, host in self._world.placement.items() if host == name]
        used = sum(granted[uuid] for uuid in here)
        asked = sum(wanted[uuid] for uuid in here)
        capacity = self._world.hosts[name].spec.usable.get(MEMORY, 0)
        return {
            "cpu": used,
            "cpu.pressure": 1000 * (asked - used) // max(1, asked),
            "memory.used": capacity - self._world.free_mib(name),
        }

    def _sample(self, values: Mapping[str, int]) -> Sample:
        return Sample(at=self._world.now, window=WINDOW, values=values)


def _of_guest(guest: SimulatedGuest, wanted: int, granted: int) -> Mapping[str, int]:
    assigned = guest.spec.allocation.get(MEMORY, 0)
    balloon, knobs = guest.may_fill_mib, guest.spec.knobs
    unplugged = knobs.most_plugged - knobs.plugged if knobs else 0
    return {
        "cpu": granted,
        "cpu.delay": wanted - granted,
        "memory.assigned": assigned + unplugged,
        "memory.balloon": balloon,
        "memory.rss": guest.memory_mib,
        "memory.unused": max(0, balloon - guest.works_mib),
        "dirty": guest.dirty_mib_s,
    }
