"""Memory that guests do not use: counted as free, taken where it is short, given where it lacks."""

from dataclasses import replace

import numpy as np
import pytest

from balancer.config import default_policy
from balancer.planner.assessment import assess
from balancer.planner.ballooning import Within, memory
from balancer.planner.explain import SPARE
from balancer.planner.model.cluster import Guest
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Limits, Policy
from balancer.planner.model.resize import Resized, What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.result import Result
from balancer.planner.model.rollups import STEP, UNKNOWN, Block, Rollups
from balancer.planner.model.selector import Selector
from balancer.planner.pipeline import plan
from balancer.planner.resizable import faults
from tests.drawing import observation, uuid_of

FULL = """
    a 16c/64g : idle 4v/32g used=30 balloon=32g | hot 4v/32g used=15 balloon=16g | db 4v/16g used=15
    b 16c/64g : x 4v/8g used=8
"""
TABLE = Resizing(guests=Selector(("idle", "hot")), memory=True, idle=0, floor=4096)


def policy_of(*tables: Resizing, **fields: object) -> Policy:
    """Return the policy that is built in, with memory given out twice and these resizes."""
    base = default_policy()
    twice = tuple(
        replace(rule, memory_overcommit=2.0, keep_for_hypervisor=0)  # type: ignore[type-var]
        if rule.label == "capacity"
        else rule
        for rule in base.constraints
    )
    return replace(base, constraints=twice, resizes=tables, **fields)  # type: ignore[arg-type]


def working(text: str, **gib: float) -> Observation:
    """Return the drawn cluster in which guests tell that they work with so much."""
    seen = observation(text)
    told = {uuid_of(name): round(1024 * amount) for name, amount in gib.items()}
    guests = {
        uuid: tuple(
            replace(
                s, values={**s.values, **({"memory.used": told[uuid]} if uuid in told else {})}
            )
            for s in samples
        )
        for uuid, samples in seen.history.guests.items()
    }
    return replace(seen, history=replace(seen.history, guests=guests))


def made(seen: Observation, policy: Policy) -> Plan:
    """Return the plan."""
    answer = plan(seen, policy)
    assert isinstance(answer, Plan), answer
    return answer


