"""Turn after turn: the service that can be left running.

What it promises, beside what `execute` promises:

- mode observe starts nothing, mode confirm nothing that was not approved, mode auto nothing
  before enough observation was scored;
- nothing is started while a brake is on, while too few hosts are seen, or while the journal
  cannot be written;
- no load is acted upon before it has lasted; a guest that somebody else moved, or whose
  migration failed, is left alone;
- after repeated failures, a lost guest or repeated moves by others it pulls its own brake;
- each cycle leaves one event in the journal that says what came of it, and why; and one that says
  why guests and hosts stand as they do, where that is new.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from balancer.codec import as_data
from balancer.config import Mode
from balancer.planner.explain import hot, loads
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import HostLoad, Infeasible, Outcome, Plan, Result
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Request
from balancer.planner.pipeline import account, asked, assess
from balancer.planner.quality import gate
from balancer.ports import (
    BalancerError,
    Board,
    Event,
    Progress,
    Status,
    Telemetry,
    UsageError,
)
from balancer.service import resizing
from balancer.service.candidates import informed
from balancer.service.deciding import Decider, basis
from balancer.service.fallbacks import fallbacks
from balancer.service.guards import (
    HOUR,
    countable,
    failures,
    last_known,
    moved_by_others,
    moving_by_others,
    too_few_seen,
    undoes,
)
from balancer.service.promises import due, realised
from balancer.service.recall import last_seen
from balancer.service.recovery import REMEMBERED, left_open, resume
from balancer.service.score import DAY, expected, score
from balancer.service.slowdowns import shown
from balancer.service.stages import stages, states
from balancer.service.standing import KIND as STOOD
from balancer.service.standing import Cycle
from balancer.service.turn import CycleReport, execute, observe, past
from balancer.service.world import Memory, NoBoard, World, admitted

NAP: Final = 1.0
"""Seconds between two looks at signals and approvals while resting."""


class Service:
    """The loop over one installation."""

    def __init__(
        self,
        world: World,
        *,
        board: Board | None = None,
        reload: Callable[[], World | None] = lambda: None,
        nap: float = NAP,
        memory: Memory | None = None,
    ) -> None:
        """`reload` returns a new world where one was asked for; it raises BalancerError if bad.

        `memory` is what an earlier process left, where somebody kept it.
        """
        self._world = world
        self._board = board or NoBoard()
        self._reload = reload
        self._nap = nap
        self._memory = memory or Memory()
        self._troubles: tuple[str, ...] = ()
        self._looked_back = False
        """True once the whole journal was searched for what a planner left open."""
        self._status = Status(
            at=world.ports.clock.now(),
            mode=world.mode,
            state="looking",
            sentence="the first cycle has begun",
            interval=world.interval,
            began=world.ports.clock.now(),
        )

    def admit(self) -> None:
        """Raises Refused if the mode asks for more observation than was scored so far."""
        self._status = replace(self._status, observed_days=admitted(self._world))

    def run(self, until: float = float("inf")) -> tuple[CycleReport, ...]:
        """Turn until stopped, or until a cycle would begin at `until`; return its last reports.

        Raises Refused where mode auto is not admitted yet.
        """
        self.admit()
        reports: list[CycleReport] = []
        self._note("began", f"mode {self._world.mode}, policy {self._world.policy.name}")
        while self._now() < until and not self._stopping():
            begin = self._now()
            report = self.turn()
            if report and until < float("inf"):
                reports.append(report)
            self._rest(min(begin + self._world.interval, until))
        self._note("ceased", "stopped on request" if self._stopping() else "its time is over")
        self._show("stopped", "the service has stopped")
        return tuple(reports)

    def turn(self) -> CycleReport | None:
        """Look, decide, and act where that is called for; None where nothing could be seen."""
        world, begun = self._world, self._now()
        self._status = replace(self._status, cycles=self._status.cycles + 1, last_cycle=begun)
        self._resume()
        self._show("looking")
        try:
            return self._turned()
        except UsageError as error:  # nothing seen, or a journal that cannot be read
            self._show("resting", f"nothing is done: {error}")
            world.ports.telemetry.note(str(error))
            return None

    def _turned(self) -> CycleReport:
        """Do one turn. Raises UsageError where nothing can be seen or the journal fails."""
        world = self._world
        times = [self._now()]
        seen = observe(world.ports, world.policy)
        times.append(self._now())
        self._board.beat()
        trouble = self._notice_others(seen)
        if any(table.memory for table in world.policy.resizes):
            resizing.keep_watch(world.ports, seen)
        self._show("planning")
        decider = Decider(world, self._memory, self._board.beat)
        problem = assess(seen, world.policy, Request(held=decider.held(seen)))
        measured = loads(problem, seen.cluster.placement)
        self._realise(seen, problem)
        told = {**self._measure(seen, measured), **basis(problem), "seen_at": seen.at}
        self._status = replace(self._status, fallbacks=fallbacks(seen, problem))
        heat = [line.host for line in hot(problem, measured)]
        decision = decider.decide(seen, problem, heat)
        if self._may_act():
            seen, decision = self._informed(seen, decision, decider)
        times.append(self._now())
        report = self._act(CycleReport(observation=seen, decision=decision), trouble)
        times.append(self._now())
        told |= states(report, problem, trouble=trouble, frozen=world.ports.brake.reason())
        told["seconds"] = stages(times)
        asking = self._memory.patience.since
        self._keep(
            Cycle(seen=seen, problem=asked(problem, decider.asked), loads=measured, decision=decision,
                  sentence=report.sentence, asking=asking, hot=heat)
        )  # fmt: skip
        self._remember(report, measured)
        self._close(report, told)
        return report

    def _may_act(self) -> bool:
        return self._world.mode is not Mode.OBSERVE and not self._braked()

    def _informed(
        self, seen: Observation, decision: Plan | Infeasible, decider: Decider
    ) -> tuple[Observation, Plan | Infeasible]:
        """Return both with how fast the plan's guests dirty memory; keep that, for replays."""
        ports, policy = self._world.ports, self._world.policy

        def again(known: Observation) -> Plan | Infeasible:
            self._board.beat()
            return decider.again(known, assess(known, policy, Request(held=decider.held(known))))

        known, decision = informed(seen, decision, ports.dirty, again)
        if known is not seen and ports.history is not None:
            with suppress(UsageError):  # said already, when the same look was kept at first
                ports.history.append(gate(known).observation)
        return known, decision

    def _resume(self) -> None:
        """See to its end what a planner that died had begun; halt if a guest is lost by it."""
        within, self._looked_back = (DAY if self._looked_back else REMEMBERED), True
        ports = self._world.ports
        watch = Watch(ports.telemetry, self, None)
        try:
            outcomes = resume(replace(ports, telemetry=watch), within)
        except BalancerError:  # another planner is at work, or the journal fails: seen next
            return
        self._status = replace(self._status, in_flight=(), names={})
        for outcome in outcomes:
            if outcome.result is Result.LOST:
                self._halt(f"{outcome.action.name} is lost: {outcome.reason}")

    # ── acting ──────────────────────────────────────────────────────────────────────────────

    def _act(self, report: CycleReport, trouble: str) -> CycleReport:
        """Do about the decision what mode and guards allow; say what came of it."""
        decision, world = report.decision, self._world
        if isinstance(decision, Infeasible):
            self._memory.proposed = None
            return replace(report, sentence=f"nothing can be done: {decision.reason}")
        if not (decision.actions or decision.resizes):
            self._memory.proposed = None
            return replace(report, sentence=self._why_nothing(decision))
        would = f"{decision.id} would be carried out: {decision.summary}"
        if world.mode is Mode.OBSERVE or world.ports.executor is None:
            return replace(report, sentence=f"mode observe: {would}")
        if why_not := world.ports.brake.reason() or trouble:
            return replace(report, sentence=f"{why_not}; {would}")
        if world.mode is Mode.CONFIRM:
            return replace(report, sentence=self._propose(decision, report.observation))
        outcomes, sentence = self._carry_out(decision, report.observation)
        refusal = sentence if outcomes is None else ""
        return replace(report, outcomes=outcomes or (), sentence=sentence, refusal=refusal)

    def _why_nothing(self, decision: Plan) -> str:
        waiting = self._memory.patience.waiting(decision.made_at, self._world.policy.hot.lasting)
        return "; ".join(waiting.values()) or decision.summary

    def _propose(self, proposal: Plan, seen: Observation) -> str:
        """Let `proposal` wait for approval; one that does so already keeps waiting."""
        memory = self._memory
        if memory.proposed is None or memory.proposed.id != proposal.id:
            memory.proposed_at = self._now()
            memory.because = as_data(account(seen, self._world.policy, proposal))
            data = {"plan": as_data(proposal)}
            event = Event(
                memory.proposed_at, "proposed", proposal.id, text=proposal.summary, data=data
            )
            try:
                self._world.ports.journal.write(event)
            except UsageError as error:
                return f"nothing is proposed: {error}"
            self._world.ports.telemetry.planned(proposal)
        memory.proposed = proposal
        return f"{proposal.id} waits: balancer approve {proposal.id} ({proposal.summary})"

    def _approved(self) -> bool:
        memory = self._memory
        if memory.proposed is None:
            return False
        try:
            told = self._world.ports.journal.read(memory.proposed_at, ("approved",))
        except UsageError:
            return False
        return any(event.plan == memory.proposed.id for event in told)

    def _carry_out_approved(self) -> None:
        """Judge the approved plan against the cluster as it is, and carry it out."""
        proposal, self._memory.proposed = self._memory.proposed, None
        assert proposal is not None  # noqa: S101 - only called when it is approved
        _, sentence = self._carry_out(proposal, None)
        self._show("resting", sentence)

    def _carry_out(
        self, plan_: Plan, seen: Observation | None
    ) -> tuple[tuple[Outcome, ...] | None, str]:
        """Execute; return the outcomes (None: it was refused) and what came of it.

        Pulls the brake where that is due.
        """
        world = self._world
        about = self._about(plan_, seen)
        watch = Watch(world.ports.telemetry, self, plan_)
        world.ports.telemetry.planned(plan_)
        self._status = replace(
            self._status, plan=plan_.id, summary=plan_.summary, moves=len(plan_.actions),
            predicted_end=self._now() + plan_.seconds,
        )  # fmt: skip
        try:
            outcomes = execute(replace(world.ports, telemetry=watch), world.policy, plan_, about)
        except BalancerError as error:
            world.ports.telemetry.note(str(error))
            self._note("refused", str(error), plan_.id)
            return None, str(error)
        finally:
            self._status = replace(
                self._status, plan="", summary="", moves=0, ended=0, in_flight=(), names={},
                predicted_end=0.0,
            )  # fmt: skip
        try:
            self._follow(plan_, outcomes)
        except UsageError as error:
            self._halt(str(error))
        done = sum(o.result is Result.DONE for o in outcomes)
        sentence = f"{plan_.id}: {done} of {len(outcomes)} moves done{self._resized(plan_)}"
        self._note("finished", sentence, plan_.id)
        return outcomes, sentence

    def _resized(self, plan_: Plan) -> str:
        """Return what came of the plan's resizes, in words; nothing where it has none."""
        if not plan_.resizes:
            return ""
        try:
            told = resizing.past(self._world.ports, plan_.made_at)
        except UsageError:
            return ""
        mine = {resize.id: resize for resize in plan_.resizes}
        done = sum(o.result is Result.DONE and mine.get(o.resize.id) == o.resize for o in told)
        return f", {done} of {len(plan_.resizes)} resizes"

    def _about(self, plan_: Plan, seen: Observation | None) -> Mapping[str, object]:
        """Return what the journal shall keep beside the plan: who let it be made, and why so."""
        if seen is None:
            return {"by": "the service, approved", "because": self._memory.because}
        because = as_data(account(seen, self._world.policy, plan_))
        return {"by": f"the service, mode {self._world.mode}", "because": because}

    def _follow(self, plan_: Plan, outcomes: tuple[Outcome, ...]) -> None:
        """Take our own moves into account; stop ourselves where too much went wrong."""
        memory = self._memory
        done = [o for o in outcomes if o.result is Result.DONE]
        memory.promised = expected(plan_.loads, carried_out=len(done) == len(outcomes))
        memory.carried_out = plan_.id if done else ""
        lost = [o for o in outcomes if o.result is Result.LOST]
        if lost:
            self._halt(f"{lost[0].action.name} is lost: {lost[0].reason}")
            return
        since = self._accountable()
        failed = failures(past(self._world.ports, since), since)
        if len(failed) >= self._world.guards.failures_per_hour:
            last = failed[-1]
            self._halt(
                f"{len(failed)} migrations failed within an hour, the last one "
                f"{last.action.name}: {last.result}, {last.reason}"
            )

    def _accountable(self) -> float:
        """Return since when failures count: an hour ago, or since the operator released us."""
        return self._released(HOUR)

    def _released(self, within: float) -> float:
        """Return when the operator last released us, or `within` seconds ago."""
        begin = self._now() - within
        released = self._world.ports.journal.read(begin, ("unfroze",))
        return max((event.at for event in released), default=begin)

    def _notice_others(self, seen: Observation) -> str:
        """Journal moves that we did not make; return why nothing is to be moved meanwhile.

        Raises UsageError if the journal fails.
        """
        memory, guards = self._memory, self._world.guards
        journal = self._world.ports.journal
        if memory.placement is None:
            memory.placement, memory.at = last_seen(journal, seen.at, REMEMBERED)
            memory.away = seen.at - memory.at
            ours = past(self._world.ports, memory.at)
        else:
            memory.away, ours = 0.0, seen.outcomes
        for move in moved_by_others(memory.placement, memory.at, seen, ours):
            text = move.sentence + (" while the service did not run" if memory.away else "")
            self._world.ports.telemetry.note(text)
            undone = undoes(move, seen.outcomes, seen.at - DAY)
            text += ": that undoes a move of ours" if undone else ""
            data = {"away": memory.away, "undoes": undone}
            journal.write(
                Event(seen.at, "foreign", guest=move.guest, host=move.target, text=text, data=data)
            )
        recent = countable(journal.read(self._accountable(), ("foreign",)))
        if len(recent) >= guards.moves_by_others_per_hour and not self._braked():
            self._halt(
                f"{len(recent)} guests were moved by others within an hour, the last time: "
                f"{recent[-1].text}"
            )
        self._stop_where_we_are_undone(seen)
        return self._others_at_work(seen) or too_few_seen(seen, guards.hosts_unseen_at_most)

    def _stop_where_we_are_undone(self, seen: Observation) -> None:
        """Pull the brake where others take back what we moved, again and again."""
        since = max(self._released(DAY), seen.at - DAY)
        told = self._world.ports.journal.read(since, ("foreign",))
        undone = [event for event in told if event.data.get("undoes")]
        if len(undone) >= self._world.guards.reversals_per_day and not self._braked():
            self._halt(
                f"{len(undone)} of our moves were undone by others within a day, the last time: "
                f"{undone[-1].text}; let only one move guests"
            )

    def _others_at_work(self, seen: Observation) -> str:
        """Journal migrations under way that we did not begin; return why we wait meanwhile."""
        memory, ports = self._memory, self._world.ports
        ours = {begun.action.guest for begun in left_open(ports, DAY)}
        moving = moving_by_others(seen, ours)
        for job in moving:
            if (job.guest, job.target) not in memory.seen_moving:
                text = (
                    f"{job.name} is being moved from {job.source} to {job.target} by somebody else"
                )
                ports.telemetry.note(text)
                ports.journal.write(
                    Event(seen.at, "others", guest=job.guest, host=job.target, text=text)
                )
        memory.seen_moving = frozenset((job.guest, job.target) for job in moving)
        if not moving:
            return ""
        first = moving[0]
        return (
            f"somebody else is moving {first.name} from {first.source} to {first.target} at this "
            "moment: nothing is moved meanwhile"
        )

    def _braked(self) -> bool:
        return bool(self._world.ports.brake.reason())

    def _halt(self, reason: str) -> None:
        self._world.ports.brake.pull(reason)
        self._world.ports.telemetry.note(f"the service stops itself: {reason}")
        self._note("halted", reason)

    # ── telling ─────────────────────────────────────────────────────────────────────────────

    def _measure(self, seen: Observation, measured: tuple[HostLoad, ...]) -> dict[str, object]:
        """Return how well the last cycle foresaw this one; journal what a plan's promise became."""
        memory = self._memory
        span = min(seen.at - memory.at, 2 * self._world.interval)
        found = score(memory.promised, measured, round(span, 1))
        if found and memory.carried_out:
            now = {line.host: line.before.get("cpu", 0) for line in measured}
            data = {"promised": dict(memory.promised), "measured": now}
            text = (
                f"a cycle later the CPU of hosts is {found.median:.1%} of a host from the promise, "
                f"{found.worst:.1%} at worst"
            )
            self._note("measured", text, memory.carried_out, data)
        memory.carried_out = ""
        if not found:
            return {}
        days = self._status.observed_days + found.seconds / DAY
        self._status = replace(self._status, observed_days=days)
        return {"score": as_data(found)}

    def _realise(self, seen: Observation, problem: Problem) -> None:
        """Journal what became of promised savings. Raises UsageError if the journal fails."""
        journal = self._world.ports.journal
        for event in (*realised(seen, problem, due(journal, seen.at)), *shown(seen, journal)):
            journal.write(event)

    def _remember(self, report: CycleReport, measured: tuple[HostLoad, ...]) -> None:
        memory = self._memory
        memory.at = report.observation.at
        memory.placement = last_known(memory.placement or {}, report.observation)
        if not report.outcomes:
            memory.promised = expected(measured, carried_out=False)

    def _keep(self, cycle: Cycle) -> None:
        """Journal why guests and hosts stand as they do, where that is new; forget what is old."""
        standing, journal = self._memory.standing, self._world.ports.journal
        event = standing.noted(cycle)
        if event is None:
            return
        self._write(event)
        if standing.at == event.at:  # about once a day
            kept = self._world.reasons_kept
            with suppress(UsageError):  # shown by whatever is written next
                journal.forget(event.at - kept, (STOOD,))
                journal.forget(event.at - max(kept, REMEMBERED), ("cycle",))

    def _close(self, report: CycleReport, told: dict[str, object]) -> None:
        """Leave the cycle's one event, and show how it ended."""
        decision = report.decision
        stays = decision.left if isinstance(decision, Plan) else ()
        data = {
            **told,
            "hot": dict(self._memory.patience.since),
            "left": {stay.subject: stay.reason for stay in stays},
            "unseen": {u.host: u.reason for u in report.observation.unseen},
        }
        plan_id = decision.id if isinstance(decision, Plan) and decision.actions else ""
        self._note("cycle", report.sentence, plan_id, data)
        waits = self._memory.proposed is not None
        self._show("awaiting approval" if waits else "resting", report.sentence)

    def _note(self, kind: str, text: str, plan_id: str = "", data: object = None) -> None:
        """Journal something that no move hangs on; a journal that fails is shown as trouble."""
        self._write(Event(self._now(), kind, plan_id, text=text, data=data or {}))  # type: ignore[arg-type]

    def _write(self, event: Event) -> None:
        try:
            self._world.ports.journal.write(event)
            self._troubles = tuple(t for t in self._troubles if not t.startswith("the journal"))
        except UsageError as error:
            self._world.ports.telemetry.note(str(error))
            self._troubles = (str(error),)

    def _show(self, state: str, sentence: str = "") -> None:
        proposal = self._memory.proposed
        running = self._status.plan
        self._status = replace(
            self._status,
            at=self._now(),
            mode=self._world.mode,
            interval=self._world.interval,
            state=state,
            sentence=sentence or self._status.sentence,
            plan=running or (proposal.id if proposal else ""),
            summary=self._status.summary or (proposal.summary if proposal else ""),
            frozen=self._world.ports.brake.reason(),
            troubles=self._troubles,
        )
        self._board.show(self._status)
        if not running:
            self._status = replace(self._status, plan="", summary="")

    def moving(self, running: Sequence[Progress], plan_: Plan, ended: int) -> None:
        """Show how far the moves in flight are."""
        names = {a.id: f"{a.name} to {a.target}" for a in plan_.actions}
        flying = {step.action: names.get(step.action, step.action) for step in running}
        state = "stopping" if self._stopping() else "moving"
        self._status = replace(self._status, in_flight=tuple(running), names=flying, ended=ended)
        self._show(state, f"{plan_.id}: {ended} of {len(plan_.actions)} moves ended")

    def following(self, running: Sequence[Progress]) -> None:
        """Show how far what another planner began is: as long as it takes, we live."""
        names: dict[str, str] = {}
        with suppress(UsageError):  # found out by whoever follows
            told = self._world.ports.journal.read(self._now() - REMEMBERED, ("started",))
            names = {e.action: e.text.split(":")[0] for e in told}
        flying = {step.action: names.get(step.action, step.action) for step in running}
        self._status = replace(self._status, in_flight=tuple(running), names=flying)
        self._show("moving", "what was begun before this start is followed to its end")

    # ── resting ─────────────────────────────────────────────────────────────────────────────

    def _rest(self, until: float) -> None:
        """Let time pass; hear signals, approvals and orders to reload meanwhile."""
        while self._now() < until and not self._stopping():
            if self._reloaded():
                return
            if self._approved():
                self._carry_out_approved()
                return
            self._world.ports.clock.sleep(min(self._nap, until - self._now()))
            self._board.beat()

    def _reloaded(self) -> bool:
        """Take a new configuration where one was asked for; a bad one changes nothing."""
        new = None
        try:
            new = self._reload()
            if new is None:
                return False
            days = admitted(new)
        except BalancerError as error:
            if new is not None:
                new.close()
            text = f"the configuration is as it was, the new one was refused: {error}"
            self._world.ports.telemetry.note(text)
            self._troubles = (text,)
            self._note("reloaded", text)
            self._show("resting")
            return False
        self._world.close()
        self._world, self._troubles, self._memory.proposed = new, (), None
        self._status = replace(self._status, observed_days=days)
        self._note("reloaded", f"mode {new.mode}, policy {new.policy.name}")
        return True

    def _now(self) -> float:
        return self._world.ports.clock.now()

    def _stopping(self) -> bool:
        return self._world.ports.stop_requested()


class Watch:
    """Implements the port Telemetry: shows the moves in flight, and hands on."""

    def __init__(self, to: Telemetry, service: Service, plan_: Plan | None) -> None:
        """Without a plan, what another planner began is watched."""
        self._to = to
        self._service = service
        self._plan = plan_
        self._ended = 0

    def planned(self, plan_: Plan) -> None:
        """Hand on."""
        self._to.planned(plan_)

    def progress(self, running: Sequence[Progress]) -> None:
        """Show it, and hand on."""
        if self._plan is None:
            self._service.following(running)
        else:
            self._service.moving(running, self._plan, self._ended)
        self._to.progress(running)

    def ended(self, outcome: Outcome) -> None:
        """Count it, and hand on."""
        self._ended += 1
        self._to.ended(outcome)

    def note(self, sentence: str) -> None:
        """Hand on."""
        self._to.note(sentence)
