"""Cold moves: only by consent, only where no live move does, priced and told as time down."""

from dataclasses import replace

import pytest

from balancer.adapters.stand_in import MemoryJournal
from balancer.planner.constraints.compatible import Compatible
from balancer.planner.constraints.drain import Drain
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.formulation import SOFT_PRICE, formulate
from balancer.planner.model.cold import DOWN, WORST
from balancer.planner.model.plan import Outcome, Plan, Result, Rung, RungKind
from balancer.planner.model.policy import Allow, Limits
from balancer.planner.model.problem import Problem
from balancer.planner.objectives.stability import Stability
from balancer.planner.order.busy import too_busy, unmoved
from balancer.planner.order.moves import Travel
from balancer.planner.order.schedule import order
from balancer.planner.pipeline import assess, plan
from balancer.planner.promised import unkept
from balancer.planner.verify import judge
from balancer.service import execute
from tests.drawing import NOON, observation, placed, policy, problem, select, uuid_of
from tests.planner.puzzles import move
from tests.worlds import EAGER, ports_of, world_of

WIDE = Limits(at_once_per_host=9, at_once_total=9, migration_link_share=1.0)
COLD = Allow(cold_moves=select("x", "busy"))
UNLIKE = """
a 16c/64g link=100 cpu-model=Old : x 1v/1g mode=host-passthrough | y 1v/1g mode=host-passthrough
b 16c/64g link=100 cpu-model=New :
"""
ALIKE_TOO = UNLIKE + "c 16c/64g link=100 cpu-model=Old :"
BUSY = """
a 16c/64g link=100 : busy 4v/8g dirty=500
b 16c/64g link=100 :
"""


def asked(text: str = UNLIKE, allow: Allow = COLD) -> Problem:
    return problem(text, allow=allow, limits=WIDE)


def to_b(text: str, name: str, allow: Allow) -> Plan | object:
    """Return the plan by which a guest may only be on b."""
    rule = OnlyOn(guests=select(name), hosts=select("b"))
    return plan(observation(text), policy(rule, allow=allow, limits=WIDE))


def test_a_processor_that_differs_asks_for_a_cold_move() -> None:
    """With consent it is planned, said and priced; without it there is no way."""
    made = to_b(UNLIKE, "x", COLD)
    assert isinstance(made, Plan)
    (action,) = made.actions
    assert action.cold
    assert "cold, as CPU mode host-passthrough needs the processor of a (Old)" in action.reason
    assert (action.predicted.seconds, action.predicted.seconds_p90) == (DOWN, WORST)
    assert (action.predicted.downtime_ms, action.predicted.mib) == (1000 * DOWN, 0)
    assert action.worth is not None
    assert action.worth.spent >= DOWN
    assert made.summary.endswith("1 move, 1 of them cold.")
    rule = OnlyOn(guests=select("x"), hosts=select("b"))
    seen = observation(UNLIKE)
    again = assess(seen, policy(rule, allow=COLD, limits=WIDE))
    assert list(unkept(again, made, same=True)) == []
    alike = assess(observation(UNLIKE.replace("New", "Old")), again.policy)
    assert list(unkept(alike, made, same=False)) == []
    assert "m1 (x) is cold where a live move would do" in list(unkept(alike, made, same=True))
    assert not isinstance(to_b(UNLIKE, "y", COLD), Plan)
    assert not isinstance(to_b(UNLIKE, "x", Allow()), Plan)


def test_live_comes_first() -> None:
    """Where another host takes the guest as it runs, nobody is shut down."""
    rule = Drain(hosts=select("a"))
    made = plan(observation(ALIKE_TOO), policy(rule, allow=COLD, limits=WIDE))
    assert isinstance(made, Plan)
    assert {(a.name, a.target, a.cold) for a in made.actions} == {
        ("x", "c", False),
        ("y", "c", False),
    }
    posed = asked(ALIKE_TOO)
    formulation = formulate(posed, [Compatible()], [Stability()])
    x = formulation.guest_number[uuid_of("x")]
    assert formulation.soft_pairs[x].tolist() == [0, SOFT_PRICE, 0]


def test_staying_is_no_cold_move() -> None:
    """Who runs where nothing could be moved to as it runs pays for going elsewhere alone."""
    posed = asked("a 16c/64g : x 2v/4g networks=n1\nb 16c/64g : ")
    formulation = formulate(posed, [Compatible()], [Stability()])
    assert formulation.soft_pairs[0, formulation.start[0]] == 0


def test_a_guest_that_writes_too_fast_goes_cold_where_it_may() -> None:
    """Without consent it stays and is told so; memory that may follow it is a live move."""
    made = to_b(BUSY, "busy", COLD)
    assert isinstance(made, Plan)
    (action,) = made.actions
    assert action.cold
    assert "cold, as it dirties 500 MiB/s" in action.reason
    assert too_busy(asked(BUSY)) == {}
    assert too_busy(asked(BUSY, Allow())).keys() == {(uuid_of("busy"), "b")}
    followed = to_b(BUSY, "busy", replace(COLD, post_copy=select("*")))
    assert isinstance(followed, Plan)
    assert not followed.actions[0].cold
    slowed = to_b(BUSY, "busy", replace(COLD, auto_converge=select("*")))
    assert isinstance(slowed, Plan)
    assert (slowed.actions[0].cold, slowed.actions[0].auto_converge) == (False, True)
    wild = BUSY.replace("dirty=500", "dirty=50000")
    both = to_b(wild, "busy", replace(COLD, auto_converge=select("*")))
    assert isinstance(both, Plan)
    assert both.actions[0].cold


