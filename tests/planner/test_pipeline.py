"""The straight line: what comes out is judged, pays, and says why."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from balancer.config import default_policy
from balancer.planner import pipeline
from balancer.planner.constraints.barred import Barred
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.together import Together
from balancer.planner.forecast import FORECASTERS
from balancer.planner.model.certificate import Argument
from balancer.planner.model.cluster import HostState
from balancer.planner.model.observation import Observation
from balancer.planner.model.placement import at_rest, fingerprint
from balancer.planner.model.plan import (
    Infeasible,
    Migration,
    Outcome,
    Plan,
    Prediction,
    Reach,
    Result,
)
from balancer.planner.model.policy import Allow, Constraint, Limits, Policy
from balancer.planner.model.request import Effort, Request
from balancer.planner.model.violation import baseline, worsened
from balancer.planner.order.schedule import order
from balancer.planner.pipeline import assess, broken, orders_of, plan, towards
from balancer.planner.refute import doubts
from balancer.planner.verify import Verdict, judge
from tests.drawing import NOON, observation, problems, select, uuid_of

HOT = """
a 16c/64g : web-1 4v/8g cpu=6 | web-2 4v/8g cpu=6 | db-1 4v/8g cpu=3
b 16c/64g : web-3 4v/8g cpu=2
c 16c/64g : web-4 4v/8g cpu=2
"""
CALM = """
a 16c/64g : web-1 4v/8g cpu=3
b 16c/64g : web-2 4v/8g cpu=3
"""


def standing(*rules: Constraint, **fields: object) -> Policy:
    """The built-in policy with further rules."""
    base = default_policy()
    return replace(base, constraints=(*base.constraints, *rules), **fields)  # type: ignore[arg-type]


def planned(text: str, policy: Policy | None = None, **asked: object) -> Plan:
    made = plan(observation(text), policy or standing(), Request(**asked))  # type: ignore[arg-type]
    assert isinstance(made, Plan), made
    return made


def carried_out(seen: Observation, made: Plan) -> Observation:
    where = {**seen.cluster.placement, **{a.guest: a.target for a in made.actions}}
    return replace(seen, cluster=replace(seen.cluster, placement=where))


def test_a_hot_host_is_relieved_and_everything_is_said() -> None:
    """The plan names the hot host, the reason and target of each move, and both loads."""
    made = planned(HOT)
    assert made.hot_hosts == ("a",)
    assert made.summary.startswith("1 host hot. ")
    assert {a.source for a in made.actions} == {"a"}
    assert all(a.reason.startswith("hot: a CPU 94 %; ") for a in made.actions)
    assert made.fingerprint == fingerprint(observation(HOT).cluster.placement)
    assert made.made_at == NOON
    (a, *_) = made.loads
    assert a.before["cpu"] == 15_000
    assert a.after["cpu"] < 0.85 * 16_000
    assert a.before["memory"] == a.before["memory.used"] == 24 * 1024
    assert made.score_after.overload < made.score_before.overload


def test_a_calm_cluster_is_left_alone() -> None:
    """No move is proposed, and the summary says that none would pay."""
    made = planned(CALM)
    assert made.actions == ()
    assert made.summary == (
        "No host hot, no rule broken. Nothing is worth moving: no move saves more than it costs."
    )


def test_the_same_question_has_the_same_answer() -> None:
    """Two runs give equal plans, ids included; another placement gives another id."""
    assert planned(HOT) == planned(HOT)
    assert planned(HOT).id != planned(CALM).id


def test_planning_on_the_result_moves_nothing() -> None:
    """The plan's end is at rest."""
    seen = observation(HOT)
    again = plan(carried_out(seen, planned(HOT)), standing())
    assert isinstance(again, Plan)
    assert again.actions == ()


def test_a_broken_rule_is_repaired_by_the_fewest_moves() -> None:
    """One move mends it; its reason names the rule."""
    made = planned(
        CALM.replace("web-2 4v/8g", "zk-9 1v/1g | zk-8 1v/1g"),
        standing(Spread(guests=select("zk-*"))),
    )
    (action,) = made.actions
    assert action.reason.startswith("repairs spread zk-* across host; ")
    assert "1 rule broken" in made.summary
    assert [v.rule for v in made.broken_before] == ["spread zk-* across host"]
    assert made.broken_after == ()


def test_a_draining_host_is_emptied() -> None:
    """Its guests leave for that reason."""
    made = planned(CALM.replace("a 16c/64g", "a 16c/64g state=draining"))
    assert [a.reason.split(";")[0] for a in made.actions] == ["a is to be emptied"]


