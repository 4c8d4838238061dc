"""The loop acts only on what has lasted, only where it may, and stops itself when it should."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from balancer.adapters.stand_in import MemoryBrake, MemoryJournal
from balancer.config import Guards, Mode
from balancer.planner.constraints.blackout import Blackout
from balancer.planner.constraints.spread import Spread
from balancer.planner.model.plan import Infeasible, Outcome, Result
from balancer.planner.model.policy import Hot, Limits, Policy
from balancer.planner.model.request import Effort
from balancer.planner.model.selector import Selector
from balancer.planner.objectives import OBJECTIVES
from balancer.ports import Event, Refused, Status, UsageError
from balancer.service import barred, telling
from balancer.service.deciding import Decider
from balancer.service.loop import Service
from balancer.service.world import World as Installation
from balancer.simulator.world import World
from tests.drawing import NOON, select, uuid_of
from tests.service.test_recovery import left_behind
from tests.worlds import Diary, ports_of, world_of

HOT = """
    a 16c/64g : web-1 4v/8g cpu=4 | web-2 4v/8g cpu=4 | web-3 4v/8g cpu=4 | web-4 4v/8g cpu=3
    b 16c/64g : idle 2v/4g cpu=0.2
    c 16c/64g :
"""
CALM = """
    a 16c/64g : web-1 4v/8g cpu=1 | zk-1 2v/4g cpu=1
    b 16c/64g : web-2 4v/8g cpu=1 | zk-2 2v/4g cpu=1
    c 16c/64g :
