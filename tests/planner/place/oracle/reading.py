"""A problem's rules and goals as plain facts, written down from what policies/README.md says of them.

Nothing here knows the formulation that the product's engines read. Two solvers stand on these facts:
`exhaustive` tries every placement, `modelled` asks CP-SAT.
"""

from dataclasses import dataclass, field, replace
from itertools import combinations
from math import ceil

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.compatible import why_not
from balancer.planner.model.cluster import HostState
from balancer.planner.model.problem import Problem

SOFT = 20_000
KEEPING = {"NeverMove", "Tied", "UnknownData", "Changing", "Cooling", "Held"}
PRICE_OF_A_GIB = {1: 40, 2: 40, 3: 15, 4: 5, 5: 1}


@dataclass(frozen=True)
class Row:
    """The sum of `use` of the guests on each host, against a limit."""

    use: list[int]
    limit: list[int]
    level: int
    """0 for hard rules, 1 for overload, 2 for what costs points."""
    slope: int = 1
    per_mille_of: list[int] | None = None


@dataclass(frozen=True)
class Crowd:
    """At most so many of the members in each place."""

    members: list[int]
    place: list[int]
    most: int
    hard: bool


@dataclass(frozen=True)
class Used:
    """The members use so many places."""

    members: list[int]
    place: list[int]
    least: int
    most: int
    hard: bool


@dataclass(frozen=True)
class Parted:
    """No place holds guests of both."""

    one: list[int]
    other: list[int]
    place: list[int]
    hard: bool


@dataclass(frozen=True)
class Boxed:
    """Members on a host go whole into its boxes."""

    members: list[int]
    use: list[tuple[int, ...]]
    boxes: list[list[tuple[int, ...]]]
    hard: bool


@dataclass(frozen=True)
class Lost:
    """Guests of hosts that are lost together find room on the others."""

    sets: list[set[int]]
    use: list[tuple[int, ...]]
    room: dict[int, tuple[int, ...]]
    may: list[set[int]]
    """By guest: hosts that could restart it."""
    hard: bool


@dataclass
class Facts:
    """Everything."""

    guests: int
    hosts: int
    start: list[int]
    held: set[int] = field(default_factory=set)
    never: set[tuple[int, int]] = field(default_factory=set)
    """Guest and host: it must not come there, but may stay for nothing."""
    wrong: set[tuple[int, int]] = field(default_factory=set)
    """It must not be there; staying is a fault."""
    price: dict[tuple[int, int], int] = field(default_factory=dict)
    move: list[int] = field(default_factory=list)
    counted: list[Row | Crowd | Used | Parted | Boxed | Lost] = field(default_factory=list)
    budgets: list[tuple[list[int], int]] = field(default_factory=list)

    def may(self, guest: int, host: int) -> bool:
        """True if the guest may end there."""
        home = host == self.start[guest]
        barred = (guest, host) in self.never or (guest, host) in self.wrong
        return home or (guest not in self.held and not barred)

    def fault(self, guest: int) -> bool:
        """True if staying at home is a fault that could be mended."""
        return guest not in self.held and (guest, self.start[guest]) in self.wrong


def read(problem: Problem) -> Facts:
    """Return the facts of a problem whose goals are overload and stability."""
    return _Reading(problem).facts


