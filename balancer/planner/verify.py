"""The judge: replays a plan and says everything that is wrong with it. Shares no code with solvers.

A plan is replayed three times, a guest in flight counting on both hosts:

- *by the timetable*, instant by instant, what ends before what starts at the same time;
- *one at a time*, in the plan's order: the sequence that always remains possible;
- *as loosely as its waits allow*: each action starts while every earlier one that it does not
  wait for is in flight. What frees room must be waited for, not merely be likely to be over.

Hard rules are held to what is broken already: nothing new, nothing worse.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.budget import overspent
from balancer.planner.model.cluster import HostState
from balancer.planner.model.cold import wrong
from balancer.planner.model.copying import copied
from balancer.planner.model.law import Law, link_share
from balancer.planner.model.loose import loose_faults
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Action, RungKind
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation
from balancer.planner.prove import dip, heats

AT_ONCE: Final = 1e-6
"""Seconds within which two instants count as one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge found."""

    valid: bool
    faults: tuple[str, ...]
    """Sentences, each fault once."""
    rules: tuple[str, ...]
    """Labels of the hard rules that were held to."""
    reached: Placement
    """Where every guest is once all actions have ended well."""


def judge(problem: Problem, actions: Sequence[Action]) -> Verdict:
    """Return whether `actions` are safe in `problem`, and every fault found.

    Actions that speak of unknown guests or hosts are faults and are left out of the replays.
    """
    law = Law(problem, all_rules(problem))
    known = [a for a in actions if not _unknown(problem, a)]
    alone = _Alone(law)
    found = [
        *(fault for action in actions for fault in _form(problem, action)),
        *_waits(actions),
        *_temporary(problem, known),
        *_turns(problem, known),
        *(sentence for _, _, sentence in overspent(problem, [a.guest for a in known])),
        *_own(problem, known),
        *_too_hot(problem, known),
        *_Timetable(law).replay(known),
        *alone.replay(known),
        *_loose(law, known),
    ]
    faults = tuple(dict.fromkeys(found))
    reached = {guest: alone.ledger[guest][0] for guest in problem.cluster.placement}
    return Verdict(not faults, faults, tuple(rule.label for rule in law.rules), reached)


def _said(action: Action) -> str:
    return f"{action.id} ({action.name} {action.source} → {action.target})"


def _unknown(problem: Problem, action: Action) -> str:
    cluster = problem.cluster
    if action.guest not in cluster.guest:
        return f"{_said(action)}: no guest {action.guest} is known"
    for host in (action.source, action.target):
        if host not in cluster.host:
            return f"{_said(action)}: no host {host} is known"
    if not (isfinite(action.start) and isfinite(action.predicted.seconds)):
        return f"{_said(action)}: its times are not finite"
    return ""


def _form(problem: Problem, action: Action) -> Iterator[str]:
    """Yield what is wrong with one action by itself."""
    unknown = _unknown(problem, action)
    if unknown:
        yield unknown
        return
    said, most = _said(action), problem.pause_at_most(action.guest)
    if problem.host(action.target).state is not HostState.UP:
        yield f"{said}: {action.target} is {problem.host(action.target).state.value}"
    if action.source == action.target:
        yield f"{said}: source and target are the same"
    if action.guest in problem.cluster.in_flight:
        yield f"{said}: the guest is being migrated by somebody else"
    if action.rate_kib_s <= 0:
        yield f"{said}: its rate is not positive"
    if action.start < 0 or action.predicted.seconds <= 0:
        yield f"{said}: its times are not positive"
    longest = 0 if action.cold else action.predicted.downtime_ms
    if not 0 < action.downtime_ms <= most or longest > most:
        yield (
            f"{said}: a pause of {max(action.downtime_ms, action.predicted.downtime_ms)} ms "
            f"where 1 to {most} ms are allowed"
        )
    yield from (f"{said}: {fault}" for fault in _manner(problem, action))


def _manner(problem: Problem, action: Action) -> Iterator[str]:
    """Yield what is wrong with how the guest is to be moved: live or cold, and what may be tried."""
    way = (action.guest, action.source, action.target)
    if fault := wrong(problem, *way, cold=action.cold):
        yield fault
    if action.cold and (action.copies or action.rungs or action.auto_converge):
        yield "a cold move sends nothing, and there is nothing to try"
    yield from _ladder(problem, action)


def _ladder(problem: Problem, action: Action) -> Iterator[str]:
    """Yield what of its beginning and its steps up is not allowed for this guest."""
    allow, kinds = problem.policy.allow, {rung.kind for rung in action.rungs}
    slowed = action.auto_converge or RungKind.AUTO_CONVERGE in kinds
    if slowed and not problem.consented(allow.auto_converge, action.guest):
        yield "auto-converge is not allowed for this guest"
    if RungKind.POST_COPY in kinds and not problem.consented(allow.post_copy, action.guest):
        yield "post-copy is not allowed for this guest"
    if action.unsafe_storage and not problem.consented(allow.unsafe_storage, action.guest):
        yield "storage that libvirt calls unsafe is not allowed for this guest"
    yield from _disks(problem, action, kinds)
    longest = max((rung.downtime_ms for rung in action.rungs), default=0)
    if longest > problem.pause_at_most(action.guest):
        yield f"a step up to a pause of {longest} ms"
    link = min(link_share(problem, host) for host in (action.source, action.target))
    fastest = max((rung.rate_kib_s for rung in action.rungs), default=0)
    if fastest > link:
        yield f"a step up to {fastest} KiB/s where its links allow {link} KiB/s"


def _disks(problem: Problem, action: Action, kinds: Collection[RungKind]) -> Iterator[str]:
    """Yield what is wrong with the disks that are to be copied along."""
    wanted = tuple(disk.name for disk in copied(problem, action.guest))
    if action.copies and not wanted:
        yield "copying local disks is not allowed for this guest, or it has none"
    elif action.copies != wanted:
        yield f"it would leave disks behind, or copy others: {', '.join(wanted)} have to come along"
    if action.copies and RungKind.POST_COPY in kinds:
        yield "post-copy is not possible where disks are copied"


def _waits(actions: Sequence[Action]) -> Iterator[str]:
    """Yield ids given twice, and waits for what is unknown, comes later, or ends too late."""
    numbers = Counter(action.id for action in actions)
    yield from (f"{id_} is the id of {n} actions" for id_, n in numbers.items() if n > 1)
    ended: dict[str, float] = {}
    for action in actions:
        for needed in action.waits_for:
            if needed not in numbers:
                yield f"{_said(action)} waits for {needed}, which is not in the plan"
            elif needed not in ended:
                yield f"{_said(action)} waits for {needed}, which does not come before it"
            elif action.start < ended[needed]:
                yield (
                    f"{_said(action)} starts at {action.start:.1f} s but waits for {needed}, "
                    f"which ends at {ended[needed]:.1f} s"
                )
        ended[action.id] = action.start + action.predicted.seconds


def _temporary(problem: Problem, actions: Sequence[Action]) -> Iterator[str]:
    """Yield steps aside that are not allowed, or never lead on."""
    last = {action.guest: action for action in actions}
    for action in actions:
        if action.temporary and not problem.policy.allow.temporary_moves:
            yield f"{_said(action)}: temporary moves are not allowed"
        if action.temporary and last[action.guest] is action:
            yield f"{_said(action)}: the guest would be left on a third host"


def _turns(problem: Problem, actions: Sequence[Action]) -> Iterator[str]:
    """Yield moves that begin before it is their guest's turn, as the timetable has it."""
    before: list[Action] = []
    for action in sorted(actions, key=lambda a: a.start):
        for turn in problem.turns(action.guest):
            ends = [b.start + b.predicted.seconds for b in before if b.guest in turn.members]
            if turn.free_at(ends) > action.start + AT_ONCE:
                yield f"{_said(action)} starts out of its turn ({turn.label})"
        before.append(action)


