"""What guests are given where they are, and what a placement still has to see to."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.config import default_policy
from balancer.planner.assessment import assess
from balancer.planner.explain import PATIENT
from balancer.planner.formulation import formulate
from balancer.planner.model.demand import Demand
from balancer.planner.model.division import Claims, divide
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Infeasible, Plan
from balancer.planner.model.policy import Limits, Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resize import Resize, Resized, What, undone
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.result import Result
from balancer.planner.model.selector import Selector
from balancer.planner.model.terms import Terms, counted, quiet, terms
from balancer.planner.objectives import all_goals
from balancer.planner.pipeline import plan
from balancer.planner.place.evaluate import score
from balancer.planner.resizable import faults
from balancer.planner.resize import resize
from balancer.planner.worth import Currency
from tests.drawing import observation, problem, uuid_of
from tests.drawing import policy as drawn

SHARED = """
    a 8c/64g : db 8v/8g cpu=4 knobs | w1 4v/4g cpu=2 knobs | w2 4v/4g cpu=2 knobs
    b 8c/64g : x 4v/8g cpu=1 knobs
"""
BATCH = Resizing(guests=Selector(("w*",)), shares=0.05, reserve=100, priority=0.0)


def policy_of(*tables: Resizing, **fields: object) -> Policy:
    """Return the policy that is built in, with these resizes."""
    return replace(default_policy(), resizes=tables, **fields)  # type: ignore[arg-type]


def delayed(text: str, *names: str, by: int = 2000) -> Observation:
    """Return the drawn cluster in which these guests wait for CPU, too."""
    seen = observation(text)
    guests = {
        uuid: tuple(
            replace(s, values={**s.values, "cpu.delay": by if uuid in map(uuid_of, names) else 0})
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


def test_who_may_wait_gives_way_and_nobody_moves() -> None:
    """Without the table the hot host is relieved by a move; with it, by shares alone."""
    seen = delayed(SHARED, "db", "w1", "w2")
    assert made(seen, default_policy()).actions
    answer = made(seen, policy_of(BATCH))
    assert answer.actions == ()
    assert answer.hot_hosts == ()
    assert [(r.name, r.what, r.before, r.after) for r in answer.resizes] == [
        ("w1", What.SHARES, 1000, 50),
        ("w2", What.SHARES, 1000, 50),
    ]
    assert answer.resizes_save > 3600
    assert answer.summary == "No host hot, no rule broken. 2 resizes."
    (line,) = [load for load in answer.loads if load.host == "a"]
    assert line.before["cpu"] == 8000
    assert line.before[PATIENT] == 3800


def test_what_no_resize_can_fix_is_moved() -> None:
    """Where those that count are too many for their host, somebody leaves it."""
    seen = delayed(SHARED.replace("x 4v", "x 4v").replace("cpu=4", "cpu=7.5"), "db")
    both = made(seen, policy_of(BATCH))
    assert both.actions
    moving = {action.guest for action in both.actions}
    assert not moving & {r.guest for r in both.resizes}


def test_nothing_is_changed_where_nobody_would_wait_less() -> None:
    """Shares matter where CPU is short; where it is not, and once they are set, they are left."""
    calm = SHARED.replace("cpu=4", "cpu=1")
    assert made(delayed(calm, by=0), policy_of(BATCH)).resizes == ()
    done = SHARED.replace("cpu=2 knobs", "cpu=2 shares=50")
    assert made(delayed(done, "db"), policy_of(BATCH)).resizes == ()


def test_without_tables_nothing_is_different() -> None:
    """A policy that says nothing of resizes makes the same plan as ever, knobs or none."""
    seen = delayed(SHARED, "db", "w1", "w2")
    plain = delayed(SHARED.replace(" knobs", ""), "db", "w1", "w2")
    assert made(seen, default_policy()) == made(plain, default_policy())
    assert made(plain, policy_of(BATCH)).actions == made(plain, default_policy()).actions


def test_a_limit_is_set_raised_and_lifted() -> None:
    """It is what the policy says; one that allows all vCPUs is none."""
    text = (
        "a 8c/64g : one 4v/8g cpu=2 knobs | two 4v/8g cpu=1 quota=1 | three 2v/4g cpu=1 quota=1"
        " | four 4v/8g quota=2"
    )
    table = Resizing(guests=Selector(("one", "two", "three", "four")), limit=2000)
    answer = made(delayed(text, by=0), policy_of(table))
    assert [(r.name, r.before, r.after, r.shrinks) for r in answer.resizes] == [
        ("one", 0, 2000, True),
        ("three", 1000, 0, False),
        ("two", 1000, 2000, False),
    ]


def test_a_reserve_is_turned_into_shares() -> None:
    """Who is to get so much in any case has the shares that bring it, when CPU is short."""
    text = """
        a 8c/64g : db 8v/8g cpu=4 knobs | w1 4v/4g cpu=4 knobs | d2 8v/4g cpu=8 knobs
        b 8c/64g :
    """
    table = Resizing(guests=Selector(("w1",)), shares=0.01, reserve=1000, priority=0.0)
    told = problem(text, rules=policy_of(table))
    told = replace(told, demand=counted(told.demand, terms(told.policy, told.cluster)))
    (one,) = resize(told, told.cluster.placement).resizes
    wanted = np.array([4000.0, 4000.0, 8000.0])
    free = np.full(3, np.inf)
    shares = np.array([1000.0, float(one.after), 1000.0])
    site, room = np.zeros(3, dtype=np.int64), np.array([8000.0])
    got = divide(Claims(wanted, shares, np.zeros(3), free), site, room).got
    assert got[1] == pytest.approx(1000, rel=0.01)


def test_an_hour_allows_so_many_and_settings_rest() -> None:
    """Hosts that gain most come first; what was changed just now, or failed, is left alone."""
    seen = delayed(SHARED, "db", "w1", "w2")
    assert not made(seen, policy_of(BATCH, limits=Limits(resizes_per_hour=1))).resizes
    done = made(seen, policy_of(BATCH)).resizes[0]
    lately = Resized(resize=done, result=Result.DONE, started=seen.at - 60, ended=seen.at - 60)
    again = made(replace(seen, resized=(lately,)), policy_of(BATCH))
    assert [r.name for r in again.resizes] == ["w2"]
    long_ago = replace(lately, ended=seen.at - 600)
    assert len(made(replace(seen, resized=(long_ago,)), policy_of(BATCH)).resizes) == 2
    failed = replace(long_ago, result=Result.FAILED)
    assert [r.name for r in made(replace(seen, resized=(failed,)), policy_of(BATCH)).resizes] == [
        "w2"
    ]


@given(
    used=st.integers(0, 8000),
    delay=st.integers(0, 8000),
    reserve=st.integers(0, 3000),
    limit=st.sampled_from((0, 3000, 6000)),
    priority=st.floats(0, 1),
)
def test_what_counts_is_never_more_than_what_is_wanted(
    used: int, delay: int, reserve: int, limit: int, priority: float
) -> None:
    """And never less than what is reserved of it; use and delay together count as their sum does."""
    one = Terms(shares=50, reserve=reserve, limit=limit, priority=priority)
    before = Demand(mean={"u": {"cpu": used}}, peak={"u": {"cpu": used}}, delay={"u": delay})
    after = counted(before, {"u": one})
    told = after.mean["u"]["cpu"] + after.delay["u"]
    assert told <= used + delay
    assert told >= min(reserve, used + delay) - 1
    assert abs(told - one.counts(used + delay)) <= 1


@given(
    loads=st.lists(st.integers(0, 8), min_size=4, max_size=4),
    priority=st.sampled_from((0.0, 0.3, 1.0)),
    limit=st.sampled_from((0, 1000)),
)
def test_no_placement_is_dearer_than_without_resizes(
    loads: Sequence[int], priority: float, limit: int
) -> None:
    """Neither in points nor in waiting: what a resize can fix is only left out."""
    text = (
        f"a 8c/64g : p 8v/4g cpu={loads[0]} knobs | w1 8v/4g cpu={loads[1]} knobs\n"
        f"b 8c/64g : q 8v/4g cpu={loads[2]} knobs | w2 8v/4g cpu={loads[3]} knobs"
    )
    shares = 0.05 if priority < 1 else 1.0
    table = Resizing(guests=Selector(("w*",)), shares=shares, priority=priority, limit=limit)
    plain = assess(observation(text), default_policy())
    cut = assess(observation(text), policy_of(table))
    for host in ("a", "b"):
        placement = dict.fromkeys(plain.cluster.placement, host)
        dear, less = (_total(told, placement) for told in (plain, cut))
        assert less <= dear + 1e-9
        points, fewer = (_points(told, placement) for told in (plain, cut))
        assert fewer <= points


def _total(told: Problem, placement: dict[str, str]) -> float:
    currency = Currency(told)
    return currency.total(currency.sums(placement))


def _points(told: Problem, placement: dict[str, str]) -> int:
    formulation = formulate(told, (), all_goals(told))
    site = np.full(len(placement), formulation.site_number[next(iter(placement.values()))])
    return score(formulation, site).overload


def test_pressure_of_those_who_may_wait_is_none() -> None:
    """Unless others wait, too, and shares do not help them."""

    def calm(text: str, *names: str) -> frozenset[str]:
        told = assess(delayed(text, *names), policy_of(BATCH))
        return quiet(told.demand, told.cluster, terms(told.policy, told.cluster), 0.1)

    assert calm(SHARED, "w1", "w2") == {"a"}
    assert calm(SHARED, "db", "w1") == {"a"}  # shares will help
    given = SHARED.replace("cpu=2 knobs", "cpu=2 shares=50")
    assert calm(given, "w1", "w2") == {"a"}
    assert calm(given, "db", "w1") == frozenset()
    assert calm(SHARED.replace("cpu=4", "cpu=7"), "db") == frozenset()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"guest": "nobody"}, "no guest nobody is known"),
        ({"host": "b"}, "it runs on a"),
        ({"before": 70}, "it stands at 1000, not at 70"),
        ({"after": 0}, "shares must be more than nought"),
        ({"what": What.QUOTA, "before": 0, "after": 10}, "a limit of 10 millicores for 4 vCPUs"),
        ({"what": What.QUOTA, "before": 0, "after": 3000}, "where the policy says 0"),
        ({"what": What.BALLOON, "before": 0, "after": 9999}, "9999 MiB of 4096"),
        ({"what": What.BALLOON, "before": 0, "after": 99}, "does not let its memory be taken"),
        ({"waits_for": ("r9",)}, "waits for r9, which does not come before it"),
    ],
)
def test_the_judge_names_what_is_wrong(change: dict[str, object], fault: str) -> None:
    """Each fault of a resize is said in one sentence."""
    good = Resize(
        id="r1", guest=uuid_of("w1"), name="w1", host="a", what=What.SHARES, before=1000, after=50
    )
    told = problem(SHARED, rules=policy_of(BATCH))
    assert faults(told, (good,)) == ()
    found = faults(told, (replace(good, **change),))  # type: ignore[arg-type]
    assert len(found) >= 1
    assert any(fault in one for one in found), found


def test_the_judge_asks_for_consent_and_counts() -> None:
    """Who is not named is not touched, the dedicated give nothing; undoing needs no consent."""
    told = problem(SHARED, rules=policy_of(BATCH, limits=Limits(resizes_per_hour=1)))
    one = Resize(
        id="r1", guest=uuid_of("db"), name="db", host="a", what=What.SHARES, before=1000, after=50
    )
    assert "no [[resize]] of the policy names it" in faults(told, (one,))[0]
    assert faults(told, (one,), undoing=True) == ()
    own = Resizing(guests=Selector(("db",)), dedicated=True)
    dedicated = replace(told, policy=policy_of(own))
    assert "nothing is taken" in faults(dedicated, (one,))[0]
    held = replace(one, what=What.QUOTA, before=0, after=500)
    assert "nothing is taken" in faults(dedicated, (held,))[0]
    twice = (one, replace(one, before=50, after=60))
    assert any("is the id of 2 resizes" in fault for fault in faults(told, twice))
    assert any("limit resizes_per_hour is 1" in fault for fault in faults(told, twice))
    moving = problem(SHARED.replace("db 8v/8g cpu=4 knobs", "db 8v/8g cpu=4 knobs moving=b"))
    assert any("it is being migrated" in fault for fault in faults(moving, (one,), undoing=True))
    bare = problem(SHARED.replace("cpu=4 knobs", "cpu=4"))
    assert "cannot be changed while it runs" in faults(bare, (one,), undoing=True)[0]
    lacking = replace(told.cluster.guest[uuid_of("db")], knobs=Knobs(missing={"shares": "do so"}))
    guests = tuple(lacking if g.name == "db" else g for g in told.cluster.guests)
    told = replace(told, cluster=replace(told.cluster, guests=guests))
    assert "do so" in faults(told, (one,), undoing=True)[0]


def test_undoing_turns_everything_round() -> None:
    """The last is undone first, and what waited is waited for."""
    one = Resize(id="r1", guest="g", name="g", host="a", what=What.QUOTA, before=0, after=500)
    two = replace(one, id="r2", guest="h", before=100, after=0, waits_for=("r1", "r0"))
    back = undone((one, two), "because")
    assert [(r.id, r.before, r.after, r.waits_for) for r in back] == [
        ("r2-back", 0, 100, ()),
        ("r1-back", 500, 0, ("r2-back",)),
    ]
    assert [one.shrinks, two.shrinks, back[0].shrinks, back[1].shrinks] == [
        True,
        False,
        True,
        False,
    ]
    assert back[0].reason == "because"


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"shares": 0.001}, "shares must be"),
        ({"limit": 10, "reserve": 20}, "limit must not be less"),
        ({"priority": 0.5}, "needs shares below 1"),
        ({"dedicated": True, "memory": True}, "dedicated guests give nothing"),
        ({"memory": True, "step": 0}, "step must be"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(
    keys: dict[str, object], fault: str
) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match=fault):
        Resizing(guests=Selector(("*",)), **keys)  # type: ignore[arg-type]


def test_the_last_table_that_names_a_guest_holds() -> None:
    """And is called by its name, or by whom it speaks of."""
    later = Resizing(guests=Selector(("w2",)), shares=0.5, name="not this one")
    told = problem(SHARED, rules=drawn(resizes=(BATCH, later)))
    found = terms(told.policy, told.cluster)
    assert {told.name(u): t.shares for u, t in found.items()} == {"w1": 50, "w2": 500}
    assert [BATCH.label, later.label] == ["resize w*", "not this one"]


def test_a_refused_resize_is_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the judge of resizes does not accept is reported, never carried out."""
    monkeypatch.setattr("balancer.planner.pipeline.resize_faults", lambda *_, **__: ("wrong",))
    answer = plan(delayed(SHARED, "db", "w1", "w2"), policy_of(BATCH))
    assert isinstance(answer, Infeasible)
    assert answer.reason == "the judge refuses the plan that was found: wrong"
