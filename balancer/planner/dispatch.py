"""What of a plan may start now, given what has been started and how it ended.

An immutable state machine without clock or world. An action may start when what it waits for has
ended well, the limits on numbers and links allow it, and

1. what is then held breaks no hard rule that is not broken before the plan, nor any worse;
2. *once all in flight has landed, the rest still works, one at a time* (the banker's look-ahead).

The second keeps every state one that can be finished: without it, actions that end in another
order than foreseen can take each other's last room. It is worked out once for a plan whose waits
see to it by themselves, as a good plan's do, and else before every start. An action that fails leaves its guest where
it was; what builds upon it is dropped with the reason, and the rest goes on.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from types import MappingProxyType

from balancer.planner.constraints import all_rules
from balancer.planner.model.law import Law
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.loose import loose_faults
from balancer.planner.model.plan import Action, Result
from balancer.planner.model.problem import Problem
from balancer.planner.tally import Tally

WORTH = 0.1
"""More bandwidth than this share of what a move has is worth telling the hypervisor."""


@dataclass(frozen=True, slots=True)
class State:
    """How far a plan has come. Made by `begin`, `started` and `ended` alone."""

    actions: tuple[Action, ...]
    running: tuple[str, ...] = ()
    """Ids, in the order of their start."""
    results: Mapping[str, Result] = field(default_factory=lambda: MappingProxyType({}))
    """How actions ended, by id."""
    dropped: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Why actions will not be started, by id."""
    rates: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """KiB/s allowed since, by id, where that is more than planned."""
    ends: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """When actions ended, by id; whose clock, the caller knows."""
    law: Law = field(kw_only=True, repr=False, compare=False)
    by_id: Mapping[str, Action] = field(kw_only=True, repr=False, compare=False)
    sure: bool = field(default=False, kw_only=True, repr=False, compare=False)
    """True if the waits alone see to it that the rest can always be finished."""
    tally: Tally | None = field(default=None, kw_only=True, repr=False, compare=False)
    turn: int = field(default=-1, kw_only=True, repr=False, compare=False)
    """Which of the tally's turns this state is."""

    @property
    def pending(self) -> tuple[Action, ...]:
        """Actions that are still to be started, in the plan's order."""
        past = {*self.running, *self.results, *self.dropped}
        return tuple(action for action in self.actions if action.id not in past)

    @property
    def in_flight(self) -> tuple[Action, ...]:
        """Actions started and not ended, in the order of their start."""
        return tuple(self.by_id[id_] for id_ in self.running)


def begin(problem: Problem, actions: Sequence[Action]) -> State:
    """Return the state before anything has started.

    Actions that cannot work even one at a time are dropped at once; a plan that the judge has
    accepted has none. Raises KeyError for unknown guests or hosts: ask the judge first.
    """
    law = Law(problem, all_rules(problem))
    by_id = {action.id: action for action in actions}
    state = State(tuple(actions), law=law, by_id=by_id)
    unfit = any(_busy(state, action) for action in actions)
    sure = not unfit and next(loose_faults(law, actions), None) is None
    return _settled(replace(state, sure=sure))


def startable(state: State, now: float = inf) -> tuple[Action, ...]:
    """Return the actions that may all be started at `now`, in this order.

    `now` is on the clock of `ended`, seconds since the epoch; by default whoever waits for no
    more than time may start.
    """
    if state.sure:
        return _surely_startable(state, now)
    chosen: list[Action] = []
    held = _held(state)
    for action in state.pending:
        if not _why_not(state, action, held, now):
            chosen.append(action)
            state = started(state, action.id)
    return tuple(chosen)


