"""The same questions answered by trying everything, in plain terms, on clusters small enough."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.spread import Spread
from balancer.planner.model.cluster import Cluster, Guest, Host
from balancer.planner.model.demand import Demand
from balancer.planner.model.policy import Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import Selector

Where = tuple[int, ...]


@dataclass(frozen=True)
class Small:
    """A cluster whose hosts have memory and vCPUs, and some guests that must be kept apart."""

    memory: tuple[int, ...]
    vcpus: tuple[int, ...]
    guests: tuple[tuple[int, int], ...]
    """Memory and vCPUs of each."""
    apart: tuple[int, ...]
    where: Where
    new: tuple[int, int]

    def holds(self, where: Where) -> bool:
        """Say whether guests may be so, those at -1 nowhere."""
        for host in range(len(self.memory)):
            here = [self.guests[g] for g, h in enumerate(where) if h == host]
            if sum(m for m, _ in here) > self.memory[host]:
                return False
            if sum(v for _, v in here) > self.vcpus[host]:
                return False
            if sum(1 for g in self.apart if where[g] == host) > 1:
                return False
        return True

    def more(self, where: Where) -> int:
        """Return how many new guests fit beside guests that are so."""
        return sum(self.more_on(where, host) for host in range(len(self.memory)))

    def more_on(self, where: Where, host: int) -> int:
        """Return the same of one host."""
        here = [self.guests[g] for g, h in enumerate(where) if h == host]
        free = self.memory[host] - sum(m for m, _ in here)
        cores = self.vcpus[host] - sum(v for _, v in here)
        return max(0, min(free // self.new[0], cores // self.new[1]))

    def reachable(self, lost: int = -1) -> Iterator[Where]:
        """Yield every placement that single live moves lead to, a guest in flight being twice.

        A host that is lost has no guests and takes none.
        """
        start = tuple(-1 if h == lost else h for h in self.where)
        seen, edge = {start}, [start]
        while edge:
            where = edge.pop()
            yield where
            for guest, host in product(range(len(self.guests)), range(len(self.memory))):
                if where[guest] < 0 or host == lost:
                    continue
                then = (*where[:guest], host, *where[guest + 1 :])
                if then not in seen and self.holds(then):
                    seen.add(then)
                    edge.append(then)

    def restarts(self, lost: int, survivors: Where) -> int:
        """Return how many guests of a host find a place on others, those being as `survivors`."""
        fallen = [g for g, h in enumerate(self.where) if h == lost]
        others = [-1, *(h for h in range(len(self.memory)) if h != lost)]
        best = 0
        for chosen in product(others, repeat=len(fallen)):
            where = list(survivors)
            for guest, host in zip(fallen, chosen, strict=True):
                where[guest] = host
            if self.holds(tuple(where)):
                best = max(best, sum(h >= 0 for h in chosen))
        return best

    def stranded(self, guests: list[tuple[int, int]], where: Where, lost: int) -> int:
        """Return how many guests of a lost host find no room, counting memory and vCPUs alone."""
        free = [
            [m - sum(guests[g][0] for g, h in enumerate(where) if h == n),
             v - sum(guests[g][1] for g, h in enumerate(where) if h == n)]
            for n, (m, v) in enumerate(zip(self.memory, self.vcpus, strict=True))
        ]  # fmt: skip
        gone = sorted((guests[g] for g, h in enumerate(where) if h == lost), reverse=True)
        others = [h for h in range(len(free)) if h != lost]

        def left(number: int, best: int) -> int:
            if number == len(gone) or best <= 0:
                return 0
            memory, vcpus = gone[number]
            least, seen = best, set()
            for host in others:
                room = free[host]
                if tuple(room) in seen or room[0] < memory or room[1] < vcpus:
                    continue
                seen.add(tuple(room))
                free[host] = [room[0] - memory, room[1] - vcpus]
                least = min(least, left(number + 1, least))
                free[host] = room
                if not least:
                    return 0
            return min(least, 1 + left(number + 1, least - 1))

        return left(0, len(gone))

    def sparing(self, where: Where) -> int:
        """Return how many new guests fit so that no loss leaves more without room than it does now."""
        before = [self.stranded([*self.guests], self.where, h) for h in range(len(self.memory))]
        for number in range(self.more(where), 0, -1):
            if any(self._endures(where, at, before) for at in self._ways(where, number)):
                return number
        return 0

    def _ways(self, where: Where, number: int) -> Iterator[Where]:
        """Yield how so many new guests may stand: how many on each host."""
        most = [min(number, self.more_on(where, host)) for host in range(len(self.memory))]
        yield from (at for at in product(*(range(m + 1) for m in most)) if sum(at) == number)

    def _endures(self, where: Where, at: Where, before: list[int]) -> bool:
        guests = [*self.guests, *[self.new] * sum(at)]
        there = (*where, *(h for h, n in enumerate(at) for _ in range(n)))
        return all(self.stranded(guests, there, h) <= before[h] for h in range(len(self.memory)))

    @property
    def problem(self) -> Problem:
        """The same for the planner: one core a vCPU, so nothing else binds."""
        hosts = tuple(
            Host(
                name=f"h{n}",
                capacity={"cpu": 1000 * v, "vcpus": v, "memory": m},
                qemu_version=7_000_000,
            )
            for n, (m, v) in enumerate(zip(self.memory, self.vcpus, strict=True))
        )
        guests = tuple(
            Guest(
                uuid=f"g{n}",
                name=f"g{n}",
                allocation={"vcpus": v, "memory": m},
                labels={"apart": "yes"} if n in self.apart else {},
            )
            for n, (m, v) in enumerate(self.guests)
        )
        use = {g.uuid: {"cpu": 0, "memory": g.allocation["memory"]} for g in guests}
        rules = (Spread(guests=Selector(("label:apart=yes",), may_be_empty=True)),)
        return Problem(
            cluster=Cluster(hosts, guests, {f"g{n}": f"h{h}" for n, h in enumerate(self.where)}),
            demand=Demand(mean=use, peak=use),
            policy=Policy(name="small", constraints=(Capacity(vcpus_per_core=1.0), *rules)),
        )


def drawn(seed: int, hosts: int, guests: int) -> Small:
    """Return a small cluster in which nothing is broken."""
    chance = np.random.default_rng(seed)
    while True:
        n = int(chance.integers(2, hosts + 1))
        k = int(chance.integers(1, guests + 1))
        small = Small(
            memory=tuple(int(m) for m in chance.integers(8, 25, n)),
            vcpus=tuple(int(v) for v in chance.integers(6, 17, n)),
            guests=tuple((int(m), int(v)) for m, v in chance.integers(1, 7, (k, 2))),
            apart=tuple(int(g) for g in np.flatnonzero(chance.random(k) < 0.3)),
            where=tuple(int(h) for h in chance.integers(0, n, k)),
            new=(int(chance.integers(2, 10)), int(chance.integers(1, 6))),
        )
        if small.holds(small.where):
            return small
