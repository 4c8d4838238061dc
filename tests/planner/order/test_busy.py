"""Guests that cannot be brought away are known before anything is planned upon them."""

from dataclasses import replace

import pytest

from balancer.config import default_policy
from balancer.planner.model.cluster import HostState
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Outcome, Plan, Result, Rung, RungKind
from balancer.planner.model.policy import Allow, Limits, Policy
from balancer.planner.model.request import Request
from balancer.planner.model.selector import EVERYTHING
from balancer.planner.order.busy import hopeless, too_busy, unmoved
from balancer.planner.pipeline import assess, consider, plan
from tests.drawing import NOON, observation, problem, uuid_of
from tests.worlds import plan_of, world_of

BUSY = """
a 16c/64g link=100 : db-1 4v/8g cpu=8 dirty=90 | web-1 4v/8g cpu=7
b 16c/64g link=100 : web-2 4v/8g cpu=1
"""
EAGER = replace(default_policy(), aggressiveness=5)


def moved(policy: Policy, text: str = BUSY, **asked: object) -> dict[str, str]:
    made = plan(observation(text), policy, Request(**asked))  # type: ignore[arg-type]
    assert isinstance(made, Plan), made
    return {action.name: action.target for action in made.actions}


def test_a_guest_that_dirties_too_fast_is_placed_nowhere_else_and_another_is() -> None:
    """db-1 would be the better one; it stays, and that is said with the remedy."""
    assert moved(EAGER) == {"web-1": "b"}
    weighed = consider(observation(BUSY), EAGER, uuid_of("db-1"))
    assert "allow it auto_converge or post_copy" in weighed.stays
    allowed = replace(EAGER, allow=Allow(post_copy=EVERYTHING))
    assert too_busy(problem(BUSY, rules=allowed)) == {}


def test_calm_guests_and_clusters_without_room_cost_nothing() -> None:
    """No pair is looked at in vain."""
    assert too_busy(problem(BUSY.replace("dirty=90", "dirty=1"))) == {}
    assert too_busy(problem("a 16c/64g state=down : db-1 4v/8g dirty=90")) == {}


def test_a_guest_is_hopeless_where_it_can_be_sent_to_no_host() -> None:
    """A quick link is a way out, so is a consent; nothing is claimed of whoever is not measured."""
    db, web = uuid_of("db-1"), uuid_of("web-1")
    assert hopeless(problem(BUSY), db)
    assert not hopeless(problem(BUSY), web)
    assert not hopeless(problem(BUSY.replace("dirty=90", "dirty=1")), db)
    assert not hopeless(problem(BUSY, allow=Allow(post_copy=EVERYTHING)), db)
    fast = BUSY.replace("link=100", "link=10000") + "c 16c/64g link=100 :"
    assert not hopeless(problem(fast), db)
    assert not hopeless(problem("a 16c/64g : db-1 4v/8g"), db)


def failed(**others: object) -> Outcome:
    """Return how db-1's migration ended ten minutes ago, without converging."""
    (action,) = plan_of(world_of(BUSY), "db-1 a b").actions
    given = {"ended": NOON - 600, "mib": 9, "diverged": True, "result": Result.ABORTED}
    return Outcome(action=action, started=NOON - 900, **(given | others))  # type: ignore[arg-type]


def told(outcome: Outcome, **fields: object) -> str:
    seen = replace(observation(BUSY.replace("dirty=90", "dirty=1")), outcomes=(outcome,))
    posed = replace(assess(seen, EAGER), **fields)  # type: ignore[arg-type]
    return unmoved(posed).get(uuid_of("db-1"), "")


def test_what_did_not_converge_lately_rests() -> None:
    """It is named with when and the remedy, for as long as guests rest that moved."""
    assert told(failed()).startswith("its migration did not converge 10 min ago; allow it auto")
    assert told(failed(ended=NOON - 90_000.0)) == ""
    assert told(failed(diverged=False)) == ""
    assert told(failed(), ordered=frozenset({uuid_of("db-1")})) == ""
    assert told(failed(), relieve=frozenset({"a"})) == ""


@pytest.mark.parametrize(
    ("policy", "again"),
    [
        (replace(EAGER, allow=Allow(post_copy=EVERYTHING)), True),
        (replace(EAGER, allow=Allow(auto_converge=EVERYTHING)), True),
        (replace(EAGER, limits=Limits(pause_at_most=900)), True),
        (EAGER, False),
    ],
)
def test_with_more_allowed_it_is_tried_again(policy: Policy, again: bool) -> None:  # noqa: FBT001
    """A consent or a longer pause that its last migration could not use."""
    assert (told(failed(), policy=policy) == "") is again


def test_what_was_tried_already_is_no_reason_to_try_again() -> None:
    """It began with auto-converge and had post-copy as a rung."""
    outcome = failed()
    rungs = (Rung(kind=RungKind.POST_COPY),)
    action = replace(outcome.action, rungs=rungs, auto_converge=True)
    policy = replace(EAGER, allow=Allow(auto_converge=EVERYTHING, post_copy=EVERYTHING))
    assert told(replace(outcome, action=action), policy=policy)


def own(text: str) -> Observation:
    """Return the observation of a planner that runs in vm-1."""
    return replace(observation(text), planner=uuid_of("vm-1"))


def test_the_guest_that_the_planner_runs_in_moves_last_and_by_itself() -> None:
    """First all others leave, in a plan without it; then it, alone."""
    text = "a 16c/64g : vm-1 2v/4g | web-1 2v/4g\nb 16c/64g :"
    draining = own(text)
    cluster = draining.cluster
    hosts = tuple(
        replace(h, state=HostState.DRAINING) if h.name == "a" else h for h in cluster.hosts
    )
    draining = replace(draining, cluster=replace(cluster, hosts=hosts))
    first = plan(draining, EAGER)
    assert isinstance(first, Plan)
    assert [a.name for a in first.actions] == ["web-1"]
    placement = {**cluster.placement, uuid_of("web-1"): "b"}
    rest = replace(draining, cluster=replace(draining.cluster, placement=placement))
    then = plan(rest, EAGER)
    assert isinstance(then, Plan)
    assert [a.name for a in then.actions] == ["vm-1"]
    held = plan(rest, EAGER, Request(held={uuid_of("vm-1"): "so"}))
    assert not (isinstance(held, Plan) and held.actions)