def _own(problem: Problem, actions: Sequence[Action]) -> Iterator[str]:
    """Yield moves of the guest that the planner runs in, unless nothing else moves."""
    for action in actions:
        others = any(other.guest != action.guest for other in actions)
        if action.guest == problem.planner and others:
            yield f"{_said(action)}: the planner runs in this guest, which moves last, by itself"


def _too_hot(problem: Problem, actions: Sequence[Action]) -> Iterator[str]:
    """Yield the step that takes hosts further beyond what is hot than the policy lets it."""
    known = heats(problem, actions)
    most = round(1000 * problem.policy.limits.hotter_on_the_way)
    if actions and (found := dip(known)) > most:
        worst = actions[max(range(len(actions)), key=lambda i: known[i + 1])]
        yield (
            f"after {_said(worst)} hosts are {found / 10:.0f} % of a host further beyond hot than "
            f"before and after, at most {most / 10:.0f} % allowed (limit hotter_on_the_way)"
        )


def _loose(law: Law, actions: Iterable[Action]) -> Iterator[str]:
    """Yield what can break if actions end in another order than the timetable says."""
    for action, broken in loose_faults(law, actions):
        said = f"{_said(action)} does not wait for all that makes room for it"
        yield from (f"{said}: {violation.sentence}" for violation in broken)
        if not broken:
            yield f"{_said(action)} does not wait for the step before it of {action.name}"