def _surely_startable(state: State, now: float) -> tuple[Action, ...]:
    """Return the same where no look-ahead is needed: without adding up anything anew."""
    tally, limits = _tally(state), state.law.problem.policy.limits
    room = limits.at_once_total - len(state.running)
    chosen: list[Action] = []
    busy, used = tally.busy.copy(), tally.used.copy()
    before: dict[str, tuple[str, ...]] = {}
    for action in tally.ready() if room > 0 else ():
        if tally.jammed(action, busy, used) or _out_of_turn(state, action, now, chosen):
            continue
        held = tally.held[action.guest]
        if _take_off(state.law, tally.held, action, alone=True):
            tally.held.put(action.guest, *held)
            continue
        before[action.guest] = held
        chosen.append(action)
        busy.update({action.source, action.target})
        used[action.source, "out"] += action.rate_kib_s
        used[action.target, "in"] += action.rate_kib_s
        if len(chosen) >= room:
            break
    for guest, held in before.items():
        tally.held.put(guest, *held)
    return tuple(chosen)


def _tally(state: State) -> Tally:
    """Return the tally of `state`; worked out anew where a later state has taken it further."""
    if state.tally is None or state.tally.turn != state.turn:
        fresh = Tally(state.law, state.actions)
        for id_, result in state.results.items():
            action = state.by_id[id_]
            if result is not Result.REFUSED:
                fresh.start(action)
            fresh.end(action, result, action.rate_kib_s)
        for action in state.in_flight:
            fresh.start(action)
            fresh.faster(action, state.rates.get(action.id, action.rate_kib_s) - action.rate_kib_s)
        fresh.drop(state.dropped)
        object.__setattr__(state, "tally", fresh)  # a cache: what the state says is the same
        object.__setattr__(state, "turn", fresh.turn)
        return fresh
    return state.tally


def blocked(state: State, action: Action, now: float = inf) -> str:
    """Return why the pending `action` may not start at `now`, or an empty string."""
    return _why_not(state, action, _held(state), now)


def _why_not(state: State, action: Action, held: Ledger, now: float = inf) -> str:
    """Return why `action` may not start; if it may, `held` then has it in flight."""
    waiting = [id_ for id_ in action.waits_for if state.results.get(id_) is not Result.DONE]
    if waiting:
        return f"waits for {', '.join(waiting)}"
    why = _busy(state, action) or _out_of_turn(state, action, now)
    if why:
        return why
    before = held[action.guest]
    why = _take_off(state.law, held, action) or ("" if state.sure else _trap(state, action))
    if why:
        held.put(action.guest, *before)
    return why


def started(state: State, action_id: str) -> State:
    """Return the state once `action_id` has been started. Raises ValueError if it is not pending."""
    if not _is_pending(state, action_id):
        raise ValueError(f"action {action_id} is not pending")
    tally = _tally(state)
    tally.start(state.by_id[action_id])
    return replace(state, running=(*state.running, action_id), tally=tally, turn=tally.turn)


def ended(state: State, action_id: str, result: Result, at: float = -inf) -> State:
    """Return the state once `action_id` has ended (at `at`), or was refused at its start.

    After anything but DONE, what builds upon it is dropped. Raises ValueError for an action that
    is neither running nor, if REFUSED, pending.
    """
    refused = result is Result.REFUSED and _is_pending(state, action_id)
    if action_id not in state.running and not refused:
        raise ValueError(f"action {action_id} is not running")
    action, tally = state.by_id[action_id], _tally(state)
    tally.end(action, result, state.rates.get(action_id, action.rate_kib_s))
    state = replace(
        state,
        tally=tally,
        turn=tally.turn,
        running=tuple(id_ for id_ in state.running if id_ != action_id),
        results={**state.results, action_id: result},
        ends=state.ends if refused else {**state.ends, action_id: at},
    )
    if result is Result.DONE and state.sure and state.running:
        return state  # nothing is lost by what went well
    return _settled(state if result is Result.DONE else _drop_dependents(state))


def finished(state: State) -> bool:
    """True if nothing is in flight and nothing is left to start."""
    return len(state.results) + len(state.dropped) == len(state.by_id)


def dropped(state: State) -> Mapping[str, str]:
    """Return why actions will not be started, by id."""
    return state.dropped