def told(answer: Plan) -> list[tuple[str, int, int]]:
    """Return whose balloon goes from where to where, GiB."""
    return [(r.name, r.before // 1024, r.after // 1024) for r in answer.resizes]


def test_an_idle_neighbour_gives_and_nobody_moves() -> None:
    """Without the table somebody leaves the full host; with it the hot guest gets what lies idle."""
    seen = working(FULL, idle=8, hot=15)
    assert made(seen, policy_of()).actions
    answer = made(seen, policy_of(TABLE))
    assert answer.actions == ()
    assert told(answer) == [("idle", 32, 26), ("hot", 16, 18)]
    take, give = answer.resizes
    assert give.waits_for == (take.id,)
    assert (take.what, take.step, take.keep) == (What.BALLOON, 256, 2048)
    assert faults(assess(seen, policy_of(TABLE)), answer.resizes) == ()
    alone = (replace(give, waits_for=()),)
    assert "could fill" in faults(assess(seen, policy_of(TABLE)), alone)[0]


def test_what_keeps_memory_from_being_taken_is_said() -> None:
    """With the change to the guest's XML that would allow it, where its host is hot."""
    seen = working(FULL, idle=8, hot=15)
    guests = tuple(
        replace(g, knobs=Knobs(missing={"balloon": "say autodeflate='on'"}))
        if g.name == "idle"
        else g
        for g in seen.cluster.guests
    )
    lacking = replace(seen, cluster=replace(seen.cluster, guests=guests))
    answer = made(lacking, policy_of(TABLE))
    assert answer.hot_hosts == ("a",)
    reason = "none of its memory can be taken: say autodeflate='on' (from its next start on)"
    assert (answer.left[-1].subject, answer.left[-1].reason) == ("idle", reason)
    calm = made(seen, policy_of(TABLE))
    assert (calm.hot_hosts, calm.left) == ((), ())
    (line,) = [load for load in calm.loads if load.host == "a"]
    assert line.before["memory.used"] == 60 * 1024
    assert line.before[SPARE] == (30 - 10) * 1024


def test_a_host_that_is_too_full_is_relieved_by_balloons() -> None:
    """As far below the limit as a hot host is brought."""
    seen = working(FULL.replace("hot 4v/32g used=15", "hot 4v/32g used=16"), idle=8, hot=8)
    answer = made(seen, policy_of(TABLE))
    assert answer.actions == ()
    (take,) = answer.resizes
    assert take.before - take.after == (30 + 16 + 15) * 1024 - int(64 * 1024 * 0.85)


@pytest.mark.parametrize(
    "table",
    [
        replace(TABLE, memory=False),
        replace(TABLE, floor=32 * 1024),
        replace(TABLE, idle=3600),
        replace(TABLE, guests=Selector(("db",))),
    ],
)
def test_nothing_is_taken_without_leave(table: Resizing) -> None:
    """Not without `memory`, below the floor, before it was idle long enough, of others."""
    seen = working(FULL, idle=8, hot=15, db=2)
    assert not [r for r in made(seen, policy_of(table)).resizes if r.name == "idle"]


def test_stale_statistics_tell_nothing() -> None:
    """Those of more than a minute ago, or that a guest does not give, are no leave to take."""
    seen = working(FULL, idle=8, hot=15)
    old = replace(seen, at=seen.at + 90)
    assert assess(old, policy_of(TABLE)).demand.working == {}
    assert assess(observation(FULL), policy_of(TABLE)).demand.working == {}
    guest = next(g for g in seen.cluster.guests if g.name == "idle")
    sample = seen.history.guests[guest.uuid][-1]
    values = {**sample.values, "memory.balloon": 32 * 1024, "memory.unused": 30 * 1024}
    del values["memory.used"]
    guests = {**seen.history.guests, guest.uuid: (replace(sample, values=values),)}
    told_ = replace(seen, history=replace(seen.history, guests=guests))
    assert assess(told_, policy_of(TABLE)).demand.working[guest.uuid] == 2048


def test_what_was_used_lately_is_not_idle() -> None:
    """The most of the table's `idle` counts, and nearly the most of a day; gaps forbid it."""
    seen = working(FULL, idle=8, hot=15)
    table = replace(TABLE, idle=1200.0)

    def with_past(steps: list[int]) -> Observation:
        cells = np.array([steps], dtype=np.int32)
        start = int(seen.at) // STEP * STEP - STEP * len(steps)
        block = Block.of((uuid_of("idle"),), cells)
        past = Rollups(start=start, columns=len(steps), guests={"memory.used": block})
        return replace(seen, rollups=past)

    def known(steps: list[int]) -> int | None:
        return assess(with_past(steps), policy_of(table)).demand.working.get(uuid_of("idle"))

    assert known([100] * 10) == 8192
    assert known([100] * 9 + [9000]) == 9000
    assert known([20_000] * 30 + [100] * 10) == 20_000
    assert known([100] * 8 + [UNKNOWN] * 2) is None


def test_an_hour_allows_so_much_and_balloons_rest() -> None:
    """A limit of memory is one of the hour; who gave just now, or failed, is left alone."""
    seen = working(FULL, idle=8, hot=15)
    limits = Limits(memory_taken_per_hour=1024)
    assert told(made(seen, policy_of(TABLE, limits=limits))) == [("idle", 32, 31), ("hot", 16, 17)]
    take = made(seen, policy_of(TABLE)).resizes[0]
    lately = Resized(resize=take, result=Result.DONE, started=seen.at - 9, ended=seen.at - 9)
    assert made(replace(seen, resized=(lately,)), policy_of(TABLE)).resizes == ()
    failed = replace(lately, result=Result.FAILED, ended=seen.at - 7200)
    assert made(replace(seen, resized=(failed,)), policy_of(TABLE)).resizes == ()
    refused = replace(failed, result=Result.REFUSED)
    assert made(replace(seen, resized=(refused,)), policy_of(TABLE)).actions
    few = Limits(resizes_per_hour=1)
    assert made(seen, policy_of(TABLE, limits=few)).resizes == ()


def test_where_all_give_what_they_can_it_may_not_be_enough() -> None:
    """Then all of it is taken, and what is still too much is for others to see to."""
    text = "a 16c/64g : one 4v/32g used=31 balloon=32g | two 4v/32g used=31 balloon=32g"
    table = Resizing(guests=Selector(("one", "two")), memory=True, idle=0)
    answer = made(working(text, one=24, two=24), policy_of(table))
    assert told(answer) == [("one", 32, 30), ("two", 32, 30)] or told(answer) == [
        ("two", 32, 30),
        ("one", 32, 30),
    ]


def test_whose_memory_is_not_the_policys_is_left() -> None:
    """The judge refuses to bring a guest below its floor, and gives to nobody who is not named."""
    seen = working(FULL, idle=8, hot=15)
    problem = assess(seen, policy_of(TABLE))
    take = made(seen, policy_of(TABLE)).resizes[0]
    low = replace(take, after=4000)
    assert any("less than its floor of 4096 MiB" in fault for fault in faults(problem, (low,)))


def test_what_comes_is_room_that_is_not_given_away() -> None:
    """A neighbour is given what is free but for what an arrival may fill; what is short is taken for it."""
    text = FULL.replace("| db 4v/16g used=15", "") + "\n"
    seen = assess(working(text, idle=8, hot=15), policy_of(TABLE))
    guests = seen.cluster.guests_on["a"]
    (coming,) = seen.cluster.guests_on["b"]
    tables = {guest.uuid: TABLE for guest in guests}

    def given(*arriving: Guest) -> list[tuple[str, int, tuple[str, ...]]]:
        found = memory(seen, tables, "a", guests, Within(1 << 20, arriving))
        return [(one.name, one.after - one.before, one.room_for) for one in found]

    assert given() == [("hot", 2816, ())]
    large = replace(coming, allocation={**coming.allocation, "memory": 16 << 10}, knobs=None)
    ((idle, taken, whom), (hot, more, _)) = given(large)
    assert (idle, taken, whom) == ("idle", -2816, (coming.uuid,))
    assert (hot, more) == ("hot", 2816)