"""
BALANCE = Policy(
    name="balance",
    objectives=tuple(goal() for goal in OBJECTIVES.values()),
    limits=Limits(migration_link_share=1.0),
)
AT_ONCE = replace(BALANCE, hot=Hot(lasting=0.0))
INTERVAL = 300.0


@dataclass
class Notices:
    """A board that keeps what was shown."""

    shown: list[Status] = field(default_factory=list)

    def show(self, status: Status) -> None:
        """Keep it."""
        self.shown.append(status)

    def beat(self) -> None:
        """Ignore it."""


@dataclass
class Bench:
    """A service over a drawn world, to be turned by hand."""

    world: World
    policy: Policy = AT_ONCE
    mode: Mode = Mode.AUTO
    guards: Guards = field(default_factory=lambda: Guards(auto_after=0.0))
    journal: Any = field(default_factory=MemoryJournal)
    brake: MemoryBrake = field(default_factory=MemoryBrake)
    board: Notices = field(default_factory=Notices)
    diary: Diary = field(default_factory=Diary)
    stop: Callable[[], bool] = lambda: False
    others: dict[str, Any] = field(default_factory=dict)

    def installation(self, **changes: Any) -> Installation:
        ports = ports_of(
            self.world,
            journal=self.journal,
            brake=self.brake,
            telemetry=self.diary,
            stop_requested=self.stop,
            **self.others,
        )
        known = Installation(
            ports=ports,
            policy=self.policy,
            mode=self.mode,
            interval=INTERVAL,
            guards=self.guards,
            effort=Effort.INSTANT,
        )
        return replace(known, **changes)

    def service(self, **options: Any) -> Service:
        return Service(self.installation(), board=self.board, nap=60.0, **options)

    def said(self, kind: str) -> list[str]:
        return [e.text for e in self.journal.read(0.0, (kind,))]

    def turned(self, service: Service, times: int = 1) -> list[str]:
        """Turn so often, an interval apart; return what came of each turn."""
        sentences = []
        for _ in range(times):
            report = service.turn()
            sentences.append(report.sentence if report else "")
            self.world.advance(self.world.now + INTERVAL)
        return sentences

    def where(self, name: str) -> str:
        return self.world.placement[uuid_of(name)]


def test_a_hot_host_is_relieved_once_its_heat_has_lasted_and_then_left_alone() -> None:
    """Nothing at five minutes, moves at ten, and no move in any cycle after that."""
    bench = Bench(world_of(HOT), policy=BALANCE)
    first, second, third, *rest = bench.turned(bench.service(), 6)
    assert "a has lasted 0 of 10 min" in first
    assert "a has lasted 5 of 10 min" in second
    assert "moves done" in third
    assert all("No host hot" in sentence for sentence in rest)


def test_a_broken_rule_is_mended_at_once_and_heat_that_has_not_lasted_moves_nobody_with_it() -> (
    None
):
    """Of two that must be apart one leaves a host that is hot just now; the other, whose leaving
    would only cool it, stays, and so does everybody else."""
    apart = Spread(guests=Selector(("zk-*",)))
    drawn = "a 16c/64g : zk-1 2v/8g cpu=2 | zk-2 2v/8g cpu=2 | web 8v/8g cpu=11\nb 16c/64g :\nc 16c/64g :"
    for effort in (Effort.INSTANT, Effort.QUICK):
        bench = Bench(world_of(drawn), policy=replace(BALANCE, constraints=(apart,)))
        service = Service(bench.installation(effort=effort), board=bench.board, nap=60.0)
        bench.turned(service)
        stayed = [name for name in ("zk-1", "zk-2", "web") if bench.where(name) == "a"]
        assert len(stayed) == 2
        assert "web" in stayed
        assert len(bench.said("ended")) == 1
        reasons = [
            guest.get("reason", "")
            for event in bench.journal.read(0.0, ("stood",))
            for guest in event.data["guests"].values()
        ]
        assert not any("relieved" in reason for reason in reasons), reasons


def test_heat_that_comes_and_goes_moves_nothing() -> None:
    """Each break begins the waiting anew."""
    bench = Bench(world_of(HOT.replace("/8g", "/1g")), policy=BALANCE)
    service = bench.service()
    calm = {u: replace(g, cpu=type(g.cpu)(cpu=500)) for u, g in bench.world.guests.items()}
    busy = dict(bench.world.guests)
    for guests in (busy, busy, calm, busy, busy, calm):
        bench.world.guests.update(guests)
        bench.turned(service)
    assert not bench.said("started")


def test_a_broken_rule_waits_for_nothing() -> None:
    """Repairs are made in the first cycle, and only they, while other load has to last."""
    text = HOT.replace("c 16c/64g :", "c 16c/64g : zk-1 2v/4g | zk-2 2v/4g")
    policy = replace(BALANCE, constraints=(Spread(guests=select("zk-*")),))
    bench = Bench(world_of(text), policy=policy)
    bench.turned(bench.service())
    assert {bench.where("zk-1"), bench.where("zk-2")} in ({"b", "c"}, {"a", "c"})
    assert {bench.where(f"web-{n}") for n in (1, 2, 3, 4)} == {"a"}


def test_mode_observe_says_what_it_would_do_and_does_nothing() -> None:
    """Though there is an executor."""
    bench = Bench(world_of(HOT), mode=Mode.OBSERVE)
    (sentence,) = bench.turned(bench.service())
    assert sentence.startswith("mode observe: ")
    assert "would be carried out" in sentence
    assert not bench.said("decided")


def test_mode_confirm_waits_for_the_approval_of_that_very_plan() -> None:
    """Another plan's approval does nothing; its own carries it out, journalled with reasons."""
    bench = Bench(world_of(HOT), mode=Mode.CONFIRM)
    service = bench.service()
    service.turn()
    (proposal,) = bench.journal.read(0.0, ("proposed",))
    assert bench.board.shown[-1].state == "awaiting approval"
    assert bench.board.shown[-1].plan == proposal.plan
    bench.journal.write(Event(bench.world.now, "approved", "P-other"))
    service._rest(bench.world.now + INTERVAL)
    assert not bench.said("decided")
    service.turn()
    assert len(bench.said("proposed")) == 1, "the same plan was proposed twice"
    bench.journal.write(Event(bench.world.now, "approved", proposal.plan))
    service._rest(bench.world.now + INTERVAL)
    (decided,) = bench.journal.read(0.0, ("decided",))
    assert decided.plan == proposal.plan
    assert decided.data["by"] == "the service, approved"
    assert decided.data["because"]
    assert {text.split(" in ")[0] for text in bench.said("ended")} >= {
        f"{o.action.name} to {o.action.target}: done" for o in bench.diary.outcomes
    }