def test_an_order_to_relieve_is_followed_where_policy_alone_would_not() -> None:
    """A host that is not hot is relieved because the operator says so."""
    text = CALM.replace("cpu=3\nb", "cpu=3 | web-9 4v/8g cpu=5\nb")
    assert planned(text).actions == ()
    made = planned(text, relieve=frozenset({"a"}))
    assert {a.source for a in made.actions} == {"a"}
    assert made.actions[0].reason.startswith("relieves a CPU")


def test_what_cannot_be_mended_is_infeasible_and_says_why() -> None:
    """Rules concerned, the fault and what stands in the way are named."""
    made = plan(
        observation("a 16c/64g : web-1 4v/8g tie=passthrough\nb 16c/64g :"),
        standing(OnlyOn(guests=select("web-1"), hosts=select("b"))),
    )
    assert isinstance(made, Infeasible)
    assert made.conflicting == ("tied", "only_on b: web-1")
    assert made.remedy.startswith('only_on b: web-1: guests = ["web-1", "!web-1"] (1 guest)')
    assert "web-1" in made.reason
    assert "passthrough" in made.remedy


def test_many_faults_are_counted_not_listed() -> None:
    """Three are spelt out, the rest is a number."""
    guests = " | ".join(f"w-{n} 1v/1g tie=passthrough" for n in range(5))
    made = plan(
        observation(f"a 16c/64g : {guests}\nb 16c/64g :"),
        standing(OnlyOn(guests=select("w-*"), hosts=select("b"))),
    )
    assert isinstance(made, Infeasible)
    assert made.reason.endswith("(and 2 more)")


def test_an_order_nobody_can_follow_is_infeasible() -> None:
    """To relieve a host whose only guest is tied is refused by name."""
    made = plan(
        observation("a 16c/64g : web-1 4v/8g cpu=9 tie=passthrough\nb 16c/64g :"),
        standing(),
        Request(relieve=frozenset({"a"})),
    )
    assert isinstance(made, Infeasible)
    assert made.reason.startswith("a cannot be relieved")


def test_what_stays_on_a_hot_host_is_named_with_its_reason() -> None:
    """A guest that would have to move but is tied is in `left`, beside the moves that help."""
    made = planned(HOT.replace("web-1 4v/8g cpu=6", "web-1 16v/8g cpu=15 tie=passthrough"))
    assert made.actions
    (stay,) = [s for s in made.left if s.subject == "a"]
    assert "web-1 (passthrough" in stay.reason


def test_a_cluster_in_trouble_that_nobody_can_help_says_so() -> None:
    """Overload that no move relieves is no reason for moves, and the summary says what holds."""
    made = planned("a 16c/64g : web-1 8v/8g cpu=15 tie=passthrough\nb 16c/64g : web-2 4v/8g cpu=2")
    assert made.actions == ()
    assert made.summary.startswith("1 host hot. Nothing can be moved: a: ")


def test_a_guest_that_moved_lately_rests() -> None:
    """An outcome within the time of rest keeps its guest; an older or failed one does not."""
    seen = observation(HOT)
    action = Migration(
        id="1", guest=uuid_of("web-1"), name="web-1", source="b", target="a", rate_kib_s=1,
        downtime_ms=1, predicted=Prediction(seconds=1, seconds_p90=1, mib=1, downtime_ms=1),
    )  # fmt: skip
    policy = standing()

    def resting(result: Result, ago: float) -> frozenset[str]:
        outcome = Outcome(action=action, result=result, started=NOON - ago - 1, ended=NOON - ago)
        return assess(replace(seen, outcomes=(outcome,)), policy).cooling

    assert resting(Result.DONE, 3600) == {uuid_of("web-1")}
    assert resting(Result.DONE, 25 * 3600) == frozenset()
    assert resting(Result.FAILED, 3600) == frozenset()


def test_a_gain_too_small_is_not_worth_a_plan() -> None:
    """Below the least gain the cluster is left alone, however eager the policy."""
    text = "a 16c/64g : w-1 8v/1g cpu=4 | w-2 8v/1g cpu=4 | w-3 8v/1g cpu=4\nb 16c/64g :"
    eager = standing(aggressiveness=5)
    assert planned(text, eager).actions
    assert planned(text, replace(eager, limits=Limits(minimum_gain=1.0))).actions == ()


