"""What a plan promises, held against a cluster that has changed since."""

from dataclasses import replace

from balancer.planner.assessment import assess
from balancer.planner.model.plan import Plan
from balancer.planner.model.request import Request
from balancer.planner.pipeline import towards
from balancer.planner.promised import unkept
from tests.drawing import observation, uuid_of
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
