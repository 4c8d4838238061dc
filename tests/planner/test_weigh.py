"""Who was rejected and by what, and what would have decided otherwise."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.blackout import Blackout
from balancer.planner.constraints.spread import Spread
from balancer.planner.formulation import Formulation, formulate
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.weighed import Weighed
from balancer.planner.objectives import OBJECTIVES, all_goals
from balancer.planner.pipeline import account, consider, plan
from balancer.planner.weigh import Scales, weigh
from tests.drawing import observation, problem, select, uuid_of
from tests.planner.place.formulations import formulations
from tests.planner.weighing import against

TEXT = """
    a 16c/64g : web-1 4v/8g cpu=4 | web-2 4v/8g cpu=4 | web-3 4v/8g cpu=4 | web-4 4v/8g cpu=4
    b 16c/64g : busy 16v/8g cpu=13
    c 16c/64g : zk 1v/1g cpu=0.1
    d 16c/64g : some 4v/4g cpu=2
    e 4c/4g :
    f 16c/64g :
    g 16c/64g : x 1v/1g cpu=1
    h 16c/64g : y 1v/1g cpu=1
    i 16c/64g : z 1v/1g cpu=2
"""
GOALS = [goal() for goal in OBJECTIVES.values()]
RULES = (Avoid(guests=select("web-*"), hosts=select("c")), Spread(guests=select("web-1", "some")))


def weighed(question: Problem, name: str, **moved: str) -> Weighed:
    """Return what is said of a guest, others being moved as given."""
    reached: Placement = {
        **question.cluster.placement,
        **{uuid_of(guest): host for guest, host in moved.items()},
    }
    formulation = formulate(question, all_rules(question), all_goals(question))
    return weigh(question, formulation, reached, uuid_of(name))


def test_each_other_host_is_rejected_by_something_or_left() -> None:
    """A rule that forbids it, one that it would break, heat; the rest by how busy they are."""
    question = problem(TEXT, *RULES, objectives=GOALS)
    found = weighed(question, "web-1", **{"web-1": "f"})
    assert found.rejected == {
        "avoid web-1, web-2, web-3, web-4": 1,
        "spread": 1,
    } or set(found.rejected.values()) == {1}
    assert found.rejected["would be hot"] == 1
    assert found.left == ("g", "h", "i")
    assert found.more == 1, "f itself, now that the guest is there"
    assert sum(found.rejected.values()) + len(found.left) + found.more == 8
    assert found.otherwise.startswith("it would stay if hot.cpu_used were above 100%")


def test_a_guest_that_stays_is_told_what_would_move_it() -> None:
    """The nearest limit of its host, with how far that is."""
    question = problem(TEXT, *RULES, objectives=GOALS)
    found = weighed(question, "some")
    assert not found.stays
    assert "it would be considered if d used more than 85% of its CPU (hot.cpu_used; now 12%)" in (
        found.otherwise
    )


def test_a_guest_that_cannot_be_moved_is_told_why() -> None:
    """Held, or with nowhere to go; no host is looked at."""
    question = replace(problem(TEXT), held={uuid_of("zk"): "because"})
    assert weighed(question, "zk").stays == "because"
    nowhere = problem(TEXT, Avoid(guests=select("zk"), hosts=select("!c")))
    found = weighed(nowhere, "zk")
    assert "no other host is open to it" in found.stays
    assert (found.rejected, found.left, found.more) == ({}, (), 0)


def test_a_repair_would_not_have_been_made_under_stay() -> None:
    """Where the host is not hot, heat decides nothing."""
    found = weighed(problem(TEXT), "some", some="f")
    assert found.otherwise == "it would stay under [[stay]] or in a [[blackout]]"


def test_a_plan_is_accounted_for_guest_by_guest() -> None:
    """Once for each that moves."""
    policy = Policy(name="p", objectives=tuple(GOALS))
    seen = observation(TEXT)
    made = plan(seen, policy)
    assert isinstance(made, Plan)
    found = account(seen, policy, made)
    assert {w.guest for w in found} == {a.guest for a in made.actions}
    assert all(w.otherwise for w in found)


def test_any_guest_can_be_considered() -> None:
    """As things are now."""
    noon = Blackout(when=("daily 15:00-16:00",), guests=select("zk"))
    policy = Policy(name="p", constraints=(noon,))
    assert "blackout until" in consider(observation(TEXT), policy, uuid_of("zk")).stays
    assert consider(observation(TEXT), policy, uuid_of("some")).left


@given(formulations(), st.data())
def test_one_look_in_arrays_finds_what_reckoning_anew_finds(
    given_: Formulation, data: st.DataObject
) -> None:
    """For every guest and host, wherever the others were moved to."""
    hosts = [host.name for host in given_.problem.cluster.hosts]
    everybody = given_.problem.cluster.guests
    reached = {g.uuid: data.draw(st.sampled_from(hosts)) for g in everybody}
    placed = np.array([hosts.index(reached[g.uuid]) for g in everybody], dtype=np.int64)
    scales = Scales(given_.problem, given_, reached)
    for guest in range(len(placed)):
        slowly = [against(given_, placed, guest, site) for site in range(len(hosts))]
        quickly = scales._against(guest)
        home = int(given_.start[guest])
        slowly[home] = quickly[home] = ""
        assert quickly == slowly
