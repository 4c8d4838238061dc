"""Memory by virtio-mem: given beyond what a guest was allocated, taken down to what it booted with."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.assessment import assess
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.model.enlarged import enlarged
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.plan import Plan
from balancer.planner.model.resize import Resize, Resized, What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.result import Result
from balancer.planner.model.selector import Selector
from balancer.planner.model.spare import fills, memory_by, target
from balancer.planner.pipeline import consider
from balancer.planner.quality.gate import gate
from balancer.planner.resizable import faults
from balancer.planner.resize import resize
from tests.drawing import draw, uuid_of
from tests.planner.test_ballooning import made, policy_of, working
from tests.planner.test_resize import policy_of as once

TABLE = Resizing(guests=Selector(("idle", "hot")), memory=True, idle=0, floor=1024)
ROOMY = """
    a 16c/64g : hot 4v/8g used=7.9 most-plugged=8g | x 4v/8g used=2
    b 16c/64g : y 4v/8g used=2
"""
TIGHT = """
    a 16c/32g : idle 4v/16g used=4 plugged=8g most-plugged=8g | hot 4v/12g used=11.5 most-plugged=8g | x 4v/4g
    b 16c/64g : y 4v/8g used=2
"""


def told(answer: Plan) -> list[tuple[str, str, int, int]]:
    """Return what of whom goes from where to where."""
    return [(r.name, r.what.value, r.before, r.after) for r in answer.resizes]


def plug(**keys: object) -> Resize:
    """Return memory for the hot guest."""
    one = Resize(
        id="r1",
        guest=uuid_of("hot"),
        name="hot",
        host="a",
        what=What.PLUGGED,
        before=0,
        after=1024,
    )
    return replace(one, **keys)  # type: ignore[arg-type]


def test_a_guest_gets_more_than_it_was_allocated() -> None:
    """So that it has its margin, in whole blocks, within what can be plugged; once policy says so."""
    seen = working(ROOMY, hot=7.9)
    answer = made(seen, policy_of(TABLE))
    assert told(answer) == [("hot", "plugged", 0, 2048)]  # 1921 MiB, and up to a block
    assert "nearly all of the 8192 MiB that it has" in answer.resizes[0].reason
    assert made(seen, policy_of(replace(TABLE, memory=False))).resizes == ()
    assert told(made(working(ROOMY, hot=15.9), policy_of(TABLE))) == [("hot", "plugged", 0, 8192)]
    assert made(working(ROOMY, hot=6), policy_of(TABLE)).resizes == ()
    bare = ROOMY.replace("most-plugged=8g", "knobs")
    assert made(working(bare, hot=7.9), policy_of(TABLE)).resizes == ()


def test_what_a_neighbour_was_given_and_does_not_use_is_taken_first() -> None:
    """Down to what it booted with, and what is given waits for it: then no rule is broken by it."""
    seen, policy = working(TIGHT, idle=4, hot=11.5), once(TABLE)
    answer = made(seen, policy)
    assert answer.actions == ()
    assert told(answer) == [("idle", "plugged", 8192, 5760), ("hot", "plugged", 0, 2432)]
    take, give = answer.resizes
    assert (give.waits_for, take.step, take.keep) == ((take.id,), 256, 1639)
    state = assess(seen, policy)
    assert faults(state, (take, give)) == ()
    wild = faults(state, (take, replace(give, waits_for=())))
    assert any("capacity: memory: a gives out" in fault for fault in wild), wild
    assert any("could fill" in fault for fault in faults(state, (give,)))


def test_nobody_is_left_less_than_it_booted_with() -> None:
    """Of what can be plugged only what is can be taken; the floor holds as for balloons."""
    hungry = TIGHT.replace("hot 4v/12g used=11.5", "hot 4v/12g used=11.9")
    small = hungry.replace("idle 4v/16g used=4 plugged=8g", "idle 4v/16g used=4 plugged=1g")
    answer = made(working(small, idle=4, hot=11.9), once(TABLE))
    assert told(answer) == [("idle", "plugged", 1024, 0), ("hot", "plugged", 0, 1024)]
    idle = draw(small).guest[uuid_of("idle")]
    assert target(TABLE, idle, 4096) == 15 * 1024
    assert memory_by(idle) is What.PLUGGED
    assert fills(idle) == 16 * 1024


def test_where_rules_are_against_it_nothing_is_taken_either() -> None:
    """Memory that would go to nobody stays where it is, and a host that moves touch waits."""
    beside = TIGHT.replace("x 4v/4g", "x 4v/4g used=1").replace("idle 4v/16g used=4 plugged=8g most-plugged=8g", "idle 4v/16g used=4 balloon=16g")  # fmt: skip
    seen = working(beside, idle=4, hot=11.5)
    assert made(seen, once(TABLE)).resizes == ()  # a balloon frees no allocation
    assert told(made(seen, policy_of(TABLE)))[-1] == ("hot", "plugged", 0, 2432)
    state = assess(working(ROOMY, hot=7.9), policy_of(TABLE))
    here = state.cluster.placement
    assert resize(state, here).resizes
    assert resize(state, here, (), ("a",)).resizes == ()


def test_a_vcpu_that_no_rule_lets_be_plugged_keeps_no_memory_back() -> None:
    """Each is tried by itself before all are together."""
    text = "a 16c/64g : hot 4v/8g cpu=4 used=7.9 most-plugged=8g most-vcpus=8"
    policy = replace(
        once(replace(TABLE, vcpus=True)), constraints=(Capacity(vcpus_per_core=0.25),)
    )
    assert told(made(working(text, hot=7.9), policy)) == [("hot", "plugged", 0, 2048)]


def test_what_was_taken_in_vain_rests() -> None:
    """A failure rests for a day, what was done for five minutes; each hour has its share."""
    seen, policy = working(TIGHT, idle=4, hot=11.5), once(TABLE)
    take = made(seen, policy).resizes[0]
    failed = Resized(resize=take, result=Result.FAILED, started=seen.at - 600, ended=seen.at - 600)
    assert made(replace(seen, resized=(failed,)), policy).resizes == ()
    done = replace(failed, result=Result.DONE)
    short = replace(policy, limits=replace(policy.limits, memory_taken_per_hour=4000))
    again = made(replace(seen, resized=(done,)), short)
    assert [r.before - r.after for r in again.resizes if r.shrinks] == [
        1536
    ]  # whole blocks of 1568
    state = assess(replace(seen, resized=(done,)), short)
    more = replace(take, before=take.after, after=take.after - 1664)
    (fault,) = (f for f in faults(state, (more,)) if "memory_taken_per_hour" in f)
    assert fault == (
        "1664 MiB of memory are taken after 2432 within the hour: limit memory_taken_per_hour is 4000"
    )
    assert not any("per_hour" in f for f in faults(state, (more,), undoing=True))
    watched = replace(take, id="r9")
    assert watched.of_memory


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        (plug(after=9000), "9000 MiB plugged where its XML allows 8192"),
        (plug(after=-1), "-1 MiB plugged where"),
        (plug(after=100), "100 MiB is no multiple of its blocks of 128"),
        (plug(before=128, after=0), "it stands at 0, not at 128"),
    ],
)
def test_the_judge_names_what_is_wrong(one: Resize, fault: str) -> None:
    """By what the device can."""
    found = faults(assess(working(ROOMY, hot=7.9), policy_of(TABLE)), (one,))
    assert any(fault in line for line in found), found


def test_the_judge_asks_the_policy() -> None:
    """Whether memory may be taken at all, and down to which floor."""
    state = assess(working(TIGHT, idle=4, hot=11.5), once(TABLE))
    take = plug(guest=uuid_of("idle"), name="idle", before=8192, after=0)
    assert faults(state, (take,)) == ()
    high = assess(working(TIGHT, idle=4, hot=11.5), once(replace(TABLE, floor=10240)))
    assert any("less than its floor of 10240 MiB" in f for f in faults(high, (take,)))
    off = assess(working(TIGHT, idle=4, hot=11.5), once(replace(TABLE, memory=False)))
    assert any("memory = true" in f for f in faults(off, (take,)))


def test_allocations_grow_by_what_is_plugged() -> None:
    """And shrink only where all that grows on the host waits for that."""
    state = assess(working(TIGHT, idle=4, hot=11.5), once(TABLE))
    take = plug(id="r0", guest=uuid_of("idle"), name="idle", before=8192, after=4096)

    def memory(*resizes: Resize) -> list[int]:
        guests = enlarged(state, resizes).cluster.guest
        return [guests[uuid_of(name)].allocation["memory"] // 1024 for name in ("idle", "hot")]

    assert memory(take) == [16, 12]
    assert memory(take, plug()) == [16, 13]
    assert memory(take, plug(waits_for=("r0",))) == [12, 13]
    other = plug(id="r2", what=What.VCPUS, before=4, after=5, waits_for=("r0",))
    assert memory(take, other) == [16, 12]
    assert memory(take, plug(waits_for=("r0",)), plug(id="r2", after=2048)) == [16, 15]


def test_what_hypervisors_count_as_assigned_is_believed() -> None:
    """They count what can still be plugged."""
    seen = working(ROOMY, hot=7)
    uuid = uuid_of("hot")
    (sample,) = seen.history.guests[uuid]
    assert sample.values["memory.assigned"] == 16 * 1024
    assert gate(seen).observation.history.guests[uuid]
    values = {**sample.values, "memory.assigned": 8 * 1024}
    guests = {**seen.history.guests, uuid: (replace(sample, values=values),)}
    other = gate(replace(seen, history=replace(seen.history, guests=guests)))
    assert not other.observation.history.guests.get(uuid)


def test_what_is_missing_for_more_memory_is_told() -> None:
    """Where it works with nearly all that it is allocated: the change of its XML."""
    seen = working(ROOMY.replace("most-plugged=8g", "balloon=8g"), hot=7.9)
    told_ = Knobs(balloon=8192, missing={What.PLUGGED: "add <maxMemory>"})
    guests = tuple(replace(g, knobs=told_) if g.name == "hot" else g for g in seen.cluster.guests)
    seen = replace(seen, cluster=replace(seen.cluster, guests=guests))
    (stay,) = made(seen, policy_of(TABLE)).left
    reason = "no memory can be plugged into it: add <maxMemory> (from its next start on)"
    assert (stay.subject, stay.reason) == ("hot", reason)
    found = consider(seen, policy_of(TABLE), uuid_of("hot")).resized
    assert found is not None
    assert found.missing == ("more memory: add <maxMemory> (from its next start on)",)


GUESTS = st.lists(
    st.tuples(
        st.integers(1, 6),  # vCPUs
        st.sampled_from([1.0, 0.95, 0.5, 0.1]),  # of which in use
        st.integers(2, 12),  # GiB
        st.sampled_from([1.0, 0.97, 0.6, 0.2]),  # of which it works with
        st.sampled_from(["knobs", "balloon", "most-plugged=8g", "plugged=2g most-plugged=4g"]),
        st.sampled_from(["", "most-vcpus=8", "plugged-vcpus=1 most-vcpus=6", "quota=1"]),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(guests=GUESTS, cores=st.sampled_from([4, 8, 24]), overcommit=st.sampled_from([1.0, 1.5]))
def test_the_judge_accepts_whatever_is_made(
    guests: list[tuple[int, float, int, float, str, str]], cores: int, overcommit: float
) -> None:
    """Full hosts or empty ones, held down or not: and no host gives out more than before where it is too much."""
    words, works = [], {}
    for number, (vcpus, busy, gib, of_it, memory, more) in enumerate(guests):
        has = f"balloon={gib}g" if memory == "balloon" else memory
        size = gib + 2 * memory.startswith("plugged")
        words.append(
            f"g{number} {vcpus}v/{size}g cpu={vcpus * busy} used={size * of_it} {has} {more}"
        )
        works[f"g{number}"] = size * of_it
    text = f"a {cores}c/32g : {' | '.join(words)}"
    table = Resizing(guests=Selector(("*",)), memory=True, vcpus=True, idle=0, limit=2500)
    rules = (Capacity(vcpus_per_core=1.0, memory_overcommit=overcommit),)
    policy = replace(once(table), constraints=rules)
    state = assess(working(text, **works), policy)
    made_ = resize(state, state.cluster.placement).resizes
    assert faults(state, made_) == ()
    for one in made_:
        knobs = state.cluster.guest[one.guest].knobs
        assert knobs is not None
        assert one.what is not What.VCPUS or one.after <= max(one.before, knobs.most_vcpus)
        assert one.what is not What.PLUGGED or 0 <= one.after <= knobs.most_plugged
