"""Turns the crank: observe, plan, carry out, journal. It sees ports and values, never an adapter.

What `execute` promises, whatever happens to it:

- nothing starts on a plan that does not fit the cluster as it is at this moment;
- nothing starts that is not in the journal already, and all that ended is in it too;
- once something says stop (the operator, a lost guest, a journal that cannot be written),
  nothing more starts, and what is in flight is followed to its end;
- every action of the plan has exactly one outcome, those that never started included;
- what a planner that died had begun is followed to its end first, and never begun again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import Final

from balancer.codec import load_outcome_data
from balancer.planner import dispatch, pipeline
from balancer.planner.constraints.blackout import Blackout
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Action, Infeasible, Outcome, Plan, Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Request
from balancer.planner.quality import gate
from balancer.planner.resizable import faults as resize_faults
from balancer.planner.verify import judge
from balancer.ports import Event, Execution, Executor, Passing, Ports, Refused, UsageError
from balancer.service import resizing, slowdowns, telling
from balancer.service.climbing import Steps, give_room, hasten
from balancer.service.guards import LATE, STOP_ASKED
from balancer.service.promises import kept, waiting_now
from balancer.service.recovery import follow

POLL: Final = 1.0
"""Seconds between two looks at what is in flight."""
NOTHING_ASKED: Final = Request()
HOUR: Final = 3600.0
"""Over which budgets are counted, whatever guests' rest is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """One turn: what was seen, what was decided, what came of it."""

    observation: Observation
    decision: Plan | Infeasible
    outcomes: tuple[Outcome, ...] = ()
    refusal: str = ""
    """Why the plan was refused as a whole, where it was."""
    sentence: str = ""
    """What came of it in one sentence: why nothing happened, where nothing did."""


def cycle(ports: Ports, policy: Policy, request: Request = NOTHING_ASKED) -> CycleReport:
    """Observe, plan, and where there is an executor carry the plan out.

    Raises what `observe` and `execute` raise.
    """
    observation = observe(ports, policy)
    decision = pipeline.plan(
        observation, policy, request, keep_going=lambda: not ports.stop_requested()
    )
    if isinstance(decision, Infeasible):
        ports.telemetry.note(decision.reason)
        return CycleReport(observation=observation, decision=decision)
    ports.telemetry.planned(decision)
    carried_out = (decision.actions or decision.resizes) and ports.executor is not None
    outcomes = execute(ports, policy, decision) if carried_out else ()
    return CycleReport(observation=observation, decision=decision, outcomes=outcomes)


def observe(ports: Ports, policy: Policy) -> Observation:
    """Return the cluster as it is now, with the outcomes that still keep guests where they are.

    Raises UsageError if nothing can be seen or the journal cannot be read.
    """
    seen = ports.inventory.observe()
    limits = policy.limits
    rest = max(HOUR, limits.same_guest_again_after, limits.same_host_again_after)
    since = seen.at - rest
    seen = _with_past(ports, policy, seen)
    resized = (
        (*seen.resized, *resizing.past(ports, min(since, seen.at - resizing.DAY)))
        if policy.resizes
        else ()
    )
    promises = (*seen.promises, *kept(ports.journal, seen.at))
    if ports.experience is not None:
        seen = replace(seen, calibration=ports.experience.known(seen.at))
    return replace(
        seen, outcomes=(*seen.outcomes, *past(ports, since)), promises=promises, resized=resized
    )


def past(ports: Ports, since: float) -> tuple[Outcome, ...]:
    """Return how moves ended since then, as the journal has it. Raises UsageError."""
    return tuple(
        load_outcome_data(event.data["outcome"])
        for event in ports.journal.read(since, ("ended",))
        if "outcome" in event.data
    )