def test_an_approved_plan_is_judged_at_that_moment() -> None:
    """A guest that went elsewhere meanwhile makes it stale; a new plan is proposed."""
    bench = Bench(world_of(HOT), mode=Mode.CONFIRM)
    service = bench.service()
    service.turn()
    (proposal,) = bench.journal.read(0.0, ("proposed",))
    mover = bench.diary.plans[0].actions[0]
    bench.world.put(mover.guest, mover.target)
    bench.journal.write(Event(bench.world.now, "approved", proposal.plan))
    service._rest(bench.world.now + INTERVAL)
    assert not bench.said("started")
    assert "is stale" in bench.board.shown[-1].sentence
    assert "is stale" in " ".join(bench.diary.notes)


def test_auto_is_refused_until_enough_was_observed() -> None:
    """Scored cycles count, of any mode, and only lately."""
    bench = Bench(world_of(CALM), guards=Guards(auto_after=1200.0))
    with pytest.raises(Refused, match=r'mode = "auto" needs 0.0138889 days of scored'):
        bench.service().run()
    watching = Service(bench.installation(mode=Mode.OBSERVE), nap=60.0)
    watching.run(bench.world.now + 5 * INTERVAL)
    assert len(bench.said("cycle")) == 5
    service = bench.service()
    service.admit()
    service.turn()
    assert bench.board.shown[-1].observed_days == pytest.approx(1200 / 86_400)


def test_each_cycle_leaves_one_event_that_says_how_well_it_was_foreseen() -> None:
    """The first has nothing to be held against."""
    bench = Bench(world_of(CALM))
    bench.turned(bench.service(), 2)
    first, second = bench.journal.read(0.0, ("cycle",))
    assert "score" not in first.data
    assert second.data["score"] == {"hosts": 3, "median": 0.0, "worst": 0.0, "seconds": 300.0}
    assert second.data["memory_from"] == {"rss": 4}
    assert second.data["unknown"] == 0


def test_what_a_plan_promised_is_measured_in_the_next_cycle() -> None:
    """By host, and in one sentence."""
    bench = Bench(world_of(HOT))
    bench.turned(bench.service(), 3)
    (measured,) = bench.journal.read(0.0, ("measured",))
    assert measured.plan == bench.diary.plans[0].id
    assert "from the promise" in measured.text


def test_a_brake_holds_everything_and_says_so() -> None:
    """Plans are still made and shown."""
    bench = Bench(world_of(HOT))
    bench.brake.pull("a test")
    (sentence,) = bench.turned(bench.service())
    assert sentence.startswith("the service stopped itself: a test; ")
    assert not bench.said("decided")
    assert bench.board.shown[-1].frozen


def test_a_brake_between_two_moves_lets_none_start_after_it() -> None:
    """What is in flight ends; the rest is refused with the brake's reason."""
    bench = Bench(world_of(HOT.replace("4v", "8v")))
    bench.policy = replace(AT_ONCE, limits=Limits(at_once_total=1, migration_link_share=1.0))
    service = bench.service()
    ended = bench.diary.ended
    bench.diary.ended = lambda o: (ended(o), bench.brake.pull("enough"))  # type: ignore[method-assign, assignment, func-returns-value]
    report = service.turn()
    assert report is not None
    assert [o.result for o in report.outcomes][:2] == [Result.DONE, Result.REFUSED]
    assert "enough" in report.outcomes[1].reason


