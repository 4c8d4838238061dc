"""Guests whose local disks are copied along: who may, where to, what it takes, what it costs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.capacity.compat import matrix
from balancer.planner.constraints.disk_room import DiskRoom
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.tied import Tied, because
from balancer.planner.model.calibration import UNCALIBRATED, Learned
from balancer.planner.model.cluster import LocalDisk
from balancer.planner.model.copying import as_it_moves, copied_mib, sent_mib
from balancer.planner.model.duration import Load, WillNotConverge, expect, load, with_disks
from balancer.planner.model.placement import at_rest
from balancer.planner.model.plan import Plan, Prediction, Rung, RungKind
from balancer.planner.model.policy import Allow, Limits
from balancer.planner.model.problem import Problem
from balancer.planner.order.busy import hopeless, too_busy
from balancer.planner.order.moves import Travel
from balancer.planner.order.schedule import order
from balancer.planner.pipeline import plan
from balancer.planner.verify import judge
from tests.drawing import observation, placed, policy, problem, select, uuid_of
from tests.planner.puzzles import move

WIDE = Limits(at_once_per_host=9, at_once_total=9, migration_link_share=1.0, data_per_hour=1 << 40)
ALLOWED = Allow(copy_local_disks=select("x*"), post_copy=select("*"))
TWO = """
a 16c/64g link=100 images=0 : x 1v/1g disk=20 | y 1v/1g disk=20 | z 1v/1g
b 16c/64g link=100 images=30 :
c 16c/64g link=100 :
"""


def asked(text: str = TWO, allow: Allow = ALLOWED) -> Problem:
    return problem(text, allow=allow, limits=WIDE)


def writing(question: Problem, kib_s: int) -> Problem:
    """Return the problem in which x reads and writes so much of its disks."""
    mean = {**question.demand.mean, uuid_of("x"): {"memory": 1024, "disk": kib_s}}
    return replace(question, demand=replace(question.demand, mean=mean))


def test_a_local_disk_ties_until_copying_it_is_allowed() -> None:
    """Who is not named stays, and is told the key; another tie holds whatever is allowed."""
    held = because(asked())
    assert uuid_of("x") not in held
    assert held[uuid_of("y")].endswith("([allow] copy_local_disks would let it be copied along)")
    both = asked("a 1c/1g : x 1v/1g disk=20 tie=passthrough\nb 1c/1g images=99 :")
    assert because(both) == {uuid_of("x"): "passthrough: passthrough of x"}
    assert Tied().concerns(problem(TWO)) == tuple(sorted(map(uuid_of, "xy")))


def test_a_target_needs_a_pool_where_the_disk_lies() -> None:
    """Without one it is no target, and that is said; what is not copied must be there already."""
    rows = {row.guest: row for row in matrix(asked())}
    assert rows["x"].fits == ("b",)
    assert rows["x"].against["c"] == "it has no storage pool at /local to copy disk vda into"
    assert rows["y"].against["b"] == "it lacks storage unknown:/local/y"
    assert rows["z"].fits == ("b", "c")
    question = asked()
    x, z = (question.cluster.guest[uuid_of(name)] for name in "xz")
    assert (as_it_moves(question, x).storage, as_it_moves(question, z)) == ((), z)


def test_room_for_disks_is_counted_where_they_go() -> None:
    """Two that fit alone do not fit together; where they are they count for nothing new."""
    question = asked("a 9c/9g : x1 1v/1g disk=20 | x2 1v/1g disk=20\nb 9c/9g images=30 :")
    rule, there = DiskRoom(), question.cluster
    assert rule.violations(question, at_rest(there.placement)) == ()
    assert rule.violations(question, at_rest(placed(there, x1="b"))) == ()
    (fault,) = rule.violations(question, at_rest(placed(there, x1="b", x2="b")))
    assert fault.sentence == "b: /local has 10.0 GiB too little room for the disks copied to it"
    assert rule.violations(question, at_rest(placed(there, x1="b", x2="b")), {"a"}) == ()
    assert rule.concerns(asked(allow=Allow())) == ()


def test_disks_go_first_and_all_of_it_is_told() -> None:
    """20 GiB at 95 MiB/s before memory's 1 GiB; the judge finds the same."""
    question = asked()
    made = order(question, placed(question.cluster, x="b", z="b"))
    told = {action.name: action for action in made.actions}
    assert told["x"].copies == ("vda",)
    assert told["z"].copies == ()
    expected = told["x"].predicted
    assert expected.disk_mib == 20 * 1024
    assert expected.mib == 21 * 1024
    rate = told["x"].rate_kib_s / 1024 * 0.95
    assert expected.seconds == pytest.approx(21 * 1024 / rate + 1, rel=0.01)
    assert expect(question, told["x"]) == expected
    assert judge(question, made.actions).faults == ()


def test_memory_does_not_follow_a_guest_whose_disks_are_copied() -> None:
    """Hypervisors refuse that, so it is not among the rungs."""
    question = asked()
    made = order(question, placed(question.cluster, x="b", z="b"))
    kinds = {a.name: [rung.kind for rung in a.rungs] for a in made.actions}
    assert RungKind.POST_COPY in kinds["z"]
    assert RungKind.POST_COPY not in kinds["x"]


