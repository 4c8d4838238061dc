"""What the planner is shown of a replayed moment.

A host that has the guests it had then shows what was measured then, to the last digit. Any other
one shows what follows: each guest wants what it got and waited for; where more is wanted than the
host has, each gets its proportional part.
"""

from collections.abc import Mapping

from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.resources import CPU
from balancer.planner.model.rollups import UNKNOWN
from balancer.simulator.replaying.track import Columns, Track
from balancer.simulator.world import World

Values = dict[str, int]


class ReplayedInventory:
    """Implements the port Inventory."""

    def __init__(self, track: Track, world: World, lookback: float) -> None:
        self._track = track
        self._lookback = lookback
        self._world = world
        self._look = 0

    def at_look(self, number: int) -> None:
        """Go on to that look."""
        self._look = number

    def observe(self) -> Observation:
        """Return the cluster as it is now in the replay."""
        track, world = self._track, self._world
        column = track.newest(world.now)
        guests, hosts = _row(track.guests, column), _row(track.hosts, column)
        here = _by_host(world.placement)
        was = _by_host(track.record.placements[self._look]) if track.record else None
        for host in world.hosts:
            if was is None or here.get(host, set()) != was.get(host, set()):
                before = was.get(host, set()) if was else set()
                self._follow(host, here.get(host, set()), before, guests, hosts)
        return Observation(
            at=world.now,
            cluster=Cluster(
                hosts=tuple(host.spec for host in world.hosts.values()),
                guests=tuple(guest.spec for guest in world.guests.values()),
                placement={uuid: world.placement[uuid] for uuid in world.guests},
                in_flight={move.guest: move.target for move in world.moves},
            ),
            history=History(
                guests={u: (self._sample(guests[u]),) for u in world.guests if guests.get(u)},
                hosts={h: (self._sample(hosts[h]),) for h in world.hosts if hosts.get(h)},
            ),
            rollups=track.before(world.now, self._lookback),
        )

    def _follow(
        self,
        host: str,
        here: set[str],
        before: set[str],
        guests: dict[str, Values],
        hosts: dict[str, Values],
    ) -> None:
        """Reckon what a host shows that has other guests than it had."""
        has = self._world.hosts[host].spec.capacity.get(CPU, 0)
        rest = {
            metric: hosts.get(host, {}).get(metric, 0) - _sum(guests, before, of)
            for metric, of in (("cpu", "cpu"), ("memory.used", "memory.rss"))
        }
        known = [guests[u] for u in here if "cpu" in guests.get(u, {})]
        asked = sum(v["cpu"] + v.get("cpu.delay", 0) for v in known)
        for values in known:
            wanted = values["cpu"] + values.get("cpu.delay", 0)
            got = wanted * min(asked, has) // max(1, asked)
            values.update({"cpu": got, "cpu.delay": wanted - got})
        hosts[host] = {
            **hosts.get(host, {}),
            "cpu": max(0, rest["cpu"] if before else 0) + min(asked, has),
            "cpu.pressure": 1000 * max(0, asked - has) // max(1, asked),
            "memory.used": max(0, rest["memory.used"] if before else 0)
            + _sum(guests, here, "memory.rss"),
        }

    def _sample(self, values: Values) -> Sample:
        return Sample(at=self._world.now, window=self._track.window, values=values)


def _row(tables: Mapping[str, Columns], column: int) -> dict[str, Values]:
    """Return what is known at one column, by name and metric."""
    found: dict[str, Values] = {}
    for metric, table in sorted(tables.items()):
        if 0 <= column < len(table.cells):
            for name, cell in zip(table.names, table.cells[column].tolist(), strict=True):
                if cell != UNKNOWN:
                    found.setdefault(name, {})[metric] = cell
    return found


def _by_host(placement: Mapping[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for uuid, host in placement.items():
        found.setdefault(host, set()).add(uuid)
    return found


def _sum(guests: Mapping[str, Values], uuids: set[str], metric: str) -> int:
    return sum(guests.get(uuid, {}).get(metric, 0) for uuid in uuids)