def _with_past(ports: Ports, policy: Policy, seen: Observation) -> Observation:
    """Return `seen` with what was measured before; keep what of it is believed for later.

    A history that cannot be read or written is a doubt, not a fault: the present is enough to act
    upon where the policy does not look back.
    """
    if ports.history is None:
        return seen
    try:
        means = ports.history.rollups(seen.at, policy.forecast.lookback)
        with_past = replace(seen, rollups=means)
        ports.history.append(gate(with_past).observation)
    except UsageError as error:
        return replace(seen, doubts=(*seen.doubts, str(error)))
    return with_past


def execute(
    ports: Ports,
    policy: Policy,
    plan: Plan,
    about: Mapping[str, object] | None = None,
    until: float = inf,
) -> tuple[Outcome, ...]:
    """Carry `plan` out on the cluster as it is now; return how each action ended.

    `about` is written into the journal with the plan: why each move, and who was rejected. What
    is not likely to have ended by `until`, seconds since the epoch, is not begun.
    Raises Refused if another planner is at work, nothing may be changed here, everything is
    frozen, or the plan is stale or no longer safe; UsageError if the journal cannot be written. On either nothing was
    started, save where the journal fails half-way: then what was in flight has ended.
    """
    if ports.executor is None:
        raise Refused(
            f"plan {plan.id} is not carried out: nothing may be changed here; "
            'set mode = "confirm" or "auto" in config.toml'
        )
    if frozen := ports.brake.reason():
        raise Refused(f"plan {plan.id} is not carried out: {frozen}")
    ports.lease.acquire()
    try:
        lost = [o for o in follow(ports) if o.result is Result.LOST]
        if lost:
            raise Refused(f"{lost[0].action.name} is lost: {lost[0].reason}; nothing was started")
        seen = observe(ports, policy)
        if plan.resizes:
            resizing.mend(ports, seen)
        problem = recheck(seen, policy, plan)
        kept_of_now = {
            **waiting_now(seen, problem, plan),
            **slowdowns.using_now(seen, plan),
            **(about or {}),
        }
        ports.journal.write(telling.decided(plan, ports.clock.now(), kept_of_now))
        resized = resizing.carry_out(ports, ports.executor, plan)
        run = _Run(ports, ports.executor, plan, problem, seen.outcomes)
        run.unmade = resizing.unmade(resized)
        run.until = until
        return run.to_its_end()
    finally:
        ports.lease.release()


def recheck(observation: Observation, policy: Policy, plan: Plan) -> Problem:
    """Return the problem as it is now, if `plan` still fits it. Raises Refused.

    A plan is stale when one of *its* guests runs elsewhere or one of its hosts is not seen.
    That other guests have moved meanwhile does not matter by itself: the judge replays the
    whole plan, under today's policy, against where everything is now.
    """
    stale = _staleness(observation, plan)
    if stale:
        raise Refused(f"plan {plan.id} is stale: {stale}; make a new plan")
    problem = pipeline.assess(observation, policy, pipeline.orders_of(plan))
    verdict = judge(problem, plan.actions)
    if not verdict.valid:
        raise Refused(f"plan {plan.id} is not safe any more: {verdict.faults[0]}; make a new plan")
    if wrong := resize_faults(problem, plan.resizes, moves=plan.actions, undoing=plan.gives_back):
        raise Refused(f"plan {plan.id} does not fit any more: {wrong[0]}; make a new plan")
    return problem


def _staleness(observation: Observation, plan: Plan) -> str:
    """Return the first thing that is not as the plan expects it, or an empty string."""
    missing = {unseen.host: unseen.reason for unseen in observation.unseen}
    first: dict[str, Action] = {}
    for action in plan.actions:
        for host in (action.source, action.target):
            if host not in observation.cluster.host:
                return f"host {host} was not seen ({missing.get(host, 'it is not configured')})"
        first.setdefault(action.guest, action)
    reasons = (_displaced(observation.cluster, action) for action in first.values())
    return next(filter(None, reasons), "")