@pytest.mark.parametrize(
    ("name", "changed", "fault"),
    [
        ("x", {}, "it would leave disks behind, or copy others: vda have to come along"),
        ("x", {"copies": ("vda",)}, ""),
        ("x", {"copies": ("vda", "vdb")}, "or copy others"),
        ("z", {"copies": ("vda",)}, "copying local disks is not allowed for this guest, or it has none"),
        (
            "x",
            {"copies": ("vda",), "rungs": (Rung(kind=RungKind.POST_COPY),)},
            "post-copy is not possible where disks are copied",
        ),
    ],
)  # fmt: skip
def test_the_judge_reads_what_is_copied(name: str, changed: dict[str, object], fault: str) -> None:
    """Neither less nor more than the guest's local disks, whoever wrote the plan."""
    faults = "".join(judge(asked(), (move(name, "a", "b", **changed),)).faults)
    assert fault in faults
    assert bool(faults) is bool(fault)


def test_what_the_guest_writes_slows_the_copy_and_can_forbid_it() -> None:
    """A mirror has to keep up: at more than 70 % of the rate it is not expected to."""
    travel = Travel(asked())
    calm = travel.at_best(uuid_of("x"), "a", "b")
    busy = Travel(writing(asked(), 40 * 1024)).at_best(uuid_of("x"), "a", "b")
    assert isinstance(calm, Prediction)
    assert isinstance(busy, Prediction)
    assert busy.seconds > 1.5 * calm.seconds
    assert busy.disk_mib > 1.5 * calm.disk_mib
    wild = writing(asked(), 80 * 1024)
    never = Travel(wild).at_best(uuid_of("x"), "a", "b")
    assert isinstance(never, WillNotConverge)
    assert "it reads and writes 80 MiB/s of its local disks" in never.sentence
    assert expect(wild, move("x", "a", "b", rate_kib_s=100 * 1024, copies=("vda",))) == never
    assert too_busy(wild)[uuid_of("x"), "b"] == never.sentence
    assert hopeless(wild, uuid_of("x"))
    assert not hopeless(asked(), uuid_of("x"))
    assert not hopeless(wild, uuid_of("y"))


def test_several_disks_wait_for_the_largest() -> None:
    """Side by side each gets its part of the rate: 30 and 10 take as long as 60, and send 35.

    Holes are not sent, but take their time.
    """
    question = asked()
    guest = question.cluster.guest[uuid_of("x")]
    disks = tuple(
        LocalDisk(name=n, place="/local", storage=n, size_mib=s, used_mib=used)
        for n, s, used in (("vda", 30, 25), ("vdb", 10, 10))
    )
    others = tuple(g for g in question.cluster.guests if g is not guest)
    both = replace(question.cluster, guests=(replace(guest, disks=disks), *others))
    sent = load(replace(question, cluster=both), uuid_of("x"))
    assert (sent.disk_mib, sent.longest_mib, sent.mib) == (35, 60, 1059)


@given(st.integers(0, 10_000), st.integers(1, 10_000), st.integers(1024, 1 << 20))
def test_more_disk_never_takes_less(disk: int, more: int, rate: int) -> None:
    """In seconds and in bytes; and no disk changes nothing."""
    alone = Prediction(seconds=3.0, seconds_p90=5.0, mib=10, downtime_ms=50)
    some, all_ = (with_disks(alone, Load(10, 0, 0, mib, mib), rate) for mib in (disk, disk + more))
    assert with_disks(alone, Load(10, 0, 0), rate) == alone
    assert alone.seconds <= some.seconds <= all_.seconds
    assert (all_.mib - some.mib, all_.disk_mib - some.disk_mib) == (more, more)


def test_what_copies_took_makes_the_next_shorter_or_longer() -> None:
    """Half the time of the model learned: half of the part that is disks; memory as before."""
    question = asked()
    action = move("x", "a", "b", rate_kib_s=100 * 1024, copies=("vda",))
    known = replace(UNCALIBRATED, disks=Learned(value=0.5, jobs=3))
    plain, taught = (
        expect(replace(question, calibration=one), action) for one in (UNCALIBRATED, known)
    )
    assert isinstance(plain, Prediction)
    assert isinstance(taught, Prediction)
    assert plain.disk_seconds == taught.disk_seconds > 10
    assert plain.seconds - taught.seconds == pytest.approx(0.5 * plain.disk_seconds, abs=0.01)
    travel = Travel(replace(question, calibration=known))
    ways = travel.predict(action.guest, "a", "b", action.rate_kib_s)
    assert isinstance(ways, Prediction)
    assert ways.seconds == pytest.approx(taught.seconds, rel=0.01)


def test_disks_are_paid_for() -> None:
    """They count against the hour's data, in the price of a move, and in what it costs in waiting."""
    question = asked()
    assert copied_mib(question, uuid_of("x")) == 20 * 1024
    assert sent_mib(question, uuid_of("x")) - sent_mib(question, uuid_of("z")) == 20 * 1024
    assert sent_mib(question, uuid_of("y")) == sent_mib(question, uuid_of("z"))
    small = replace(WIDE, data_per_hour=10 * 1024)
    rule = OnlyOn(guests=select("x"), hosts=select("b"))
    made = plan(observation(TWO), policy(rule, allow=ALLOWED, limits=small))
    assert not isinstance(made, Plan) or not made.actions


def test_a_rule_is_mended_by_copying_where_that_is_allowed() -> None:
    """The whole line: with consent the guest goes with its disk, without it says what would help."""
    rule = OnlyOn(guests=select("x"), hosts=select("b"))
    made = plan(observation(TWO), policy(rule, allow=ALLOWED, limits=WIDE))
    assert isinstance(made, Plan)
    (action,) = made.actions
    assert (action.target, action.copies) == ("b", ("vda",))
    assert action.worth is not None
    assert action.worth.spent > 10
    without = plan(observation(TWO), policy(rule, limits=WIDE))
    assert "[allow] copy_local_disks" in str(without)