def test_a_plan_that_cannot_be_ordered_is_no_plan() -> None:
    """Two that must change places and no room anywhere: nothing is done, and the circle is named."""
    text = """
    a 16c/8g : east 4v/4g | stone-1 4v/4g
    b 16c/8g : west 4v/4g | stone-2 4v/4g
    """
    made = plan(
        observation(text),
        standing(
            Together(guests=select("east", "stone-2")), Together(guests=select("west", "stone-1"))
        ),
    )
    assert isinstance(made, Infeasible)
    assert "circle" in made.remedy or "room" in made.remedy


def test_a_plan_the_judge_refuses_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline believes the judge, not the solver."""

    def refuses(*_: object) -> Verdict:
        return Verdict(valid=False, faults=("too bold",), rules=(), reached={})

    monkeypatch.setattr(pipeline, "judge", refuses)
    made = plan(observation(HOT), standing())
    assert isinstance(made, Infeasible)
    assert "too bold" in made.reason


@given(problems())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_plan_is_accepted_and_makes_nothing_worse(problem) -> None:  # type: ignore[no-untyped-def]
    """Whatever the cluster and the rules: the judge accepts, no score rises, no rule worsens."""
    seen = Observation(NOON, problem.cluster)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FORECASTERS, "latest", lambda *_: problem.demand)
        made = plan(seen, problem.policy, Request(relieve=problem.relieve))
        if isinstance(made, Infeasible):
            assert made.reason
            return
        fresh = assess(seen, problem.policy)
    verdict = judge(fresh, made.actions)
    assert verdict.valid, verdict.faults
    before, after = made.score_before, made.score_after
    assert (after.repair, after.overload) <= (before.repair, before.overload)
    held = baseline(broken(fresh, problem.cluster.placement))
    found = [
        v for r in pipeline.all_rules(fresh) for v in r.violations(fresh, at_rest(verdict.reached))
    ]
    assert worsened(held, found) == ()


def test_guests_go_where_the_operator_wants_them_though_they_moved_lately() -> None:
    """The plan leads there, is judged by the same order again, and says who wanted it."""
    seen = moved_lately(observation(CALM), "web-1", "b", "a")
    home = {uuid_of("web-1"): "b", "gone": "a"}
    made = towards(seen, standing(), home, "undoes P-1")
    assert isinstance(made, Plan), made
    assert [(a.name, a.target, a.reason) for a in made.actions] == [("web-1", "b", "undoes P-1")]
    assert set(made.ordered) == home.keys()
    assert not judge(assess(seen, standing()), made.actions).valid
    assert judge(assess(seen, standing(), orders_of(made)), made.actions).valid


def test_what_breaks_a_rule_on_its_way_back_stays_and_says_why() -> None:
    """An order to go somewhere is no licence; where nobody can go, that is the answer."""
    apart = standing(Spread(guests=select("web-*")))
    made = towards(observation(CALM), apart, {uuid_of("web-1"): "b"}, "undoes P-1")
    assert isinstance(made, Infeasible)
    assert made.reason.startswith("web-1: ")
    nothing = towards(observation(CALM), apart, {uuid_of("web-1"): "a"}, "undoes P-1")
    assert isinstance(nothing, Plan)
    assert nothing.actions == ()


def test_a_way_back_that_the_judge_refuses_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What order and judge do not agree on is reported instead of carried out."""
    monkeypatch.setattr(pipeline, "judge", lambda *_: Verdict(False, ("a fault",), (), {}))
    made = towards(observation(CALM), standing(), {uuid_of("web-1"): "b"}, "so")
    assert isinstance(made, Infeasible)
    assert "a fault" in made.reason


def test_a_pair_that_is_barred_is_not_tried_again() -> None:
    """The guest goes elsewhere, the rest of the plan as it was."""
    text = "a 16c/64g : db 4v/8g cpu=1\nb 16c/64g :\nc 16c/64g :"
    seen = observation(text)
    hosts = tuple(
        replace(h, state=HostState.DRAINING) if h.name == "a" else h for h in seen.cluster.hosts
    )
    seen = replace(seen, cluster=replace(seen.cluster, hosts=hosts))
    first = plan(seen, standing())
    assert isinstance(first, Plan)
    (move,) = first.actions
    barred = {(move.guest, move.target): "its QEMU died there"}
    second = plan(seen, standing(), Request(barred=barred))
    assert isinstance(second, Plan)
    assert {a.target for a in second.actions} == {"b", "c"} - {move.target}
    assert Barred().concerns(assess(seen, standing(), Request(barred=barred))) == (move.guest,)