def test_a_guest_that_somebody_else_moved_is_left_alone() -> None:
    """It is noticed, journalled, and held, though its host is hot."""
    bench = Bench(world_of(HOT), policy=replace(AT_ONCE, hot=Hot(lasting=0.0, cpu_used=0.6)))
    service = bench.service()
    bench.brake.pull("to see")
    bench.turned(service)
    bench.world.put(uuid_of("idle"), "a")
    bench.brake = MemoryBrake()
    service._world = bench.installation()
    bench.turned(service, 2)
    assert bench.said("foreign") == ["idle was moved from b to a by somebody else"]
    assert bench.where("idle") == "a"
    assert bench.said("started"), "the others were not helped"


def test_moves_of_an_operator_through_our_journal_are_nobody_elses() -> None:
    """`balancer apply` beside the service is one of us."""
    bench = Bench(world_of(HOT), mode=Mode.CONFIRM)
    service = bench.service()
    service.turn()
    Service(bench.installation(mode=Mode.AUTO), nap=60.0).turn()
    assert bench.said("ended")
    bench.turned(service)
    assert not bench.said("foreign")


def test_repeated_moves_by_others_stop_the_service() -> None:
    """Somebody works against us; releasing it starts the count anew."""
    bench = Bench(world_of(CALM), guards=Guards(auto_after=0.0, moves_by_others_per_hour=2))
    service = bench.service()
    bench.turned(service)
    bench.world.put(uuid_of("web-1"), "c")
    bench.turned(service)
    assert not bench.brake.reason()
    bench.world.put(uuid_of("web-1"), "a")
    bench.turned(service)
    assert "2 guests were moved by others within an hour" in bench.brake.reason()
    assert len(bench.said("halted")) == 1
    bench.brake = MemoryBrake()
    bench.journal.write(Event(bench.world.now, "unfroze"))
    bench.world.now += 1
    service._world = bench.installation()
    bench.turned(service)
    assert not bench.brake.reason()


def test_a_migration_that_we_did_not_begin_is_waited_for() -> None:
    """It is journalled once, nothing starts meanwhile, and its guest is held when it is over."""
    bench = Bench(world_of(HOT))
    service = bench.service()
    move = bench.world.begin(uuid_of("idle"), "a", 0.01, 0.3)
    sentences = bench.turned(service, 2)
    assert all("somebody else is moving idle from b to a" in text for text in sentences)
    assert bench.said("others") == ["idle is being moved from b to a by somebody else"]
    assert not bench.said("started")
    move.at_most = 1e6
    bench.world.advance(bench.world.now + 60)
    bench.turned(service)
    assert bench.said("foreign") == ["idle was moved from b to a by somebody else"]
    assert bench.said("started")
    assert not bench.brake.reason()


def test_whoever_takes_back_what_we_moved_stops_us() -> None:
    """What others move elsewhere does not count as that; how often is `reversals_per_day`."""
    guards = Guards(auto_after=0.0, moves_by_others_per_hour=99, reversals_per_day=1)
    bench = Bench(world_of(HOT), guards=guards)
    service = bench.service()
    bench.turned(service)
    moved = next(o.action for o in bench.diary.outcomes if o.result is Result.DONE)
    bench.world.put(uuid_of("idle"), "c")
    bench.turned(service)
    assert not bench.brake.reason()
    bench.world.put(moved.guest, moved.source)
    bench.turned(service)
    assert bench.said("foreign")[-1].endswith("by somebody else: that undoes a move of ours")
    assert "1 of our moves were undone by others within a day" in bench.brake.reason()