def _displaced(cluster: Cluster, action: Action) -> str:
    where = cluster.placement.get(action.guest)
    if where is None:
        return f"{action.name} runs on no host that was seen, the plan expects {action.source}"
    if action.guest in cluster.in_flight:
        target = cluster.in_flight[action.guest]
        return f"{action.name} is being migrated from {where} to {target} at this moment"
    if where != action.source:
        return f"{action.name} runs on {where} now, the plan expects {action.source}"
    return ""


class _Run:
    """One plan being carried out."""

    def __init__(
        self,
        ports: Ports,
        executor: Executor,
        plan: Plan,
        problem: Problem,
        before: tuple[Outcome, ...],
    ) -> None:
        self._ports = ports
        self._executor = executor
        self._plan = plan
        self._problem = problem
        self._starts_at: dict[str, list[float]] = {}
        """When moves began that a host takes part in, by host."""
        for outcome in before:
            if outcome.result is not Result.REFUSED:
                self._count(outcome.action, outcome.started)
        self._state = dispatch.begin(problem, plan.actions)
        self._running: dict[str, Execution] = {}
        self._steps = Steps()
        self._told_waiting: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}
        self.until = inf
        """When all must have ended, seconds since the epoch."""
        self.unmade: Mapping[tuple[str, str], str] = {}
        """Why no room was made, by guest and target, for those that were to have some."""
        self._halted = ""
        """Why nothing more is started."""
        self._fault: UsageError | None = None
        """The journal's."""

    def to_its_end(self) -> tuple[Outcome, ...]:
        """Start, watch and end until nothing runs and nothing more may start."""
        while True:
            self._start_what_may()
            if not self._running and not self._awaits_a_turn():
                break
            if not self._end_what_has():
                self._lead_what_runs()
                self._ports.clock.sleep(POLL)
        self._account_for_the_rest()
        if self._fault:
            raise self._fault
        return tuple(self._outcomes[action.id] for action in self._plan.actions)

    def _start_what_may(self) -> None:
        """Start all that may start; after a refusal ask again what may."""
        while ready := dispatch.startable(self._state, self._ports.clock.now()):
            for action in ready:
                if self._must_halt():
                    return
                if not self._starts(action):
                    break

    def _awaits_a_turn(self) -> bool:
        """True if something is to be started that waits for nothing but time."""
        waiting = () if self._must_halt() else dispatch.startable(self._state)
        if waiting and waiting[0].id not in self._told_waiting:
            self._told_waiting.add(waiting[0].id)
            why = dispatch.blocked(self._state, waiting[0], self._ports.clock.now())
            self._ports.telemetry.note(f"{waiting[0].name} waits: {why}")
        return bool(waiting)

    def _must_halt(self) -> bool:
        if not self._halted and self._ports.stop_requested():
            self._halt(STOP_ASKED)
        if not self._halted and (frozen := self._ports.brake.reason()):
            self._halt(frozen)
        return bool(self._halted)

    def _halt(self, reason: str) -> None:
        self._halted = reason
        self._ports.telemetry.note(f"{reason}: nothing more is started")

    def _starts(self, action: Action) -> bool:
        """Start `action` if the look just before it finds nothing against it."""
        for_now = self._blackout(action) or self._host_budget(action) or self._too_late(action)
        for_now = for_now or self.unmade.get((action.guest, action.target), "")
        misfit = "" if for_now else self._executor.look_again(action)
        if objection := for_now or misfit:
            self._state = dispatch.ended(self._state, action.id, Result.REFUSED)
            lasting = bool(misfit) and not isinstance(misfit, Passing)
            self._end(self._never_started(action, str(objection)), "refused", barred=lasting)
            return False
        if not self._written(self._announced(action)):
            return False
        self._running[action.id] = self._executor.start(action)
        self._count(action, self._ports.clock.now())
        self._state = dispatch.started(self._state, action.id)
        return True

    def _announced(self, action: Action) -> Event:
        guest = self._problem.cluster.guest[action.guest]
        return telling.started(self._plan.id, action, self._ports.clock.now(), guest)

    def _count(self, action: Action, at: float) -> None:
        for host in (action.source, action.target):
            self._starts_at.setdefault(host, []).append(at)

    def _host_budget(self, action: Action) -> str:
        """Return which end of the move took part in as many within the hour as it may."""
        limit = self._problem.policy.limits.moves_per_hour_per_host
        since = self._ports.clock.now() - HOUR
        for host in (action.source, action.target):
            moves = sum(at > since for at in self._starts_at.get(host, ()))
            if moves >= limit:
                return f"{host} took part in {moves} moves within an hour: limit moves_per_hour_per_host"
        return ""

    def _too_late(self, action: Action) -> str:
        """Return when all must have ended, if the move is not likely to have by then."""
        if self._ports.clock.now() + action.predicted.seconds_p90 <= self.until:
            return ""
        end = datetime.fromtimestamp(self.until, UTC).astimezone()
        return f"{LATE}: it may take {action.predicted.seconds_p90:.0f} s, until {end:%H:%M}"

    def _blackout(self, action: Action) -> str:
        """Return the blackout that is on, or would begin before the move is likely to end."""
        now, zone = self._ports.clock.now(), self._problem.policy.timezone
        for rule in self._problem.policy.constraints:
            if isinstance(rule, Blackout) and action.guest in self._problem.guests(rule.guests):
                for at in (now, now + action.predicted.seconds_p90):
                    if reason := rule.reason(at, zone):
                        return f"{action.name}: {reason}"
        return ""

    def _lead_what_runs(self) -> None:
        """Show what is in flight, journal its steps up, give it what room there is."""
        seen = [execution.progress() for execution in self._running.values()]
        self._ports.telemetry.progress(seen)
        for step in seen:
            self._told_steps(self._running[step.action].action, step.steps)
        self._state = hasten(give_room(self._state, self._running, seen), self._running)

    def _told_steps(self, action: Action, steps: tuple[str, ...]) -> None:
        for event in self._steps.fresh(self._plan.id, action, steps, self._ports.clock.now):
            self._written(event)
            self._ports.telemetry.note(event.text)

    def _end_what_has(self) -> bool:
        """Take in every action that has ended; True if there was one."""
        ended = [o for o in (e.outcome() for e in self._running.values()) if o is not None]
        for outcome in ended:
            del self._running[outcome.action.id]
            self._told_steps(outcome.action, outcome.steps)
            self._state = dispatch.ended(
                self._state, outcome.action.id, outcome.result, outcome.ended
            )
            self._end(outcome, "ended")
            if outcome.result is Result.LOST:
                self._halt(f"{outcome.action.name} is lost")
        return bool(ended)

    def _end(self, outcome: Outcome, kind: str, *, barred: bool = False) -> None:
        self._outcomes[outcome.action.id] = outcome
        self._written(telling.ended(self._plan.id, outcome, kind, barred=barred))
        self._ports.telemetry.ended(outcome)

    def _account_for_the_rest(self) -> None:
        rest = [a for a in self._plan.actions if a.id not in self._outcomes]
        if rest and self._halted:
            text = f"{self._halted}: {len(rest)} of {len(self._plan.actions)} moves not started"
            now = self._ports.clock.now()
            self._written(Event(at=now, kind="stopped", plan=self._plan.id, text=text))
        for action in rest:
            self._end(self._never_started(action, self._why_not(action)), "refused")

    def _why_not(self, action: Action) -> str:
        reason = dispatch.dropped(self._state).get(action.id)
        return self._halted or reason or dispatch.blocked(self._state, action)

    def _never_started(self, action: Action, reason: str) -> Outcome:
        now = self._ports.clock.now()
        return Outcome(action=action, result=Result.REFUSED, started=now, ended=now, reason=reason)

    def _written(self, event: Event) -> bool:
        """Journal `event`; if that fails, start nothing more and keep the fault for the end."""
        if self._fault:
            return False
        try:
            self._ports.journal.write(event)
        except UsageError as error:
            self._fault = error
            self._halt(str(error))
        return not self._fault