def moved_lately(seen: Observation, name: str, source: str, target: str) -> Observation:
    action = Migration(
        id="m1", guest=uuid_of(name), name=name, source=source, target=target,
        rate_kib_s=1, downtime_ms=1,
        predicted=Prediction(seconds=1, seconds_p90=1, mib=1, downtime_ms=1),
    )  # fmt: skip
    ended = Outcome(action=action, result=Result.DONE, started=NOON - 60, ended=NOON - 50)
    return replace(seen, outcomes=(ended,))


def test_an_order_that_reaches_nothing_worth_having_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If only useless moves of a good placement can be ordered, none is made."""

    def half(asked, target, reasons, _):  # type: ignore[no-untyped-def]
        whole = order(asked, target, reasons)
        pointless = {**asked.cluster.placement, uuid_of("web-4"): "b"}
        return replace(order(asked, pointless, {}), left=whole.left)

    monkeypatch.setattr(pipeline, "order", half)
    made = plan(observation(HOT), standing())
    assert isinstance(made, Plan)
    assert made.actions == ()
    assert made.score_after == made.score_before


CROSSED = """
a 16c/4g : x 4v/4g cpu=4
b 16c/4g : z 4v/4g cpu=4
c 16c/8g : y 4v/4g cpu=13
"""
"""x must leave a: best for b, if z could come to a, which it cannot; c would be hot."""


def test_placement_is_asked_again_without_what_cannot_be_ordered() -> None:
    """The operator still gets what can be done: x goes to c, and why not to b is said."""
    rules = OnlyOn(guests=select("x"), hosts=select("b", "c"))
    policy = standing(rules, allow=Allow(temporary_moves=False))
    made = planned(CROSSED, policy)
    assert [(a.name, a.target) for a in made.actions] == [("x", "c")]
    assert made.asked_again == 1
    assert made.reach is Reach.COMPLETE
    (certificate,) = made.certificates
    assert doubts(assess(observation(CROSSED), policy), certificate) == ()


def test_what_stays_impossible_is_asked_for_a_few_times_only() -> None:
    """With nowhere else to go the answer says so, with the proof."""
    rules = (
        OnlyOn(guests=select("x"), hosts=select("b")),
        OnlyOn(guests=select("z"), hosts=select("a")),
    )
    text = "a 16c/4g : x 4v/4g cpu=4\nb 16c/4g : z 4v/4g cpu=4"
    answer = plan(observation(text), standing(*rules))
    assert isinstance(answer, Infeasible)
    assert [c.argument for c in answer.certificates] == [Argument.COUNT]


def test_a_target_nobody_can_reach_is_refused_with_the_proof() -> None:
    """What the operator asks for by name, too."""
    text = "a 16c/4g : x 4v/4g cpu=4\nb 16c/4g : z 4v/4g cpu=4"
    wanted = {uuid_of("x"): "b", uuid_of("z"): "a"}
    answer = towards(observation(text), standing(), wanted, "because")
    assert isinstance(answer, Infeasible)
    assert "would open it" in answer.reason
    assert [c.argument for c in answer.certificates] == [Argument.COUNT]


def test_a_plan_tells_the_fewest_steps_aside_only_of_its_whole_way() -> None:
    """A swap takes one; of the part that an hour can afford nothing is known."""
    text = "a 9c/4g : x 1v/4g\nb 9c/4g : z 1v/4g\nc 9c/4g :\nd 9c/9g : y 1v/1g"
    wanted = {uuid_of("x"): "b", uuid_of("z"): "a", uuid_of("y"): "c"}
    whole = towards(observation(text), standing(), wanted, "so")
    assert isinstance(whole, Plan)
    assert (len(whole.actions), whole.least_aside) == (4, 1)
    short = standing(limits=replace(Limits(), moves_per_hour=1))
    part = towards(observation(text), short, wanted, "so")
    assert isinstance(part, Plan)
    assert (len(part.actions), part.least_aside) == (1, 0)


def test_who_is_called_off_orders_quickly_what_was_found(monkeypatch) -> None:
    """A thorough search that is broken off spends no minutes on the order of its moves."""
    asked: list[Effort] = []

    def noted(problem, target, reasons, effort):
        asked.append(effort)
        return order(problem, target, reasons, effort)

    monkeypatch.setattr(pipeline, "order", noted)
    thorough = Request(effort=Effort.THOROUGH)
    plan(observation(HOT), default_policy(), thorough, lambda: False)
    assert asked == [Effort.QUICK]
    plan(
        observation(HOT), default_policy(), replace(thorough, effort=Effort.INSTANT), lambda: False
    )
    assert asked[1:] == [Effort.INSTANT]