def test_repeated_failures_stop_the_service_and_hold_the_guests() -> None:
    """After the second within an hour nothing more is tried."""
    bench = Bench(world_of(HOT))
    bench.world.dooms.update({uuid_of(f"web-{n}"): (1.0, "qemu went away") for n in (1, 2, 3, 4)})
    service = bench.service()
    bench.turned(service, 4)
    failed = [o for o in bench.diary.outcomes if o.result is Result.FAILED]
    assert len(failed) == 2
    assert "2 migrations failed within an hour" in bench.brake.reason()
    assert "qemu went away" in bench.said("halted")[0]


def test_a_guest_whose_migration_failed_rests() -> None:
    """It is left alone for an hour; others may go."""
    bench = Bench(world_of(HOT))
    bench.policy = replace(AT_ONCE, limits=Limits(moves_per_hour=1, migration_link_share=1.0))
    service = bench.service()
    decider = Decider(service._world, service._memory, lambda: None)
    first = decider.planned(service._world.ports.inventory.observe(), {}, Effort.INSTANT)
    assert not isinstance(first, Infeasible)
    mover = first.actions[0].guest
    bench.world.dooms[mover] = (1.0, "qemu went away")
    bench.turned(service)
    held = decider.held(bench.installation().ports.inventory.observe())
    assert held == {}, "the observation of the port alone knows no outcomes"
    bench.policy = AT_ONCE
    service._world = bench.installation()
    bench.turned(service)
    assert [o.action.guest for o in bench.diary.outcomes].count(mover) == 1


def test_a_lost_guest_stops_the_service_at_once() -> None:
    """One is enough."""
    bench = Bench(world_of(HOT))
    bench.world.plan_to(NOON + 2, lambda world: world.die("a"))
    bench.turned(bench.service())
    assert "is lost" in bench.brake.reason()


def test_too_few_hosts_seen_moves_nothing() -> None:
    """One host may be missing, two of five may not."""
    text = HOT + "    d 16c/64g :\n    e 16c/64g :\n"
    bench = Bench(world_of(text))
    bench.world.die("d")
    bench.world.die("e")
    (sentence,) = bench.turned(bench.service())
    assert "2 of 5 hosts are not seen (d: no answer in 10 s): nothing moves" in sentence
    bench.world.revive("e")
    (sentence,) = bench.turned(bench.service())
    assert "moves done" in sentence


class FullDisk(MemoryJournal):
    """A journal that can be read only."""

    def write(self, event: Event) -> None:
        """Refuse."""
        del event
        raise UsageError("the journal cannot be written: its file system is full")


def test_a_journal_that_cannot_be_written_stops_all_action_visibly() -> None:
    """Nothing is started, and the board says why."""
    for mode in (Mode.AUTO, Mode.CONFIRM):
        bench = Bench(world_of(HOT), journal=FullDisk(), mode=mode)
        (sentence,) = bench.turned(bench.service())
        assert "its file system is full" in sentence
        assert not bench.world.moves
        assert bench.board.shown[-1].troubles
        assert set(bench.world.placement.values()) == {"a", "b"}


class Unreadable(MemoryJournal):
    """A journal that cannot be read any more once something was moved."""

    def read(self, since: float = 0.0, kinds: Any = ()) -> tuple[Event, ...]:
        """Read, or refuse."""
        if super().read(0.0, ("ended",)):
            raise UsageError("the journal cannot be read: it is damaged")
        return super().read(since, kinds)


def test_a_journal_that_cannot_be_read_stops_all_action_and_not_the_service() -> None:
    """Who cannot count failures must not act; the next cycle tries again."""
    bench = Bench(world_of(HOT), journal=Unreadable())
    service = bench.service()
    report = service.turn()
    assert report is not None
    assert "cannot be read" in bench.brake.reason()
    assert service.turn() is None
    assert "cannot be read" in bench.board.shown[-1].sentence
    service._memory.proposed = bench.diary.plans[0]
    assert not service._approved()


class Broken:
    """An inventory that sees nothing."""

    def observe(self) -> None:
        """See nothing."""
        raise UsageError("none of 3 hosts can be seen")


