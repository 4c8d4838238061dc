"""Why guests and hosts stood as they did in a cycle: kept in the journal wherever that changed.

Once a day, and whenever the policy or a blackout changes, everything is written down; between,
only what is different. So the journal answers for guests that did not move, and knows where
everybody was, at a size that follows what happens and not how often was looked.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from balancer.codec import as_data
from balancer.planner.constraints.blackout import Blackout
from balancer.planner.explain import MEMORY_USED, share
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Action, HostLoad, Infeasible, Plan
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU
from balancer.planner.pipeline import weighed
from balancer.ports import Event

DAY: Final = 86_400.0
NOTICED: Final = 10
"""Percent of a host by which its load has to change to be worth a line."""
KIND: Final = "stood"
SHOWN: Final = 3
LEAST_AT_ONCE: Final = 50
CELLS_AT_ONCE: Final = 200_000
"""Guests times hosts that are weighed in one cycle, so that no cycle takes long for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One cycle, as far as its reasons go."""

    seen: Observation
    problem: Problem
    """As the decision was made: with all that was held or barred."""
    loads: Sequence[HostLoad]
    decision: Plan | Infeasible
    sentence: str
    """What came of it."""
    asking: Mapping[str, float]
    """Hosts that are hot or would be relieved, and since when."""
    hot: Sequence[str]


@dataclass(slots=True)
class Standing:
    """What the journal was told last, so that only changes follow."""

    at: float = float("-inf")
    """When everything was written down."""
    whole: object = None
    """What concerns all; if it changes, everything is written down anew."""
    guests: dict[str, tuple[str, object]] = field(default_factory=dict)
    """Host, and all else that its reasons follow from, by uuid."""
    hosts: dict[str, tuple[object, int, int]] = field(default_factory=dict)

    def noted(self, cycle: Cycle) -> Event | None:
        """Return what is to be kept of `cycle`; None where nothing is new."""
        marks = _marks(cycle)
        lines = _lines(cycle)
        anew = self._begins_anew(cycle)
        changed = [uuid for uuid, mark in marks.items() if self.guests.get(uuid) != mark]
        unseen = {host.host for host in cycle.seen.unseen}
        gone = [u for u, mark in self.guests.items() if u not in marks and mark[0] not in unseen]
        hosts = {name: line for name, line in lines.items() if self._tells(name, line)}
        if not (anew or changed or gone or hosts):
            return None
        for uuid in gone:
            del self.guests[uuid]
        now, later = _in_turn(cycle, changed)
        self.guests |= {uuid: marks[uuid] for uuid in now}
        self.guests |= {uuid: (marks[uuid][0], None) for uuid in later}
        self.hosts |= {name: _mark(line) for name, line in hosts.items()}
        data = {
            "whole": anew,
            "policy": cycle.problem.policy.name,
            "hot_above": _limits(cycle.problem),
            "hosts": hosts,
            "guests": _guests(cycle, now) | {uuid: _brief(cycle, uuid) for uuid in later},
            "gone": gone,
        }
        return Event(cycle.seen.at, KIND, text=cycle.sentence, data=data)

    def _begins_anew(self, cycle: Cycle) -> bool:
        """Forget what was written where everything is to be written again."""
        whole = _of_all(cycle)
        if whole == self.whole and cycle.seen.at - self.at < DAY:
            return False
        unseen = {host.host for host in cycle.seen.unseen}
        self.at, self.whole, self.hosts = cycle.seen.at, whole, {}
        self.guests = {uuid: mark for uuid, mark in self.guests.items() if mark[0] in unseen}
        return True

    def _tells(self, name: str, line: Mapping[str, object]) -> bool:
        """True if what is known of the host now is worth keeping."""
        known, mark = self.hosts.get(name), _mark(line)
        return known is None or known[0] != mark[0] or any(
            abs(now - before) >= NOTICED for now, before in zip(mark[1:], known[1:], strict=True)
        )  # fmt: skip


def _limits(problem: Problem) -> str:
    hot = problem.policy.hot
    return f"hot above {hot.cpu_used:.0%} CPU or {hot.memory_used:.0%} memory"


def _in_turn(cycle: Cycle, changed: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return whose reasons are looked for now, and whose in the cycles that follow.

    In large clusters that takes its time, so those come first about whom there is something to say.
    """
    most = max(LEAST_AT_ONCE, CELLS_AT_ONCE // max(1, len(cycle.problem.cluster.hosts)))
    if len(changed) <= most:
        return changed, ()
    of_note = _targets(cycle.decision).keys() | cycle.problem.held.keys()
    hot = frozenset(cycle.hot)
    order = sorted(changed, key=lambda u: not (u in of_note or cycle.problem.home(u) in hot))
    return order[:most], order[most:]


def _brief(cycle: Cycle, uuid: str) -> dict[str, object]:
    home = cycle.problem.home(uuid)
    return {"name": cycle.problem.name(uuid), "host": home, "state": _state(cycle, home)}


def _mark(line: Mapping[str, object]) -> tuple[object, int, int]:
    """Return what of a host's line decides whether it is worth another."""
    return (line["state"], line["left"]), int(str(line["cpu"])), int(str(line["memory"]))


def _of_all(cycle: Cycle) -> object:
    problem = cycle.problem
    policy = problem.policy
    closed = [
        rule.reason(problem.at, policy.timezone)
        for rule in policy.constraints
        if isinstance(rule, Blackout)
    ]
    hosts = [(host.name, host.state) for host in problem.cluster.hosts]
    return policy.digest, policy.name, closed, hosts, problem.emptied


def _marks(cycle: Cycle) -> dict[str, tuple[str, object]]:
    """Return, by guest, its host and what else its reasons follow from, beside what concerns all."""
    problem, targets = cycle.problem, _targets(cycle.decision)
    barred = {uuid for uuid, _ in problem.barred}
    held, cooling, demand = problem.held, problem.cooling, problem.demand
    hot = frozenset(cycle.hot)
    return {
        uuid: (
            home,
            (
                home in hot,
                targets[uuid].target if uuid in targets else "",
                held.get(uuid, ""),
                uuid in cooling or uuid in demand.changing,
                uuid in barred,
                uuid in demand.unknown,
                demand.basis.get(uuid, ""),
                guest.ties,
            ),
        )
        for uuid, guest in problem.cluster.guest.items()
        for home in (problem.cluster.placement[uuid],)
    }


def _targets(decision: Plan | Infeasible) -> dict[str, Action]:
    """Return each guest's last step."""
    return {a.guest: a for a in decision.actions} if isinstance(decision, Plan) else {}


def _lines(cycle: Cycle) -> dict[str, dict[str, object]]:
    """Return what is to be said of each host."""
    problem, decision = cycle.problem, cycle.decision
    left = {s.subject: s.reason for s in decision.left} if isinstance(decision, Plan) else {}
    found: dict[str, dict[str, object]] = {
        line.host: {
            "state": _state(cycle, line.host),
            "cpu": round(100 * share(line, CPU)),
            "memory": round(100 * share(line, MEMORY_USED)),
            "guests": len(problem.cluster.guests_on.get(line.host, ())),
            "left": left.get(line.host, ""),
        }
        for line in cycle.loads
    }
    for unseen in cycle.seen.unseen:
        nothing = {"cpu": 0, "memory": 0, "guests": 0}
        found[unseen.host] = {"state": "unseen", **nothing, "left": unseen.reason}
    return found


def _state(cycle: Cycle, host: str) -> str:
    if host in cycle.problem.emptied:
        return "to be emptied"
    if host in cycle.hot:
        return "hot"
    return "asking to be relieved" if host in cycle.asking else "calm"


def _guests(cycle: Cycle, changed: Iterable[str]) -> dict[str, object]:
    """Return what is to be kept of each guest; words that many share stand there once each."""
    problem, targets = cycle.problem, _targets(cycle.decision)
    plan = cycle.decision.id if isinstance(cycle.decision, Plan) else ""
    reached = {**problem.cluster.placement, **{u: a.target for u, a in targets.items()}}
    instead = _instead(cycle)
    kept: dict[str, object] = {}
    for found in weighed(problem, reached, changed):
        uuid, home = found.guest, problem.home(found.guest)
        told: dict[str, object] = {
            **_brief(cycle, uuid),
            "memory_from": problem.demand.basis.get(uuid, ""),
            "unknown": uuid in problem.demand.unknown,
            "target": targets[uuid].target if uuid in targets else "",
            "reason": targets[uuid].reason if uuid in targets else instead.get(home, ""),
            "plan": plan if uuid in targets else "",
        }
        reasons = as_data(found)
        assert isinstance(reasons, dict)  # noqa: S101 - a dataclass
        del reasons["guest"]
        brief = {key: value for key, value in {**told, **reasons}.items() if value}
        kept[uuid] = brief
    return kept


def _instead(cycle: Cycle) -> Mapping[str, str]:
    """Return, by host whose heat has lasted, why its other guests were not the ones to move."""
    others: defaultdict[str, list[str]] = defaultdict(list)
    for action in _targets(cycle.decision).values():
        others[action.source].append(action.name)
    return {
        host: f"{host} is relieved by moving {_some(others[host])}"
        if others[host]
        else f"{host} is hot, and no move that may be made now helps it"
        for host in cycle.hot
        if host not in cycle.problem.passing
    }


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more
