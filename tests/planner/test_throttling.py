"""Disk and network traffic is divided where a host has too little of it, and let go where it has not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.knobs import Knobs
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, Resized, What, undone
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.result import Result
from balancer.planner.resizable import faults
from balancer.planner.resize import lacking, resize
from balancer.planner.throttling import FULL
from tests.drawing import NOON, policy, problem, select, uuid_of

MIB = 1024
TEXT = "a 8c/8g : noisy 1v/1g knobs | db 1v/1g knobs | web 1v/1g knobs\nb 8c/8g :"
GIVING = Resizing(guests=select("noisy"), shares=0.1, disk_least=20 * MIB)


def posed(
    *tables: Resizing,
    carries: int = 500,
    now: Mapping[str, int] | None = None,
    missing: Mapping[str, str] | None = None,
    kind: str = "disk",
    **uses: int,
) -> Problem:
    """Return a problem in which guests have traffic, and limits as they are `now`, all in MiB/s."""
    drawn = problem(TEXT, rules=policy(resizes=tables))
    cluster, limits = drawn.cluster, now or {}

    def knobs(name: str) -> Knobs:
        limit = limits.get(name, 0) * MIB
        field = {"block" if kind == "disk" else "network": limit}
        return Knobs(disks=("vda",), nics=("n0", "n1"), missing=missing or {}, **field)

    use = {
        uuid: {**amounts, kind: uses.get(cluster.guest[uuid].name, 0) * MIB}
        for uuid, amounts in drawn.demand.mean.items()
    }
    capacity = {kind: carries * MIB} if carries else {}
    return replace(
        drawn,
        cluster=replace(
            cluster,
            guests=tuple(replace(g, knobs=knobs(g.name)) for g in cluster.guests),
            hosts=tuple(replace(h, capacity={**h.capacity, **capacity}) for h in cluster.hosts),
        ),
        demand=replace(drawn.demand, mean=use),
        at=NOON,
    )


def made(question: Problem) -> dict[str, tuple[int, int]]:
    """Return what becomes of limits, MiB/s, by guest; the judge has nothing against it."""
    found = resize(question, question.cluster.placement).resizes
    assert faults(question, found) == ()
    return {one.name: (one.before // MIB, one.after // MIB) for one in found}


def test_who_may_give_way_does_and_nobody_else() -> None:
    """It gets what the others leave, never less than it keeps; within what its host carries they all stay."""
    assert made(posed(GIVING, noisy=300, db=150, web=150)) == {"noisy": (0, 150)}
    assert made(posed(GIVING, noisy=300, db=250, web=250)) == {"noisy": (0, 20)}
    light = replace(GIVING, shares=0.002)
    assert made(posed(light, noisy=300, db=300, web=300)) == {"noisy": (0, 20)}
    assert made(posed(GIVING, noisy=100, db=150, web=150)) == {}
    assert made(posed(noisy=300, db=150, web=150)) == {}
    both = replace(GIVING, guests=select("noisy", "web"))
    assert made(posed(both, noisy=300, db=250, web=300)) == {"noisy": (0, 100), "web": (0, 100)}


def test_a_limit_that_is_felt_is_doubled_and_one_that_is_not_is_lifted() -> None:
    """As far as there is room; what is as it should be is left."""
    assert made(posed(GIVING, now={"noisy": 150}, noisy=150, db=150, web=150)) == {}
    assert made(posed(GIVING, now={"noisy": 150}, noisy=149, db=20)) == {"noisy": (150, 300)}
    assert made(posed(GIVING, now={"noisy": 150}, noisy=100, db=20)) == {"noisy": (150, 0)}
    assert made(posed(GIVING, now={"noisy": 150}, noisy=150, db=290)) == {}


def test_a_limit_of_the_policy_is_always_held() -> None:
    """With or without room; on a host of which nothing is declared, too; others' limits are changed to it."""
    most = Resizing(guests=select("noisy"), disk_limit=100 * MIB)
    for carries in (0, 500):
        assert made(posed(most, carries=carries, noisy=10)) == {"noisy": (0, 100)}
        assert made(posed(most, carries=carries, now={"noisy": 100}, noisy=100)) == {}
        assert made(posed(most, carries=carries, now={"noisy": 40}, noisy=40)) == {
            "noisy": (40, 100)
        }
    both = replace(GIVING, disk_limit=100 * MIB)
    assert made(posed(both, now={"noisy": 100}, noisy=100, db=420)) == {"noisy": (100, 30)}
    assert made(posed(both, now={"noisy": 60}, noisy=60)) == {"noisy": (60, 100)}


def test_a_host_of_which_too_many_would_change_within_an_hour_waits() -> None:
    """What an hour allows holds for limits of traffic, too."""
    question = posed(GIVING, noisy=300, db=150, web=150)
    limits = replace(question.policy.limits, resizes_per_hour=0)
    assert made(replace(question, policy=replace(question.policy, limits=limits))) == {}


