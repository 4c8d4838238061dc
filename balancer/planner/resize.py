"""What guests are given where they are, derived from a placement: host by host, nothing searched.

Per host the CPU is divided twice by `divide`: as guests are set now, and as the policy wants them
set. Where fewer wait then, each second of waiting taken as it counts, the settings that differ
become resizes. A limit of the policy is set wherever it is not.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from balancer.planner.ballooning import Within, memory, short, takeable
from balancer.planner.constraints import broken
from balancer.planner.model.cluster import Guest
from balancer.planner.model.division import Claims, Division, Floats, divide
from balancer.planner.model.enlarged import ALLOCATED, enlarged
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Stay
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, What, memory_taken
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import CPU, VCPUS
from balancer.planner.model.spare import memory_by
from balancer.planner.model.terms import ALIKE, Terms, resizing, terms
from balancer.planner.model.violation import Baseline, baseline, worsened
from balancer.planner.plugging import full, plugged
from balancer.planner.throttling import crowded, manages, throttled, unlimited

WORTH_IT = 50.0
"""Millicores that fewer must wait on a host for its guests' shares to be changed."""
PER_MILLE = 1000
LEAST, MOST = 2, 100_000
"""Shares that can be given, per mille."""
AS_THEY_ARE = Terms()
NOBODY: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The resizes of all hosts, and what they save."""

    resizes: tuple[Resize, ...] = ()
    saved: float = 0.0
    """Guest-seconds of waiting over the horizon, each by what it counts."""


NOTHING = Given()


def resize(
    problem: Problem,
    reached: Placement,
    moving: Collection[str] = (),
    touched: Collection[str] = (),
) -> Given:
    """Return what to change of guests once they rest as `reached`; `moving` ones are left alone.

    Nobody is allocated more on hosts that moves touch (`touched`): the next look sees what these
    leave. What is changed stays within what an hour allows: the hosts that gain most come first.
    """
    if not problem.policy.resizes:
        return NOTHING
    agreed = terms(problem.policy, problem.cluster, problem.resized)
    busy = _busy(problem, touched)
    vcpus = _of_vcpus(problem, reached, moving, busy)
    grown = {one.guest: one.after for one in vcpus if not one.shrinks}
    hosts = [
        Sharing(problem, agreed, name, here, grown)
        for name, here in _guests(problem, reached, moving)
    ]
    found = sorted((one for one in hosts if one.changes), key=lambda one: (-one.gain, one.name))
    left = problem.policy.limits.resizes_per_hour - len(problem.resized_lately)
    made: list[Resize] = []
    gained = 0.0
    for one in found:
        if len(made) + len(one.changes) <= left:
            made += one.changes
            gained += one.gain
    made += _of_memory(problem, reached, moving, (busy, left - len(made)))
    made += _of_traffic(problem, reached, moving, left - len(made))
    made += vcpus[: max(0, left - len(made))]
    made = list(_within_rules(problem, made))
    seconds = problem.policy.forecast.horizon / PER_MILLE
    return Given(resizes=tuple(_numbered(made)), saved=round(gained * seconds, 1))


def _of_memory(
    problem: Problem,
    reached: Placement,
    moving: Collection[str],
    bounds: tuple[Collection[str], int],
) -> list[Resize]:
    """Return what is taken of memory and given, host by host, as far as an hour allows.

    `bounds`: the hosts on which no allocation changes, and how many resizes there may be.
    """
    busy, left = bounds
    if not problem.demand.working:
        return []
    tables = resizing(problem.policy, problem.cluster)
    most = takeable(problem)
    coming: dict[str, list[Guest]] = {}
    for uuid in sorted(moving):
        coming.setdefault(reached[uuid], []).append(problem.cluster.guest[uuid])
    made: list[Resize] = []
    for host, guests in _guests(problem, reached, moving):
        within = Within(most, coming.get(host, ()), host in busy)
        found = [
            replace(
                one, id=f"{host} {one.id}", waits_for=tuple(f"{host} {w}" for w in one.waits_for)
            )
            for one in memory(problem, tables, host, guests, within)
        ]
        if len(made) + len(found) <= left:
            made += found
            most -= memory_taken(found)
    return made


def _of_traffic(
    problem: Problem, reached: Placement, moving: Collection[str], left: int
) -> list[Resize]:
    """Return how disk and network traffic is limited, host by host, as far as an hour allows."""
    tables = resizing(problem.policy, problem.cluster)
    made: list[Resize] = []
    managed = any(manages(table) for table in tables.values())
    for host, guests in _guests(problem, reached, moving) if managed else ():
        found = list(throttled(problem, tables, host, guests))
        if len(made) + len(found) <= left:
            made += found
    return made


def _of_vcpus(
    problem: Problem, reached: Placement, moving: Collection[str], busy: Collection[str]
) -> list[Resize]:
    """Return which guests get vCPUs and which give some back; nobody on `busy` hosts."""
    tables = {u: t for u, t in resizing(problem.policy, problem.cluster).items() if t.vcpus}
    hosts = _guests(problem, reached, moving) if tables else ()
    found = [
        one
        for host, guests in hosts
        if host not in busy
        for one in plugged(problem, tables, host, guests)
    ]
    return sorted(_within_rules(problem, found), key=lambda one: not one.shrinks)


def _busy(problem: Problem, touched: Collection[str]) -> Collection[str]:
    """Return the hosts that guests leave or come to, by this plan or by others."""
    flying = problem.cluster.in_flight
    return {*touched, *flying.values(), *(problem.home(uuid) for uuid in flying)}


def _within_rules(problem: Problem, found: Sequence[Resize]) -> Iterator[Resize]:
    """Yield those resizes after which no rule is broken more.

    Where one would be, no allocation grows, and no memory is taken that was to be given.
    """
    kept, here = list(found), problem.cluster.placement
    before: Baseline | None = None
    while (then := enlarged(problem, kept)) is not problem:
        before = baseline(broken(problem, here)) if before is None else before
        wrong = worsened(before, broken(then, here))
        if not wrong:
            break
        grown = {one.host for one in kept if one.what in ALLOCATED and not one.shrinks}
        hosts = {v.subject for v in wrong} & grown or grown
        kept = [one for one in kept if one.host not in hosts or not _in_question(one)]
    yield from kept


def _in_question(one: Resize) -> bool:
    return one.of_memory or (one.what in ALLOCATED and not one.shrinks)


def lacking(problem: Problem, hosts: Collection[str]) -> Iterator[Stay]:
    """Yield the guests that a policy would resize and that cannot be, with the remedy.

    Where memory cannot be taken only those on these hosts: elsewhere nobody is short of it.
    """
    for uuid, table in sorted(resizing(problem.policy, problem.cluster).items()):
        guest = problem.cluster.guest[uuid]
        missing = guest.knobs.missing if guest.knobs else {}
        home = problem.home(uuid)
        for what, why in _lacks(problem, guest, table):
            if what in missing and (home in hosts or what is not What.BALLOON):
                told = f"{why}: {missing[what]} (from its next start on)"
                yield Stay(subject=guest.name, reason=told)
        near = home in hosts or (manages(table) and crowded(problem, home))
        for why in unlimited(problem, table, guest, home) if near else ():
            yield Stay(subject=guest.name, reason=why)


def _lacks(problem: Problem, guest: Guest, table: Resizing) -> Iterator[tuple[What, str]]:
    """Yield what would be done to a guest by the policy if its XML allowed it."""
    if table.memory and memory_by(guest) is None:
        yield What.BALLOON, "none of its memory can be taken"
    if table.memory and short(problem, guest, table):
        yield What.PLUGGED, "no memory can be plugged into it"
    if table.vcpus and full(problem, guest):
        yield What.VCPUS, "no vCPU can be plugged into it"


def _numbered(made: Sequence[Resize]) -> Iterator[Resize]:
    """Yield them with short ids."""
    ids = {one.id: f"r{number}" for number, one in enumerate(made, 1) if one.id}
    for number, one in enumerate(made, 1):
        yield replace(one, id=f"r{number}", waits_for=tuple(ids[w] for w in one.waits_for))


def _guests(
    problem: Problem, reached: Placement, moving: Collection[str]
) -> Iterator[tuple[str, list[Guest]]]:
    """Yield each host with the guests that rest there, those that are on their way left out."""
    gone = {*moving, *problem.cluster.in_flight}
    here: dict[str, list[Guest]] = {host.name: [] for host in problem.cluster.hosts}
    for guest in problem.cluster.guests:
        if guest.uuid not in gone:
            here[reached[guest.uuid]].append(guest)
    yield from ((name, guests) for name, guests in here.items() if guests)


class Sharing:
    """One host's guests, as they are set and as the policy wants them set."""

    def __init__(
        self,
        problem: Problem,
        agreed: Mapping[str, Terms],
        name: str,
        guests: Sequence[Guest],
        grown: Mapping[str, int] = NOBODY,
    ) -> None:
        """`grown`: how many vCPUs those have that are given some, by uuid."""
        self.name = name
        self._grown = grown
        self._problem, self._guests = problem, guests
        self._agreed = [agreed.get(guest.uuid, AS_THEY_ARE) for guest in guests]
        self._named = [guest.uuid in agreed for guest in guests]
        self.room = float(problem.host(name).usable.get(CPU, 0))
        self.wanted = np.array([float(wanted(problem, guest, name)) for guest in guests])
        now, then, shares = self._divided()
        self.then = then
        self.gain = round(self._waits(now) - self._waits(then), 3)
        self.changes = tuple(self._changes(shares))

    def _divided(self) -> tuple[Division, Division, Floats]:
        """Return how CPU is divided now, how it would be, and the shares that bring that about."""
        knobs = [guest.knobs or Knobs() for guest in self._guests]
        quota = np.array([float(k.quota or np.inf) for k in knobs])
        set_now = np.array([float(max(1, k.shares)) for k in knobs])
        limit = np.array([float(terms.limit or np.inf) for terms in self._agreed])
        named = np.array(self._named)
        wanted = np.array(
            [
                float(a.shares) if n else s
                for a, n, s in zip(self._agreed, named, set_now, strict=True)
            ]
        )
        reserved = np.array([float(terms.reserve) for terms in self._agreed])
        limit = np.where(named & np.isfinite(limit), limit, quota)
        self.claims = Claims(self.wanted, wanted, reserved, limit)
        """What each may have as the policy wants it; as it is set where the policy names it not."""
        now = self._divide(set_now, np.zeros_like(limit), quota)
        then = self._divide(wanted, reserved, limit)
        level = then.level[0]
        bound = named & np.isfinite(level) & (then.got > level * wanted * (1 + ALIKE))
        shares = np.where(bound, then.got / max(level, 1e-9), wanted) if level > 0 else wanted
        return now, then, np.clip(np.rint(shares), LEAST, MOST)

    def _divide(self, shares: Floats, reserved: Floats, limit: Floats) -> Division:
        site = np.zeros(len(self._guests), dtype=np.int64)
        return divide(Claims(self.wanted, shares, reserved, limit), site, np.array([self.room]))

    def _waits(self, division: Division) -> float:
        """Return the millicores that wait, each by what it counts."""
        total = 0.0
        for wanted, got, one in zip(self.wanted, division.got, self._agreed, strict=True):
            most = one.within(float(wanted))
            keep = min(most, one.reserve)
            total += max(0.0, keep - got) + one.priority * max(0.0, most - max(got, keep))
        return total

    def _changes(self, shares: Floats) -> Iterator[Resize]:
        """Yield what differs: shrinks before grows, since what is given must be free."""
        found = [*self._quotas()]
        if self.gain >= WORTH_IT:
            found += self._shares(shares)
        yield from sorted(found, key=lambda a: (not a.shrinks, a.what, a.name, a.guest))

    def _quotas(self) -> Iterator[Resize]:
        for guest, one, named in zip(self._guests, self._agreed, self._named, strict=True):
            if named and one.limit and guest.knobs is not None:
                vcpus = self._grown.get(guest.uuid, guest.allocation.get(VCPUS, 0))
                most = vcpus * PER_MILLE
                limit = one.limit if one.limit < most else 0
                if not _alike(guest.knobs.quota, limit):
                    why = f"the policy gives it at most {one.limit / PER_MILLE:g} cores"
                    yield from self._one(guest, What.QUOTA, guest.knobs.quota, limit, why)

    def _shares(self, shares: Floats) -> Iterator[Resize]:
        told = f"{self.gain / PER_MILLE:.1f} vCPUs that count wait less on {self.name}"
        for guest, named, after in zip(self._guests, self._named, shares, strict=True):
            if named and guest.knobs is not None and not _alike(guest.knobs.shares, int(after)):
                yield from self._one(guest, What.SHARES, guest.knobs.shares, int(after), told)

    def _one(
        self, guest: Guest, what: What, before: int, after: int, why: str
    ) -> Iterator[Resize]:
        """Yield the change, unless it was made so lately that it may rest."""
        if self._problem.rests(guest.uuid, what):
            return
        yield Resize(
            id="", guest=guest.uuid, name=guest.name, host=self.name, what=what,
            before=before, after=after, reason=why,
        )  # fmt: skip


def wanted(problem: Problem, guest: Guest, host: str) -> int:
    """Return what a guest wants of CPU on a host, what waits of it included, millicores."""
    demand, uuid = problem.demand, guest.uuid
    waits = demand.mean.get(uuid, {}).get(CPU, 0) + demand.delay.get(uuid, 0)
    return problem.cpu_on(host, uuid, demand.wanted.get(uuid, waits))


def _alike(now: int, wanted: int) -> bool:
    """True if a setting is so near to what is wanted that it is left."""
    return abs(now - wanted) <= ALIKE * max(now, wanted)