def test_a_cycle_that_sees_nothing_is_not_the_end() -> None:
    """It is shown, and the next one tries again."""
    bench = Bench(world_of(CALM), others={"inventory": Broken()})
    assert bench.service().turn() is None
    assert bench.board.shown[-1].sentence == "nothing is done: none of 3 hosts can be seen"


def test_no_plan_at_all_is_said() -> None:
    """Rules that conflict are no crash."""
    policy = replace(AT_ONCE, constraints=(Spread(guests=select("*")),))
    bench = Bench(world_of("a 16c/64g : x 1v/1g | y 1v/1g"), policy=policy)
    (first, again) = bench.turned(bench.service(), 2)
    assert first.startswith("nothing can be done: ")
    assert again == first


def test_a_move_that_would_run_into_a_blackout_is_not_started() -> None:
    """Though the window was not open when the plan was made."""
    night = Blackout(when=("daily 15:06-15:30",), guests=select("web-*"))  # NOON is 15:06:40
    bench = Bench(world_of(HOT), policy=replace(AT_ONCE, constraints=(night,)))
    bench.world.now -= 45
    report = bench.service().turn()
    assert report is not None
    assert report.outcomes
    assert all("blackout until" in o.reason for o in report.outcomes)


def test_stopping_ends_the_run_and_a_reload_begins_a_turn() -> None:
    """What the new configuration says holds at once; the journal says both."""
    bench = Bench(world_of(CALM))
    fresh: list[Installation] = []
    looks = iter(range(100))

    def reload() -> Installation | None:
        if fresh or next(looks) < 3:
            return None
        fresh.append(bench.installation(mode=Mode.OBSERVE, interval=60.0))
        return fresh[0]

    bench.stop = lambda: bool(fresh) and next(looks) > 30
    bench.service(reload=reload).run()
    assert bench.said("reloaded") == ["mode observe, policy balance"]
    assert bench.said("ceased") == ["stopped on request"]
    assert bench.board.shown[-1].state == "stopped"
    assert bench.board.shown[-1].mode == "observe"


def test_a_bad_reload_changes_nothing_and_says_so() -> None:
    """The old configuration goes on; the fault is shown until a good one comes."""
    bench = Bench(world_of(CALM))
    looks = iter(range(100))

    def reload() -> Installation | None:
        if next(looks) == 1:
            raise UsageError("config.toml: mod: unknown key; did you mean mode?")
        return None

    service = bench.service(reload=reload)
    service.run(NOON + 2 * INTERVAL)
    assert "the new one was refused: config.toml: mod" in bench.said("reloaded")[0]
    assert any("did you mean mode" in "".join(s.troubles) for s in bench.board.shown)
    assert bench.board.shown[-1].mode == "auto"


def test_a_reload_to_auto_needs_observation_too() -> None:
    """Refused like any other fault of a configuration."""
    bench = Bench(world_of(CALM), mode=Mode.OBSERVE)
    closed: list[str] = []
    eager = bench.installation(
        mode=Mode.AUTO, guards=Guards(auto_after=1e6), close=lambda: closed.append("new")
    )
    service = bench.service(reload=lambda: eager)
    assert not service._reloaded()
    assert "needs 11.5741 days" in bench.said("reloaded")[0]
    assert closed == ["new"], "its connections must not be left behind"


def test_while_it_moves_the_board_shows_how_far() -> None:
    """Names, targets, and the predicted end."""
    bench = Bench(world_of(HOT))
    service = Service(bench.installation(), board=bench.board)
    service.turn()
    flying = [s for s in bench.board.shown if s.in_flight]
    assert flying[0].state == "moving"
    assert flying[0].predicted_end > NOON
    assert " to " in next(iter(flying[0].names.values()))
    assert not bench.board.shown[-1].in_flight