class _Reading:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.guests, self.hosts = problem.cluster.guests, problem.cluster.hosts
        self.number = {g.uuid: i for i, g in enumerate(self.guests)}
        self.site = {h.name: i for i, h in enumerate(self.hosts)}
        start = [self.site[problem.cluster.placement[g.uuid]] for g in self.guests]
        self.facts = Facts(len(self.guests), len(self.hosts), start)
        self.facts.move = [self._move(g.uuid) for g in self.guests]
        for rule in all_rules(problem):
            name = type(rule).__name__
            if name in KEEPING:
                self.facts.held |= self.who(rule.concerns(problem))
            else:
                getattr(self, f"_{name.lower()}")(rule)
        self._overload()

    def who(self, uuids) -> set[int]:
        return {self.number[uuid] for uuid in uuids}

    def members(self, selector) -> list[int]:
        return sorted(self.who(self.problem.guests(selector)))

    def places(self, across: str) -> list[int]:
        if across == "host":
            return list(range(len(self.hosts)))
        names = [h.labels.get(across, "none at all") for h in self.hosts]
        return [sorted(set(names)).index(name) for name in names]

    def _quiet(self, rule) -> None:
        """Each move outside its windows costs as much as a broken soft rule."""
        for guest in self.who(rule.concerns(self.problem)):
            self.facts.move[guest] += SOFT

    def _mib(self, uuid: str) -> int:
        allocated = self.problem.cluster.guest[uuid].allocation["memory"]
        return self.problem.demand.mean.get(uuid, {}).get("memory", allocated)

    def _move(self, uuid: str) -> int:
        each = PRICE_OF_A_GIB[self.problem.policy.aggressiveness]
        return each * (self._sent(uuid) + 5632) // 1024

    def _sent(self, uuid: str) -> int:
        """Memory in use, and what is used of the disks that go along."""
        return self._mib(uuid) + sum(disk.used_mib for disk in self._along(self.number[uuid]))

    def _along(self, i: int):
        """Return the disks that the policy lets be copied along with a guest."""
        may = i in self.members(self.problem.policy.allow.copy_local_disks)
        return self.guests[i].disks if may else ()

    def _cost(self, rule) -> dict:
        return {"level": 0} if rule.hard else {"level": 2, "slope": 20}

    # who may be where

    def _compatible(self, _rule) -> None:
        for i, guest in enumerate(self.guests):
            source = self.hosts[self.facts.start[i]]
            made = {disk.storage for disk in self._along(i)}
            elsewhere = tuple(name for name in guest.storage if name not in made)
            moving = replace(guest, storage=elsewhere, disks=self._along(i))
            for k, host in enumerate(self.hosts):
                if why_not(moving, source, host):
                    self.facts.never.add((i, k))

    def _reachable(self, _rule) -> None:
        down = {k for k, h in enumerate(self.hosts) if h.state is HostState.DOWN}
        self.facts.never |= {(i, k) for i in range(len(self.guests)) for k in down}
        self.facts.held |= {i for i, k in enumerate(self.facts.start) if k in down}
        self.facts.held |= self.who(self.problem.cluster.in_flight)

    def _barred(self, _rule) -> None:
        for uuid, host in self.problem.barred:
            if uuid in self.number and host in self.site:
                self.facts.never.add((self.number[uuid], self.site[host]))

    def _drain(self, rule) -> None:
        hosts = set(self.problem.hosts(rule.hosts))
        if not rule.hosts.patterns:
            hosts = {h.name for h in self.hosts if h.state is HostState.DRAINING}
        everyone = range(len(self.guests))
        self.facts.wrong |= {(i, self.site[h]) for i in everyone for h in hosts}

    def _keep_off(self, rule, hosts, price: int, *, hard: bool) -> None:
        for i in self.members(rule.guests):
            for host in hosts:
                if hard:
                    self.facts.wrong.add((i, self.site[host]))
                else:
                    at = (i, self.site[host])
                    self.facts.price[at] = self.facts.price.get(at, 0) + price

    def _onlyon(self, rule) -> None:
        named = set(self.problem.hosts(rule.hosts))
        others = [h.name for h in self.hosts if h.name not in named]
        self._keep_off(rule, others, SOFT, hard=rule.hard)

    def _avoid(self, rule) -> None:
        self._keep_off(rule, self.problem.hosts(rule.hosts), SOFT, hard=rule.hard)

    def _prefer(self, rule) -> None:
        first = set(self.problem.hosts(rule.hosts))
        second = set(self.problem.hosts(rule.fallback_hosts)) - first
        last = {h.name for h in self.hosts} - first - second
        self._keep_off(rule, second, SOFT, hard=False)
        self._keep_off(rule, last, 2 * SOFT, hard=rule.hard)

    def _stay(self, rule) -> None:
        for i in self.who(rule.concerns(self.problem)):
            if rule.hard:
                self.facts.held.add(i)
            else:
                self.facts.move[i] += SOFT

    def _blackout(self, rule) -> None:
        if rule.when == (
            "daily 14:00-16:00",
        ):  # the one that is open at the time of every drawing
            self.facts.held |= self.who(self.problem.guests(rule.guests))

    def _careful(self, _rule) -> None:
        """Says nothing on where guests are."""

    def _returning(self, _rule) -> None:
        assert not self.problem.left, "what guests left lately is not read here"

    # what is counted

    def _takes(self, guest) -> tuple[int, int]:
        return guest.allocation["vcpus"], guest.allocation["memory"]

    def _rooms(self, rule) -> dict[str, tuple[int, int]]:
        every = rule.hosts.patterns == ("*",)
        special = {
            name
            for other in self.problem.policy.constraints
            if type(other) is type(rule) and other.hosts.patterns != ("*",)
            for name in self.problem.hosts(other.hosts)
        }
        mine = set(self.site) - special if every else set(self.problem.hosts(rule.hosts))
        return {
            h.name: (
                round(h.usable["cpu"] * rule.vcpus_per_core) // 1000,
                round(
                    max(0, h.usable["memory"] - rule.keep_for_hypervisor) * rule.memory_overcommit
                ),
            )
            for h in self.hosts
            if h.name in mine
        }

    def _capacity(self, rule) -> None:
        rooms = self._rooms(rule)
        for d in (0, 1):
            use = [self._takes(g)[d] for g in self.guests]
            limit = [rooms[h.name][d] if h.name in rooms else sum(use) for h in self.hosts]
            scale = None if rule.hard else [max(1, x) for x in limit]
            self.facts.counted.append(Row(use, limit, per_mille_of=scale, **self._cost(rule)))

    def _headroom(self, rule) -> None:
        named = set(self.problem.hosts(rule.hosts))
        for name, share in (("cpu", rule.cpu), ("memory", rule.memory)):
            if not share:
                continue
            use = [self.problem.demand.peak.get(g.uuid, {}).get(name, 0) for g in self.guests]
            usable = [h.usable[name] for h in self.hosts]
            limit = [
                round(u * (1 - share)) if h.name in named else sum(use)
                for u, h in zip(usable, self.hosts, strict=True)
            ]
            scale = None if rule.hard else usable
            self.facts.counted.append(Row(use, limit, per_mille_of=scale, **self._cost(rule)))

    def _diskroom(self, _rule) -> None:
        """Disks that the policy lets be copied fit into what is free where they go."""
        disks = {i: self._along(i) for i in range(len(self.guests))}
        for place in sorted({disk.place for mine in disks.values() for disk in mine}):
            use = [
                sum(d.size_mib for d in disks.get(i, ()) if d.place == place)
                for i in range(len(self.guests))
            ]
            limit = [host.images.get(place, 0) for host in self.hosts]
            for i, home in enumerate(self.facts.start):
                limit[home] += use[i]
            self.facts.counted.append(Row(use, limit, 0))

    def _budget(self, _rule) -> None:
        limits = self.problem.policy.limits
        ones = [1] * len(self.guests)
        self.facts.budgets += [
            (ones, limits.moves_per_hour),
            ([self._sent(g.uuid) for g in self.guests], limits.data_per_hour),
        ]

    def _spread(self, rule) -> None:
        known = rule.across == "host" or any(rule.across in h.labels for h in self.hosts)
        if rule.guests.may_be_empty and not known:
            return
        place = self.places(rule.across)
        barred = [p for p in rule.guests.patterns if p.startswith("!")]
        wanted = [p for p in rule.guests.patterns if not p.startswith("!")]
        groups = [rule.guests.patterns]
        if rule.each_group_alone:
            groups = [(p, *barred) for p in wanted]
        for patterns in groups:
            members = self.members(type(rule.guests)(tuple(patterns)))
            most = rule.at_most
            if rule.evenly:
                up = {p for p, h in zip(place, self.hosts, strict=True) if h.state.value == "up"}
                most = ceil(len(members) / max(1, len(up)))
            if rule.quorum:  # without those of one place, more than half are left
                few = [k for k in range(len(members)) if 2 * (len(members) - k) > len(members)]
                most = max([1, *few])
            self.facts.counted.append(Crowd(members, place, most, rule.hard))

    def _used(self, rule, least: int, most: int, across: str) -> None:
        members = self.members(rule.guests)
        fewest = min(least, len(members))
        place = self.places(across)
        self.facts.counted.append(Used(members, place, fewest, most or len(members), rule.hard))

    def _together(self, rule) -> None:
        self._used(rule, 0, 1, rule.across)

    def _places(self, rule) -> None:
        self._used(rule, rule.at_least, rule.at_most, rule.across)

    def _licence(self, rule) -> None:
        self._used(rule, 0, rule.at_most, "host")

    def _apart(self, rule) -> None:
        one = self.members(rule.guests)
        other = [i for i in self.members(rule.others) if i not in one]
        self.facts.counted.append(Parted(one, other, self.places(rule.across), rule.hard))

    def _numa(self, rule) -> None:
        members = self.members(rule.guests)
        boxes = []
        for host in self.hosts:
            cells = [(c.cpus, c.memory_mib) for c in host.numa]
            cells = cells or [(host.usable["cpu"] // 1000, host.usable["memory"])]
            boxes.append([(int(cpus * rule.vcpus_per_core), mib) for cpus, mib in cells])
        use = [self._takes(self.guests[i]) for i in members]
        self.facts.counted.append(Boxed(members, use, boxes, rule.hard))

    def _survive(self, rule) -> None:
        rooms = [
            self._rooms(other)
            for other in self.problem.policy.constraints
            if type(other).__name__ == "Capacity" and other.hard
        ]
        room = {}
        for k, host in enumerate(self.hosts):
            if host.name in self.problem.receiving:
                said = [r[host.name] for r in rooms if host.name in r]
                plain = (4 * host.usable["cpu"] // 1000, host.usable["memory"])
                room[k] = tuple(min(x) for x in zip(*said, strict=True)) if said else plain
        may = []
        for i, guest in enumerate(self.guests):
            fits = {k for k in room if not why_not(guest, self._home(i), self.hosts[k])}
            gone = any(t.kind in ("passthrough", "local-disk") for t in guest.ties)
            may.append(set() if gone or not fits - {self.facts.start[i]} else fits)
        place = self.places(rule.across)
        count = min(rule.hosts_lost, len(set(place)))
        sets = [
            {k for k in range(len(place)) if place[k] in lost}
            for lost in combinations(sorted(set(place)), count)
        ]
        use = [self._takes(g) for g in self.guests]
        self.facts.counted.append(Lost(sets, use, room, may, rule.hard))

    def _home(self, guest: int):
        return self.hosts[self.facts.start[guest]]

    # goals

    def _overload(self) -> None:
        if self.problem.policy.aggressiveness == 1:
            return
        hot = self.problem.policy.hot
        for name, share in (("cpu", hot.cpu_used), ("memory", hot.memory_used)):
            use = [self.problem.demand.peak.get(g.uuid, {}).get(name, 0) for g in self.guests]
            usable = [h.usable[name] for h in self.hosts]
            limit = []
            for k, most in enumerate(usable):
                load = sum(u for u, home in zip(use, self.facts.start, strict=True) if home == k)
                safe = round(most * (share - 0.05))
                limit.append(safe if load > round(most * share) else max(safe, load))
            self.facts.counted.append(Row(use, limit, 1, 20, usable))