def diverged(allow: Allow, ago: float) -> Problem:
    """Return a problem in which x did not converge so long ago."""
    tried = move("x", "a", "b")
    ended = Outcome(
        action=tried, result=Result.ABORTED, started=NOON - ago, ended=NOON - ago, diverged=True
    )
    posed = problem("a 9c/9g : x 1v/1g\nb 9c/9g :", allow=allow, limits=WIDE)
    return replace(posed, diverged={uuid_of("x"): ended}, at=NOON)


@pytest.mark.parametrize(
    ("allow", "ago", "why"),
    [
        (COLD, 600.0, "its migration did not converge 10 min ago"),
        (COLD, 10 * 86_400.0, ""),
        (Allow(), 600.0, ""),
        (replace(COLD, auto_converge=select("*")), 600.0, "its migration did not converge 10"),
        (replace(COLD, post_copy=select("*")), 600.0, ""),
    ],
)
def test_one_that_did_not_converge_lately_goes_cold(allow: Allow, ago: float, why: str) -> None:
    """While it would rest for that; it is not held back then."""
    posed = diverged(allow, ago)
    assert Travel(posed).cold(uuid_of("x"), "a", "b").startswith(why)
    assert bool(Travel(posed).cold(uuid_of("x"), "a", "b")) is bool(why)
    assert bool(unmoved(posed)) is (allow == Allow())
    if why:
        assert formulate(posed, [], [Stability()]).soft_pairs.max() == SOFT_PRICE


@pytest.mark.parametrize(
    ("text", "name", "changed", "fault"),
    [
        (UNLIKE, "x", {"cold": True}, ""),
        (UNLIKE, "x", {}, "it cannot go there live: CPU mode host-passthrough"),
        (UNLIKE, "y", {"cold": True}, "a cold move is not allowed for this guest"),
        (BUSY, "busy", {"cold": True}, ""),
        (
            UNLIKE,
            "x",
            {"cold": True, "rungs": (Rung(kind=RungKind.DOWNTIME, downtime_ms=300),)},
            "a cold move sends nothing",
        ),
        (
            UNLIKE.replace("cpu-model=New", "cpu-model=New qemu=6000000"),
            "x",
            {"cold": True},
            "",
        ),
        (
            UNLIKE.replace("x 1v/1g", "x 1v/1g networks=n"),
            "x",
            {"cold": True},
            "it could not be started there: it lacks network n",
        ),
    ],
)
def test_the_judge_reads_how_it_is_moved(
    text: str, name: str, changed: dict[str, object], fault: str
) -> None:
    """Cold only by consent and only where it must be; live only where it can be."""
    faults = "".join(judge(asked(text), (replace(move(name, "a", "b"), **changed),)).faults)  # type: ignore[arg-type]
    assert fault in faults
    assert bool(faults) is bool(fault)


@pytest.mark.parametrize("changed", [{"restartable": False}, {"persistent": False}])
def test_who_could_not_be_started_again_is_never_shut_down(changed: dict[str, bool]) -> None:
    """Firmware's variables or a TPM on its host alone, or no definition at all."""
    posed = asked()
    guests = tuple(replace(g, **changed) for g in posed.cluster.guests)
    other = replace(posed, cluster=replace(posed.cluster, guests=guests))
    assert Travel(other).cold(uuid_of("x"), "a", "b") == ""
    (fault,) = judge(other, (move("x", "a", "b", cold=True),)).faults[:1]
    assert "a cold move is not allowed" in fault


def test_local_disks_do_not_go_cold() -> None:
    """They would stay behind."""
    text = UNLIKE.replace("x 1v/1g", "x 1v/1g disk=5").replace("New", "New images=9")
    allow = replace(COLD, copy_local_disks=select("x"))
    assert Travel(asked(text, allow)).cold(uuid_of("x"), "a", "b") == ""


def test_cold_and_live_are_ordered_together() -> None:
    """A plan of both is safe by the judge; the cold one holds both hosts until it runs."""
    text = UNLIKE.replace("y 1v/1g mode=host-passthrough", "y 1v/1g")
    posed = asked(text)
    made = order(posed, placed(posed.cluster, x="b", y="b"))
    assert {a.name: a.cold for a in made.actions} == {"x": True, "y": False}
    assert made.actions[0].rungs == () or made.actions[1].rungs == ()
    assert judge(posed, made.actions).faults == ()


def test_a_run_carries_cold_moves_out_beside_live_ones() -> None:
    """Through the service, in a simulated world: judged again, begun, journalled, ended."""
    world, journal = world_of(UNLIKE), MemoryJournal()
    wanted = (OnlyOn(guests=select("x"), hosts=select("b")), *EAGER.constraints)
    rules = replace(EAGER, constraints=wanted, allow=COLD, limits=WIDE)
    ports = ports_of(world, journal=journal)
    made = plan(ports.inventory.observe(), rules)
    assert isinstance(made, Plan)
    (outcome,) = execute(ports, rules, made)
    assert (outcome.result, outcome.action.cold) == (Result.DONE, True)
    assert world.placement[uuid_of("x")] == "b"
    (begun,) = journal.read(kinds=("started",))
    assert "cold, as CPU mode" in begun.text
