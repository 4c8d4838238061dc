"""What plans promised to save of waiting is measured, shown beside the promise, and remembered."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from balancer.cli import run
from balancer.codec import dump_observation
from balancer.planner.felt import DELAY, LOAD, PRESSURE, felt, since
from balancer.planner.model.observation import History, Promise, Sample
from balancer.planner.model.plan import Outcome, Plan, Result, Worth
from balancer.planner.pipeline import assess
from balancer.ports import Event
from balancer.service.promises import due, kept, realised, sentence
from balancer.service.telling import decided, ended
from balancer.service.turn import observe
from balancer.simulator.workloads import Constant
from tests.drawing import NOON, observation, uuid_of
from tests.service.test_loop import AT_ONCE, Bench
from tests.worlds import plan_of, world_of

OVERFULL = """
    a 16c/64g : web-1 8v/8g cpu=8 | web-2 8v/8g cpu=8 | web-3 8v/8g cpu=4
    b 16c/64g : idle 2v/4g cpu=0.2 | busy-1 8v/4g cpu=0.2 | busy-2 8v/4g cpu=0.2
"""
"""Four cores' worth of work wait on host a."""


def test_a_promise_is_kept_in_the_open() -> None:
    """Carried out, settled, measured by delay; the next plan is told, and `observe` carries it."""
    bench = Bench(world_of(OVERFULL))
    service = bench.service()
    bench.turned(service)
    assert bench.said("decided")
    assert not bench.said("realised")
    bench.turned(service)
    (text,) = bench.said("realised")
    assert "s promised (within 60 min, by vCPU delay)" in text
    (promise,) = kept(bench.journal, bench.world.now)
    assert promise.realised == pytest.approx(4 * 3600, rel=0.05)
    assert promise.promised == pytest.approx(promise.realised, rel=0.5)
    assert observe(bench.installation().ports, AT_ONCE).promises == (promise,)
    bench.turned(service, 2)
    assert len(bench.said("realised")) == 1