def _is_pending(state: State, action_id: str) -> bool:
    past = action_id in state.running or action_id in state.results or action_id in state.dropped
    return action_id in state.by_id and not past


def _busy(state: State, action: Action) -> str:
    """Return which limit on numbers or links forbids starting `action` beside what runs."""
    limits = state.law.problem.policy.limits
    running = state.in_flight
    if len(running) >= limits.at_once_total:
        return f"{len(running)} migrations are running, the most allowed at once"
    busy = Counter(host for other in running for host in {other.source, other.target})
    for host in (action.source, action.target):
        if busy[host] >= limits.at_once_per_host:
            return f"{host} has {busy[host]} migrations running, the most allowed at once"
    for host, spare in _spare(state, action).items():
        if action.rate_kib_s > spare:
            return f"the migration link of {host} has no {action.rate_kib_s} KiB/s to spare"
    return ""


def _out_of_turn(state: State, action: Action, now: float, chosen: Sequence[Action] = ()) -> str:
    """Return which group the guest has to wait in for its turn; empty if it is its turn.

    `chosen` are as good as in flight.
    """
    problem = state.law.problem
    for turn in problem.turns(action.guest):
        flying = [o for o in (*state.in_flight, *chosen) if o.guest in turn.members]
        others = [uuid for uuid in problem.cluster.in_flight if uuid in turn.members]
        before = [at for uuid, at in problem.ended_at.items() if uuid in turn.members]
        ours = [at for id_, at in state.ends.items() if state.by_id[id_].guest in turn.members]
        running = [inf] * (len(flying) + len(others))
        if len(flying) >= turn.most or turn.free_at([*running, *before, *ours]) > now:
            return f"it is not its turn yet ({turn.label})"
    return ""


def _spare(state: State, action: Action) -> Mapping[str, int]:
    """Return what the links of both ends have to spare beside what runs, KiB/s."""
    return _tally(state).spare(action)


def spare_kib_s(state: State, action_id: str) -> int:
    """Return how much faster than now the running `action_id` may go, KiB/s."""
    return max(0, min(_spare(state, state.by_id[action_id]).values()))


def raised(state: State, action_id: str, rate_kib_s: int) -> State:
    """Return the state once the running `action_id` may go at `rate_kib_s`."""
    action, tally = state.by_id[action_id], _tally(state)
    tally.faster(action, rate_kib_s - state.rates.get(action_id, action.rate_kib_s))
    return replace(
        state, rates={**state.rates, action_id: rate_kib_s}, tally=tally, turn=tally.turn
    )


def raises(state: State) -> Mapping[str, int]:
    """Return how fast moves in flight may go now, KiB/s by id, where that is worth a call.

    All that their links have to spare, divided evenly among them, once nobody who is still to be
    started needs those links.
    """
    tally = _tally(state)
    flying = [action for action in state.in_flight if not tally.awaited(action)]
    out, into = Counter(a.source for a in flying), Counter(a.target for a in flying)
    found: dict[str, int] = {}
    for action in flying:
        has = state.rates.get(action.id, action.rate_kib_s)
        spare = tally.spare(action)
        more = min(
            spare[action.source] // out[action.source], spare[action.target] // into[action.target]
        )
        if more >= WORTH * has:
            found[action.id] = has + more
    return found


def _take_off(law: Law, held: Ledger, action: Action, *, alone: bool = False) -> str:
    """Let the guest hold both hosts; return what that breaks, or an empty string.

    `alone`: nothing but this has changed since all was well, so that only rules that speak of
    the guest are asked.
    """
    before = held[action.guest]
    if before != (action.source,):
        return f"{action.name} is on {' and '.join(before)}, not on {action.source}"
    held.put(action.guest, action.source, action.target)
    worse = law.worse(held, (action.source, action.target), action.guest if alone else None)
    return worse[0].sentence if worse else ""