def test_each_kind_has_its_own_devices_and_its_own_room() -> None:
    """Network devices by their addresses; disks are not asked."""
    table = Resizing(guests=select("noisy"), shares=0.1, network_least=MIB)
    question = posed(table, kind="network", noisy=300, db=300)
    (one,) = resize(question, question.cluster.placement).resizes
    assert (one.what, one.devices, one.shrinks) == (What.NETWORK, ("n0", "n1"), True)
    assert one.reason == (
        "network traffic on a is 600 of 500 MiB/s: it leaves its neighbours room"
    )
    (back,) = undone((one,))
    assert (back.before, back.after, back.devices, back.shrinks) == (
        one.after,
        0,
        one.devices,
        False,
    )


def test_what_has_not_lasted_is_no_reason() -> None:
    """At some recent moment there was room for all."""
    question = posed(GIVING, noisy=300, db=150, web=150)
    quiet = {uuid: {"disk": 0} for uuid in question.demand.mean}
    calm = replace(question, demand=replace(question.demand, recent=(quiet,)))
    assert made(calm) == {}
    hot = replace(question, demand=replace(question.demand, recent=(question.demand.mean,)))
    assert made(hot) == {"noisy": (0, 150)}


def test_who_cannot_be_limited_is_left_and_it_is_said() -> None:
    """A device that lacks, a host of which nothing is declared: with the remedy. Also what failed lately."""
    bare = posed(GIVING, missing={"block": "it has no disk"}, noisy=300, db=300)
    assert made(bare) == {}
    (stay,) = lacking(bare, ["a"])
    assert stay.reason == "its disk traffic cannot be limited: it has no disk"
    assert [one.subject for one in lacking(bare, [])] == ["noisy"]  # its disks are short
    calm = posed(GIVING, missing={"block": "it has no disk"}, noisy=30)
    assert list(lacking(calm, [])) == []
    unknown = posed(GIVING, carries=0, noisy=300, db=300)
    assert list(lacking(unknown, [])) == []
    assert made(unknown) == {}
    (stay,) = lacking(unknown, ["a"])
    assert 'capacity = { disk = "500MiB/s" }' in stay.reason
    assert list(lacking(unknown, ["b"])) == []
    question = posed(GIVING, noisy=300, db=150, web=150)
    (one,) = resize(question, question.cluster.placement).resizes
    failed = Resized(resize=one, result=Result.FAILED, started=NOON - 9000, ended=NOON - 9000)
    assert made(replace(question, resized=(failed,))) == {}
    done = replace(failed, result=Result.DONE, ended=NOON - 10)
    assert made(replace(question, resized=(done,))) == {}
    unseen = replace(question.demand, unknown=frozenset({uuid_of("noisy")}))
    assert made(replace(question, demand=unseen)) == {}


@pytest.mark.parametrize(
    ("after", "table", "fault"),
    [
        (5, GIVING, "a limit of 5 KiB/s of disk traffic"),
        (-1, GIVING, "a limit of -1 KiB/s of disk traffic"),
        (10 * MIB, GIVING, "less than its disk_least of 20480 KiB/s"),
        (MIB, Resizing(guests=select("noisy"), network_least=1), "does not let its disk traffic"),
        (MIB, Resizing(guests=select("db"), disk_least=1), "no [[resize]] of the policy names it"),
        (
            300 * MIB,
            replace(GIVING, disk_limit=200 * MIB),
            "more than its disk_limit of 204800 KiB/s",
        ),
        (MIB, Resizing(guests=select("noisy"), disk_limit=9 * MIB), "gives way to nobody"),
    ],
)
def test_the_judge_holds_limits_to_the_policy(after: int, table: Resizing, fault: str) -> None:
    """Bounds of the table, and of what can be set at all."""
    question = posed(table, noisy=300)
    one = Resize(
        id="r1",
        guest=uuid_of("noisy"),
        name="noisy",
        host="a",
        what=What.BLOCK,
        before=0,
        after=after,
    )
    assert any(fault in said for said in faults(question, (one,)))


@given(
    st.dictionaries(st.sampled_from(["noisy", "db", "web"]), st.integers(0, 600)),
    st.dictionaries(st.sampled_from(["noisy", "web"]), st.integers(1, 600)),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_limits_leave_room_for_who_gives_way_to_nobody(
    uses: dict[str, int], now: dict[str, int], shares: float
) -> None:
    """Where more is asked for than a host carries, what is left fits, but for what each keeps."""
    table = replace(GIVING, guests=select("noisy", "web"), shares=shares)
    uses = {name: min(use, now.get(name, use)) for name, use in uses.items()}
    question = posed(table, now=now, **uses)
    found = made(question)
    assert "db" not in found
    if sum(uses.values()) > 500 * FULL:
        then = {name: found[name][1] if name in found else use for name, use in uses.items()}
        assert all(then[name] for name in found)
        assert sum(then.values()) <= max(500 * FULL, uses.get("db", 0) + 40) / 0.9 + 1


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"disk_least": 2, "disk_limit": 1}, "disk_limit must not be less than disk_least"),
        ({"network_least": 2, "network_limit": 1}, "network_limit must not be less"),
        ({"dedicated": True, "disk_least": 2}, "dedicated guests give nothing"),
        ({"dedicated": True, "network_limit": 2}, "dedicated guests give nothing"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, int], fault: str) -> None:
    """When the policy is read."""
    with pytest.raises(ValueError, match=fault):
        Resizing(guests=select("x"), **fields)  # type: ignore[arg-type]
