"""What each step of a plan leaves free, which rules stay broken, how hot it gets: plain sums.

The judge's side: what a plan promises is worked out here when it is made, and again when it is
checked.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from balancer.planner.constraints import all_rules
from balancer.planner.model.law import Law, link_share
from balancer.planner.model.plan import Action
from balancer.planner.model.problem import Problem
from balancer.planner.model.proof import Mark, Proof, Room
from balancer.planner.model.resources import CPU, MEMORY

PER_MILLE: Final = 1000


def prove(problem: Problem, actions: Sequence[Action]) -> tuple[Proof, ...]:
    """Return what holds of each of `actions`, all of whose guests and hosts are known."""
    if not actions:
        return ()
    rooms = _Rooms(problem).of(actions)
    return tuple(
        replace(proof, source=source, target=target)
        for proof, (source, target) in zip(_Walk(problem).of(actions), rooms, strict=True)
    )


def heats(problem: Problem, actions: Sequence[Action]) -> tuple[int, ...]:
    """Return how far hosts are beyond `[hot]` before `actions` and after each, per mille."""
    heat = Heat(problem)
    found = [heat.total]
    for action in actions:
        heat.move(action.guest, action.source, action.target)
        found.append(heat.total)
    return tuple(found)


def dip(known: Sequence[int]) -> int:
    """Return by how much more hosts are too hot on the way than before and after, per mille."""
    return max(known) - max(known[0], known[-1])


class Heat:
    """How far hosts are beyond `[hot]`, followed from move to move."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        hot = problem.policy.hot
        self._limits = ((CPU, hot.cpu_used), (MEMORY, hot.memory_used))
        self._load: Counter[tuple[str, str]] = Counter()
        for guest, host in problem.cluster.placement.items():
            self._add(guest, host, 1)
        self._of = {host.name: self._over(host.name) for host in problem.cluster.hosts}
        self.total = sum(self._of.values())
        """Per mille of a host, over all hosts."""

    def move(self, guest: str, source: str, target: str) -> None:
        """Take the guest from one host to another."""
        self._add(guest, source, -1)
        self._add(guest, target, 1)
        for host in (source, target):
            self.total -= self._of[host]
            self._of[host] = self._over(host)
            self.total += self._of[host]

    def _add(self, guest: str, host: str, sign: int) -> None:
        peak = self._problem.on(host, guest, self._problem.demand.peak)
        for name, _ in self._limits:
            self._load[host, name] += sign * peak.get(name, 0)

    def _over(self, host: str) -> int:
        usable = self._problem.host(host).usable
        over = 0
        for name, share in self._limits:
            most = usable.get(name, 0)
            over += max(0, round(PER_MILLE * (self._load[host, name] / max(1, most) - share)))
        return over


class _Walk:
    """The plan in its order, one action at a time."""

    def __init__(self, problem: Problem) -> None:
        self._law = Law(problem, all_rules(problem))
        self._ledger = self._law.start.twin()
        self._heat = Heat(problem)
        self._mark = Mark(problem.cluster.placement)
        self._broken = dict(self._law.broken_before)

    def of(self, actions: Sequence[Action]) -> Iterator[Proof]:
        for action in actions:
            began = str(self._mark)
            self._mark.shift(((action.guest, action.source), (action.guest, action.target)))
            self._ledger.put(action.guest, action.target)
            self._heat.move(action.guest, action.source, action.target)
            self._mend(action)
            nothing = Room(memory_mib=0, cpu_millicores=0, link_kib_s=0)
            yield Proof(
                action=action.id,
                fingerprint=began,
                source=nothing,
                target=nothing,
                broken=tuple(sorted(f"{rule}: {subject}" for rule, subject in self._broken)),
                heat=self._heat.total,
            )

    def _mend(self, action: Action) -> None:
        """Forget what `action` has mended, and add what it breaks again that once was."""
        ends = frozenset((action.source, action.target))
        now = {v.key for v in self._law.broken(self._ledger, ends, action.guest)}
        for key, guests in list(self._broken.items()):
            concerned = key[1] in ends or action.guest in guests
            if concerned and key not in now:
                del self._broken[key]
        for key in now & self._law.broken_before.keys():
            self._broken[key] = self._law.broken_before[key]


class _Rooms:
    """The plan on its timetable: what is held and used on each host when each action starts."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._memory: Counter[str] = Counter()
        self._cpu: Counter[str] = Counter()
        self._link: Counter[tuple[str, str]] = Counter()
        for guest, host in problem.cluster.placement.items():
            self._hold(guest, host, 1)
        for guest, host in problem.cluster.in_flight.items():
            self._hold(guest, host, 1)

    def of(self, actions: Sequence[Action]) -> Sequence[tuple[Room, Room]]:
        """Return the room on both ends of each action while it is in flight."""
        events = [(a.start + a.predicted.seconds, 0, i) for i, a in enumerate(actions)]
        events += [(a.start, 1, i) for i, a in enumerate(actions)]
        found: dict[int, tuple[Room, Room]] = {}
        for _, starts, i in sorted(events):
            action = actions[i]
            sign = 1 if starts else -1
            self._link[action.source, "out"] += sign * action.rate_kib_s
            self._link[action.target, "in"] += sign * action.rate_kib_s
            if starts:
                self._hold(action.guest, action.target, 1)
                found[i] = (self._room(action.source, "out"), self._room(action.target, "in"))
            else:
                self._hold(action.guest, action.source, -1)
        return [found[i] for i in range(len(actions))]

    def _hold(self, guest: str, host: str, sign: int) -> None:
        self._memory[host] += sign * self._problem.needs[guest].get(MEMORY, 0)
        mean = self._problem.on(host, guest, self._problem.demand.mean)
        self._cpu[host] += sign * mean.get(CPU, 0)

    def _room(self, host: str, way: str) -> Room:
        usable = self._problem.host(host).usable
        return Room(
            memory_mib=usable.get(MEMORY, 0) - self._memory[host],
            cpu_millicores=usable.get(CPU, 0) - self._cpu[host],
            link_kib_s=link_share(self._problem, host) - self._link[host, way],
        )