def test_while_a_plan_is_carried_out_the_board_names_it_and_not_after() -> None:
    """In every status of the moves; the cycle that follows has none."""
    bench = Bench(world_of(HOT))
    service = bench.service()
    service.turn()
    (plan,) = bench.diary.plans[:1]
    flying = [s for s in bench.board.shown if s.state == "moving"]
    assert len(flying) > 1
    assert {(s.plan, s.summary) for s in flying} == {(plan.id, plan.summary)}
    assert (bench.board.shown[-1].plan, bench.board.shown[-1].summary) == ("", "")


def test_a_proposal_is_not_shown_once_it_does_not_wait_any_more() -> None:
    """Released from what it proposed, the board names no plan."""
    bench = Bench(world_of(HOT), mode=Mode.CONFIRM)
    service = bench.service()
    service.turn()
    assert bench.board.shown[-1].summary
    service._memory.proposed = None
    service._show("resting")
    assert (bench.board.shown[-1].plan, bench.board.shown[-1].summary) == ("", "")


@pytest.mark.parametrize("text", [CALM, HOT])
def test_nothing_is_sought_where_the_first_answer_will_do(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in a calm cluster, nor where heat is answered at once."""
    bench = Bench(world_of(text))
    asked: list[Effort] = []
    planned = Decider.planned

    def counting(self: Decider, seen: Any, held: Any, effort: Effort) -> Any:
        asked.append(effort)
        return planned(self, seen, held, effort)

    monkeypatch.setattr(Decider, "planned", counting)
    bench.turned(bench.service())
    assert set(asked) == {Effort.INSTANT}


def test_where_the_look_before_a_start_said_no_nobody_is_sent_for_a_while() -> None:
    """That guest and that host, for as long as a failed guest rests."""
    bench = Bench(world_of(HOT), mode=Mode.OBSERVE)
    report = bench.service().turn()
    assert report is not None
    assert not isinstance(report.decision, Infeasible)
    action = report.decision.actions[0]
    rest = bench.guards.failed_guest_again_after
    outcome = Outcome(
        action=action, result=Result.REFUSED, started=NOON, ended=NOON, reason="its network is not there"
    )  # fmt: skip
    bench.journal.write(telling.ended("P-1", outcome, "refused", barred=True))
    bench.turned(bench.service())
    report = bench.service().turn()
    assert report is not None
    assert not isinstance(report.decision, Infeasible)
    assert (action.guest, action.target) not in {
        (a.guest, a.target) for a in report.decision.actions
    }
    pair = (action.guest, action.target)
    assert barred(bench.journal, NOON - rest) == {pair: "its network is not there"}
    assert barred(bench.journal, NOON + 1) == {}


def test_a_search_in_vain_is_not_repeated_each_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the same trouble the exact engine is asked again after an hour only."""
    text = "a 4c/64g : big 4v/8g cpu=4\nb 4c/64g : huge 4v/8g cpu=4"
    bench = Bench(world_of(text))
    service = bench.service()
    asked: list[Effort] = []
    planned = Decider.planned

    def counting(self: Decider, seen: Any, held: Any, effort: Effort) -> Any:
        asked.append(effort)
        return planned(self, seen, held, effort)

    monkeypatch.setattr(Decider, "planned", counting)
    bench.turned(service, 3)
    assert asked.count(Effort.QUICK) == 1


def test_while_it_follows_what_another_began_the_board_sees_it_live() -> None:
    """The watchdog must not end a service that waits for a long migration after a crash."""
    _, ports, _ = left_behind(2)
    board = Notices()
    bench = Bench(world_of(CALM))
    service = Service(bench.installation(ports=ports), board=board)
    service._resume()
    moving = [s for s in board.shown if s.state == "moving"]
    assert len(moving) > 1
    assert moving[0].in_flight
    assert list(moving[0].names.values()) == ["db-1 from a to c"]
    assert "followed to its end" in moving[0].sentence
    service._show("looking")
    assert not board.shown[-1].in_flight
