"""What a running plan holds, kept up to date from event to event instead of added up anew.

A tally belongs to the latest of a chain of states; whoever asks about an earlier one gets a tally
of its own. Moves that wait for nothing but a busy host or link are put aside with that host, and
looked at again once a move of it has ended: so ten thousand moves cost little more than their own
number.
"""

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from balancer.planner.model.law import Law, link_share
from balancer.planner.model.plan import Action, Result


class Tally:
    """Who holds what, which hosts and links are busy, who may be next."""

    def __init__(self, law: Law, actions: Sequence[Action]) -> None:
        self.law, self.actions = law, actions
        self.turn = 0
        """Of which state this is true: every event makes it one more."""
        self.held = law.start.twin()
        self.running: list[str] = []
        self.busy: Counter[str] = Counter()
        self.used: Counter[tuple[str, str]] = Counter()
        """KiB/s by host and way."""
        self.due: Counter[tuple[str, str]] = Counter()
        """Moves still to be started, by host and way."""
        self.number = {action.id: i for i, action in enumerate(actions)}
        self._open = [len(set(action.waits_for)) for action in actions]
        self._after: dict[str, list[int]] = defaultdict(list)
        for i, action in enumerate(actions):
            self._count_due(action, 1)
            for needed in set(action.waits_for):
                self._after[needed].append(i)
        self._ready = [i for i, still in enumerate(self._open) if not still]
        self._aside: dict[str, list[int]] = defaultdict(list)
        self._past: set[str] = set()
        """Ids of actions that are not pending any more."""
        self._share = {
            host.name: link_share(law.problem, host.name) for host in law.problem.cluster.hosts
        }

    def ready(self) -> Iterator[Action]:
        """Yield those that wait for nothing, in the plan's order, but for what is known to be busy."""
        for i in tuple(self._ready):
            action = self.actions[i]
            if action.id in self._past:
                self._ready.remove(i)
            elif host := self.jammed(action, self.busy, self.used):
                self._ready.remove(i)
                self._aside[host].append(i)
            else:
                yield action

    def jammed(
        self, action: Action, busy: Mapping[str, int], used: Mapping[tuple[str, str], int]
    ) -> str:
        """Return the host whose number of moves, or link, has no room for `action`; or nothing."""
        most = self.law.problem.policy.limits.at_once_per_host
        for host, way in ((action.source, "out"), (action.target, "in")):
            if busy[host] >= most or used[host, way] + action.rate_kib_s > self._share[host]:
                return host
        return ""

    def start(self, action: Action) -> None:
        """Let `action` be in flight."""
        self.turn += 1
        self._past.add(action.id)
        self.running.append(action.id)
        self.held.put(action.guest, *self.held[action.guest], action.target)
        self._occupy(action, 1, action.rate_kib_s)
        self._count_due(action, -1)

    def end(self, action: Action, result: Result, rate_kib_s: int) -> None:
        """Let `action` be over; REFUSED: it never began."""
        self.turn += 1
        self._past.add(action.id)
        if action.id in self.running:
            self.running.remove(action.id)
            self._occupy(action, -1, -rate_kib_s)
            self._land(action, result)
        else:
            self._count_due(action, -1)
        for host in (action.source, action.target):
            for i in self._aside.pop(host, ()):
                insort(self._ready, i)
        if result is Result.DONE:
            for i in self._after[action.id]:
                self._open[i] -= 1
                if not self._open[i]:
                    insort(self._ready, i)

    def _land(self, action: Action, result: Result) -> None:
        if result is Result.DONE:
            self.held.put(action.guest, action.target)
        elif result is not Result.LOST:
            self.held.put(action.guest, action.source)

    def drop(self, ids: Collection[str]) -> None:
        """Let these never be started."""
        self.turn += 1
        self._past.update(ids)
        for id_ in ids:
            self._count_due(self.actions[self.number[id_]], -1)

    def faster(self, action: Action, more_kib_s: int) -> None:
        """Let the running `action` have so much more of its links."""
        self.turn += 1
        self._occupy(action, 0, more_kib_s)

    def spare(self, action: Action) -> Mapping[str, int]:
        """Return what the links of both ends have to spare, KiB/s."""
        return {
            host: self._share[host] - self.used[host, way]
            for host, way in ((action.source, "out"), (action.target, "in"))
        }

    def awaited(self, action: Action) -> bool:
        """True if a move that is still to be started needs one of the two links."""
        return bool(self.due[action.source, "out"] or self.due[action.target, "in"])

    def _occupy(self, action: Action, number: int, rate: int) -> None:
        for host in {action.source, action.target}:
            self.busy[host] += number
        self.used[action.source, "out"] += rate
        self.used[action.target, "in"] += rate

    def _count_due(self, action: Action, number: int) -> None:
        self.due[action.source, "out"] += number
        self.due[action.target, "in"] += number