def _carry(law: Law, held: Ledger, action: Action) -> str:
    """Let `action` happen while all else rests; or return what that breaks, changing nothing."""
    before = held[action.guest]
    why = _take_off(law, held, action)
    if not why:
        held.put(action.guest, action.target)
        worse = law.worse(held, (action.source, action.target))
        why = worse[0].sentence if worse else ""
    if why:
        held.put(action.guest, *before)
    return why


def _held(state: State, *, landed: bool = False) -> Ledger:
    """Return who holds what now; with `landed`, once all in flight has ended well.

    A guest that was lost may be on either end: it holds both.
    """
    held = state.law.start.twin()
    for id_, result in state.results.items():
        action = state.by_id[id_]
        if result is Result.DONE:
            held.put(action.guest, action.target)
        elif result is Result.LOST:
            held.put(action.guest, action.source, action.target)
    for action in state.in_flight:
        held.put(action.guest, *(() if landed else (action.source,)), action.target)
    return held


def _trap(state: State, action: Action) -> str:
    """Return what could no longer be done once `action` was started: the banker's look-ahead."""
    begun = (*state.running, action.id)
    lost = _hopeless(replace(state, running=begun, tally=None, turn=-1))
    if not lost:
        return ""
    other, why = next(iter(lost.items()))
    return f"it would leave no way to finish {other}: {why}"


def _hopeless(state: State) -> Mapping[str, str]:
    """Return the pending actions that cannot be done, and why, once all in flight has landed."""
    held = _held(state, landed=True)
    over = {id_ for id_, result in state.results.items() if result is Result.DONE}
    over.update(state.running)
    empty = replace(state, running=(), tally=None, turn=-1)
    pending = list(state.pending)
    why: dict[str, str] = {}
    while pending:
        why = {}
        for action in pending:
            missing = [id_ for id_ in action.waits_for if id_ not in over]
            reason = f"waits for {', '.join(missing)}" if missing else _busy(empty, action)
            reason = reason or _carry(state.law, held, action)
            if reason:
                why[action.id] = reason
            else:
                over.add(action.id)
        if len(why) == len(pending):
            return why
        pending = [action for action in pending if action.id in why]
    return {}


def _settled(state: State) -> State:
    """Drop what can no longer be done, until all that is pending can be."""
    while lost := (not state.sure and _hopeless(state)) or _splitting(state) or _stuck(state):
        state = _without(state, lost)
    return state


def _without(state: State, lost: Mapping[str, str]) -> State:
    tally = _tally(state)
    tally.drop([id_ for id_ in lost if id_ not in state.dropped])
    return replace(state, dropped={**state.dropped, **lost}, tally=tally, turn=tally.turn)


def _stuck(state: State) -> Mapping[str, str]:
    """Return all that is pending if it can never start, as nothing runs that could change that.

    Cannot be where every rule that holds at every instant minds more occupancy alone.
    """
    if state.running or startable(state):
        return {}
    return {action.id: blocked(state, action) for action in state.pending}


def _splitting(state: State) -> Mapping[str, str]:
    """Return the pending actions of guests that would end apart from whom they belong to."""
    final = _held(state, landed=True)
    for action in state.pending:
        final.put(action.guest, action.target)
    apart = state.law.worse_at_rest(final)
    return {
        action.id: violation.sentence
        for violation in apart
        for action in state.pending
        if action.guest in violation.guests
    }


def _drop_dependents(state: State) -> State:
    """Drop what waits for an action that did not end well, or moves the same guest on."""
    bad = {id_: "did not end well" for id_, r in state.results.items() if r is not Result.DONE}
    guests = {action.guest for action in state.actions if action.id in bad}
    lost: dict[str, str] = {}
    for action in state.pending:
        for id_ in action.waits_for:
            if id_ in bad or id_ in lost or id_ in state.dropped:
                lost[action.id] = f"waits for {id_}, which {bad.get(id_, 'was dropped')}"
        if action.guest in guests:
            lost.setdefault(action.id, f"an earlier step of {action.name} did not end well")
    return _without(state, lost)