def test_a_promise_that_fails_lowers_the_trust_in_the_next_and_the_operator_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Others grow busy where the guests went: measured, kept in the journal, told with a plan."""
    bench = Bench(world_of(OVERFULL))
    service = bench.service()
    bench.turned(service)
    assert "b" in map(bench.where, ("web-1", "web-2", "web-3"))
    for uuid in map(uuid_of, ("busy-1", "busy-2")):
        guest = bench.world.guests[uuid]
        bench.world.guests[uuid] = replace(guest, cpu=Constant(cpu=8000))
    bench.turned(service)
    (promise,) = kept(bench.journal, bench.world.now)
    assert promise.realised < promise.promised / 2
    seen = observe(bench.installation().ports, AT_ONCE)
    believed = assess(seen, AT_ONCE).trust
    assert believed == pytest.approx((3 + max(0.0, promise.realised / promise.promised)) / 4)
    case = tmp_path / "case.json"
    before = observe(Bench(world_of(OVERFULL)).installation().ports, AT_ONCE)
    case.write_text(dump_observation(replace(before, promises=seen.promises)))
    assert run(["plan", "--from", str(case), "--effort", "instant"]) == 0
    assert f"Of such promises {100 * believed:.0f} % is believed" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_restart_forgets_no_promise() -> None:
    """Who measures need not be who carried out: a new service finds it in the journal."""
    bench = Bench(world_of(OVERFULL))
    bench.turned(bench.service())
    bench.turned(bench.service())
    assert len(bench.said("realised")) == 1


def told(*events: Event) -> Any:
    bench = Bench(world_of(OVERFULL))
    for event in events:
        bench.journal.write(event)
    return bench.journal


def carried_out(plan: Plan, *results: Result, at: float = NOON) -> list[Event]:
    """Return the journal of a plan whose moves ended so, a minute after each other."""
    lines = [decided(plan, at, {"waiting": {"load": 4.0}})]
    for action, result, number in zip(plan.actions, results, range(1, 9), strict=False):
        outcome = Outcome(
            action=action, result=result, started=at + 1, ended=at + 60 * number, reason="so"
        )
        lines.append(ended(plan.id, outcome, "refused" if result is Result.REFUSED else "ended"))
    return lines


def promised(*moves: str) -> Plan:
    plan = plan_of(world_of(OVERFULL), *(moves or ("web-1 a b", "web-2 a b")))
    actions = tuple(replace(a, worth=Worth(saved=500.0, spent=9.0)) for a in plan.actions)
    return replace(plan, actions=actions, worth=Worth(saved=900.0, spent=18.0), horizon=3600.0)


def test_what_is_due() -> None:
    """A plan that has ended, whole or in part, and that nobody measured yet."""
    plan = promised()
    both = carried_out(plan, Result.DONE, Result.DONE)
    (one,) = due(told(*both), NOON + 600)
    assert (one.promised, one.ended, one.hosts) == (900.0, NOON + 120, ("a", "b"))
    part = carried_out(plan, Result.DONE, Result.REFUSED)
    assert [d.promised for d in due(told(*part), NOON + 600)] == [500.0]
    measured = Event(at=NOON, kind="realised", plan=plan.id)
    assert due(told(*both, measured), NOON + 600) == ()
    assert due(told(*both), NOON + 3 * 3600) == ()
    assert due(told(*both[:2]), NOON + 600) == ()
    assert due(told(*carried_out(plan, Result.FAILED, Result.REFUSED)), NOON + 600) == ()
    assert due(told(*carried_out(replace(plan, worth=None), *[Result.DONE] * 2)), NOON) == ()


def test_what_others_moved_meanwhile_spoils_the_measurement() -> None:
    """Another plan on the same hosts afterwards: nobody can tell whose saving it was."""
    mine = carried_out(promised(), Result.DONE, Result.DONE)
    other = replace(promised("idle b a"), id="P-2")
    later = carried_out(other, Result.DONE, at=NOON + 60)
    assert [d.plan for d in due(told(*mine, *later), NOON + 600)] == []
    failed = carried_out(other, Result.FAILED, at=NOON + 60)
    assert [d.plan for d in due(told(*mine, *failed), NOON + 600)] == ["P-1"]


def test_what_was_measured_before_the_end_does_not_count() -> None:
    """The newest samples must begin after the last move ended."""
    seen = observation(OVERFULL, at=NOON + 600)
    problem = assess(seen, AT_ONCE)
    (one,) = due(told(*carried_out(promised(), Result.DONE, Result.DONE)), NOON + 600)
    assert [e.data["promise"] for e in realised(seen, problem, [one])]
    late = replace(one, ended=seen.at - 1)
    assert not list(realised(seen, problem, [late]))
    assert not list(realised(seen, problem, [replace(one, before={})]))
    nothing = replace(seen, history=History())
    assert not list(realised(nothing, assess(nothing, AT_ONCE), [one]))


def test_what_waiting_is_measured_by() -> None:
    """Delay where all guests tell it, pressure where the hosts do, the load in any case."""
    seen = observation(OVERFULL)
    problem = assess(seen, AT_ONCE)
    assert felt(problem, seen.history, ["a"]).keys() == {LOAD}
    guests = {
        uuid: (replace(taken[-1], values={**taken[-1].values, "cpu.delay": 1000, "swap": 20_000}),)
        for uuid, taken in seen.history.guests.items()
    }
    values = {"cpu.pressure": 1000, "memory.pressure": 100}
    hosts = {
        "a": (Sample(seen.at, 30.0, values),),
        "b": (Sample(seen.at, 30.0, {"cpu.pressure": 0}),),
    }
    found = felt(problem, History(guests, hosts), ["a", "a", "gone"])
    assert found[DELAY] == pytest.approx(3 + 3 * 0.5)
    assert found[LOAD] == pytest.approx(4.1, abs=0.2)
    assert found[PRESSURE] > 2.0
    assert felt(problem, History(guests, hosts), ["b"])[PRESSURE] == 0.0
    assert PRESSURE not in felt(problem, History(guests, {"a": ()}), ["a"])
    assert since(problem, seen.history, ["a"]) == seen.at - 30.0


def test_promise_and_outcome_stand_side_by_side() -> None:
    """Saved or added, against what was promised, and by what it was measured."""
    good = Promise(at=0.0, plan="P", promised=1900.0, realised=1740.0, by=DELAY)
    assert sentence(good, 3600.0) == (
        "1,740 s of waiting saved, 1,900 s promised (within 60 min, by vCPU delay)"
    )
    assert sentence(replace(good, realised=-5.0), 3600.0).startswith("5 s of waiting added, 1,900")