class _Replay:
    """Carries guests about and notes what that breaks, each fault once."""

    how = ""

    def __init__(self, law: Law) -> None:
        self.law = law
        self.ledger = law.start.twin()
        self.faults: list[str] = []
        self._seen: set[tuple[str, str]] = set()

    def take_off(self, action: Action) -> None:
        """Let the guest hold both hosts."""
        held = self.ledger[action.guest]
        if held != (action.source,):
            self.faults.append(
                f"{self.how}: {_said(action)} starts while the guest is on {' and '.join(held)}"
            )
        self.ledger.put(action.guest, *held, action.target)
        self.look(action, "starts", (*held, action.source, action.target))

    def land(self, action: Action) -> None:
        """Let the guest hold its target alone."""
        held = self.ledger[action.guest]
        self.ledger.put(action.guest, action.target)
        self.look(action, "has ended", (*held, action.target))

    def look(self, action: Action, when: str, touched: Collection[str]) -> None:
        """Note what is broken now on `touched` hosts."""
        broken = self.law.worse(self.ledger, frozenset(touched), action.guest)
        self.note(f"when {_said(action)} {when}", broken)

    def note(self, when: str, broken: Iterable[Violation]) -> None:
        """Keep each of `broken` that is new in this replay."""
        for violation in broken:
            if violation.key not in self._seen:
                self._seen.add(violation.key)
                self.faults.append(f"{self.how}, {when}: {violation.sentence}")


class _Alone(_Replay):
    """One action at a time, in the plan's order."""

    how = "one at a time"

    def replay(self, actions: Iterable[Action]) -> Sequence[str]:
        """Return the faults of this replay."""
        for action in actions:
            self.take_off(action)
            self.land(action)
        self.note("at the end", self.law.worse(self.ledger, None))
        self.note("at the end", self.law.worse_at_rest(self.ledger))
        return self.faults


class _Timetable(_Replay):
    """Instant by instant, with the limits on numbers and links."""

    how = "on the timetable"

    def __init__(self, law: Law) -> None:
        super().__init__(law)
        self._limits = law.problem.policy.limits
        self._number = 0
        self._busy: Counter[str] = Counter()
        self._rate: Counter[tuple[str, str]] = Counter()

    def replay(self, actions: Sequence[Action]) -> Sequence[str]:
        """Return the faults of this replay."""
        events = [(a.start + a.predicted.seconds, 0, i) for i, a in enumerate(actions)]
        events += [(a.start, 1, i) for i, a in enumerate(actions)]
        for _, starts, i in sorted(events):
            action = actions[i]
            self._count(action, 1 if starts else -1)
            if starts:
                self.take_off(action)
                self._check_limits(action)
            else:
                self.land(action)
        return self.faults

    def _count(self, action: Action, one: int) -> None:
        self._number += one
        for host in {action.source, action.target}:
            self._busy[host] += one
        self._rate[action.source, "out of"] += one * action.rate_kib_s
        self._rate[action.target, "into"] += one * action.rate_kib_s

    def _check_limits(self, action: Action) -> None:
        when = f"{self.how}, when {_said(action)} starts"
        if self._number > self._limits.at_once_total:
            self.faults.append(
                f"{when}: {self._number} migrations at once, "
                f"at most {self._limits.at_once_total} allowed"
            )
        for host in (action.source, action.target):
            if self._busy[host] > self._limits.at_once_per_host:
                self.faults.append(
                    f"{when}: {self._busy[host]} migrations at once on {host}, "
                    f"at most {self._limits.at_once_per_host} allowed"
                )
        for host, way in ((action.source, "out of"), (action.target, "into")):
            most = link_share(self.law.problem, host)
            if self._rate[host, way] > most:
                self.faults.append(
                    f"{when}: {self._rate[host, way]} KiB/s {way} {host}, "
                    f"at most {most} KiB/s allowed"
                )
