"""What a plan promises, held against a cluster that has changed since."""

from dataclasses import replace

from balancer.planner.assessment import assess
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.model.plan import Plan
from balancer.planner.model.request import Request
from balancer.planner.pipeline import towards
from balancer.planner.promised import unkept
from balancer.planner.prove import prove
from tests.drawing import observation, select, uuid_of
from tests.planner.test_pipeline import standing

TEXT = "a 16c/64g link=100 : x 4v/8g cpu=1 used=4\nb 16c/64g link=100 :"


def made() -> Plan:
    found = towards(observation(TEXT), standing(), {uuid_of("x"): "b"}, "because")
    assert isinstance(found, Plan)
    return found


def said(plan: Plan, text: str) -> str:
    """Return what is not kept in the cluster that `text` draws."""
    problem = assess(observation(text), standing(), Request(ordered=frozenset({uuid_of("x")})))
    return "\n".join(unkept(problem, plan, same=False))


def test_more_room_and_other_load_keep_every_promise():
    """Measurements change; what was promised still holds."""
    assert said(made(), TEXT) == ""
    assert said(made(), TEXT.replace("cpu=1", "cpu=2")) == ""


def test_a_guest_that_has_grown_or_grown_busy_breaks_them():
    """It takes longer than the promised p90 now, or will not converge at all."""
    assert "at worst, expected are" in said(made(), TEXT.replace("used=4", "used=8"))
    assert "will not converge at 40 MiB/s" in said(
        made(), TEXT.replace("used=4", "used=4 dirty=90")
    )


def test_what_is_not_known_is_the_judges_to_say():
    """Guests and hosts that are not there have no room and take no time."""
    plan = made()
    gone = replace(plan, actions=(replace(plan.actions[0], target="nowhere"),))
    assert said(gone, TEXT) == ""
    still = replace(plan, actions=(replace(plan.actions[0], rate_kib_s=0),))
    assert "KiB/s of its link" not in said(still, TEXT)


def strictly(plan: Plan) -> str:
    """Return what is not kept in the very problem that the plan was made for."""
    problem = assess(observation(TEXT), standing(), Request(ordered=frozenset({uuid_of("x")})))
    return "\n".join(unkept(problem, plan, same=True))


def with_proof(plan: Plan, **other: object) -> Plan:
    return replace(plan, proofs=(replace(plan.proofs[0], **other),))  # type: ignore[arg-type]


def with_time(plan: Plan, **other: float) -> Plan:
    action = plan.actions[0]
    return replace(plan, actions=(replace(action, predicted=replace(action.predicted, **other)),))


def test_every_word_of_a_proof_is_held_against_the_problem():
    """Number, step, placement, room, rules and heat; what is as promised is no fault."""
    plan = made()
    assert strictly(plan) == ""
    assert "carries 0 proofs for 1 actions" in strictly(replace(plan, proofs=()))
    assert "its proof is of another" in strictly(with_proof(plan, action="another"))
    assert "not 0000" in strictly(with_proof(plan, fingerprint="0000"))
    less = replace(plan.proofs[0].target, memory_mib=1)
    assert "MiB of memory are left where 1 are promised" in strictly(with_proof(plan, target=less))
    assert "rules or heat after it are not as promised" in strictly(with_proof(plan, heat=7))


def test_a_rule_that_stays_broken_must_be_promised():
    """Somebody has put y where it may not be: the plan does not say that it stays there."""
    rule = Avoid(guests=select("y"), hosts=select("c"))
    seen = observation(f"{TEXT}\nc 16c/64g link=100 : y 1v/1g")
    problem = assess(seen, standing(rule), Request(ordered=frozenset({uuid_of("x")})))
    broken = prove(problem, made().actions)[0].broken
    assert broken
    assert f"{broken[0]} is broken after it, which is not promised" in "\n".join(
        unkept(problem, made(), same=False)
    )
    admitted = with_proof(made(), broken=broken)
    assert "not promised" not in "\n".join(unkept(problem, admitted, same=False))


def test_durations_are_those_that_the_model_expects():
    """The median and the p90 both, and the p90 is the longer."""
    plan = made()
    median = plan.actions[0].predicted.seconds
    assert "p90 is below its median" in strictly(with_time(plan, seconds_p90=median / 2))
    assert "expected are" in strictly(with_time(plan, seconds=median - 1))
    assert "expected are" in strictly(with_time(plan, seconds_p90=9 * median))


def test_whoever_is_helped_on_its_way_is_not_held_to_its_duration():
    """A guest that is slowed down, or that the plan gives no rate, has no expected duration."""
    plan = made()
    late = with_time(plan, seconds=1.0, seconds_p90=1.0).actions[0]
    slowed = replace(plan, actions=(replace(late, auto_converge=True),))
    still = replace(plan, actions=(replace(late, rate_kib_s=0),))
    for vague in (slowed, still):
        assert " is promised in " not in said(vague, TEXT)
    assert " is promised in " in said(replace(plan, actions=(late,)), TEXT)
